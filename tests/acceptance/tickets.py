"""What the ticket system shows of the one ticket that a test's incident has."""

import re
from typing import Any

from tests.acceptance.site import Site
from tests.neighbours.roundup import Roundup
from tests.neighbours.waiting import until

SOON = 45.0


class Ticket:
    """The ticket of `incident`. There must never be two of them."""

    def __init__(self, site: Site, roundup: Roundup, incident: str = "INC-1") -> None:
        self._site = site
        self._roundup = roundup
        self._external_id = f"{site.prefix}-{incident}"

    def shown(self) -> dict[str, Any]:
        """As Roundup shows it; empty while it is not filed."""
        found = [issue for issue in self._site.filed(self._roundup) if issue["external_id"] == self._external_id]
        assert len(found) < 2, f"two tickets for one incident: {found}"
        return found[0] if found else {}

    def told(self) -> list[str]:
        """The first lines of its messages, in order."""
        return [message.partition("\n")[0] for message in self.shown().get("messages", [])]

    def numbers(self) -> list[str]:
        """The updates that its messages carry, in order: `INC-1/3`."""
        found = [re.findall(r"\[(INC-\d+/\d+)\]", message) for message in self.shown().get("messages", [])]
        return [number for numbers in found for number in numbers]

    def until_status(self, status: str, within: float = SOON) -> None:
        until(lambda: self.shown().get("status") == status, within=within, what=f"the ticket is {status}")

    def until_told(self, words: str, *, times: int = 1, within: float = SOON) -> None:
        """Until so many of its messages have these words."""

        def told() -> bool:
            return sum(words in message for message in self.told()) >= times

        until(told, within=within, what=f"the ticket says {words!r} ({times} times)")
