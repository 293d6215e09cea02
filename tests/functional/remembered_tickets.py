"""A ticket system in memory, for what cannot be timed in a real one."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from pydantic import ConfigDict

from agent.model.commands import UpdateTicket
from agent.model.incident import TicketRef
from agent.plugin.api import Secrets, TicketSystem


class Ledger:
    """What happened, and what shall happen.

    `calls`: as `update INC-1/2`; `texts`: per ticket, the keys of what it was told. `failing`: the error a
    call ends with, if any. `meet`: updates wait for each other there; `hold`: until this is set.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.failing: Callable[[str], Exception | None] = lambda call: None
        self.meet: threading.Barrier | None = None
        self.hold: threading.Event | None = None
        self.busy: Counter[str] = Counter()
        self.lock = threading.Lock()

    def call(self, call: str) -> None:
        with self.lock:
            self.calls.append(call)
        if failure := self.failing(call):
            raise failure


class RememberedTickets(TicketSystem):
    """Complains of what it must never see: a second ticket, two writers for one incident."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    kind: ClassVar[str] = "remembered"
    ledger: Ledger
    name: str = "remembered"

    @property
    def system(self) -> str:
        return self.name

    def find(self, external_id: str, secrets: Secrets) -> TicketRef | None:
        self.ledger.call(f"find {external_id}")
        return TicketRef(external_id) if external_id in self.ledger.texts else None

    def create(self, update: UpdateTicket, secrets: Secrets) -> TicketRef:
        self.ledger.call(f"create {update.key}")
        assert update.incident not in self.ledger.texts, "filed twice"
        self.ledger.texts[update.incident] = []
        return TicketRef(update.incident)

    def update(self, ticket: TicketRef, update: UpdateTicket, secrets: Secrets) -> None:
        ledger = self.ledger
        with ledger.lock:
            ledger.busy[ticket.id] += 1
            assert ledger.busy[ticket.id] == 1, "two writers for one incident"
        try:
            if ledger.meet:
                ledger.meet.wait(20)
            if ledger.hold:
                ledger.hold.wait(20)
            ledger.call(f"update {update.key}")
            ledger.texts[ticket.id].append(update.key)
        finally:
            with ledger.lock:
                ledger.busy[ticket.id] -= 1
