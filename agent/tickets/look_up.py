"""Looking something up, and when "there is none" may be believed."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from agent.errors import TicketSystemUnavailable
from agent.tickets.refusal import FOR_A_PERSON
from agent.tickets.reply import NotThere, Reply, at, plain
from agent.tickets.request import LookUp, Proof, Request
from agent.tickets.template import Values

Ask = Callable[[Request, Values, Collection[int]], Reply]
"""Carries out a request; takes the expected statuses and those of the third argument. Raises TicketError."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`id`: None when there is none; `item`: the JSON that stands for what was found."""

    reply: Reply
    id: str | None = None
    item: object = None


def look_up(ask: Ask, wanted: LookUp, values: Values) -> Finding:
    """The first candidate that fits. Raises TicketError, also for an answer that is not as described."""
    reply = ask(wanted, values, wanted.none)
    if reply.status in wanted.none:
        return Finding(reply)
    for item in _candidates(reply, wanted):
        if _fits(item, wanted, values):
            try:
                return Finding(reply, plain(at(item, wanted.id)), item)
            except NotThere as error:
                raise reply.unreadable(f"has no id at `{wanted.id}`: {reply.quoted()}") from error
    return Finding(reply)


def _candidates(reply: Reply, wanted: LookUp) -> list[object]:
    answer = reply.json()
    if wanted.among is None:
        return [answer]
    try:
        candidates = at(answer, wanted.among)
    except NotThere:
        candidates = None
    if not isinstance(candidates, list):
        raise reply.unreadable(f"has no list at `{wanted.among}`: {reply.quoted()}")
    return candidates


def _fits(item: object, wanted: LookUp, values: Values) -> bool:
    equal = all(_word(item, path) == template.render(values) for path, template in wanted.matching.items())
    return equal and all(template.render(values) in _word(item, path) for path, template in wanted.containing.items())


def _word(item: object, path: str) -> str:
    """The text there; nothing where there is none, which fits no id and no marker."""
    try:
        value = at(item, path)
    except NotThere:
        return ""
    return "" if value is None else str(value)


def require_login(ask: Ask, proof: Proof, reply: Reply, values: Values) -> None:
    """An empty answer to a stranger says nothing. Raises TicketSystemUnavailable if nothing shows we are known."""
    lacking = _lacking(ask, proof, reply, values)
    if lacking:
        text = f"{reply.what} found no ticket, but {lacking}: we may not be logged in, so it is not believed"
        raise TicketSystemUnavailable(text, retry_after=FOR_A_PERSON)


def _lacking(ask: Ask, proof: Proof, reply: Reply, values: Values) -> str | None:
    if proof.header and not reply.headers.get(proof.header):
        return f"its answer has no header {proof.header}"
    if proof.value and not _word(reply.json(), proof.value):
        return f"its answer has no `{proof.value}`"
    if proof.ask:
        found = look_up(ask, proof.ask, values)
        if found.id is None:
            return f"{found.reply.what} does not know us"
    return None
