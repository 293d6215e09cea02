"""Steps over real connections that break, with sudo, on hosts that are restarted: once, and told what came of it."""

import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import CommandTimedOut, ConnectionLost, HostError, HostUnreachable
from agent.model.commands import RunStep
from agent.model.inventory import Host, Login
from agent.runtime.ledger import Ledger, Ledgers, StepShell
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from tests.functional.ssh_login import let_in, login_to, make_key
from tests.neighbours.sshd import Sshd
from tests.neighbours.systemd_host import SystemdHost, SystemdHosts
from tests.neighbours.waiting import until

WEB1 = Host(name="web1")
STEP = RunStep("RUN-1.web1.steps.1.1", "RUN-1", None, "web1", False, "a step", "run", {}, False, 60.0, False, 1.0)
SECRET = "tr0ub4dor&3"


@pytest.fixture
def pool() -> Iterator[SshPool]:
    pool = SshPool()
    yield pool
    pool.close()


class Agent:
    def __init__(self, pool: SshPool, login: Login) -> None:
        self.shell = Shells({"web1": login}, pool, LocalShell())
        self.ledgers = Ledgers(self.shell, "agent")

    def step(self, *, again: bool = False, ledger: Ledger | None = None, secret: bool = False) -> StepShell:
        return StepShell(self.shell, self.ledgers, STEP, ledger, again=again, secret=secret, output_limit=65536)


def waits(gate: Path, ran: Path) -> str:
    return f"echo ran >> {ran}; while [ ! -e {gate} ]; do sleep 0.05; done; echo out; exit 3"


def test_a_connection_that_breaks_in_the_middle_costs_nothing(pool: SshPool, sshd: Sshd, tmp_path: Path) -> None:
    gate, ran = tmp_path / "gate", tmp_path / "ran"
    agent = Agent(pool, login_to(sshd))
    with ThreadPoolExecutor(1) as workers:
        under_way = workers.submit(agent.step().run, WEB1, waits(gate, ran), timeout=60)
        until(ran.exists, within=30, what="the step is under way")
        pool.drop("web1")
        gate.touch()
        result = under_way.result(60)
    assert (result.status, result.stdout) == (3, "out\n")
    assert ran.read_text() == "ran\n"


def test_a_host_that_cannot_be_reached_was_asked_nothing(pool: SshPool, own_sshd: Sshd, tmp_path: Path) -> None:
    agent = Agent(pool, login_to(own_sshd))
    ledger = agent.ledgers.of(WEB1)
    own_sshd.stop()
    with pytest.raises(HostUnreachable):
        agent.step(ledger=ledger).run(WEB1, f"touch {tmp_path}/ran", timeout=60)


@pytest.fixture
def cut_off(own_sshd: Sshd, tmp_path: Path) -> Callable[[str], Login]:
    """Makes a login whose connection the host breaks in mid-command as long as the test for `sh` holds there."""

    def make(while_true: str) -> Login:
        key = make_key(tmp_path / "cut_off")
        forced = tmp_path / "forced"
        forced.write_text(f'if {while_true}; then kill -9 "$PPID"; fi\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n')
        let_in(own_sshd, key, f'command="sh {forced}"')
        return login_to(own_sshd, key_file=str(key))

    return make


def test_a_connection_that_breaks_while_the_host_is_asked_for_its_ledger_costs_nothing(
    pool: SshPool, cut_off: Callable[[str], Login], tmp_path: Path
) -> None:
    login = cut_off(f"mkdir {tmp_path}/once 2>/dev/null")
    assert Agent(pool, login).step().run(WEB1, "echo out", timeout=60).stdout == "out\n"
    assert pool.stats().opened == 2


def test_a_host_that_never_says_where_its_ledger_is_was_given_no_step(
    pool: SshPool, cut_off: Callable[[str], Login], tmp_path: Path
) -> None:
    with pytest.raises(HostUnreachable, match=r"it does not say where it keeps what steps did: .* connection broke"):
        Agent(pool, cut_off("true")).step().run(WEB1, f"touch {tmp_path}/ran", timeout=60)


def test_a_repeatable_step_that_was_lost_and_cannot_be_begun_anew_may_have_run(
    pool: SshPool, cut_off: Callable[[str], Login], tmp_path: Path
) -> None:
    agent = Agent(pool, cut_off(f"[ -e {tmp_path}/told ] || ! touch {tmp_path}/told"))
    shell = StepShell(
        agent.shell,
        agent.ledgers,
        replace(STEP, repeatable=True),
        Ledger(str(tmp_path / "gone"), "another-boot"),
        again=True,
        secret=False,
        output_limit=65536,
    )
    with pytest.raises(ConnectionLost, match=r"the host was restarted, .*; begun anew it could not be: "):
        shell.run(WEB1, f"touch {tmp_path}/ran", timeout=60)


def test_a_host_with_another_key_is_not_waited_for(pool: SshPool, own_sshd: Sshd, tmp_path: Path) -> None:
    """It may be another machine: what our step did on the one it was sent to is not known."""
    gate, ran = tmp_path / "gate", tmp_path / "ran"
    agent = Agent(pool, login_to(own_sshd))
    with ThreadPoolExecutor(1) as workers:
        under_way = workers.submit(agent.step().run, WEB1, waits(gate, ran), timeout=60)
        until(ran.exists, within=30, what="the step is under way")
        own_sshd.change_host_key()
        with pytest.raises(ConnectionLost, match=r"it was lost while the step was under way: .* another key for it"):
            under_way.result(60)
    gate.touch()


# with sudo, on booted hosts


@pytest.fixture
def web1(systemd_hosts: SystemdHosts) -> SystemdHost:
    return systemd_hosts["web1"]


@pytest.fixture
def agent(pool: SshPool, systemd_hosts: SystemdHosts, web1: SystemdHost) -> Agent:
    known_hosts, key = str(systemd_hosts.known_hosts), str(systemd_hosts.client_key)
    return Agent(pool, Login(web1.address, known_hosts, user="ops", key_file=key))


@pytest.fixture
def on_host(web1: SystemdHost) -> Callable[[str], str]:
    return lambda command: web1.run(command).stdout


def test_a_secret_is_in_no_log_of_sudo(agent: Agent, on_host: Callable[[str], str]) -> None:
    on_host("rm -rf /home/ops/.paramedic")
    command = f"id -un; password={shlex.quote(SECRET)}; echo ${{#password}}"
    first = agent.step(secret=True).run(WEB1, command, timeout=60, sudo=True)
    again = agent.step(again=True).run(WEB1, command, timeout=60, sudo=True)
    assert first.stdout == again.stdout == f"root\n{len(SECRET)}\n"
    logged = on_host("journalctl --identifier=sudo --no-pager")
    assert "ops : " in logged
    assert SECRET not in logged
    assert on_host("stat -c '%U %a' /home/ops/.paramedic") == "ops 700\n"


def test_sudo_sees_the_very_text_of_the_command(agent: Agent, on_host: Callable[[str], str]) -> None:
    """So that sudoers can allow this and nothing else."""
    on_host("rm -rf /home/ops/.paramedic; mv /etc/sudoers.d /etc/sudoers.away; mkdir /etc/sudoers.d")
    rule = "ops ALL=(root) NOPASSWD: /bin/sh -c id -un; id -u"
    on_host(f"echo '{rule}' > /etc/sudoers.d/one; chmod 440 /etc/sudoers.d/one; visudo -c")
    try:
        allowed = agent.step().run(WEB1, "id -un; id -u", timeout=60, sudo=True)
        on_host("rm -rf /home/ops/.paramedic")
        other = agent.step().run(WEB1, "id -un", timeout=60, sudo=True)
    finally:
        on_host("rm -rf /etc/sudoers.d; mv /etc/sudoers.away /etc/sudoers.d")
    assert (allowed.status, allowed.stdout) == (0, "root\n0\n")
    assert (other.status, other.stdout) == (1, "")
    assert "password is required" in other.stderr


def test_what_runs_as_root_and_does_not_end_is_left_and_said(agent: Agent, on_host: Callable[[str], str]) -> None:
    on_host("rm -rf /home/ops/.paramedic")
    with pytest.raises(CommandTimedOut, match=r"did not end within 1 s and (was|could not be) killed"):
        agent.step().run(WEB1, "sleep 30", timeout=1, sudo=True)


def test_a_connection_that_breaks_under_sudo_costs_nothing(
    agent: Agent, pool: SshPool, on_host: Callable[[str], str]
) -> None:
    on_host("rm -rf /home/ops/.paramedic /root/ran /root/gate")
    with ThreadPoolExecutor(1) as workers:
        command = waits(Path("/root/gate"), Path("/root/ran"))
        under_way = workers.submit(agent.step().run, WEB1, command, timeout=60, sudo=True)
        until(lambda: "ran" in on_host("cat /root/ran 2>&1 || true").split(), within=30, what="the step is under way")
        pool.drop("web1")
        on_host("touch /root/gate")
        assert under_way.result(60).stdout == "out\n"
    assert on_host("cat /root/ran") == "ran\n"


def test_a_host_that_is_restarted_in_the_middle_does_not_know(
    agent: Agent, web1: SystemdHost, on_host: Callable[[str], str]
) -> None:
    on_host("rm -rf /home/ops/.paramedic /root/ran")
    with ThreadPoolExecutor(1) as workers:
        command = waits(Path("/root/never"), Path("/root/ran"))
        under_way = workers.submit(agent.step().run, WEB1, command, timeout=60, sudo=True)
        until(lambda: "ran" in on_host("cat /root/ran 2>&1 || true").split(), within=30, what="the step is under way")
        web1.power_cut()
        web1.power_on()
        web1.wait_until_up()
        with pytest.raises(ConnectionLost, match="the host was restarted"):
            under_way.result(120)
    assert on_host("cat /root/ran") == "ran\n"


def test_a_full_disk_is_no_reason_not_to_treat_it(agent: Agent, on_host: Callable[[str], str]) -> None:
    """Nothing on disk can be written by an ordinary user: the ledger is in memory, the step runs."""
    on_host("rm -rf /home/ops/.paramedic /dev/shm/paramedic-*; install -d -o ops -m 700 /home/ops/.paramedic")
    for place in ("/home/ops/.paramedic", "/var/tmp"):
        on_host(f"mount -t tmpfs -o size=64k,uid=$(id -u ops) small {place}")
    try:
        on_host("for d in /home/ops/.paramedic /var/tmp; do cat /dev/zero > $d/big 2>/dev/null; done; true")
        ledger = agent.ledgers.of(WEB1)
        assert ledger.place.startswith("/dev/shm/paramedic-")
        assert agent.step(ledger=ledger).run(WEB1, "echo treated", timeout=60).stdout == "treated\n"
    finally:
        on_host("umount -l /home/ops/.paramedic /var/tmp; rm -rf /dev/shm/paramedic-*")


def test_no_place_at_all_says_so(agent: Agent, on_host: Callable[[str], str]) -> None:
    on_host("install -d -o ops -m 700 /home/ops/.paramedic")
    on_host("for d in /home/ops/.paramedic /var/tmp /dev/shm; do mount -t tmpfs -o ro none $d; done")
    try:
        with pytest.raises(HostError, match="no place to keep on record what steps did: no folder can be written"):
            agent.step().run(WEB1, "true", timeout=60)
    finally:
        on_host("umount -l /home/ops/.paramedic /var/tmp /dev/shm")
