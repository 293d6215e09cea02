"""What stands around an outbox in the daemon, with a clock that goes as the test says."""

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.model.commands import Milestone
from agent.model.decision import Decision
from agent.model.events import TicketFiled
from agent.plugin.api import TicketSystem
from agent.runtime.outbox import Outbox
from agent.runtime.redaction import Redactor
from agent.runtime.store.store import Store
from tests.functional.records import INCIDENT
from tests.neighbours.roundup import Roundup
from tests.plugins.ticket_updates import Given, update

SECRETS = Given(tracker=Roundup.password, wrong="not the password")
LIFE = (
    Milestone.OPENED,
    Milestone.UPDATED,
    Milestone.RESOLVED,
    Milestone.REOPENED,
    Milestone.RESOLVED,
    Milestone.CLOSED,
)
REDACTOR = Redactor(lambda: {Roundup.password: "tracker"})
NUMBERS = itertools.count(1)


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Desk:
    """What stands around an outbox in the daemon: the record, the loop that takes its events, the clock."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.clock = Clock()
        self.events: list[TicketFiled] = []
        self._outboxes: list[Outbox] = []
        self._counts: Counter[str] = Counter()

    def tell(self, incident: str, *milestones: Milestone) -> None:
        """Commit updates as the engine orders them."""
        for milestone in milestones:
            self._counts[incident] += 1
            ordered = update(incident, self._counts[incident], milestone, f"it is {milestone}")
            ticket = next((each.ticket for each in self.events if each.incident == incident), None)
            known = replace(INCIDENT, id=incident, ticket=ticket)
            self.store.commit([Decision(incidents={incident: known}, commands=(ordered,))], self.clock())
        for outbox in self._outboxes:
            outbox.wake()

    def outbox(self, tickets: TicketSystem, queue: Any = None) -> Outbox:
        outbox = Outbox(queue or self.store.tickets, tickets, SECRETS, self.events.append, REDACTOR, clock=self.clock)
        self._outboxes.append(outbox)
        outbox.start()
        return outbox

    def tried(self, times: int) -> bool:
        """Whether the one update that waits was tried so often."""
        (waiting,) = self.store.tickets.due(float("inf"), 1)
        return waiting.attempts == times

    def delivered(self) -> bool:
        return self.store.tickets.waiting().waiting == 0

    def delivered_in_time(self) -> bool:
        """Ask again and again, and let a second pass each time."""
        self.clock.pass_by(1)
        return self.delivered()

    def close(self) -> None:
        for outbox in self._outboxes:
            outbox.stop(20)
        self.store.close()
