"""All that is told to others: incidents to the ticket system, messages to people."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from agent.config.configuration import Configuration
from agent.model.commands import Command, SendMessage, UpdateTicket
from agent.model.events import Event
from agent.plugin.api import Secrets, TicketSystem
from agent.runtime.messages.courier import Courier
from agent.runtime.messages.messenger import Messenger, MessengerState
from agent.runtime.outbox import Outbox, TicketsState
from agent.runtime.redaction import Redactor
from agent.runtime.store import Store

log = logging.getLogger("paramedic")

MESSAGES_STOP_WITHIN = 5.0
TICKETS_STOP_WITHIN = 20.0
"""Seconds; longer than one request takes by default. What is cut off in filing a ticket may file it yet, unseen by
the next start's look-up."""


@dataclass(frozen=True, slots=True)
class Told:
    """How far it is. None: not configured, or not known."""

    tickets: TicketsState | None = None
    messages: MessengerState | None = None


class Telling:
    """`outbox`: None where no ticket system is configured. All of it may be called from any thread but `start`, `use`
    and `stop`, which are called one after the other.
    """

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        secrets: Secrets,
        redactor: Redactor,
        courier: Courier,
        post: Callable[[Event], None],
        now: Callable[[], float],
    ) -> None:
        self._configuration = configuration
        self._courier = courier
        self._new_outbox = partial(Outbox, store.tickets, secrets=secrets, post=post, redactor=redactor, clock=now)
        self.outbox = self._outbox_for(configuration.tickets)
        self.messenger = Messenger(store.messages, courier, post, redactor, clock=now)

    def start(self) -> None:
        if self.outbox:
            self.outbox.start()
        self.messenger.start()

    def stop(self) -> None:
        if not self.messenger.stop(MESSAGES_STOP_WITHIN):
            log.warning("a message is still under way; it is sent again at the next start")
        self._stop_outbox()

    def wake(self, commands: Iterable[Command]) -> None:
        """These were committed."""
        sorts = {type(command) for command in commands}
        outbox = self.outbox  # which a reload may take away at any time
        if UpdateTicket in sorts and outbox:
            outbox.wake()
        if SendMessage in sorts:
            self.messenger.wake()

    def clock_set(self) -> None:
        outbox = self.outbox
        if outbox:
            outbox.clock_set()
        self.messenger.clock_set()

    def state(self) -> Told:
        """Raises StoreError."""
        outbox = self.outbox
        return Told(outbox.state() if outbox else None, self.messenger.state())

    def use(self, fresh: Configuration) -> None:
        before, self._configuration = self._configuration, fresh
        self._courier.use(fresh.settings.targets)
        if fresh.settings.targets != before.settings.targets or fresh.secrets != before.secrets:
            self.messenger.targets_changed()
        if fresh.tickets == before.tickets:
            return
        if self.outbox and fresh.tickets:
            self.outbox.use(fresh.tickets)
            return
        self._stop_outbox()
        self.outbox = self._outbox_for(fresh.tickets)
        if self.outbox:
            self.outbox.start()

    def _outbox_for(self, tickets: TicketSystem | None) -> Outbox | None:
        return self._new_outbox(tickets=tickets) if tickets else None

    def _stop_outbox(self) -> None:
        if self.outbox and not self.outbox.stop(TICKETS_STOP_WITHIN):
            log.warning("a ticket delivery is still under way; it is delivered again at the next start")
        self.outbox = None
