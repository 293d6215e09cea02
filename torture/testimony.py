"""What each witness says, read with nothing of the agent's own code: SQLite files, text files, JSON."""

import json
import re
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """One step of one incident on one host: what leaves a trace of its own."""

    incident: str
    host: str
    step: str

    def __str__(self) -> str:
        return f"{self.step} for {self.incident} on {self.host}"


@dataclass
class Trace:
    """Runs that hosts saw begin and end, each by its own number."""

    begun: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    lines: int = 0


def traces(folder: Path) -> dict[Place, Trace]:
    """All hosts' traces together; the file of the agent's own machine is `localhost`."""
    found: dict[Place, Trace] = defaultdict(Trace)
    for file in sorted(folder.iterdir()):
        for line in file.read_text().splitlines():
            what, incident, host, step, number = line.split()
            trace = found[Place(incident, host, step)]
            (trace.begun if what == "begins" else trace.ended).add(number)
            trace.lines += 1
    return found


def rows(database: Path, query: str, *values: object) -> list[Row]:
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, values)]


@dataclass(frozen=True)
class Ticket:
    """As the tracker's own database has it. `updates`: keys of the agent's messages, in the order they were filed."""

    id: int
    incident: str
    status: str
    updates: tuple[str, ...]


def tickets(folder: Path, prefix: str) -> list[Ticket]:
    """Those that this agent filed."""
    database = folder / "db"
    issues = "SELECT i.id, i._external_id AS name, s._name AS status FROM _issue i JOIN _status s ON s.id = i._status"
    attached = (
        "SELECT m.id, m._messageid AS key FROM issue_messages l JOIN _msg m ON m.id = l.linkid "
        "WHERE l.nodeid = ? ORDER BY m.id"
    )
    found = []
    for issue in rows(database, f"{issues} WHERE i.__retired__ = 0 AND i._external_id LIKE ?", f"{prefix}-%"):
        incident = issue["name"].removeprefix(f"{prefix}-")
        keys = [row["key"] or "" for row in rows(database, attached, issue["id"])]
        updates = tuple(match[1] for key in keys if (match := re.search(r"(INC-\d+/\d+)@", key)))
        found.append(Ticket(int(issue["id"]), incident, issue["status"], updates))
    return found


@dataclass(frozen=True)
class Record:
    """The agent's record. `steps` have their order parsed as `payload`; `timeline` its `data` parsed as `facts`."""

    file: Path
    sound: str
    timeline: list[Row]
    steps: list[Row]
    updates: list[Row]
    incidents: list[Row]
    executions: list[Row]


def record(file: Path) -> Record:
    timeline = rows(file, "SELECT * FROM timeline ORDER BY seq")
    for entry in timeline:
        entry["facts"] = json.loads(entry["data"])
    steps = rows(file, "SELECT * FROM steps")
    for step in steps:
        step["payload"] = json.loads(step["payload"])
    return Record(
        file,
        rows(file, "PRAGMA integrity_check")[0]["integrity_check"],
        timeline,
        steps,
        rows(file, "SELECT * FROM ticket_updates ORDER BY incident, number"),
        rows(file, "SELECT id, phase, body FROM incidents ORDER BY number"),
        rows(file, "SELECT id, ended_at, body FROM executions"),
    )


def said_aloud(journal: Path) -> list[tuple[str, str, str]]:
    """What the agent told its journal to be on record: about, kind, and how the text begins."""
    line = re.compile(r"^[\d:.]+ INFO +((?:INC|RUN)-\d+|agent) ([a-z]+): (.*)$")
    found = (line.match(text) for text in journal.read_text(errors="replace").splitlines())
    return [(match[1], match[2], beginning(match[3])) for match in found if match]


def beginning(text: str) -> str:
    """As much of an entry's text as its line in the journal surely has, too."""
    return re.sub(r"\W+", " ", text[:80]).strip()[:50]
