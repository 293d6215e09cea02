"""Carries out the runbook steps that were decided and committed: each once, and what was interrupted is asked about."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

from pydantic import ValidationError

from agent.core.secret_token import substitute_secrets
from agent.errors import ParamedicError, StoreError
from agent.model.commands import RunStep
from agent.model.events import StepEnded
from agent.model.execution import StepOutcome, StepStatus
from agent.model.inventory import Host
from agent.model.runbook import Action
from agent.model.settings import LOCALHOST
from agent.plugin.api import Performed
from agent.plugin.endings import PERHAPS, ending_of_error
from agent.plugin.registry import STEPS, UnknownKind, load
from agent.runtime.crash_points import CrashPoint, reached
from agent.runtime.ledger import Ledger, Ledgers, StepShell
from agent.runtime.output import BoundedOutput
from agent.runtime.ports import Ports
from agent.runtime.redaction import Redactor
from agent.runtime.store import UnfinishedStep
from agent.runtime.workers import Workers

log = logging.getLogger("paramedic.performer")

_CLAIM_RETRY = 1.0
"""Seconds until it is tried again to record that a step begins."""

_HERE = Host(name=LOCALHOST, connection="local")
_WITHOUT_EFFECT = (StepStatus.FAILED, StepStatus.UNREACHABLE, StepStatus.REFUSED)


def installed(kind: str) -> type[Action]:
    """The class of a step kind that a plugin brought. Raises UnknownKind."""
    return load(STEPS, kind, Action)


class StepQueue(Protocol):
    """Where it is kept, durably, that a step was begun."""

    def start_step(self, step_id: str, at: float, ledger: str | None = None) -> bool:
        """False if it was begun or ended before. Raises StoreError."""

    def move_step(self, step_id: str, ledger: str) -> None:
        """The host keeps what comes of it elsewhere. Raises StoreError."""


class Performer:
    """`now` gives seconds since the epoch; `post` hands the result to the deciding loop, from any thread."""

    def __init__(
        self,
        queue: StepQueue,
        hosts: Mapping[str, Host],
        ports: Ports,
        ledgers: Ledgers,
        redactor: Redactor,
        post: Callable[[StepEnded], None],
        now: Callable[[], float],
        *,
        workers: int = 64,
        output_limit: int = 65536,
        find: Callable[[str], type[Action]] = installed,
    ) -> None:
        """`output_limit`: bytes kept of each of a step's outputs. `find` raises UnknownKind."""
        self._queue = queue
        self._hosts = hosts
        self._ports = ports
        self._ledgers = ledgers
        self._redactor = redactor
        self._post = post
        self._now = now
        self._output_limit = output_limit
        self._find = find
        self._workers = Workers("step", workers)
        self._under_way: set[str] = set()
        self._ended = threading.Condition()
        # One at a time: all of them waiting for a locked record would keep the deciding loop from it.
        self._claiming = threading.Lock()
        self._stopping = False

    def use(self, hosts: Mapping[str, Host]) -> None:
        """The inventory from now on."""
        self._hosts = hosts

    @property
    def under_way(self) -> tuple[str, ...]:
        """Ids of the steps being carried out."""
        with self._ended:
            return tuple(sorted(self._under_way))

    def perform(self, command: RunStep) -> None:
        """Begin as soon as a thread is free. Does not block."""
        self._workers.submit([partial(self._carry_out, UnfinishedStep(command))])

    def resume(self, unfinished: Iterable[UnfinishedStep], awaited: Collection[str]) -> None:
        """What the agent left. Of a step that was begun, the host is asked what came of it; where it keeps no
        ledger, the step is begun again if it may be, and else its outcome is unknown.

        One that is not `awaited` belongs to an execution that was given up: it is settled, and not begun.
        """
        for left in unfinished:
            reached(CrashPoint.RESUMING)
            if left.command.id in awaited:
                self._workers.submit([partial(self._carry_out, left)])
            else:
                log.warning(
                    "%s is not %s: its execution has ended", left.command.id, "asked about" if left.begun else "begun"
                )
                status = StepStatus.UNKNOWN if left.begun else StepStatus.REFUSED
                outcome = StepOutcome(status, message="its execution has ended")
                self._post(StepEnded(self._now(), left.command.id, outcome))

    def stop(self, within: float) -> tuple[str, ...]:
        """Begin nothing more; wait for what is under way. Answers the ids of what still is `within` seconds later."""
        self._workers.close()
        with self._ended:
            self._stopping = True
            self._ended.wait_for(lambda: not self._under_way, within)
            return tuple(sorted(self._under_way))

    def _carry_out(self, step: UnfinishedStep) -> None:
        id = step.command.id
        with self._ended:
            if self._stopping:
                return  # it stays in the queue for the next start
            self._under_way.add(id)
        try:
            began = time.monotonic()
            outcome = self._outcome(step)
            reached(CrashPoint.STEP_DONE)
            if outcome is not None:
                timed = outcome if outcome.seconds else replace(outcome, seconds=time.monotonic() - began)
                self._post(StepEnded(self._now(), id, timed))
                reached(CrashPoint.STEP_TOLD)
        finally:
            with self._ended:
                self._under_way.discard(id)
                self._ended.notify_all()

    def _outcome(self, step: UnfinishedStep) -> StepOutcome | None:
        """None: it is not ours to begin."""
        command = step.command
        try:
            return self._performed(step)
        except ParamedicError as error:
            outcome = ending_of_error(error)
            if step.begun and outcome.status in _WITHOUT_EFFECT:  # that is true of now, not of then
                outcome = replace(outcome, status=StepStatus.UNKNOWN, message=f"{outcome.message}; {PERHAPS}")
        except (Exception, SystemExit) as error:  # also for what is no outcome: somebody waits for one
            log.exception("step kind %s failed in %s", command.kind, command.id)
            message = f"the step kind {command.kind!r} failed: {type(error).__name__}: {error}; {PERHAPS}"
            outcome = StepOutcome(StepStatus.UNKNOWN, message=message)
        return self._fit_to_leave(outcome)

    def _performed(self, step: UnfinishedStep) -> StepOutcome | None:
        """None: it is not ours to begin. Raises ParamedicError."""
        command = step.command
        host = _HERE if command.local else self._hosts.get(command.host)
        if host is None:
            status = StepStatus.UNKNOWN if step.begun else StepStatus.REFUSED
            return StepOutcome(status, message=f"{command.host} is no longer in the inventory")
        kind = self._kind(command)
        secrets: list[str] = []
        action = self._action(kind, command, secrets)
        ledger = Ledger.parse(step.ledger) if step.ledger else None
        if step.begun and not command.repeatable and not (kind.resumable and ledger):
            return StepOutcome(StepStatus.UNKNOWN, message=f"the agent ended while the step was under way; {PERHAPS}")
        if not step.begun:
            if kind.resumable:
                ledger = self._ledgers.of(host)
            if not self._begin(command, ledger):
                return None
        reached(CrashPoint.STEP_CLAIMED)
        shell = StepShell(
            self._ports.shell,
            self._ledgers,
            command,
            ledger,
            again=step.begun,
            secret=bool(secrets),
            output_limit=self._output_limit,
            moved=lambda to: self._queue.move_step(command.id, str(to)),
        )
        ports = replace(self._ports, shell=shell)
        return self._fit_to_leave(action.perform(host, ports, timeout=command.timeout, sudo=command.sudo))

    def _begin(self, command: RunStep, ledger: Ledger | None) -> bool:
        """False if it is not ours to begin."""
        reached(CrashPoint.STEP_UNCLAIMED)
        first = self._claim(command.id, str(ledger) if ledger else None)
        if first is False:
            log.warning("%s was begun before and is not begun again", command.id)
        return first is True

    def _claim(self, step_id: str, ledger: str | None) -> bool | None:
        """Whether it is ours to begin, however long that takes to record; None: stopped before, so it stays queued."""
        refused = False
        with self._claiming:
            while True:
                try:
                    return self._queue.start_step(step_id, self._now(), ledger)
                except StoreError as error:
                    if not refused:
                        log.error("%s is not begun until that can be recorded: %s", step_id, error)
                    refused = True
                with self._ended:
                    if self._ended.wait_for(lambda: self._stopping, _CLAIM_RETRY):
                        return None

    def _kind(self, command: RunStep) -> type[Action]:
        """Raises ParamedicError."""
        try:
            return self._find(command.kind)
        except UnknownKind as error:
            raise ParamedicError(str(error)) from error

    def _action(self, kind: type[Action], command: RunStep, secrets: list[str]) -> Performed:
        """`secrets` is filled with the names of those it holds. Raises ParamedicError."""

        def resolve(name: str) -> str:
            secrets.append(name)
            return self._ports.secret(name)

        try:
            action = kind.model_validate(_with_secrets(command.params, resolve, shell=kind.shell))
        except TypeError as error:
            raise ParamedicError(str(error)) from error
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise ParamedicError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if not isinstance(action, Performed):
            raise ParamedicError(f"step kind {command.kind!r} has nothing to carry out")
        return action

    def _fit_to_leave(self, outcome: StepOutcome) -> StepOutcome:
        """Secrets are hidden before this cuts; what the shell has cut already is marked, and known by the mark."""
        return replace(
            outcome,
            stdout=self._bounded(self._redactor.redact(outcome.stdout)),
            stderr=self._bounded(self._redactor.redact(outcome.stderr)),
            message=self._bounded(self._redactor.redact(outcome.message)),
        )

    def _bounded(self, text: str) -> str:
        if (
            len(text) * 4 <= self._output_limit
            or len(content := text.encode(errors="backslashreplace")) <= self._output_limit
        ):
            return text
        kept = BoundedOutput(self._output_limit)
        kept.feed(content)
        return kept.text()


def _with_secrets(value: object, resolve: Callable[[str], str], *, shell: bool) -> object:
    match value:
        case str():
            return substitute_secrets(value, resolve, shell=shell)
        case Mapping():
            return {key: _with_secrets(item, resolve, shell=shell) for key, item in value.items()}
        case list() | tuple():
            return [_with_secrets(item, resolve, shell=shell) for item in value]
        case _:
            return value
