"""Who does not answer is not asked by every check, is asked again by itself, and hides no recovery."""

import shlex
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.errors import CannotAsk, HostUnreachable, NeighbourSilent
from agent.model.execution import StepStatus
from agent.model.health import Key
from agent.model.inventory import Host
from agent.model.observation import Answer
from agent.model.views import NeighbourState
from agent.plugin.api import CheckPorts
from agent.runtime.check_shell import CheckShell, killed_after
from agent.runtime.neighbours import LONGEST_PAUSE, Neighbours
from agent.runtime.ports import Ports
from agent.runtime.secrets import Secrets
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from agent.steps.run import Run
from tests.functional.scripted_checks import WEB1, Watch, make, probe
from tests.functional.ssh_login import login_to
from tests.neighbours.faulty_line import FaultyLine
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until


@dataclass
class Clock:
    """Monotonic seconds that pass when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def neighbours(clock: Clock) -> Neighbours:
    return Neighbours(clock)


def fail(neighbours: Neighbours, clock: Clock, times: int, name: str = "web1") -> None:
    for _ in range(times):
        clock.now += 1
        neighbours.attempt(name).failed("port 22: connection refused")


def test_after_three_failures_in_a_row_questions_are_turned_away_with_the_reason(
    neighbours: Neighbours, clock: Clock
) -> None:
    fail(neighbours, clock, 2)
    assert neighbours.refusal("web1", "disk@web1") is None
    fail(neighbours, clock, 1)
    said = neighbours.refusal("web1", "disk@web1")
    assert said == "port 22: connection refused (no answer for 2s; next try in 1s)"
    assert neighbours.refusal("web2", "disk@web2") is None


def test_attempts_side_by_side_that_meet_the_same_silence_count_once(neighbours: Neighbours, clock: Clock) -> None:
    together = [neighbours.attempt("web1") for _ in range(20)]
    clock.now += 10
    for attempt in together:
        attempt.failed("no answer")
        clock.now += 0.001
    assert neighbours.refusal("web1", "disk@web1") is None


def test_one_probe_at_a_time_after_a_pause_of_five_seconds_at_most(neighbours: Neighbours, clock: Clock) -> None:
    fail(neighbours, clock, 3)
    pauses = []
    for _ in range(5):
        began = clock.now
        while neighbours.refusal("web1", "a"):
            clock.now += 0.5
        pauses.append(clock.now - began)
        assert neighbours.refusal("web1", "b"), "a probe is under way"
        neighbours.attempt("web1").failed("no answer")
    assert pauses == [1, 2, 4, 5, 5]


def test_a_probe_that_hangs_keeps_the_door_shut_for_five_seconds(neighbours: Neighbours, clock: Clock) -> None:
    fail(neighbours, clock, 3)
    clock.now += LONGEST_PAUSE
    assert neighbours.refusal("web1", "hangs") is None
    clock.now += LONGEST_PAUSE - 0.1
    assert neighbours.refusal("web1", "other")
    clock.now += 0.1
    assert neighbours.refusal("web1", "other") is None


def test_who_was_turned_away_probes_and_all_are_asked_again_once_it_answers(
    neighbours: Neighbours, clock: Clock
) -> None:
    fail(neighbours, clock, 3)
    assert all(neighbours.refusal("web1", asker) for asker in ("a", "b", "c"))
    assert neighbours.to_ask_again() == []
    clock.now += LONGEST_PAUSE
    assert neighbours.to_ask_again() == ["a"]
    assert neighbours.refusal("web1", "a") is None
    assert neighbours.to_ask_again() == [], "the others wait for what comes of it"
    neighbours.attempt("web1").answered()
    assert neighbours.to_ask_again() == ["b", "c"]
    assert neighbours.to_ask_again() == []


def test_a_probe_that_fails_speaks_for_those_turned_away_before_it(neighbours: Neighbours, clock: Clock) -> None:
    fail(neighbours, clock, 3)
    assert neighbours.refusal("web1", "before")
    clock.now += LONGEST_PAUSE
    probe = neighbours.attempt("web1")
    clock.now += 0.5
    assert neighbours.refusal("web1", "probe") is None
    assert neighbours.refusal("web1", "meanwhile")
    probe.failed("no answer")
    clock.now += LONGEST_PAUSE
    assert neighbours.to_ask_again() == ["meanwhile"]


def test_what_is_shown_of_it(neighbours: Neighbours, clock: Clock) -> None:
    neighbours.attempt("db1").answered()
    fail(neighbours, clock, 3)
    answering, silent = neighbours.views(at=50_000.0)
    assert (answering.name, answering.state, answering.why) == ("db1", NeighbourState.ANSWERS, None)
    assert (silent.name, silent.state) == ("web1", NeighbourState.SILENT)
    assert (silent.since, silent.next_try) == (49_998.0, 50_001.0)
    assert silent.why == "port 22: connection refused"
    clock.now += LONGEST_PAUSE
    assert neighbours.refusal("web1", "a") is None
    assert neighbours.views(at=0.0)[1].state is NeighbourState.PROBED
    neighbours.forget()
    assert neighbours.views(at=0.0) == ()
    assert neighbours.refusal("web1", "a") is None


def test_only_silence_counts_against_a_server(neighbours: Neighbours, clock: Clock) -> None:
    def ask(error: Exception) -> None:
        clock.now += 1
        with pytest.raises(type(error)), neighbours.asking("http://prom"):
            raise error

    for _ in range(5):
        ask(CannotAsk("the query makes no sense"))
    assert neighbours.refusal("http://prom", "a") is None
    for _ in range(3):
        ask(NeighbourSilent("connection refused"))
    assert neighbours.refusal("http://prom", "a")


# within a real prober


@dataclass
class Server:
    """Many checks go through it; it answers or not as the test says."""

    up: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)

    def question(self, name: str) -> "Question":
        return Question(self, name)


@dataclass
class Question:
    server: Server
    name: str

    def __call__(self, host: Host, ports: CheckPorts) -> Sequence[Answer]:
        with ports.neighbour("http://prom"):
            self.server.asked.append(self.name)
            if not self.server.up.is_set():
                raise NeighbourSilent("Prometheus: no answer")
        return [Answer({"n": 1.0}, message="fine")]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch, pool = make()
    yield watch
    watch.prober.stop()
    pool.close()


def test_a_check_turned_away_is_asked_again_without_waiting_for_its_turn(watch: Watch) -> None:
    server = Server()
    watch.use(probe("a", server.question("a")), probe("b", server.question("b")))
    for times in (1, 2, 3):
        watch.prober.ask_due(["a@localhost"])
        watch.wait(times, "a")
    watch.prober.ask_due(["b@localhost"])
    said = watch.wait(1, "b")[0].observations[0].message
    assert said.startswith("Prometheus: no answer (no answer for")
    assert "next try in" in said
    assert server.asked == ["a", "a", "a"]

    server.up.set()  # nobody has a turn from here on
    (found,) = watch.wait(2, "b")[1].observations
    assert found.message == "fine"


def test_who_waits_for_the_answer_is_not_turned_away(watch: Watch) -> None:
    server = Server()
    watch.use(probe("a", server.question("a")), probe("b", server.question("b")))
    for times in (1, 2, 3):
        watch.prober.ask_due(["a@localhost"])
        watch.wait(times, "a")
    server.up.set()
    watch.prober.ask_now([Key("b", "localhost")])
    assert watch.wait(1, "b")[0].observations[0].message == "fine"


# on a real host


@dataclass
class Ward:
    """A host behind a line, asked by checks and treated by steps as in the daemon."""

    line: FaultyLine
    shells: Shells
    neighbours: Neighbours

    def ask(self) -> str:
        """What a check that is merely due is told."""
        shell = CheckShell(self.shells, self.neighbours, "up@web1", urgent=False)
        try:
            return shell.run(WEB1, "echo up", timeout=20).stdout
        except HostUnreachable as error:
            return str(error)

    def treat(self) -> StepStatus:
        ports = Ports(self.shells, Secrets({}, {}))
        return Run(command="true").perform(WEB1, ports, timeout=20, sudo=False).status


@pytest.fixture
def ward(sshd: Sshd, tmp_path: Path) -> Iterator[Ward]:
    with FaultyLine(sshd.port) as line:
        known_hosts = tmp_path / "known_hosts"
        key = sshd.known_hosts.read_text().split(maxsplit=1)[1]
        known_hosts.write_text(f"[127.0.0.1]:{line.port} {key}")
        neighbours = Neighbours()
        pool = SshPool(neighbours=neighbours)
        login = login_to(sshd, port=line.port, known_hosts=str(known_hosts))
        yield Ward(line, Shells({"web1": login}, pool, LocalShell()), neighbours)
        pool.close()


def test_a_step_is_never_turned_away_and_its_success_lets_checks_in_again(ward: Ward) -> None:
    assert ward.ask() == "up\n"
    ward.line.refuse()
    for _ in range(3):
        assert "next try in" not in ward.ask()
    assert "connection refused (no answer for " in ward.ask()

    ward.line.restore()
    assert ward.treat() is StepStatus.OK
    assert ward.ask() == "up\n"


def test_the_failure_of_a_step_counts_like_any_other(ward: Ward) -> None:
    ward.line.refuse()
    assert [ward.treat() for _ in range(4)] == [StepStatus.UNREACHABLE] * 4
    assert "next try in" in ward.ask()


# what a check leaves behind on a host


@pytest.mark.parametrize("sudo", [False, True])
def test_a_command_is_killed_with_all_it_started_where_the_host_has_timeout(tmp_path: Path, *, sudo: bool) -> None:
    pids = tmp_path / "pids"
    command = f"echo $$ >> {shlex.quote(str(pids))}; sh -c 'echo $$ >> {pids}; exec sleep 300' & sleep 300"
    line = killed_after(command, 0.1, sudo=sudo)
    with subprocess.Popen(["/bin/sh", "-c", line], stdout=subprocess.PIPE) as process:
        process.wait(30)
    left = [int(pid) for pid in pids.read_text().split()]
    assert len(left) == 2
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), within=20, what="all are gone")


@pytest.mark.parametrize("path", [None, "without timeout"])
def test_a_command_that_ends_is_what_it_was(tmp_path: Path, path: str | None) -> None:
    environment = {"SHELL": "/bin/bash"}
    if path:
        for tool in ("sh", "cat"):
            (tmp_path / tool).symlink_to(f"/bin/{tool}")
        environment["PATH"] = str(tmp_path)
    line = killed_after("[[ a == a ]] && echo \"it's $BASH\"; cat; echo '\"' >&2; exit 3", 5, sudo=False)
    done = subprocess.run(
        ["/bin/sh", "-c", line], input="in\n", capture_output=True, text=True, check=False, env=environment
    )
    assert (done.stdout, done.stderr, done.returncode) == ("it's /bin/bash\nin\n", '"\n', 3)
