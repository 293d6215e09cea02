"""The performer: at most once, every ending told, nothing secret leaves; on a real store and a real shell."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.secret import SecretRef
from agent.core import templates
from agent.errors import HostUnreachable, StoreFull
from agent.model.commands import RunStep
from agent.model.decision import Decision
from agent.model.events import StepEnded
from agent.model.execution import StepOutcome, StepStatus
from agent.model.inventory import Host
from agent.model.runbook import Action, Demand, Perform
from agent.plugin.api import StepPorts
from agent.plugin.registry import STEPS, load
from agent.runtime.clock import Clock
from agent.runtime.ledger import Ledgers
from agent.runtime.performer import Performer, StepQueue
from agent.runtime.ports import Ports
from agent.runtime.redaction import Redactor
from agent.runtime.secrets import Secrets
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from agent.runtime.store.store import Store
from agent.steps.run import Run
from tests.functional.records import DIGEST, EXECUTION
from tests.neighbours.waiting import until

HERE = Host(name="localhost", connection="local")
SECRET = "tr0ub4dor&3"


class Broken(Action):
    """A plugin with a fault, as a third party might ship it."""

    kind = "broken"
    primary = "how"
    how: str

    def demand(self) -> Demand:
        return Perform()

    def perform(self, host: Host, ports: StepPorts, *, timeout: float, sudo: bool) -> StepOutcome:
        if self.how == "unreachable":
            raise HostUnreachable(host.name, "no route")
        if self.how == "chatty":
            return StepOutcome(StepStatus.OK, stdout="ü" * 200_000, message=f"token={SECRET}")
        if self.how == "exit":
            raise SystemExit(3)
        if self.how == "mute":
            return None  # type: ignore[return-value]
        if self.how == "bytes":
            return StepOutcome(StepStatus.OK, stdout=b"raw")  # type: ignore[arg-type]
        raise KeyError(self.how)


class Held(Action):
    """Waits until the test lets it go."""

    kind = "held"
    primary = "name"
    name: str

    def demand(self) -> Demand:
        return Perform()

    def perform(self, host: Host, ports: StepPorts, *, timeout: float, sudo: bool) -> StepOutcome:
        GATES[self.name].wait(60)
        return StepOutcome(StepStatus.OK)


GATES: dict[str, threading.Event] = {}


def find(kind: str) -> type[Action]:
    ours: dict[str, type[Action]] = {"broken": Broken, "held": Held}
    return ours.get(kind) or load(STEPS, kind, Action)


class Daemon:
    """A store, a performer on it, and the events it posted."""

    def __init__(self, folder: Path, *, workers: int = 4, queue: StepQueue | None = None) -> None:
        self.store = Store.open(folder / "record.sqlite")
        self.events: list[StepEnded] = []
        self.pool = SshPool()
        (folder / "password").write_text(SECRET + "\n")
        shells = Shells({}, self.pool, LocalShell())
        secrets = Secrets({"db": SecretRef("file", str(folder / "password"))}, {})
        self.performer = Performer(
            queue or self.store,
            {"localhost": HERE},
            Ports(shells, secrets),
            Ledgers(shells, "agent"),
            Redactor(secrets.seen),
            self.events.append,
            Clock().now,
            workers=workers,
            find=find,
        )

    def order(self, *commands: RunStep) -> None:
        """Committed first, as the loop does it."""
        executions = {"RUN-1": replace(EXECUTION, id="RUN-1", incident=None)}
        self.store.commit([Decision(commands=commands, executions=executions, runbooks={DIGEST: "text"})], 1.0)

    def outcome(self, command: RunStep) -> StepOutcome:
        found = until(
            lambda: [event.outcome for event in self.events if event.step_id == command.id],
            within=30,
            what=f"the end of {command.id}",
        )
        return found[0]

    def close(self) -> None:
        for gate in GATES.values():
            gate.set()
        self.performer.stop(30)
        self.pool.close()
        self.store.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine's own ledger is."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    GATES.clear()
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.close()


def step(kind: str, params: Mapping[str, object], number: int = 1, **changes: Any) -> RunStep:
    command = RunStep(
        id=f"RUN-1.localhost.steps.{number}.1",
        execution="RUN-1",
        incident=None,
        host="localhost",
        local=False,
        name="a step",
        kind=kind,
        params=params,
        sudo=False,
        timeout=20.0,
        repeatable=False,
    )
    return replace(command, **changes)


def test_a_step_is_carried_out_once_however_often_it_is_handed_in(daemon: Daemon, tmp_path: Path) -> None:
    command = step("run", {"command": f"echo ran >> {tmp_path}/ran"})
    daemon.order(command)
    for _ in range(3):
        daemon.performer.perform(command)
    after = step("run", {"command": "true"}, 2)
    daemon.order(after)
    daemon.performer.perform(after)
    assert daemon.outcome(command).status is StepStatus.OK
    daemon.outcome(after)
    assert daemon.performer.stop(30) == ()
    assert (tmp_path / "ran").read_text() == "ran\n"
    assert [event.step_id for event in daemon.events].count(command.id) == 1


def test_a_step_nobody_committed_is_not_carried_out(daemon: Daemon, tmp_path: Path) -> None:
    daemon.performer.perform(step("run", {"command": f"touch {tmp_path}/ran"}))
    known = step("run", {"command": "true"}, 2)
    daemon.order(known)
    daemon.performer.perform(known)
    daemon.outcome(known)
    assert daemon.performer.stop(30) == ()
    assert not (tmp_path / "ran").exists()


def test_an_action_travels_through_the_store_whole(daemon: Daemon) -> None:
    authored = Run.model_validate({"command": "printf %s {{ vars.x }}; exit 3", "ok_exit": [0, 3]})
    ready = templates.rendered(authored, templates.step_values(None, HERE, {"x": "a 'b'"}, {}))
    command = step("run", ready.model_dump(mode="json", exclude_unset=True))
    daemon.order(command)
    (stored,) = daemon.store.unfinished_steps()
    assert not stored.begun
    daemon.performer.perform(stored.command)
    outcome = daemon.outcome(command)
    assert (outcome.status, outcome.exit, outcome.stdout) == (StepStatus.OK, 3, "a 'b'")


def test_a_secret_reaches_the_command_and_nothing_else(daemon: Daemon, tmp_path: Path) -> None:
    text = templates.render("printf %s {{ secret('db') }} | tee seen; echo; base64 seen >&2", {}, shell=True)
    command = step("run", {"command": f"cd {tmp_path}; {text}"})
    daemon.order(command)
    assert SECRET not in repr(daemon.store.unfinished_steps())
    daemon.performer.perform(command)
    outcome = daemon.outcome(command)
    assert (tmp_path / "seen").read_text() == SECRET
    assert (outcome.stdout, outcome.stderr) == ("[redacted:db]\n", "[redacted:db]\n")


def test_a_secret_is_not_in_the_command_line_for_all_to_see(daemon: Daemon, tmp_path: Path) -> None:
    text = templates.render("password={{ secret('db') }}; tr '\\0' ' ' < /proc/$$/cmdline > seen", {}, shell=True)
    command = step("run", {"command": f"cd {tmp_path}; {text}"})
    daemon.order(command)
    daemon.performer.perform(command)
    assert daemon.outcome(command).status is StepStatus.OK
    assert SECRET not in (tmp_path / "seen").read_text()


@pytest.mark.parametrize(
    ("kind", "params", "changes", "status", "says"),
    [
        ("broken", {"how": "x"}, {}, StepStatus.UNKNOWN, "the step kind 'broken' failed: KeyError: 'x'"),
        ("broken", {"how": "unreachable"}, {}, StepStatus.UNREACHABLE, "localhost: no route"),
        ("broken", {"hwo": "x"}, {}, StepStatus.FAILED, "how: Field required"),
        ("no-such", {}, {}, StepStatus.FAILED, "no step kind 'no-such' is installed"),
        ("wait", {"duration": 1.0}, {}, StepStatus.FAILED, "step kind 'wait' has nothing to carry out"),
        ("run", {"command": "true"}, {"host": "gone"}, StepStatus.REFUSED, "gone is no longer in the inventory"),
        ("run", {"command": "true"}, {"host": "gone", "local": True}, StepStatus.OK, ""),
        ("run", {"command": "sleep 60"}, {"timeout": 0.3}, StepStatus.TIMED_OUT, "what it did is not known"),
        ("broken", {"how": "exit"}, {}, StepStatus.UNKNOWN, "the step kind 'broken' failed: SystemExit: 3"),
        ("broken", {"how": "mute"}, {}, StepStatus.UNKNOWN, "the step kind 'broken' failed: AttributeError"),
        ("broken", {"how": "bytes"}, {}, StepStatus.UNKNOWN, "the step kind 'broken' failed: TypeError"),
        ("run", {"command": "a\0b"}, {}, StepStatus.UNREACHABLE, "could not be started: there is a NUL in it"),
    ],
)
def test_every_ending_is_an_outcome(
    daemon: Daemon, kind: str, params: dict[str, object], changes: dict[str, Any], status: StepStatus, says: str
) -> None:
    command = step(kind, params, **changes)
    daemon.order(command)
    daemon.performer.perform(command)
    outcome = daemon.outcome(command)
    assert outcome.status is status
    assert says in outcome.message


def test_an_unknown_secret_means_that_nothing_was_done(daemon: Daemon, tmp_path: Path) -> None:
    text = templates.render("touch ran; echo {{ secret('other') }}", {}, shell=True)
    command = step("run", {"command": f"cd {tmp_path}; {text}"})
    daemon.order(command)
    daemon.performer.perform(command)
    outcome = daemon.outcome(command)
    assert (outcome.status, outcome.message) == (StepStatus.FAILED, "no secret is called 'other'")
    assert not (tmp_path / "ran").exists()


def test_what_leaves_is_bounded_and_redacted(daemon: Daemon) -> None:
    command = step("broken", {"how": "chatty"})
    daemon.order(command)
    daemon.performer.perform(command)
    outcome = daemon.outcome(command)
    assert outcome.message == "token=[redacted:db]"
    assert len(outcome.stdout.encode()) < 66_000
    assert f"[{400_000 - 65_536} bytes dropped]" in outcome.stdout


def test_a_step_waits_until_its_start_can_be_recorded(tmp_path: Path) -> None:
    class FullDisk:
        def __init__(self) -> None:
            self.tries = 0
            self.has_space = False

        def start_step(self, step_id: str, at: float, ledger: str | None = None) -> bool:
            self.tries += 1
            if not self.has_space:
                raise StoreFull("no space left")
            return True

        def move_step(self, step_id: str, ledger: str) -> None:
            raise StoreFull("no space left")

    disk = FullDisk()
    daemon = Daemon(tmp_path, queue=disk)
    command = step("run", {"command": f"touch {tmp_path}/ran"})
    daemon.performer.perform(command)
    until(lambda: disk.tries >= 2, within=30, what="a second try")
    assert not (tmp_path / "ran").exists()
    disk.has_space = True
    assert daemon.outcome(command).status is StepStatus.OK
    daemon.close()
    assert (tmp_path / "ran").exists()


def test_a_step_whose_start_cannot_be_recorded_holds_up_no_stop(tmp_path: Path) -> None:
    class FullDisk:
        def __init__(self) -> None:
            self.tried = threading.Event()

        def start_step(self, step_id: str, at: float, ledger: str | None = None) -> bool:
            self.tried.set()
            raise StoreFull("no space left")

        def move_step(self, step_id: str, ledger: str) -> None:
            raise StoreFull("no space left")

    disk = FullDisk()
    daemon = Daemon(tmp_path, queue=disk)
    daemon.performer.perform(step("run", {"command": f"touch {tmp_path}/ran"}))
    assert disk.tried.wait(30)
    assert daemon.performer.stop(30) == ()
    daemon.close()
    assert not (tmp_path / "ran").exists()
    assert daemon.events == []


def test_what_an_agent_left_is_gone_on_with(daemon: Daemon, tmp_path: Path) -> None:
    begun = step("run", {"command": f"echo begun >> {tmp_path}/ran"}, 1)
    repeatable = step("run", {"command": f"echo repeatable >> {tmp_path}/ran"}, 2, repeatable=True)
    waiting = step("run", {"command": f"echo waiting >> {tmp_path}/ran"}, 3)
    daemon.order(begun, repeatable, waiting)
    assert daemon.store.start_step(begun.id, 1.0)
    assert daemon.store.start_step(repeatable.id, 1.0)
    unfinished = daemon.store.unfinished_steps()
    daemon.performer.resume(unfinished, {left.command.id for left in unfinished})
    assert daemon.outcome(repeatable).status is StepStatus.OK
    assert daemon.outcome(waiting).status is StepStatus.OK
    unknown = daemon.outcome(begun)
    assert unknown.status is StepStatus.UNKNOWN
    assert unknown.message.startswith("the agent ended while the step was under way")
    assert sorted((tmp_path / "ran").read_text().split()) == ["repeatable", "waiting"]


def test_what_nobody_waits_for_is_not_begun_and_what_was_begun_is_not_denied(daemon: Daemon, tmp_path: Path) -> None:
    begun = step("run", {"command": f"touch {tmp_path}/ran"}, 1)
    waiting = step("run", {"command": f"touch {tmp_path}/ran"}, 2)
    daemon.order(begun, waiting)
    assert daemon.store.start_step(begun.id, 1.0)
    daemon.performer.resume(daemon.store.unfinished_steps(), ())
    assert daemon.outcome(begun).status is StepStatus.UNKNOWN
    assert daemon.outcome(waiting).status is StepStatus.REFUSED
    assert not (tmp_path / "ran").exists()


def test_a_stop_waits_within_a_bound_names_what_remains_and_begins_nothing(daemon: Daemon) -> None:
    GATES["a"] = threading.Event()
    held = step("held", {"name": "a"}, 1)
    later = step("run", {"command": "true"}, 2)
    daemon.order(held, later)
    daemon.performer.perform(held)
    until(lambda: daemon.performer.under_way == (held.id,), within=30, what="the step to be under way")
    assert daemon.performer.stop(0.05) == (held.id,)
    daemon.performer.perform(later)
    GATES["a"].set()
    assert daemon.performer.stop(30) == ()
    assert [event.step_id for event in daemon.events] == [held.id]
    assert [(left.command.id, left.begun) for left in daemon.store.unfinished_steps()] == [
        (held.id, True),
        (later.id, False),
    ]


def test_a_step_that_hangs_delays_no_other(daemon: Daemon) -> None:
    for name in "abc":
        GATES[name] = threading.Event()
    hanging = [step("held", {"name": name}, number) for number, name in enumerate("abc")]
    quick = step("run", {"command": "true"}, 9)
    daemon.order(*hanging, quick)
    for command in (*hanging, quick):
        daemon.performer.perform(command)
    assert daemon.outcome(quick).status is StepStatus.OK
    assert [event.step_id for event in daemon.events] == [quick.id]
