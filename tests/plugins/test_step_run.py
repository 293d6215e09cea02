"""`run`: how each ending of a command is told, over a real sshd and on this machine."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.model.execution import StepStatus
from agent.model.inventory import Host, Login
from agent.model.runbook import Perform
from agent.plugin.api import Shell
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from agent.steps.run import Run
from tests.functional.ssh_login import login_to
from tests.neighbours.ports import free_port
from tests.neighbours.sshd import Sshd

WEB1 = Host(name="web1", address="127.0.0.1")
HERE = Host(name="localhost", connection="local")


class Ports:
    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    def secret(self, name: str) -> str:
        raise AssertionError(name)


@pytest.fixture
def pool() -> Iterator[SshPool]:
    pool = SshPool()
    yield pool
    pool.close()


@pytest.fixture
def login(sshd: Sshd) -> Login:
    return login_to(sshd)


@pytest.fixture
def ports(pool: SshPool, login: Login) -> Ports:
    return Ports(Shells({"web1": login}, pool, LocalShell()))


@pytest.mark.parametrize("host", [WEB1, HERE], ids=["ssh", "local"])
@pytest.mark.parametrize(
    ("command", "ok_exit", "status", "exit", "message"),
    [
        ("echo fine; echo note >&2", 0, StepStatus.OK, 0, ""),
        ("echo out; echo first >&2; echo 'no such unit' >&2; exit 3", 0, StepStatus.FAILED, 3, "no such unit"),
        ("echo only out; exit 1", 0, StepStatus.FAILED, 1, "only out"),
        ("exit 3", [0, 3], StepStatus.OK, 3, ""),
        ("true", 1, StepStatus.FAILED, 0, ""),
    ],
)
def test_an_exit_status_is_success_or_failure(
    ports: Ports, host: Host, command: str, ok_exit: object, status: StepStatus, exit: int, message: str
) -> None:
    action = Run.model_validate({"command": command, "ok_exit": ok_exit})
    outcome = action.perform(host, ports, timeout=30, sudo=False)
    assert (outcome.status, outcome.exit, outcome.message) == (status, exit, message)


def test_both_outputs_are_kept_apart(ports: Ports) -> None:
    outcome = Run(command="echo out; echo err >&2").perform(WEB1, ports, timeout=30, sudo=False)
    assert (outcome.stdout, outcome.stderr) == ("out\n", "err\n")
    assert outcome.seconds > 0


@pytest.mark.parametrize("host", [WEB1, HERE], ids=["ssh", "local"])
def test_what_ran_out_of_time_may_have_had_an_effect(ports: Ports, host: Host, tmp_path: Path) -> None:
    mark = tmp_path / "effect"
    outcome = Run(command=f"echo begun; touch {mark}; sleep 60").perform(host, ports, timeout=1.0, sudo=False)
    assert outcome.status is StepStatus.TIMED_OUT
    assert outcome.exit is None
    assert outcome.stdout == "begun\n"
    assert "did not end within 1 s" in outcome.message
    assert "what it did is not known" in outcome.message
    assert mark.exists()


def test_an_unreachable_host_saw_nothing_of_it(pool: SshPool, login: Login) -> None:
    nobody = dataclasses.replace(login, port=free_port())
    outcome = Run(command="true").perform(
        WEB1, Ports(Shells({"web1": nobody}, pool, LocalShell())), timeout=9, sudo=False
    )
    assert outcome.status is StepStatus.UNREACHABLE
    assert outcome.message.startswith("web1: ")
    assert "not known" not in outcome.message


def test_an_unknown_host_key_is_unreachable_with_the_remedy(pool: SshPool, login: Login, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    stranger = dataclasses.replace(login, known_hosts=str(tmp_path / "empty"))
    outcome = Run(command="true").perform(
        WEB1, Ports(Shells({"web1": stranger}, pool, LocalShell())), timeout=9, sudo=False
    )
    assert outcome.status is StepStatus.UNREACHABLE
    assert "ssh-keyscan" in outcome.message


def test_a_host_without_a_login_is_refused_by_name(pool: SshPool) -> None:
    outcome = Run(command="true").perform(WEB1, Ports(Shells({}, pool, LocalShell())), timeout=9, sudo=False)
    assert (outcome.status, outcome.message) == (
        StepStatus.UNREACHABLE,
        "web1: the inventory does not say how to log in",
    )


def test_a_connection_that_breaks_leaves_the_outcome_unknown(own_sshd: Sshd, pool: SshPool, tmp_path: Path) -> None:
    shells = Shells({"web1": login_to(own_sshd)}, pool, LocalShell())
    kill_our_session = "kill -9 $(ps -o ppid= -p $$)"
    outcome = Run(command=f"{kill_our_session}; sleep 30").perform(WEB1, Ports(shells), timeout=30, sudo=False)
    assert outcome.status is StepStatus.UNKNOWN
    assert "what it did is not known" in outcome.message


def test_what_run_asks_for() -> None:
    assert Run(command="true").demand() == Perform()
    with pytest.raises(ValidationError):
        Run(command="")
