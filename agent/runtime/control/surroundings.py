"""What status shows of those around the agent: hosts and servers that checks go through, and the ticket system."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from agent.model.views import MessagesView, NeighbourState, NeighbourView, TicketsView
from agent.runtime.messages.messenger import MessengerState
from agent.runtime.outbox import TicketsState
from agent.runtime.telling import Told

TICKETS = "tickets"
"""The ticket system among the neighbours."""


def tickets_view(state: TicketsState | None, *, configured: bool) -> TicketsView:
    if state is None:
        return TicketsView(configured)
    return TicketsView(
        configured=True,
        available=state.available,
        waiting=state.queue.waiting,
        waiting_since=state.queue.oldest,
        set_aside=state.queue.set_aside,
        last_error=state.last_error if state.available is False else state.queue.last_error,
        next_attempt=state.next_attempt,
        asked=state.asked,
        files=state.files,
    )


def messages_view(state: MessengerState | None, *, targets: int) -> MessagesView:
    if state is None:
        return MessagesView(targets)
    return MessagesView(
        targets=targets,
        waiting=state.queue.waiting,
        waiting_since=state.queue.oldest,
        given_up=state.queue.given_up,
        last_error=state.queue.last_error,
        silent=tuple(silent.target for silent in state.silent),
    )


def neighbour_views(
    tried: Iterable[NeighbourView], told: Told, redact: Callable[[str], str]
) -> Iterator[NeighbourView]:
    """Those that were tried, ticket system and messages last; what they are said to have said is fit to leave."""
    for view in (*tried, *_as_neighbour(told.tickets), *_silent_targets(told.messages)):
        yield replace(view, why=redact(view.why)) if view.why else view


def _as_neighbour(state: TicketsState | None) -> Iterator[NeighbourView]:
    """The ticket system, once it was tried."""
    if state is None or state.available is None:
        return
    if state.available:
        yield NeighbourView(TICKETS, NeighbourState.ANSWERS)
    else:
        waits = NeighbourState.SILENT if state.next_attempt is not None else NeighbourState.PROBED
        yield NeighbourView(TICKETS, waits, state.down_since, state.last_error, state.next_attempt)


def _silent_targets(state: MessengerState | None) -> Iterator[NeighbourView]:
    for silent in state.silent if state else ():
        yield NeighbourView(
            f"messages:{silent.target}", NeighbourState.SILENT, silent.since, silent.why, silent.next_try
        )
