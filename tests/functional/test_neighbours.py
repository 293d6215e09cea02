"""The neighbours themselves: that each really is up, and really does what other tests rely on."""

import subprocess
from pathlib import Path

import pytest

from tests.neighbours.sshd import Sshd, ssh_command
from tests.neighbours.waiting import until


def ssh(server: Sshd, command: str, address: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ssh_command(server, command, address), capture_output=True, text=True, timeout=30, check=False
    )


def test_until_names_what_it_waited_for_and_what_it_saw_last() -> None:
    with pytest.raises(AssertionError, match=r"the moon is full \(last seen: 0\)"):
        until(lambda: 0, within=0.05, what="the moon is full")


def test_sshd_runs_a_command_and_gives_its_exit_status(sshd: Sshd) -> None:
    answer = ssh(sshd, "echo hello; exit 7")
    assert (answer.stdout, answer.returncode) == ("hello\n", 7)


def test_sshd_comes_back_on_the_same_port_with_the_same_key(own_sshd: Sshd) -> None:
    own_sshd.stop()
    assert ssh(own_sshd, "true").returncode == 255
    own_sshd.start()
    assert ssh(own_sshd, "true").returncode == 0


def test_a_changed_host_key_is_refused_by_the_old_known_hosts(own_sshd: Sshd) -> None:
    own_sshd.change_host_key()
    refused = ssh(own_sshd, "true")
    assert refused.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in refused.stderr
    own_sshd.trust()
    assert ssh(own_sshd, "true").returncode == 0


def test_stopping_sshd_ends_the_sessions_too(own_sshd: Sshd) -> None:
    words = ssh_command(own_sshd, "echo in; exec sleep 600")
    session = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with session:
        assert session.stdout is not None
        assert session.stdout.readline() == b"in\n"
        own_sshd.stop()
        assert until(lambda: session.poll(), within=10, what="the session ended") == 255


def test_a_hundred_addresses_are_a_hundred_hosts(tmp_path: Path) -> None:
    addresses = [f"127.0.0.{n}" for n in range(1, 101)]
    with Sshd(tmp_path / "many", addresses=addresses) as server:
        assert ssh(server, "true", "127.0.0.77").returncode == 0
        assert server.address == "127.0.0.1"
