"""What a failure of the ticket system means for the next attempt."""

import errno
import ssl
from email.utils import parsedate_to_datetime

import requests

from agent.errors import Effect, TicketError, TicketSystemUnavailable
from agent.model.text import one_line
from agent.plugin.network import say_failure
from agent.tickets.reply import Reply

FOR_A_PERSON = 60.0
"""Seconds to wait when only a person can help: a login refused too often locks the account."""

LONGEST_WAIT = 3600.0
"""Seconds of a Retry-After that are believed."""

_IN_VAIN = frozenset({400, 413, 414, 422, 431})
"""What is wrong with what we wanted to write, so that it will never be taken. A question so refused has another fault,
and what waits for its answer is kept. So is what is refused by 400 and a page for people: that is a server's way to
say that something broke inside it (Roundup's, whose judgements are JSON)."""

_BUSY = frozenset({408, 425, 429, 502, 503, 504})
"""No ticket gets through now; later all may."""

_CONFLICT = frozenset({409, 412, 423})
"""Somebody else is at this ticket."""

_NO_WAY = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})


def refused(reply: Reply) -> TicketError:
    """For a status that the author does not expect."""
    status = reply.status
    text = f"{reply.what} answered {status}: {reply.quoted()}"
    broke = status >= 500 or (status == 400 and reply.is_page)
    effect = Effect.UNKNOWN if reply.changes and broke else Effect.NONE
    if status in _IN_VAIN and reply.changes and not broke:
        return TicketError(text, retryable=False)
    if status in _BUSY:
        return TicketSystemUnavailable(text, effect=effect, retry_after=_retry_after(reply))
    if status in (401, 407):
        return TicketSystemUnavailable(f"login refused: {text}", retry_after=FOR_A_PERSON)
    if 300 <= status < 400:
        to = one_line(reply.headers.get("Location", "nowhere"), 200)
        text = f"{reply.what} answered {status} and points to {to}: is that a login page, or where `url` should lead?"
        return TicketSystemUnavailable(text, retry_after=FOR_A_PERSON)
    if status in _CONFLICT:
        return TicketError(text, retryable=True)
    if broke:
        return TicketError(text, retryable=True, effect=effect, retry_after=_retry_after(reply))
    # 403, a 404 that is not a ticket's, 405, a question that is not understood and the like: rights or the description
    # are wrong. A person can put that right, and what waits is then delivered.
    return TicketError(text, retryable=True, retry_after=FOR_A_PERSON)


def broken(error: requests.RequestException, what: str, *, changes: bool) -> TicketError:
    """For a request without a whole answer."""
    if isinstance(error, ValueError):
        # requests' complaint about `url` or our login; its text may quote a credential.
        return TicketSystemUnavailable(f"{what} cannot be sent: {type(error).__name__}", retry_after=FOR_A_PERSON)
    why = str(error) if isinstance(error, requests.Timeout) else say_failure(error)
    effect = Effect.UNKNOWN if changes and not _never_sent(error) else Effect.NONE
    return TicketSystemUnavailable(f"{what}: {why}", effect=effect)


def _never_sent(error: BaseException) -> bool:
    """Whether the connection did not even come about."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or (isinstance(cause, OSError) and cause.errno in _NO_WAY):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _retry_after(reply: Reply) -> float | None:
    """Seconds from Retry-After: a number, or a date, taken from the answer's own Date (RFC 9110, 10.2.3)."""
    said = reply.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(said) - parsedate_to_datetime(reply.headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait.total_seconds(), 0.0), LONGEST_WAIT)
