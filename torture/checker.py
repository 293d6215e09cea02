"""The judge: holds the agent's record against what hosts, tracker, journal and torturer saw.

It shares no code with the agent and reads files only: `python -m torture.checker EVIDENCE`.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from torture import ticket_checks
from torture.findings import DOUBLED, LOST, WRONG, Finding, Verdict
from torture.testimony import Place, Record, Ticket, Trace, beginning, record, rows, said_aloud, tickets, traces

HAPPENED = ("ok", "failed", "timed out", "outcome unknown")
"""How a step may have ended that a host saw."""
_STOPPED = re.compile(r"\((RUN-\d+)\): stopped")


def judge(evidence: Path) -> Verdict:
    """`evidence`: the folder that a torture kept."""
    diary = json.loads((evidence / "diary.json").read_text())
    kept = record(evidence / "paramedic.db")
    seen = traces(evidence / "traces")
    filed = tickets(evidence / "tracker", diary["prefix"])
    findings = [
        *_wrong(diary),
        *_chain(kept),
        *_what_was_seen(kept, diary),
        *_what_was_said(kept, evidence / "journal"),
        *_steps(kept, seen, diary),
        *_unknown(kept, diary),
        *_illnesses(kept, diary),
        *_acts(kept, diary),
        *_endings(kept),
        *ticket_checks.queue(kept),
        *ticket_checks.filed_for(kept, filed),
        *_copies(kept, evidence / "backups"),
    ]
    return Verdict(tuple(findings), _figures(kept, seen, filed))


def _wrong(diary: dict[str, Any]) -> Iterator[Finding]:
    for text in diary["wrong"]:
        yield Finding(WRONG, text)


# the timeline


def _chain(kept: Record) -> Iterator[Finding]:
    """By the recipe in docs/record.md: each hash is of the one before it and of the entry."""
    if kept.sound != "ok":
        yield Finding(LOST, f"the database is damaged: {kept.sound}")
    previous, expected = "0" * 64, 1
    for row in kept.timeline:
        if row["seq"] != expected:
            yield Finding(LOST, f"entry {expected} is missing: after {expected - 1} comes {row['seq']}")
        if row["hash"] != _hash(previous, row):
            yield Finding(WRONG, f"entry {row['seq']} does not fit into the chain")
        previous, expected = row["hash"], row["seq"] + 1


def _hash(previous: str, row: dict[str, Any]) -> str:
    said = {name: row[name] for name in ("about", "actor", "data", "kind", "seq", "text")} | {"at": repr(row["at"])}
    return sha256((previous + json.dumps(said, sort_keys=True, separators=(",", ":"))).encode()).hexdigest()


def _what_was_seen(kept: Record, diary: dict[str, Any]) -> Iterator[Finding]:
    """What could be read once must be there for ever."""
    there = {row["seq"]: row["hash"] for row in kept.timeline}
    for seq, hash in diary["seen"]:
        if there.get(seq) != hash:
            what = "has vanished" if seq not in there else "is another now"
            yield Finding(LOST, f"entry {seq}, which was there while the agent lived, {what}")


def _what_was_said(kept: Record, journal: Path) -> Iterator[Finding]:
    """What the journal said to be on record must be; and nothing may have gone wrong inside."""
    there = Counter((row["about"], row["kind"], beginning(row["text"])) for row in kept.timeline)
    for said, times in Counter(said_aloud(journal)).items():
        if there[said] < times:
            yield Finding(LOST, f"said {times} times in the journal, {there[said]} times on record: {' '.join(said)}")
    text = journal.read_text(errors="replace")
    for word in ("Traceback", "defect"):
        if word in text:
            where = text.index(word)
            yield Finding(WRONG, f"the journal has a {word}: {text[max(0, where - 200) : where + 1500]}")


# steps


def _steps(kept: Record, seen: dict[Place, Trace], diary: dict[str, Any]) -> Iterator[Finding]:
    ordered: dict[Place, list[dict[str, Any]]] = defaultdict(list)
    stopped = {run for row in kept.timeline for run in _STOPPED.findall(row["text"]) if row["kind"] == "treatment"}
    for step in kept.steps:
        order = step["payload"]
        if step["state"] == "ended" and step["started_at"] is None and step["execution"] in stopped:
            continue  # given up before it began, and that is on record
        ordered[Place(order["incident"], order["host"], order["name"])].append(step)
    outcomes: dict[Place, list[str]] = defaultdict(list)
    for row in kept.timeline:
        if row["kind"] == "step":
            facts = row["facts"]
            outcomes[Place(row["about"], facts["host"], facts["step"])].append(facts["status"])
    for place in sorted({*ordered, *seen}, key=str):
        yield from _step(place, ordered[place], outcomes[place], seen.get(place, Trace()), diary["steps"])


def _step(
    place: Place, ordered: list[dict[str, Any]], outcomes: list[str], seen: Trace, tracing: list[str]
) -> Iterator[Finding]:
    for step in ordered:
        if step["state"] != "ended":
            yield Finding(LOST, f"{place}: {step['id']} never came to an end")
    if len(outcomes) != len(ordered):
        sort = LOST if len(outcomes) < len(ordered) else DOUBLED
        yield Finding(sort, f"{place}: ordered {len(ordered)} times, {len(outcomes)} outcomes on record")
    if place.step not in tracing:
        return
    repeatable = any(step["payload"]["repeatable"] for step in ordered)
    may_have_run = sum(outcome in HAPPENED for outcome in outcomes)
    if not ordered:
        yield Finding(LOST, f"{place}: the host saw it, nobody is on record to have ordered it")
    elif len(seen.begun) > len(ordered) and not repeatable:
        yield Finding(DOUBLED, f"{place}: ordered {len(ordered)} times, run {len(seen.begun)} times")
    elif len(seen.begun) > may_have_run and not (repeatable and may_have_run):
        yield Finding(LOST, f"{place}: run {len(seen.begun)} times, but the record says: {', '.join(outcomes)}")
    if outcomes.count("ok") > len(seen.ended):
        yield Finding(LOST, f"{place}: ok on record, but the host saw {len(seen.ended)} come to an end")
    if seen.lines > len(seen.begun) + len(seen.ended):
        yield Finding(DOUBLED, f"{place}: the host has {seen.lines} lines of {len(seen.begun)} runs")


def _unknown(kept: Record, diary: dict[str, Any]) -> Iterator[Finding]:
    """What a host did is known, unless it lost its memory: by a reboot, of the one step that was under way."""
    local = {step["payload"]["name"] for step in kept.steps if step["payload"]["local"]}
    found: dict[str, list[str]] = defaultdict(list)
    for row in kept.timeline:
        facts = row["facts"]
        if row["kind"] == "step" and facts["status"] == "outcome unknown":
            found["localhost" if facts["step"] in local else facts["host"]].append(f"{row['about']}: {row['text']}")
    for host, said in found.items():
        if len(said) > (reboots := diary["reboots"].get(host, 0)):
            yield Finding(WRONG, f"{host} was rebooted {reboots} times, yet {len(said)} unknown: {'; '.join(said)}")


# incidents


def _illnesses(kept: Record, diary: dict[str, Any]) -> Iterator[Finding]:
    """Each illness has one incident, noticed after it began and before the patient's next one."""
    noticed: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for row in kept.timeline:
        if row["kind"] in ("noticed", "joined") and " is CRITICAL" in row["text"]:
            noticed[row["facts"]["check"], row["facts"]["subject"]].append((row["seq"], row["about"]))
    made: dict[tuple[str, str], list[int]] = defaultdict(list)
    for illness in diary["breaks"]:
        made[illness["patient"], illness["host"]].append(illness["after"])
    for patient, begins in made.items():
        for began, ended in zip(begins, [*begins[1:], sys.maxsize], strict=True):
            incidents = {about for seq, about in noticed[patient] if began < seq <= ended}
            name = f"{patient[0]} of {patient[1]}, ill after entry {began}"
            if not incidents:
                yield Finding(LOST, f"{name}: no incident")
            if len(incidents) > 1:
                yield Finding(DOUBLED, f"{name}: {', '.join(sorted(incidents))}")


def _acts(kept: Record, diary: dict[str, Any]) -> Iterator[Finding]:
    """What a person was told to be done is on record, once; what was not answered, at most once."""
    for act in diary["acts"]:
        kind = "opened" if act["verb"] == "report" else "note"
        found = [row for row in kept.timeline if row["kind"] == kind and act["token"] in row["text"]]
        if act["answer"] == "ok" and not found:
            yield Finding(LOST, f"{act['verb']} {act['token']} was answered ok, and is not on record")
        if act["answer"] == "ok" and found and act["about"] != found[0]["about"]:
            yield Finding(WRONG, f"{act['token']} was said to be about {act['about']}, it is about {found[0]['about']}")
        if len(found) > 1:
            yield Finding(DOUBLED, f"{act['verb']} {act['token']} is on record {len(found)} times")


def _endings(kept: Record) -> Iterator[Finding]:
    """Nothing is left over: all has been in peace for a while."""
    for incident in kept.incidents:
        if incident["phase"] != "closed":
            yield Finding(WRONG, f"{incident['id']} is still {incident['phase']}")
    for execution in kept.executions:
        if execution["ended_at"] is None:
            yield Finding(WRONG, f"{execution['id']} still runs")
    for kind in ("opened", "closed"):
        told = Counter(row["about"] for row in kept.timeline if row["kind"] == kind)
        for incident in kept.incidents:
            if told[incident["id"]] == 0:
                yield Finding(LOST, f"nothing on record says that {incident['id']} was {kind}")
        if stranger := set(told) - {incident["id"] for incident in kept.incidents}:
            yield Finding(LOST, f"{kind} on record, but there is no such incident: {', '.join(sorted(stranger))}")


# backups


def _copies(kept: Record, folder: Path) -> Iterator[Finding]:
    """A backup is whole, and says what the record says, or it is not there."""
    there = {row["seq"]: row["hash"] for row in kept.timeline}
    for copy in sorted(folder.glob("*.db")) if folder.exists() else ():
        entries = rows(copy, "SELECT seq, hash FROM timeline ORDER BY seq")
        if rows(copy, "PRAGMA integrity_check")[0]["integrity_check"] != "ok":
            yield Finding(LOST, f"backup {copy.name} is damaged")
        if [row["seq"] for row in entries] != list(range(1, len(entries) + 1)):
            yield Finding(LOST, f"backup {copy.name} has gaps")
        if any(there.get(row["seq"]) != row["hash"] for row in entries):
            yield Finding(LOST, f"backup {copy.name} has entries that the record has not")


def _figures(kept: Record, seen: dict[Place, Trace], filed: list[Ticket]) -> dict[str, int]:
    outcomes = Counter(row["facts"]["status"] for row in kept.timeline if row["kind"] == "step")
    return {
        "entries on record": len(kept.timeline),
        "incidents": len(kept.incidents),
        "tickets": len(filed),
        "ticket updates": len(kept.updates),
        "ticket updates told twice": sum(len(ticket.updates) - len(set(ticket.updates)) for ticket in filed),
        "steps on record": len(kept.steps),
        "runs of steps seen by hosts": sum(len(trace.begun) for trace in seen.values()),
        "steps whose outcome is unknown": outcomes["outcome unknown"],
    }


def say(verdict: Verdict, *, most: int = 40) -> Iterator[str]:
    """Lines for people."""
    for what, number in verdict.figures.items():
        yield f"  {number:>7,}  {what}"
    for finding in verdict.findings[:most]:
        yield f"{finding.sort.upper()}: {finding.text}"
    if len(verdict.findings) > most:
        yield f"… and {len(verdict.findings) - most} more"
    yield f"lost {verdict.count(LOST)}, doubled {verdict.count(DOUBLED)}, otherwise wrong {verdict.count(WRONG)}"


if __name__ == "__main__":
    found = judge(Path(sys.argv[1]))
    print("\n".join(say(found)))
    sys.exit(0 if found.is_clean else 1)
