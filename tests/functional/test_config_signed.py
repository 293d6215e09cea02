"""Signed runbooks, with the real ssh-keygen: who may sign, what does not count, and what is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent.config.agent_settings import Signers
from agent.config.load import load
from agent.config.problem import ConfigProblems, Problem
from agent.config.signature import NAMESPACE, NotSigned, signer_of
from agent.model.runbook import Runbook
from tests.functional.ssh_login import make_key

LOOK = "runbook: look\nsteps:\n  - run: uptime\n"


class Site:
    """A configuration with one runbook, which has to be signed; alice may sign, bob may not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config"
        (self.config / "runbooks").mkdir(parents=True)
        self.allow(f"alice@example.com {self.public('alice')}")
        self.configure("{allowed_signers: allowed_signers}")
        self.runbook = self.write("look", LOOK)

    def configure(self, signed: str) -> None:
        text = f"agent: {{state_dir: ../state, signed_runbooks: {signed}}}\nteams: {{operations: {{}}}}\n"
        (self.config / "all.yaml").write_text(text)

    def key(self, name: str) -> Path:
        path = self.folder / name
        return path if path.exists() else make_key(path)

    def public(self, name: str) -> str:
        return self.key(name).with_suffix(".pub").read_text().strip()

    def allow(self, *lines: str) -> None:
        (self.config / "allowed_signers").write_text("".join(f"{line}\n" for line in lines))

    def write(self, name: str, text: str) -> Path:
        file = self.config / "runbooks" / f"{name}.yaml"
        file.write_text(text)
        return file

    def sign(self, file: Path, by: str = "alice", namespace: str = NAMESPACE) -> Path:
        """As the documentation says it."""
        signature = file.with_name(f"{file.name}.sig")
        signature.unlink(missing_ok=True)
        words = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(self.key(by)), str(file)]
        subprocess.run(words, check=True, capture_output=True)
        return signature

    def loaded(self) -> Runbook:
        return load(self.config, environ={}).settings.runbooks["look"]

    def problem(self) -> Problem:
        with pytest.raises(ConfigProblems) as found:
            load(self.config, environ={})
        (one,) = found.value.problems
        return one

    def read_elsewhere(self, path: str) -> str:
        """What is said where $PATH is this."""
        reads = "import sys; from agent.config.load import load, Path; load(Path(sys.argv[1]), environ={})"
        words = [sys.executable, "-c", reads, str(self.config)]
        return subprocess.run(words, env={"PATH": path}, capture_output=True, text=True, check=False).stderr

    def refusal(self) -> str:
        """What is wrong with the runbook."""
        problem = self.problem()
        assert problem.file.endswith("look.yaml")
        return problem.what


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_who_signed_is_known_with_the_text(site: Site) -> None:
    site.sign(site.runbook)
    runbook = site.loaded()
    assert runbook.signed_by == "alice@example.com"
    assert runbook.text == LOOK


def test_where_nobody_asks_for_signatures_none_is_looked_at(site: Site) -> None:
    site.configure("null")
    site.sign(site.runbook).write_text("rubbish")
    assert site.loaded().signed_by == ""


def test_what_is_not_signed_is_refused_with_the_command_that_signs_it(site: Site) -> None:
    problem = site.problem()
    assert problem.what == "is not signed: there is no look.yaml.sig"
    assert problem.hint == "ssh-keygen -Y sign -n paramedic-runbook -f KEY look.yaml"


@pytest.mark.parametrize("at", [0, 9, -1])
def test_one_byte_that_is_not_as_it_was_signed(site: Site, at: int) -> None:
    site.sign(site.runbook)
    text = bytearray(LOOK.encode())
    text[at] ^= 0x20 if at >= 0 else 0x07
    site.runbook.write_bytes(bytes(text))
    assert "is not what alice@example.com signed for runbooks" in site.refusal()
    assert "incorrect signature" in site.refusal()


def test_what_is_appended_or_cut_off_or_has_other_line_ends(site: Site) -> None:
    site.sign(site.runbook)
    for text in (LOOK + "\n", LOOK[:-1], LOOK.replace("\n", "\r\n"), "\ufeff" + LOOK):
        site.runbook.write_bytes(text.encode())
        assert "incorrect signature" in site.refusal()


def test_a_signature_by_another_key_or_for_another_purpose(site: Site) -> None:
    site.sign(site.runbook, by="bob")
    assert "is not signed by anybody in" in site.refusal()
    site.sign(site.runbook, namespace="git")
    assert "namespace does not match" in site.refusal()


def test_the_signature_of_another_runbook(site: Site) -> None:
    other = site.sign(site.write("other", LOOK.replace("look", "other")))
    other.rename(site.runbook.with_name("look.yaml.sig"))
    (site.config / "runbooks" / "other.yaml").unlink()
    assert "incorrect signature" in site.refusal()


def test_a_signed_text_under_another_files_name_is_still_only_itself(site: Site) -> None:
    """The name is in the signed text, so it cannot stand in for another runbook."""
    site.sign(site.runbook)
    other = site.write("other", LOOK)
    site.sign(other)
    assert "'look' is defined a second time" in site.problem().what


@pytest.mark.parametrize("content", [b"", b"\0\xff", b"-----BEGIN SSH SIGNATURE-----\n", b"x" * 2_000_000])
def test_a_signature_that_is_none(site: Site, content: bytes) -> None:
    site.sign(site.runbook).write_bytes(content)
    assert "is not signed by anybody in" in site.refusal()


def test_a_signature_that_is_no_file(site: Site) -> None:
    site.sign(site.runbook).unlink()
    site.runbook.with_name("look.yaml.sig").mkdir()
    assert "there is no look.yaml.sig" in site.refusal()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('valid-before="20200101"', "key has expired"),
        ('valid-after="20990101"', "key is not yet valid"),
        ('namespaces="git"', "not permitted for use in signature namespace"),
    ],
)
def test_a_signer_whose_key_does_not_count_now_or_not_for_this(site: Site, options: str, said: str) -> None:
    site.allow(f"alice@example.com {options} {site.public('alice')}")
    site.sign(site.runbook)
    assert said in site.refusal()
    site.allow(f'alice@example.com valid-after="20200101",namespaces="{NAMESPACE},git" {site.public("alice")}')
    assert site.loaded().signed_by == "alice@example.com"


def test_a_revoked_key(site: Site) -> None:
    site.sign(site.runbook)
    site.configure("{allowed_signers: allowed_signers, revoked: revoked}")
    revoked = site.config / "revoked"
    words = ["ssh-keygen", "-q", "-k", "-f", str(revoked), str(site.key("bob").with_suffix(".pub"))]
    subprocess.run(words, check=True, capture_output=True)
    assert site.loaded().signed_by == "alice@example.com"
    revoked.unlink()
    subprocess.run([*words[:-1], str(site.key("alice").with_suffix(".pub"))], check=True, capture_output=True)
    assert "or the key counts no more" in site.refusal()
    revoked.write_text(site.public("alice"))
    assert "or the key counts no more" in site.refusal()


def test_files_of_signers_that_are_not_there_or_that_others_may_change(site: Site) -> None:
    site.sign(site.runbook)
    site.configure("{allowed_signers: allowed_signers, revoked: gone}")
    with pytest.raises(ConfigProblems) as found:
        load(site.config, environ={})
    assert any("agent.signed_runbooks.revoked: there is no file" in str(one) for one in found.value.problems)
    site.configure("{allowed_signers: allowed_signers}")
    (site.config / "allowed_signers").chmod(0o666)
    problem = site.problem()
    assert problem.path == "agent.signed_runbooks.allowed_signers"
    assert "everybody may change" in problem.what


def test_without_ssh_keygen_that_is_what_is_said_once(site: Site, tmp_path: Path) -> None:
    site.sign(site.runbook)
    site.write("other", LOOK.replace("look", "other"))
    said = site.read_elsewhere(str(tmp_path / "nothing-here"))
    assert said.count("needs ssh-keygen, which is not installed: apt-get install openssh-client") == 1
    assert "all.yaml:1: agent.signed_runbooks" in said
    assert "look.yaml" not in said


def test_what_nobody_signed_is_not_even_parsed(site: Site) -> None:
    site.runbook.write_text("runbook: look\nsteps: [}")
    assert site.refusal() == "is not signed: there is no look.yaml.sig"


def test_what_is_verified_is_what_was_read_whatever_the_file_holds_by_then(site: Site) -> None:
    site.sign(site.runbook)
    signers = Signers(site.config / "allowed_signers")
    assert signer_of(LOOK.encode(), site.runbook, signers) == "alice@example.com"
    with pytest.raises(NotSigned, match="incorrect signature"):
        signer_of(LOOK.replace("uptime", "reboot").encode(), site.runbook, signers)
    site.runbook.write_text("something else by now")
    assert signer_of(LOOK.encode(), site.runbook, signers) == "alice@example.com"


def test_an_ssh_keygen_that_hangs_is_waited_for_once(site: Site, tmp_path: Path) -> None:
    for name in ("look", "other", "third"):
        site.sign(site.write(name, LOOK.replace("look", name)))
    (tmp_path / "bin").mkdir()
    asked, fake = tmp_path / "asked", tmp_path / "bin" / "ssh-keygen"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexec sleep 600\n')
    fake.chmod(0o755)
    said = site.read_elsewhere(f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert said.count("ssh-keygen did not answer within 10 s: try it: ssh-keygen -Y find-principals -s ") == 1
    assert len(asked.read_text().splitlines()) == 1
