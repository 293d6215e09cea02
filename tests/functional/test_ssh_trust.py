"""Whom we believe, and what we show: host keys against known_hosts, and the keys we log in with."""

import base64
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import Effect, HostKeyChanged, HostKeyUnknown, LoginRefused, UnknownSecret
from agent.model.inventory import Login
from agent.runtime.ssh import SshPool
from tests.functional.ssh_login import let_in, login_to, make_key
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until


@pytest.fixture
def pool() -> Iterator[SshPool]:
    pool = SshPool()
    yield pool
    pool.close()


def echo(pool: SshPool, login: Login) -> str:
    return pool.run("web1", login, "echo hello", timeout=60).stdout


def refusal(pool: SshPool, login: Login) -> str:
    with pytest.raises(LoginRefused) as caught:
        echo(pool, login)
    assert (caught.value.effect, caught.value.retryable) == (Effect.NONE, False)
    return str(caught.value)


def shell(command: str) -> str:
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=30).stdout


def fingerprint(public_key: Path) -> str:
    return shell(f"ssh-keygen -lf {public_key}").split()[1]


def test_an_unknown_key_is_refused_with_the_command_that_would_add_it(
    pool: SshPool, sshd: Sshd, tmp_path: Path
) -> None:
    login = login_to(sshd, known_hosts=str(tmp_path / "the known hosts"))
    with pytest.raises(HostKeyUnknown) as caught:
        echo(pool, login)
    said = str(caught.value)

    assert said.startswith("web1: the key of 127.0.0.1 port ")
    assert fingerprint(sshd.folder / "host_key.pub") in said
    assert said.index("Compare that fingerprint") < said.index("ssh-keyscan")
    shell(said.partition("add the key: ")[2])
    assert echo(pool, login) == "hello\n", "the command does what is said, and the file is read again"


def test_a_changed_key_is_refused_with_the_command_that_would_forget_the_old_one(pool: SshPool, own_sshd: Sshd) -> None:
    login = login_to(own_sshd)
    echo(pool, login)
    own_sshd.change_host_key()
    with pytest.raises(HostKeyChanged) as caught:
        echo(pool, login)
    said = str(caught.value)

    assert fingerprint(own_sshd.folder / "host_key.pub") in said
    shell(said.partition("remove the old one: ")[2])
    with pytest.raises(HostKeyUnknown):
        echo(pool, login)
    own_sshd.trust()
    assert echo(pool, login) == "hello\n"


def test_a_revoked_key_is_refused_even_if_it_is_also_known(pool: SshPool, sshd: Sshd, tmp_path: Path) -> None:
    known = sshd.known_hosts.read_text()
    kind, key = known.split()[1:3]
    revoking = tmp_path / "known_hosts"
    revoking.write_text(f"{known}@revoked * {kind} {key}\n")

    with pytest.raises(HostKeyChanged, match="revoked"):
        echo(pool, login_to(sshd, known_hosts=str(revoking)))


def test_another_hosts_key_does_not_vouch_for_this_one(pool: SshPool, sshd: Sshd, tmp_path: Path) -> None:
    kind, key = sshd.known_hosts.read_text().split()[1:3]
    others = tmp_path / "known_hosts"
    others.write_text(f"127.0.0.1 {kind} {key}\n[127.0.0.9]:{sshd.port} {kind} {key}\n![127.*,[::1]:22 {kind} {key}\n")

    with pytest.raises(HostKeyUnknown):
        echo(pool, login_to(sshd, known_hosts=str(others)))


def hashed(known: str, folder: Path) -> str:
    (folder / "hashed").write_text(known)
    shell(f"ssh-keygen -H -f {folder / 'hashed'}")
    return (folder / "hashed").read_text()


@pytest.mark.parametrize(
    "written",
    [
        lambda known, _: "# a comment\n\nnonsense\nhost ssh-ed25519 n$nsense\n|1|x|y ssh-rsa AAAA\n" + known,
        lambda known, _: known.replace(" ", "\t") + "@cert-authority *.example.org ssh-ed25519 AAAA\n",
        lambda known, _: re.sub(r"^\S+", "!10.*,[127.0.0.?]:*", known),
        hashed,
    ],
    ids=["among broken lines", "with tabs", "by pattern", "hashed"],
)
def test_known_hosts_as_openssh_writes_and_reads_it(
    pool: SshPool, sshd: Sshd, tmp_path: Path, written: Callable[[str, Path], str]
) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(written(sshd.known_hosts.read_text(), tmp_path))

    assert echo(pool, login_to(sshd, known_hosts=str(known_hosts))) == "hello\n"


class ManyKeys(Sshd):
    """Has host keys of three kinds."""

    def _config(self) -> str:
        more = "".join(f"HostKey {self._more(kind)}\n" for kind in ("ecdsa", "rsa"))
        return more + super()._config()

    def _more(self, kind: str) -> Path:
        path = self.folder / f"host_key_{kind}"
        return path if path.exists() else make_key(path, kind=kind)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_host_is_asked_for_the_key_we_know(pool: SshPool, tmp_path: Path, kind: str) -> None:
    with ManyKeys(tmp_path / "sshd") as server:
        public = (server.folder / f"host_key_{kind}.pub").read_text()
        server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public}")

        assert echo(pool, login_to(server)) == "hello\n"


def test_a_key_the_host_does_not_accept(pool: SshPool, sshd: Sshd, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    said = refusal(pool, login_to(sshd, key_file=str(stranger)))

    assert f"web1: the host does not accept for {sshd.user}: {stranger}" in said
    assert fingerprint(tmp_path / "stranger.pub") in said


def test_a_user_who_may_not_log_in(pool: SshPool, sshd: Sshd) -> None:
    assert "does not accept for nobody" in refusal(pool, login_to(sshd, user="nobody"))


def test_no_key_at_all(pool: SshPool, sshd: Sshd, tmp_path: Path) -> None:
    assert "give key_file, credential or use_agent" in refusal(pool, login_to(sshd, key_file=None))
    gone = tmp_path / "gone"
    assert f"key file {gone}: No such file" in refusal(pool, login_to(sshd, key_file=str(gone)))
    public = sshd.client_key.with_name("client_key.pub")
    assert "is not a private key" in refusal(pool, login_to(sshd, key_file=str(public)))


def test_a_key_of_a_kind_nobody_knows(pool: SshPool, sshd: Sshd, tmp_path: Path) -> None:
    """As one on a security token would be."""
    begin, *lines, end = sshd.client_key.read_text().splitlines()
    content = base64.b64decode("".join(lines)).replace(b"ssh-ed25519", b"sk-ed255199")
    token = tmp_path / "token"
    token.write_text("\n".join([begin, base64.b64encode(content).decode(), end, ""]))
    token.chmod(0o600)
    assert "is not a private key that can be used" in refusal(pool, login_to(sshd, key_file=str(token)))


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_with_a_passphrase(pool: SshPool, own_sshd: Sshd, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "locked", passphrase="open sésame", kind=kind)
    let_in(own_sshd, key)
    login = login_to(own_sshd, key_file=str(key))

    assert "needs a passphrase" in refusal(pool, login)
    wrong = refusal(pool, login_to(own_sshd, key_file=str(key), passphrase="open barley"))
    assert "the passphrase does not fit" in wrong
    assert "barley" not in wrong
    assert echo(pool, login_to(own_sshd, key_file=str(key), passphrase="open sésame")) == "hello\n"


def test_a_passphrase_is_asked_for_by_the_name_of_its_secret(own_sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase="open sésame", kind="ed25519")
    let_in(own_sshd, key)

    def secret(name: str) -> str:
        if name != "of-the-cave":
            raise UnknownSecret(f"no secret is called {name!r}")
        return "open sésame"

    with closing(SshPool(passphrases=secret)) as pool:
        assert echo(pool, login_to(own_sshd, key_file=str(key), passphrase="of-the-cave")) == "hello\n"
        assert "no secret is called 'other'" in refusal(pool, login_to(own_sshd, key_file=str(key), passphrase="other"))


def test_a_passphrase_does_not_show_in_a_login(sshd: Sshd) -> None:
    assert "sésame" not in repr(login_to(sshd, passphrase="open sésame"))


def test_a_passphrase_the_key_does_not_need_does_no_harm(pool: SshPool, sshd: Sshd) -> None:
    assert echo(pool, login_to(sshd, passphrase="superfluous")) == "hello\n"


def test_a_key_file_that_changed_is_read_again(pool: SshPool, own_sshd: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    login = login_to(own_sshd, key_file=str(key))
    refusal(pool, login)
    shutil.copyfile(own_sshd.client_key, key)

    assert echo(pool, login) == "hello\n"


def test_a_systemd_credential(pool: SshPool, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login = login_to(sshd, key_file=None, credential="site-key")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert "LoadCredential=site-key:PATH" in refusal(pool, login)

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    shutil.copyfile(sshd.client_key, tmp_path / "site-key")
    assert echo(pool, login) == "hello\n"


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real ssh-agent, found by SSH_AUTH_SOCK."""
    path = tmp_path / "agent.sock"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    until(path.exists, within=10, what="ssh-agent listens")
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    yield
    process.terminate()
    process.wait(10)


@pytest.mark.usefixtures("agent")
def test_keys_of_the_ssh_agent(pool: SshPool, sshd: Sshd, tmp_path: Path) -> None:
    login = login_to(sshd, key_file=None, use_agent=True)
    assert "holds no key" in refusal(pool, login)

    shell(f"ssh-add -q {make_key(tmp_path / 'stranger')}")
    assert "agent key stranger" in refusal(pool, login)
    shell(f"ssh-add -q {sshd.client_key}")
    assert echo(pool, login) == "hello\n", "the second key is tried when the first is not accepted"


def test_no_ssh_agent(pool: SshPool, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "$SSH_AUTH_SOCK is not set" in refusal(pool, login_to(sshd, key_file=None, use_agent=True))


def test_the_agent_is_asked_when_the_key_file_is_not_accepted(
    pool: SshPool, sshd: Sshd, tmp_path: Path, agent: None
) -> None:
    shell(f"ssh-add -q {sshd.client_key}")
    stranger = make_key(tmp_path / "stranger")

    assert echo(pool, login_to(sshd, key_file=str(stranger), use_agent=True)) == "hello\n"


class FewTries(Sshd):
    def _config(self) -> str:
        return "MaxAuthTries 2\n" + super()._config()


@pytest.mark.usefixtures("agent")
def test_a_host_that_hangs_up_on_too_many_keys(pool: SshPool, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        shell(f"ssh-add -q {make_key(tmp_path / name)}")
    with FewTries(tmp_path / "sshd") as server:
        said = refusal(pool, login_to(server, key_file=None, use_agent=True))

    assert "broke off at agent key one" in said
    assert "agent key two" in said


class PasswordOnly(Sshd):
    def _config(self) -> str:
        return "PubkeyAuthentication no\nPasswordAuthentication yes\n" + super()._config()


class KeyAndPassword(Sshd):
    def _config(self) -> str:
        return "PasswordAuthentication yes\nAuthenticationMethods publickey,password\n" + super()._config()


def test_a_host_that_wants_something_else_than_a_key(pool: SshPool, tmp_path: Path) -> None:
    with PasswordOnly(tmp_path / "password") as server:
        assert f"lets nobody in by key as {server.user}, only by password" in refusal(pool, login_to(server))
    with KeyAndPassword(tmp_path / "both") as server:
        assert "a key is not enough" in refusal(pool, login_to(server))
