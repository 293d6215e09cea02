"""The checker's part for tickets: each update delivered, each incident with one ticket that was told everything."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from torture.findings import DOUBLED, LOST, WRONG, Finding
from torture.testimony import Record, Row, Ticket


def queue(kept: Record) -> Iterator[Finding]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for update in kept.updates:
        numbers[update["incident"]].append(update["number"])
        if update["state"] == "told in a later one":
            if not any(_tells(later, update) for later in kept.updates):
                yield Finding(LOST, f"ticket update {update['key']} is told in a later one, and no later one tells it")
        elif update["state"] != "delivered":
            yield Finding(LOST, f"ticket update {update['key']} is {update['state']}: {update['last_error']}")
    for incident in kept.incidents:
        counted = json.loads(incident["body"])["updates"]
        if numbers[incident["id"]] != list(range(1, counted + 1)):
            yield Finding(LOST, f"{incident['id']} counted {counted} ticket updates, kept {numbers[incident['id']]}")


def _tells(later: Row, update: Row) -> bool:
    """Whether that update was told as part of this later one."""
    first = json.loads(later["payload"])["first"]
    is_later = later["incident"] == update["incident"] and later["number"] > update["number"]
    return bool(is_later and later["state"] == "delivered" and 0 < first <= update["number"])


def filed_for(kept: Record, filed: Iterable[Ticket]) -> Iterator[Finding]:
    """Each incident has one ticket, in its phase, that was told everything, in order."""
    of: dict[str, list[Ticket]] = defaultdict(list)
    for ticket in filed:
        of[ticket.incident].append(ticket)
    for incident in kept.incidents:
        mine = of.pop(incident["id"], [])
        if len(mine) != 1:
            sort = DOUBLED if mine else LOST
            yield Finding(sort, f"{incident['id']} has {len(mine)} tickets")
            continue
        mine_kept = [update for update in kept.updates if update["incident"] == incident["id"]]
        keys = [update["key"] for update in mine_kept if update["state"] != "told in a later one"]
        yield from _ticket(incident, mine[0], keys)
    for stranger in of:
        yield Finding(LOST, f"the tracker has a ticket for {stranger}, of which nothing is on record")


def _ticket(incident: dict[str, Any], ticket: Ticket, keys: list[str]) -> Iterator[Finding]:
    told = list(dict.fromkeys(ticket.updates))
    for key in keys:
        if key not in told:
            yield Finding(LOST, f"the ticket of {incident['id']} was never told {key}")
    if [key for key in told if key in keys] != [key for key in keys if key in told]:
        yield Finding(WRONG, f"the ticket of {incident['id']} was told out of order: {', '.join(told)}")
    if strangers := set(told) - set(keys):
        yield Finding(LOST, f"the ticket of {incident['id']} was told what is not on record: {', '.join(strangers)}")
    expected = "resolved" if incident["phase"] in ("resolved", "closed") else "in-progress"
    if ticket.status != expected:
        yield Finding(WRONG, f"{incident['id']} is {incident['phase']}, its ticket is {ticket.status}")
