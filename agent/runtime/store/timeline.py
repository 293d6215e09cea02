"""The append-only timeline, each record bound to the one before it by a hash.

The recipe, so that anybody can check it with other tools. The hash of a record is the SHA-256, as 64
lower-case hexadecimal digits, of the ASCII bytes of the previous record's hash followed by this JSON
object, names in this order, without blanks, everything that is not ASCII escaped as \\uXXXX:

    {"about":…,"actor":…,"at":…,"data":…,"kind":…,"seq":…,"text":…}

`seq` is a number, counted from 1 without gaps. All else are strings as the columns of the table
`timeline` hold them: `data` is the JSON text of that column, not parsed; `at` is the column's number
in the shortest decimal form that reads back the same (Python's `repr` of a float, `1763654400.5`).
The record before the first has sixty-four zeros for a hash. In Python:

    sha256((prev_hash + json.dumps(record, sort_keys=True, separators=(",", ":"))).encode()).hexdigest()

What the chain shows: a record altered, removed from the middle, put in between, or moved. What it
cannot show by itself: that the latest records were cut off, or that everything from some record on
was written anew. For that compare with a head (number and hash) noted elsewhere: tickets carry it.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from agent.errors import StoreCorrupt
from agent.model.timeline import Entry, EntryKind
from agent.runtime.store.codec import CANONICAL, canonical, storable
from agent.runtime.store.schema import TIMELINE

ORIGIN = "0" * 64
"""The hash before the first record."""

_CHUNK = 1000
"""Records held in memory at a time while the chain is walked."""

_COLUMNS = TIMELINE.c
_INSERT = insert(TIMELINE)
_HEAD = select(_COLUMNS.seq, _COLUMNS.hash).order_by(_COLUMNS.seq.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as it stands in the timeline."""

    seq: int
    entry: Entry
    hash: str


class Break(StrEnum):
    """What is wrong where the chain breaks."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True)
class Verification:
    """What walking the chain showed. `count`: records that are sound, from the first one on.

    `seq` and `hash` are those of the last sound record: the head if all is well. `broken`: number of
    the first record that is not, with `why` and a sentence for people.
    """

    count: int
    seq: int
    hash: str
    broken: int | None = None
    why: Break | None = None
    text: str = "every record is as it was written"

    @property
    def ok(self) -> bool:
        return self.broken is None


def prepare(entries: Sequence[Entry]) -> list[dict[str, object]]:
    """The entries as rows that still lack number and hashes. Raises ValueError if data holds no JSON value."""
    return [
        {
            "at": float(entry.at),
            "about": storable(entry.about),
            "kind": entry.kind.value,
            "actor": storable(entry.actor),
            "text": storable(entry.text),
            "data": canonical(entry.data),
        }
        for entry in entries
    ]


def append(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    """Write prepared rows after the present head, numbered and chained."""
    if not rows:
        return
    seq, previous = head(connection)
    chained = []
    for row in rows:
        seq += 1
        following = hash_of(previous, seq, row)
        chained.append({**row, "seq": seq, "prev_hash": previous, "hash": following})
        previous = following
    connection.execute(_INSERT, chained)


def hash_of(previous: str, seq: int, row: Mapping[str, object]) -> str:
    """The hash by the recipe above; `row` has the columns at, about, kind, actor, text and data."""
    record = CANONICAL(
        {
            "about": row["about"],
            "actor": row["actor"],
            "at": repr(row["at"]),
            "data": row["data"],
            "kind": row["kind"],
            "seq": seq,
            "text": row["text"],
        }
    )
    return sha256((previous + record).encode("ascii")).hexdigest()


def head(connection: Connection) -> tuple[int, str]:
    """Number and hash of the latest record; 0 and ORIGIN when there is none."""
    row = connection.execute(_HEAD).first()
    return (row.seq, row.hash) if row else (0, ORIGIN)


def records(
    connection: Connection, *, about: str | None, after_seq: int, limit: int, kinds: Collection[EntryKind] | None
) -> list[Record]:
    """Oldest first. Raises StoreCorrupt when a record cannot be read."""
    query = select(TIMELINE).where(_COLUMNS.seq > after_seq).order_by(_COLUMNS.seq).limit(limit)
    if about is not None:
        query = query.where(_COLUMNS.about == about)
    if kinds is not None:
        query = query.where(_COLUMNS.kind.in_([kind.value for kind in kinds]))
    return [_record(row) for row in connection.execute(query)]


def latest(connection: Connection, about: str, limit: int) -> list[Record]:
    """Oldest first. Raises StoreCorrupt when a record cannot be read."""
    query = select(TIMELINE).where(_COLUMNS.about == about).order_by(_COLUMNS.seq.desc()).limit(limit)
    return [_record(row) for row in connection.execute(query)][::-1]


def _record(row: Row[Any]) -> Record:
    try:
        entry = Entry(row.at, row.about, EntryKind(row.kind), row.text, row.actor, json.loads(row.data))
    except (ValueError, TypeError) as error:
        raise StoreCorrupt(f"record {row.seq} of the timeline cannot be read: {error}") from error
    return Record(row.seq, entry, row.hash)


def verify(connection: Connection, last: int | None = None) -> Verification:
    """Walk the whole chain, or that of the `last` records, up to the first record that does not fit."""
    seq, previous = (0, ORIGIN) if last is None else _before(connection, last)
    for row in _walk(connection, seq):
        broken = _broken(connection, row, seq + 1, previous)
        if broken is not None:
            why, text = broken
            return Verification(seq, seq, previous, seq + 1, why, text)
        seq, previous = row.seq, row.hash
    return Verification(seq, seq, previous)


def _before(connection: Connection, last: int) -> tuple[int, str]:
    """Number and hash of the record before the `last` ones: what they hang on."""
    query = select(_COLUMNS.seq, _COLUMNS.hash).order_by(_COLUMNS.seq.desc()).offset(last).limit(1)
    row = connection.execute(query).first()
    return (row.seq, row.hash) if row else (0, ORIGIN)


def _walk(connection: Connection, after: int) -> Iterator[Row[Any]]:
    query = select(TIMELINE).order_by(_COLUMNS.seq)
    if after:  # from the first one on means also what somebody put before it
        query = query.where(_COLUMNS.seq > after)
    yield from connection.execution_options(yield_per=_CHUNK).execute(query)


def _broken(connection: Connection, row: Row[Any], seq: int, previous: str) -> tuple[Break, str] | None:
    if row.seq < 1:
        return Break.ALTERED, f"record {row.seq} was put in: numbers begin with 1"
    if row.seq != seq:
        return Break.MISSING, f"record {seq} is missing: after {seq - 1} comes {row.seq}"
    if row.prev_hash == previous:
        if _fits(row, seq, previous):
            return None
        return Break.ALTERED, f"record {seq} is not as it was written"
    follows = connection.scalar(select(_COLUMNS.seq).where(_COLUMNS.hash == row.prev_hash))
    if follows is not None or (row.prev_hash == ORIGIN and seq > 1):
        return Break.REORDERED, f"record {seq} is not in its place: it was written after record {follows or 0}"
    return Break.ALTERED, f"record {seq} does not follow record {seq - 1}: one of the two was written anew"


def _fits(row: Row[Any], seq: int, previous: str) -> bool:
    try:
        return bool(row.hash == hash_of(previous, seq, row._asdict()))
    except TypeError:
        # SQLite lets a raw connection put bytes where text belongs.
        return False
