"""The ticket system as a drill has it: everything marked, in the drill queue, under ids of the drill's own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import model_validator

from agent.drill.record import marked
from agent.errors import TicketError
from agent.model.commands import UpdateTicket
from agent.model.incident import TicketRef
from agent.plugin.api import Secrets, TicketSystem


class MarkedTickets(TicketSystem):
    """`queue`: the ticket system that `tickets.drill` describes. `drill`: `DRILL-7`, put before our ids: the drill's
    INC-1 must never be found as that of the agent.
    """

    kind: ClassVar[str] = "drill"
    queue: TicketSystem
    drill: str

    @model_validator(mode="before")
    @classmethod
    def _settles_as_its_queue(cls, given: dict[str, Any]) -> dict[str, Any]:
        return given | {"settles_within": given["queue"].settles_within}

    def find(self, external_id: str, secrets: Secrets) -> TicketRef | None:
        return self.queue.find(f"{self.drill}-{external_id}", secrets)

    def create(self, update: UpdateTicket, secrets: Secrets) -> TicketRef:
        return self.queue.create(self._marked(update), secrets)

    def update(self, ticket: TicketRef, update: UpdateTicket, secrets: Secrets) -> None:
        self.queue.update(ticket, self._marked(update), secrets)

    def _marked(self, update: UpdateTicket) -> UpdateTicket:
        id = f"{self.drill}-{update.incident}"
        texts = {name: marked(str(update.fields[name])) for name in ("title", "description") if update.fields.get(name)}
        fields = {**update.fields, **texts, "id": id}
        return replace(update, incident=id, text=marked(update.text), fields=fields)


class UnfiledTickets(TicketSystem):
    """Where there is no drill queue: what would have been filed is noted, and nothing is."""

    kind: ClassVar[str] = "unfiled"
    files: ClassVar[bool] = False
    noted: Callable[[str], None]

    def find(self, external_id: str, secrets: Secrets) -> TicketRef | None:
        return None

    def create(self, update: UpdateTicket, secrets: Secrets) -> TicketRef:
        """Raises TicketError, always."""
        text = f"{update.incident}, {update.milestone}: {marked(str(update.fields.get('title', '')))}: {update.text}"
        self.noted(f"there is no drill queue (tickets: drill:), so no ticket is filed; it would have said: {text}")
        raise TicketError("there is no drill queue (tickets: drill:)", retryable=False)
