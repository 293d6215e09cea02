"""`make audit` and `make sbom`: what they say, and that silence is never taken for a good answer."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from agent.demo.waiting import free_port
from tests.neighbours.http_site import Answer, HttpSite
from tests.packaging.documents import ROOT
from tools import audit, sbom
from tools.locked import DEVELOPMENT, RUNTIME, read


def asked(osv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.audit", "--osv-url", f"{osv}/v1/query"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def known(name: str) -> Answer:
    """As osv.dev answers: https://google.github.io/osv.dev/post-v1-query/."""
    events = [{"introduced": "0"}, {"fixed": "999.1"}]
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    more = {"id": "PYSEC-2030-7", "aliases": ["CVE-2030-4711"], "summary": "Anybody\x1b[2J may", "affected": [affected]}
    return Answer(200, json.dumps({"vulns": [{"schema_version": "1.6.0", **more}]}))


def test_every_locked_package_is_asked_about(http_site: HttpSite) -> None:
    http_site.answer("/v1/query", Answer(200, "{}"), method="POST")
    done = asked(http_site.url)
    assert done.returncode == 0, done.stderr
    assert "nothing is known against" in done.stdout
    named = {(request.json()["package"]["name"], request.json()["version"]) for request in http_site.requests}
    assert named >= {(package.name, package.version) for package in read(DEVELOPMENT) if package.is_for_linux}


def test_what_is_known_against_a_package_is_said_and_fails(http_site: HttpSite) -> None:
    name = read(DEVELOPMENT)[0].name
    http_site.answer("/v1/query", *[known(name)] * 200, Answer(200, "{}"), method="POST")
    done = asked(http_site.url)
    assert done.returncode == 1
    version = read(DEVELOPMENT)[0].version
    said = f"{name} {version}: PYSEC-2030-7, CVE-2030-4711; mended in 999.1: Anybody\\x1b[2J may"
    assert said in done.stdout.splitlines()
    assert "nothing is known" not in done.stdout


@pytest.mark.parametrize("answer", [None, Answer(503, "later"), Answer(200, "<html>log in first</html>")])
def test_a_database_that_cannot_be_asked_is_no_good_answer(http_site: HttpSite, answer: Answer | None) -> None:
    if answer:
        http_site.answer("/v1/query", answer, method="POST")
    done = asked(http_site.url if answer else f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "could not be asked" in done.stderr


def test_who_is_passed_over_is_not_called_well(capsys: pytest.CaptureFixture[str]) -> None:
    """pip-audit leaves out a package that the database does not know, and ends with 0."""
    well, unknown = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}
    ill = {"name": "c", "version": "2", "vulns": [{"id": "X", "aliases": [], "fix_versions": [], "description": ""}]}
    assert audit.judge([well]) == 0
    assert audit.judge([well, unknown]) == audit.judge([]) == audit.NOT_ASKED
    assert audit.judge([unknown, ill]) == 1
    assert capsys.readouterr().err.count("could not be asked") == 3


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("sbom") / "dist" / "sbom.json"
    assert sbom.main(file) == 0
    return file.read_text(encoding="utf-8")


def test_the_bill_follows_its_schema(bill: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None


def test_the_bill_names_every_package_with_hashes_and_licence(bill: str) -> None:
    listed: dict[str, Any] = {each["name"]: each for each in json.loads(bill)["components"]}
    locked = [package for package in read(RUNTIME) if package.is_for_linux]
    assert set(listed) == {package.name for package in locked}
    for package in locked:
        component = listed[package.name]
        assert component["version"] == package.version
        assert component["licenses"], package.name
        [published] = component["externalReferences"]
        assert {each["content"] for each in published["hashes"]} == set(package.hashes)


def test_the_same_lock_gives_the_same_bytes(bill: str, tmp_path: Path) -> None:
    assert sbom.main(tmp_path / "again.json") == 0
    assert (tmp_path / "again.json").read_text(encoding="utf-8") == bill


def test_what_is_not_installed_as_locked_is_not_spoken_for(tmp_path: Path) -> None:
    other = tmp_path / "requirements.txt"
    lock = RUNTIME.read_text(encoding="utf-8")
    other.write_text(lock.replace("jinja2==", "jinja2==99."), encoding="utf-8")
    with pytest.raises(sbom.NotAsLocked, match="jinja2 is installed as"):
        sbom.bill(other)
