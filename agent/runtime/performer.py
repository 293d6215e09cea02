"""Carries out the runbook steps that were decided and committed: each at most once, unless it is repeatable."""

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
from agent.plugin.api import Performed, StepPorts
from agent.plugin.endings import PERHAPS, ending_of_error
from agent.plugin.registry import STEPS, UnknownKind, load
from agent.runtime.crash_points import CrashPoint, reached
from agent.runtime.discretion import DiscreetPorts
from agent.runtime.output import BoundedOutput
from agent.runtime.redaction import Redactor
from agent.runtime.workers import Workers

log = logging.getLogger("paramedic.performer")

_CLAIM_RETRY = 1.0
"""Seconds until it is tried again to record that a step begins."""

_HERE = Host(name=LOCALHOST, connection="local")


def installed(kind: str) -> type[Action]:
    """The class of a step kind that a plugin brought. Raises UnknownKind."""
    return load(STEPS, kind, Action)


class StepQueue(Protocol):
    """Where it is kept, durably, that a step was begun."""

    def start_step(self, step_id: str, at: float) -> bool:
        """False if it was begun or ended before. Raises StoreError."""


class Performer:
    """`now` gives seconds since the epoch; `post` hands the result to the deciding loop, from any thread."""

    def __init__(
        self,
        queue: StepQueue,
        hosts: Mapping[str, Host],
        ports: StepPorts,
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
        self._workers.submit([partial(self._carry_out, command, begun=False)])

    def resume(self, unfinished: Iterable[tuple[RunStep, bool]], awaited: Collection[str]) -> None:
        """What the agent left: each step, and whether it was begun. Such a one is begun again only if it may be.

        One that is not `awaited` belongs to an execution that was given up: it is settled, and not begun.
        """
        for command, begun in unfinished:
            reached(CrashPoint.RESUMING)
            if command.id not in awaited:
                log.warning("%s is not begun: its execution has ended", command.id)
                outcome = StepOutcome(StepStatus.REFUSED, message="its execution has ended")
                self._post(StepEnded(self._now(), command.id, outcome))
            elif begun and not command.repeatable:
                message = f"the agent ended while the step was under way; {PERHAPS}"
                self._post(StepEnded(self._now(), command.id, StepOutcome(StepStatus.UNKNOWN, message=message)))
            else:
                self._workers.submit([partial(self._carry_out, command, begun=begun)])

    def stop(self, within: float) -> tuple[str, ...]:
        """Begin nothing more; wait for what is under way. Answers the ids of what still is `within` seconds later."""
        self._workers.close()
        with self._ended:
            self._stopping = True
            self._ended.wait_for(lambda: not self._under_way, within)
            return tuple(sorted(self._under_way))

    def _carry_out(self, command: RunStep, *, begun: bool) -> None:
        with self._ended:
            if self._stopping:
                return  # it stays in the queue for the next start
            self._under_way.add(command.id)
        try:
            if begun or self._begin(command):
                reached(CrashPoint.STEP_CLAIMED)
                outcome = self._outcome(command)
                reached(CrashPoint.STEP_DONE)
                self._post(StepEnded(self._now(), command.id, outcome))
                reached(CrashPoint.STEP_TOLD)
        finally:
            with self._ended:
                self._under_way.discard(command.id)
                self._ended.notify_all()

    def _begin(self, command: RunStep) -> bool:
        reached(CrashPoint.STEP_UNCLAIMED)
        first = self._claim(command.id)
        if first is False:
            log.warning("%s was begun before and is not begun again", command.id)
        return first is True

    def _claim(self, step_id: str) -> bool | None:
        """Whether it is ours to begin, however long that takes to record; None: stopped before, so it stays queued."""
        refused = False
        with self._claiming:
            while True:
                try:
                    return self._queue.start_step(step_id, self._now())
                except StoreError as error:
                    if not refused:
                        log.error("%s is not begun until that can be recorded: %s", step_id, error)
                    refused = True
                with self._ended:
                    if self._ended.wait_for(lambda: self._stopping, _CLAIM_RETRY):
                        return None

    def _outcome(self, command: RunStep) -> StepOutcome:
        began = time.monotonic()
        host = _HERE if command.local else self._hosts.get(command.host)
        if host is None:
            return StepOutcome(StepStatus.REFUSED, message=f"{command.host} is no longer in the inventory")
        try:
            action, ports = self._action(command)
            outcome = self._fit_to_leave(action.perform(host, ports, timeout=command.timeout, sudo=command.sudo))
        except ParamedicError as error:
            outcome = self._fit_to_leave(ending_of_error(error))
        except (Exception, SystemExit) as error:  # also for what is no outcome: somebody waits for one
            log.exception("step kind %s failed in %s", command.kind, command.id)
            message = f"the step kind {command.kind!r} failed: {type(error).__name__}: {error}; {PERHAPS}"
            outcome = self._fit_to_leave(StepOutcome(StepStatus.UNKNOWN, message=message))
        return outcome if outcome.seconds else replace(outcome, seconds=time.monotonic() - began)

    def _action(self, command: RunStep) -> tuple[Performed, StepPorts]:
        """The action and what it may use. Raises ParamedicError: nothing was done then."""
        secrets: list[str] = []

        def resolve(name: str) -> str:
            secrets.append(name)
            return self._ports.secret(name)

        try:
            found = self._find(command.kind)
            action = found.model_validate(_with_secrets(command.params, resolve, shell=found.shell))
        except (UnknownKind, TypeError) as error:
            raise ParamedicError(str(error)) from error
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            raise ParamedicError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if not isinstance(action, Performed):
            raise ParamedicError(f"step kind {command.kind!r} has nothing to carry out")
        return action, DiscreetPorts(self._ports) if secrets else self._ports

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
