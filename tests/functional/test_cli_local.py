"""What the `paramedic` command does without a running agent: records of a stopped one, configuration, checks."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model.decision import Decision
from agent.model.timeline import Entry, EntryKind
from agent.runtime.store import Store
from tests.functional.control_site import Said, paramedic, short_folder
from tests.functional.told_stories import BY_HAND, INCIDENT, NOTICED, RELOAD, RESTART, STORY
from tests.neighbours.ports import free_port

BROKEN = Path(__file__).parents[1] / "data" / "broken"
SHIPPED = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """The state folder of an agent that has stopped."""
    with short_folder() as folder:
        with Store.open(folder / "paramedic.db") as store:
            store.commit(
                [
                    Decision(
                        entries=tuple(stored.entry for stored in STORY.entries),
                        incidents={
                            "INC-12": INCIDENT,
                            "INC-11": replace(INCIDENT, id="INC-11", service="mail", opened_at=NOTICED - 86400),
                        },
                        executions={run.id: run for run in (RELOAD, RESTART, BY_HAND)},
                    )
                ],
                NOTICED,
            )
        yield folder


def beside(folder: Path, *words: str) -> Said:
    """The socket that was named is in the state folder, and nobody listens there."""
    return paramedic(*words, socket=folder / "control.sock")


def test_the_story_is_read_from_the_record_of_a_stopped_agent(stopped: Path) -> None:
    said = beside(stopped, "show", "INC-12")
    assert said.code == 0, said.err
    assert "✗ reload: failed (exit 1)" in said.out
    assert f"no agent is running: read from its record, {stopped / 'paramedic.db'}" in said.err


def test_a_record_is_named_by_its_file_or_its_folder(stopped: Path) -> None:
    for store in (stopped, stopped / "paramedic.db"):
        said = paramedic("show", "RUN-3", "--store", str(store))
        assert said.code == 0
        assert said.err == ""
        assert "restart-unit" in said.out


def test_for_programs_both_ways_look_alike(stopped: Path) -> None:
    """The very keys that a running agent answers with."""
    story = json.loads(beside(stopped, "show", "INC-12", "--json").out)
    assert story["incident"]["symptoms"][0]["status"] == "CRITICAL"
    assert story["incident"]["phase"] == "escalated"
    assert story["entries"][0]["seq"] == 1


def test_incidents_of_a_stopped_agent_are_filtered(stopped: Path) -> None:
    def ids(*words: str) -> list[str]:
        found = json.loads(beside(stopped, "incidents", "--json", *words).out)["incidents"]
        return [incident["id"] for incident in found]

    assert ids() == ["INC-12", "INC-11"]
    assert ids("--service", "mail") == ["INC-11"]
    assert ids("--priority", "P3") == []
    assert ids("--since", "2025-11-20") == ["INC-12"]
    assert ids("--limit", "1") == ["INC-12"]


def test_what_is_not_in_the_record_is_no(stopped: Path) -> None:
    said = beside(stopped, "show", "INC-99")
    assert said.code == 1
    assert "there is no incident, run or emergency called INC-99" in said.err


def test_the_chain_is_checked_without_an_agent_and_an_altered_record_is_found(stopped: Path) -> None:
    said = beside(stopped, "records", "verify")
    assert (said.code, said.out.splitlines()[0]) == (0, f"{len(STORY.entries)} records, each as it was written")
    with short_folder() as folder:
        with sqlite3.connect(stopped / "paramedic.db") as whole, sqlite3.connect(folder / "paramedic.db") as forged:
            whole.backup(forged)
        with sqlite3.connect(folder / "paramedic.db") as forged:
            for (trigger,) in forged.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                forged.execute(f'DROP TRIGGER "{trigger}"')
            forged.execute("UPDATE timeline SET text = 'all was well' WHERE seq = 7")
        said = paramedic("records", "verify", "--store", str(folder))
    assert said.code == 1
    assert "broken at 7" in said.out
    assert "6 records before it are sound" in said.out


def test_a_record_that_is_none_is_said_in_a_sentence(tmp_path: Path) -> None:
    said = paramedic("records", "verify", "--store", str(tmp_path / "nothing"))
    assert said.code == 1
    assert "no record to read" in said.err
    (tmp_path / "paramedic.db").write_bytes(b"this is no database" * 100)
    said = paramedic("records", "verify", "--store", str(tmp_path))
    assert said.code == 1
    assert "Traceback" not in said.err


# configuration


def test_a_sound_configuration_is_summed_up(tmp_path: Path) -> None:
    said = paramedic("check-config", str(SHIPPED), folder=tmp_path)
    assert said.code == 0, said.err
    assert said.out.splitlines()[0] == f"{SHIPPED} is sound"
    assert len(said.out.splitlines()) < 20
    assert json.loads(paramedic("check-config", str(SHIPPED), "--json").out) == {
        "ok": True,
        "problems": [],
        "warnings": [],
    }


def test_a_configuration_folder_is_named_in_either_way(tmp_path: Path) -> None:
    said = paramedic("check-config", "--config", str(SHIPPED), folder=tmp_path)
    assert (said.code, said.out.splitlines()[0]) == (0, f"{SHIPPED} is sound")
    said = paramedic("run", str(BROKEN / "03-unknown-keys"))
    assert said.code == 1
    assert "did you mean 'within'?" in said.err


def test_every_problem_is_printed_with_its_place_and_a_hint() -> None:
    said = paramedic("check-config", str(BROKEN / "03-unknown-keys"))
    assert said.code == 1
    assert "checks.yaml:6  checks.web.expect.witin" in said.out
    assert "did you mean 'within'?" in said.out
    assert "11 problems" in said.out
    problems = json.loads(paramedic("check-config", str(BROKEN / "03-unknown-keys"), "--json").out)["problems"]
    assert len(problems) == 11
    assert {"file", "line", "column", "path", "what", "hint"} == set(problems[0])


def test_run_does_not_start_on_a_broken_configuration() -> None:
    said = paramedic("run", "--config", str(BROKEN / "03-unknown-keys"))
    assert said.code == 1
    assert "did you mean 'within'?" in said.err
    assert "Traceback" not in said.err


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for words in (["check-config", str(tmp_path / "x")], ["run", "--config", str(tmp_path / "x")]):
        said = paramedic(*words)
        assert said.code == 1
        assert str(tmp_path / "x") in said.out + said.err
        assert "Traceback" not in said.err


def test_a_file_of_the_configuration_is_no_folder() -> None:
    said = paramedic("check-config", str(SHIPPED / "checks.yaml"))
    assert said.code == 1
    assert f"give {SHIPPED}" in said.out


@pytest.mark.skipif(Path("/etc/paramedic").exists(), reason="NOT RUN HERE: /etc/paramedic is there")
@pytest.mark.parametrize(
    "words", [["check-config"], ["run"], ["runbook", "dry-run", "look"]], ids=lambda words: " ".join(words)
)
def test_without_any_configuration_both_places_are_named(tmp_path: Path, words: list[str]) -> None:
    said = paramedic(*words, folder=tmp_path)
    assert said.code == 1
    assert str(tmp_path) in said.err
    assert "/etc/paramedic" in said.err
    assert "--config DIR" in said.err


# checks and runbooks from the configuration


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration whose checks answer at once."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "checks.yaml").write_text(
        "checks:\n"
        "  good: {kind: command, run: echo fine}\n"
        "  bad: {kind: command, run: \"printf 'down\\\\033[2J'; exit 2\", ladder: [look]}\n"
    )
    (config / "hosts.yaml").write_text("hosts:\n  web1: {address: 127.0.0.1}\n  web2: {address: 127.0.0.1}\n")
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "look.yaml").write_text(
        "runbook: look\n"
        "description: Look at it.\n"
        "serial: 1\n"
        "vars: {what: {default: /tmp}}\n"
        "steps:\n"
        "  - {name: look, run: 'ls {{ vars.what }}', sudo: true}\n"
    )
    return tmp_path


def test_a_check_is_asked_from_here_when_no_agent_runs(site: Path) -> None:
    said = paramedic("checks", "run", "good", folder=site)
    assert (said.code, said.out) == (0, "OK       localhost  fine\n")
    assert "no agent is running" in said.err
    said = paramedic("checks", "run", "bad", folder=site)
    assert said.code == 1
    assert said.out.startswith("CRITICAL localhost  down")
    assert "\x1b" not in said.out
    found = json.loads(paramedic("checks", "run", "good", "--json", folder=site).out)
    assert found["observations"][0]["verdict"] == "OK"


def test_a_check_that_is_not_configured_is_no(site: Path) -> None:
    said = paramedic("checks", "run", "god", "--config", "config", folder=site)
    assert (said.code, said.err) == (1, "there is no check god: did you mean 'good'?\n")
    said = paramedic("checks", "run", "good", "--host", "web9", "--config", "config", folder=site)
    assert (said.code, said.err) == (1, "there is no host web9 that good asks: known here: localhost\n")


@pytest.mark.parametrize("kind", ["http", "tcp", "prometheus"])
def test_a_target_that_refuses_is_said_to_refuse_although_no_agent_runs(site: Path, kind: str) -> None:
    """That the agent was not there either is no part of the answer."""
    port = free_port()
    how = {
        "http": f"url: 'http://127.0.0.1:{port}/'",
        "tcp": f"port: {port}",
        "prometheus": f"url: 'http://127.0.0.1:{port}', query: up, critical: value > 1",
    }[kind]
    (site / "config" / "more.yaml").write_text(f"checks:\n  gone: {{kind: {kind}, {how}}}\n")
    said = paramedic("checks", "run", "gone", folder=site)
    assert said.code == 1
    assert "connection refused" in said.out
    assert "agent" not in said.out
    answer = json.loads(paramedic("checks", "run", "gone", "--json", folder=site).out)["observations"][0]
    assert answer["message"].endswith("connection refused")


def test_installed_kinds_are_described() -> None:
    found = json.loads(paramedic("checks", "kinds", "--json").out)["kinds"]
    assert {"cpu", "memory", "disk", "process", "http", "tcp", "command", "prometheus"} <= {k["kind"] for k in found}
    said = paramedic("checks", "kinds", "disk")
    assert said.code == 0
    assert "used" in said.out
    assert "path" in said.out
    assert "installed: " in paramedic("checks", "kinds", "dsik").err


def test_an_editor_is_told_what_may_be_written() -> None:
    said = paramedic("schema", "runbook")
    assert said.code == 0
    schema = json.loads(said.out)
    assert "rollback" in schema["properties"]
    assert "run" in schema["$defs"]["step"]["properties"]
    assert "checks" in json.loads(paramedic("schema", "config").out)["properties"]
    assert (paramedic("schema", "runbok").code, paramedic("schema").code) == (2, 2)


def test_runbooks_are_read_from_the_configuration(site: Path) -> None:
    said = paramedic("runbook", "list", folder=site)
    assert said.code == 0
    assert "look" in said.out
    assert "bad" in said.out
    assert paramedic("runbook", folder=site).out == said.out
    assert paramedic("runbook", "show", "lok", folder=site).err.endswith(
        "there is no runbook lok: did you mean 'look'?\n"
    )
    assert paramedic("runbook", "show", "look", folder=site).out == (site / "runbooks" / "look.yaml").read_text()


def test_a_dry_run_shows_every_command_and_does_nothing(site: Path) -> None:
    said = paramedic("runbook", "dry-run", "look", "--host", "web1", "--host", "web2", "--var", "what=a b", folder=site)
    assert said.code == 0, said.err
    assert said.out.count("ls 'a b'") == 2
    assert "batch 2 of 2" in said.out
    digest = hashlib.sha256((site / "runbooks" / "look.yaml").read_bytes()).hexdigest()
    assert said.err == f"(text {digest[:12]})\n"
    steps = json.loads(paramedic("runbook", "dry-run", "look", "--host", "web1", "--json", folder=site).out)["steps"]
    assert (steps[0]["host"], steps[0]["command"]) == ("web1", "ls /tmp")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["look"], "--host"),
        (["lok", "--host", "web1"], "did you mean 'look'"),
        (["look", "--host", "web3"], "no host web3"),
        (["look", "--host", "web1", "--var", "wat=1"], "no variable 'wat'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_dry_run_that_cannot_be_is_a_sentence(site: Path, words: list[str], said: str) -> None:
    ended = paramedic("runbook", "dry-run", *words, folder=site)
    assert ended.code == 1
    assert said in ended.err


def test_a_new_runbook_is_sound_and_passes_its_own_tests(site: Path) -> None:
    written = paramedic("runbook", "new", "restart-shop", folder=site)
    assert written.code == 0, written.err
    assert paramedic("check-config", folder=site).code == 0
    tested = paramedic("runbook", "test", folder=site)
    assert (tested.code, tested.out.splitlines()[-1]) == (0, "3 passed")
    before = (site / "runbooks" / "restart-shop.yaml").read_text()
    again = paramedic("runbook", "new", "restart-shop", folder=site)
    assert again.code == 1
    assert "there already" in again.err
    assert (site / "runbooks" / "restart-shop.yaml").read_text() == before


@pytest.mark.parametrize("name", ["../evil", "Restart Web", "", "a" * 64], ids=["path", "blank", "empty", "long"])
def test_a_name_that_is_none_writes_nothing(site: Path, name: str) -> None:
    assert paramedic("runbook", "new", name, folder=site).code == 1
    assert {file.name for file in site.rglob("*.yaml")} == {"checks.yaml", "hosts.yaml", "look.yaml"}


def test_a_runbook_that_does_otherwise_than_expected_fails_its_test(site: Path) -> None:
    file = site / "look.test.yaml"
    file.write_text("runbook: look\ntests:\n- {name: it looks, expect: {outcome: recovered, commands: [ls /var]}}\n")
    said = paramedic("runbook", "test", str(file), folder=site)
    assert said.code == 1
    assert "✗ look: it looks" in said.out
    assert "ls /tmp" in said.out
    found = json.loads(paramedic("runbook", "test", str(file), "--json", folder=site).out)
    assert (found["ok"], found["results"][0]["passed"], found["results"][0]["commands"]) == (False, False, ["ls /tmp"])
    file.write_text(file.read_text().replace("/var", "/tmp"))
    assert paramedic("runbook", "test", str(file), folder=site).code == 0


def test_tests_that_cannot_be_read_or_are_not_there_are_no_success(site: Path) -> None:
    (site / "look.test.yaml").write_text("runbook: lok\ntests: []\n")
    said = paramedic("runbook", "test", "look.test.yaml", folder=site)
    assert said.code == 1
    assert "did you mean 'look'" in said.out
    said = paramedic("runbook", "test", folder=site)
    assert said.code == 1
    assert "no tests were found" in said.out


def test_an_unexpected_error_is_a_sentence_and_a_traceback_only_on_demand(tmp_path: Path) -> None:
    """A plugin that cannot be imported is nobody's typing error."""
    (tmp_path / "psutil.py").write_text("raise RuntimeError('broken \\x1b[31m installation')\n")
    said = paramedic("checks", "kinds", "cpu", PYTHONPATH=str(tmp_path))
    assert said.code == 4
    assert "broken \\x1b[31m installation" in said.err
    assert "paramedic --debug checks kinds cpu" in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in paramedic("--debug", "checks", "kinds", "cpu", PYTHONPATH=str(tmp_path)).err


def test_questions_to_an_agent_import_nothing_heavy() -> None:
    """They must answer at once; pydantic alone is beyond us, the command-line library itself needs it."""
    said = paramedic("--debug", "status", socket=Path("/nonexistent/c.sock"), PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.err.splitlines() if "|" in line}
    assert "typer" in imported
    assert not imported & {"fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "paramiko", "requests", "yaml"}
    assert not imported & {"jinja2", "apscheduler", "prometheus_client", "prometheus_api_client", "psutil", "checks"}


def test_what_concerns_the_agent_itself_is_told_from_its_record(tmp_path: Path) -> None:
    with Store.open(tmp_path / "paramedic.db") as store:
        said = ("started: paramedic 0.1.0 on watch1", "refused to freeze: it takes the role commander")
        entries = [Entry(NOTICED + n, "agent", EntryKind.AGENT, text) for n, text in enumerate(said)]
        store.commit([Decision(entries=(*entries, Entry(NOTICED, "INC-1", EntryKind.NOTE, "another's")))], NOTICED)
    told = paramedic("show", "agent", "--store", str(tmp_path))
    assert told.code == 0, told.err
    assert [line for line in told.out.splitlines() if "paramedic 0.1.0 on watch1" in line]
    assert told.out.index("started") < told.out.index("refused to freeze")
    assert "another's" not in told.out


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN HERE: files of another user, because that needs root")
def test_a_configuration_that_somebody_laid_into_a_shared_folder_is_not_used(tmp_path: Path) -> None:
    """Root who stands there would carry out what it says."""
    laid = tmp_path / "config"
    laid.mkdir()
    evil = f"{{kind: command, every: 1m, run: touch {tmp_path}/carried-out}}"
    (laid / "checks.yaml").write_text(f"checks: {{web: {evil}}}")
    for each in (laid, laid / "checks.yaml"):
        os.chown(each, 65534, 65534)
    said = paramedic("checks", "run", "web", folder=tmp_path)
    assert not (tmp_path / "carried-out").exists()
    assert said.code == 1
    assert "belongs neither to you nor to root: if you mean it, name it (--config config)" in said.err
