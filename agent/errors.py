"""Errors that cross a boundary, and what the caller must know about each.

Every class says two things in its attributes: may the same thing be tried again (`retryable`), and
may it already have had an effect (`effect`).
"""

from enum import StrEnum


class Effect(StrEnum):
    """What a failed attempt may have left behind."""

    NONE = "none"
    UNKNOWN = "unknown"


class ParamedicError(Exception):
    """Anything the agent says about a situation it understands. The text is meant for people."""

    retryable: bool = False
    effect: Effect = Effect.NONE


class CannotAsk(ParamedicError):
    """A check's question could not be asked: the verdict is UNKNOWN, never a failure."""

    retryable = True


class NeighbourSilent(CannotAsk):
    """Nobody answers at all whom many questions go through: no connection, or nothing in time.

    A refusal or nonsense is an answer: then the question is at fault, not the way there.
    """


class UnknownSecret(ParamedicError):
    """A secret reference that resolves to nothing."""


class HostError(ParamedicError):
    """Something about reaching a host over SSH; no command has been started."""

    def __init__(self, host: str, text: str) -> None:
        super().__init__(f"{host}: {text}")
        self.host = host


class HostUnreachable(HostError):
    """No connection: refused, timed out, no route, or the name does not resolve."""

    retryable = True


class HostKeyUnknown(HostError):
    """The host's key is not in known_hosts. The text holds the command that would add it."""


class HostKeyChanged(HostError):
    """The host answers with another key than known_hosts holds: perhaps another machine."""


class LoginRefused(HostError):
    """The host did not accept our key, or we have none for it."""


class CommandTimedOut(HostError):
    """The command did not end within its deadline. It was started; what it did is not known.

    `stdout`, `stderr`: what it had printed by then, bounded like a result's.
    """

    effect = Effect.UNKNOWN

    def __init__(self, host: str, text: str, stdout: str = "", stderr: str = "") -> None:
        super().__init__(host, text)
        self.stdout = stdout
        self.stderr = stderr


class ConnectionLost(HostError):
    """The connection broke after the command was started: its outcome is not known."""

    effect = Effect.UNKNOWN


class StoreError(ParamedicError):
    """The record could not be read or written. A commit that raises this has stored nothing."""


class StoreCorrupt(StoreError):
    """What is in the file is not what was written: damaged pages, a foreign database, or an unreadable row."""


class StoreMissing(StoreError):
    """There was a record, and it is gone: nobody but a person may decide to begin an empty one."""


class StoreRefused(StoreError):
    """What was to be stored contradicts what is there: a defect of ours, and no other try will be taken either."""


class StoreNotWritable(StoreError):
    """The file or its folder is read-only or not ours to write."""


class StoreNewer(StoreError):
    """A later version of the program wrote this record; this one would not understand it."""


class StoreOlder(StoreError):
    """The record waits for a migration, which only an agent that may write can do."""


class StoreInUse(StoreError):
    """Another agent writes this record. Two writers would both treat the same incident."""

    retryable = True


class StoreFailing(StoreError):
    """The disk answers with input/output errors. Nothing of the commit counts; it may succeed on another try."""

    retryable = True


class StoreFull(StoreError):
    """No space is left. The same commit succeeds once there is space again."""

    retryable = True


class StoreBusy(StoreError):
    """Another program (a database shell, say) holds the file locked beyond the time we wait."""

    retryable = True


class TicketError(ParamedicError):
    """The ticket system did not take what we sent.

    `retry_after`: seconds to wait at least, because the ticket system asked for it (HTTP Retry-After) or
    because only a person can help.
    """

    def __init__(
        self,
        text: str,
        *,
        retryable: bool,
        effect: Effect = Effect.NONE,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.retryable = retryable
        self.effect = effect
        self.retry_after = retry_after


class TicketSystemUnavailable(TicketError):
    """No ticket gets through at present: no connection, no answer, too busy, or our login is refused."""

    def __init__(self, text: str, *, effect: Effect = Effect.NONE, retry_after: float | None = None) -> None:
        super().__init__(text, retryable=True, effect=effect, retry_after=retry_after)


class TicketSystemNotAsked(TicketSystemUnavailable):
    """Nothing was sent: what a request needs is missing on our side."""


class MessageError(ParamedicError):
    """A message was not delivered, as far as we know."""

    retryable = True
