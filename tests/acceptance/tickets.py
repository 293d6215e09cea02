"""What the ticket system shows of an incident once everything about it has been delivered."""

import re
from dataclasses import dataclass

from tests.acceptance.daemon import SOON, Daemon
from tests.neighbours.roundup import Roundup


@dataclass(frozen=True)
class Ticket:
    """`messages` in order; `numbers`: the updates that they carry, as `INC-1/3`."""

    id: str
    status: str
    messages: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def told(self) -> tuple[str, ...]:
        """The first line of each message."""
        return tuple(message.partition("\n")[0] for message in self.messages)


def ticket_of(daemon: Daemon, roundup: Roundup, incident: str = "INC-1", *, within: float = SOON) -> Ticket:
    """The only one, once the record says that nothing waits to be delivered any more."""
    daemon.until_delivered(within=within)
    wanted = f"{daemon.site.prefix}-{incident}"
    found = [issue for issue in daemon.site.filed(roundup) if issue["external_id"] == wanted]
    assert len(found) == 1, f"{len(found)} tickets for one incident: {found}"
    messages = found[0]["messages"]
    return Ticket(
        id=found[0]["id"],
        status=found[0]["status"],
        messages=tuple(messages),
        numbers=tuple(number for message in messages for number in re.findall(r"\[[^\]]*?(INC-\d+/\d+)\]", message)),
    )
