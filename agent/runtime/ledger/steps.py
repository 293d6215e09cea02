"""The shell a step is given: each command is carried out once on its host, however often it must be asked for."""

import math
import shlex
import time
from collections.abc import Callable, Mapping

from agent.errors import CommandTimedOut, ConnectionLost, Effect, HostError, HostKeyChanged, HostKeyUnknown
from agent.model.command_result import CommandResult
from agent.model.commands import RunStep
from agent.model.inventory import Host
from agent.plugin.api import Shell
from agent.runtime.ledger.ledgers import Ledger, Ledgers
from agent.runtime.ledger.request import Told, script

GRACE = 15.0
"""Seconds beyond the step's own for the host to kill its command and answer."""

RETURN = 60.0
"""Seconds beyond that which a host has to come back, when it was lost while a step was under way."""

_PAUSE = 1.0
"""Seconds between two attempts to reach it again."""


class StepShell:
    """`Shell` for one step. `ledger` None: looked for when it is needed; `again`: it may have been begun before;
    `secret`: its commands hold one.

    `moved` is told when another place had to be found for the ledger, before anything is begun there.
    """

    def __init__(
        self,
        shell: Shell,
        ledgers: Ledgers,
        step: RunStep,
        ledger: Ledger | None,
        *,
        again: bool,
        secret: bool,
        output_limit: int,
        moved: Callable[[Ledger], None] = lambda ledger: None,
    ) -> None:
        """`output_limit`: bytes kept of each output where the step does not say."""
        self._shell = shell
        self._ledgers = ledgers
        # With the time, because a record restored from a backup gives the same numbers again.
        self._name = f"{step.id}@{step.at * 1000:.0f}"
        self._repeatable = step.repeatable
        self._ledger = ledger
        self._again = again
        self._secret = secret
        self._output_limit = output_limit
        self._moved = moved
        self._commands = 0

    def run(
        self,
        host: Host,
        command: str,
        *,
        timeout: float,
        sudo: bool = False,
        stdin: bytes | None = None,
        output_limit: int | None = None,
    ) -> CommandResult:
        """As `Shell.run`, by /bin/sh whatever the login shell is. `timeout`: whole seconds, kept by the host.

        A command with `stdin` is sent as it is: once, and not asked for again. Raises HostError and its kinds;
        ConnectionLost when the host was lost and did not come back in time, or came back without the ledger.
        """
        limit = self._output_limit if output_limit is None else output_limit
        if stdin is not None:
            return self._shell.run(host, command, timeout=timeout, sudo=sudo, stdin=stdin, output_limit=limit)
        if "\0" in command:
            raise HostError(host.name, "the command could not be started: there is a NUL in it")
        self._commands += 1
        began = time.monotonic()
        given = {
            "seconds": str(max(1, math.ceil(timeout))),
            "half": str(max(1, limit // 2)),
            "runner": self._runner(command, sudo),
        }
        ledger = self._ledger or self._ledgers.of(host)
        told = self._asked(host, ledger, given, limit)
        # A later command does not leave the place of those before: who resumes the step asks for all of them in one.
        not_begun = told.how == "refused" and not self._again and self._commands == 1
        if not_begun or (told.how == "lost" and self._repeatable):
            # Not begun, because the disk has become full since the place was found; or free to be begun anew.
            if told.how == "lost":
                self._name += "+"
            ledger = self._another_place(host, told)
            self._moved(ledger)
            self._ledger = ledger
            told = self._asked(host, ledger, given, limit)
        return self._result(host, ledger, told, timeout, time.monotonic() - began)

    def _another_place(self, host: Host, told: Told) -> Ledger:
        """Raises HostError; ConnectionLost where what was told is that the step was begun and lost."""
        try:
            return self._ledgers.find(host)
        except HostError as error:
            if told.how == "lost":
                raise ConnectionLost(host.name, f"{told.rest}; begun anew it could not be: {error}") from error
            raise

    def _runner(self, command: str, sudo: bool) -> str:
        given = {"command": command, "sudo": _said(sudo), "secret": _said(self._secret)}
        return "\n".join((*(f"{name}={shlex.quote(value)}" for name, value in given.items()), script("carry_out.sh")))

    def _asked(self, host: Host, ledger: Ledger, given: Mapping[str, str], limit: int) -> Told:
        """What the host told in the end; asked again for as long as it may come back. Raises HostError."""
        name = self._name if self._commands == 1 else f"{self._name}.{self._commands}"
        given = {**given, "step": name, "place": ledger.place, "boot": ledger.boot}
        within = int(given["seconds"]) + GRACE
        end = time.monotonic() + within + RETURN
        while True:
            try:
                told = self._ledgers.ask(
                    host,
                    within=min(within, max(GRACE, end - time.monotonic())),
                    given={**given, "again": _said(self._again)},
                    output_limit=limit,
                )
                if told.how:
                    return told
                why = HostError(host.name, "it broke off in the middle of its answer")
            except HostError as error:
                if not self._again and error.effect is Effect.NONE:
                    raise
                why = error
            self._again = True
            if time.monotonic() >= end or isinstance(why, HostKeyChanged | HostKeyUnknown):
                raise ConnectionLost(host.name, f"it was lost while the step was under way: {why}") from why
            time.sleep(_PAUSE)

    def _result(self, host: Host, ledger: Ledger, told: Told, timeout: float, seconds: float) -> CommandResult:
        if told.how == "refused" and not self._again:
            raise HostError(host.name, f"there is no room to keep on record what the step did: {told.rest}")
        ended = told.ended
        if ended is None:
            raise ConnectionLost(host.name, told.rest)
        self._ledgers.seen(host, ledger, ended.boot)
        if told.how != "done":
            end = "was killed" if told.how == "late" else "could not be killed"
            text = f"the command did not end within {timeout:g} s and {end}"
            raise CommandTimedOut(host.name, text, told.stdout, told.stderr)
        if self._again and ended.seconds is not None:
            seconds = ended.seconds  # not of our asking: it was under way before
        return CommandResult(ended.status, told.stdout, told.stderr, told.dropped, seconds)


def _said(yes: bool) -> str:
    return "yes" if yes else "no"
