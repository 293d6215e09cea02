"""The torture in short: what it proves of the agent, and that its checker finds what is planted.

The whole of it is `make torture`. One run's evidence is judged as it is, and again with something planted into a copy.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.runtime.crash_points import CrashPoint, reached, watch
from tests.neighbours import available
from tests.neighbours.systemd_host import INSTALL, missing
from torture.checker import judge, say
from torture.findings import DOUBLED, LOST, WRONG
from torture.nursery import CHECKOUT
from torture.site import FAKETIME

KILLS = 20
pytestmark = [pytest.mark.root, pytest.mark.timeout(900), pytest.mark.xdist_group("torture")]


def torture(evidence: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "torture", "--keep", str(evidence), "--hosts", "2", *words]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=800, check=False)


@pytest.fixture(scope="module")
def survived() -> Iterator[Path]:
    """The evidence of a run that lost and doubled nothing."""
    available.require("hosts to reboot", missing(), INSTALL)
    available.require("a clock to shift", None if FAKETIME else "libfaketime is not there", "apt-get install faketime")
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        evidence = Path(folder) / "evidence"
        done = torture(evidence, "--kills", str(KILLS), "--seed", "7")
        journal = evidence / "site1" / "journal"
        last_words = journal.read_text()[-5000:] if journal.is_file() else ""
        assert done.returncode == 0, done.stdout + done.stderr + last_words
        assert "lost 0, doubled 0, otherwise wrong 0" in done.stdout
        assert "NOT DONE HERE" not in done.stdout
        yield evidence / "site1"


@pytest.fixture
def evidence(survived: Path, tmp_path: Path) -> Path:
    """A copy to plant something into."""
    return Path(shutil.copytree(survived, tmp_path / "evidence"))


def test_the_agent_survives_and_its_checker_has_looked_at_everything(survived: Path) -> None:
    verdict = judge(survived)
    assert verdict.is_clean, "\n".join(say(verdict))
    diary = json.loads((survived / "diary.json").read_text())
    assert sum(diary["kills"].values()) >= KILLS
    assert diary["breaks"]
    assert diary["seen"]
    for what in ("entries on record", "incidents", "tickets", "ticket updates", "runs of steps seen by hosts"):
        assert verdict.figures[what] > 0, what


def planted(evidence: Path, plant: Callable[[Path], None]) -> list[str]:
    """The sorts of what the checker finds in it then."""
    plant(evidence)
    return [finding.sort for finding in judge(evidence).findings]


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement


def a_trace(evidence: Path) -> Path:
    return max((evidence / "traces").iterdir(), key=lambda trace: trace.stat().st_size)


def run_again(evidence: Path) -> None:
    """A step that is not repeatable, with another number."""
    trace = a_trace(evidence)
    line = next(line for line in trace.read_text().splitlines() if line.startswith("begins") and " admit " in line)
    with trace.open("a") as lines:
        lines.write(f"{line.rpartition(' ')[0]} 0-another\n")


def line_again(evidence: Path) -> None:
    trace = a_trace(evidence)
    with trace.open("a") as lines:
        lines.write(trace.read_text().splitlines()[0] + "\n")


def run_not_seen(evidence: Path) -> None:
    """Of one step that was ok, the host knows nothing."""
    rows = "SELECT about, json_extract(data, '$.host') FROM timeline WHERE kind = 'step' AND text LIKE '%: admit: ok%'"
    with closing(sqlite3.connect(evidence / "paramedic.db")) as record:
        incident, host = record.execute(rows).fetchone()
    for trace in (evidence / "traces").iterdir():
        kept = [line for line in trace.read_text().splitlines() if f" {incident} {host} admit " not in line]
        trace.write_text("\n".join([*kept, ""]))


def run_denied(evidence: Path) -> None:
    """The host saw what nobody ordered."""
    with a_trace(evidence).open("a") as trace:
        trace.write("begins INC-999 ward1 admit 0-another\n")


def entry_cut_out(evidence: Path) -> None:
    middle = "seq = (SELECT max(seq) / 2 FROM timeline)"
    change(evidence / "paramedic.db", "DROP TRIGGER timeline_refuses_delete", f"DELETE FROM timeline WHERE {middle}")


def last_entry_cut_off(evidence: Path) -> None:
    """No chain shows that: but it was there while the agent lived."""
    last = "seq = (SELECT max(seq) FROM timeline)"
    change(evidence / "paramedic.db", "DROP TRIGGER timeline_refuses_delete", f"DELETE FROM timeline WHERE {last}")


def entry_rewritten(evidence: Path) -> None:
    text = "UPDATE timeline SET text = 'all is well' WHERE seq = 3"
    change(evidence / "paramedic.db", "DROP TRIGGER timeline_refuses_update", text)


def incident_forgotten(evidence: Path) -> None:
    change(evidence / "paramedic.db", "DELETE FROM incidents WHERE id = 'INC-1'")


def update_pending(evidence: Path) -> None:
    change(evidence / "paramedic.db", "UPDATE ticket_updates SET state = 'waiting' WHERE number = 1")


def update_never_queued(evidence: Path) -> None:
    change(evidence / "paramedic.db", "DELETE FROM ticket_updates WHERE incident = 'INC-1' AND number = 2")


def ticket_doubled(evidence: Path) -> None:
    columns = "_external_id, _status, _title, __retired__"
    twin = f"INSERT INTO _issue (id, {columns}) SELECT 999999, {columns} FROM _issue WHERE id = 1"
    change(evidence / "tracker" / "db", "DROP INDEX IF EXISTS _issue_key_retired_idx", twin)


def ticket_gone(evidence: Path) -> None:
    change(evidence / "tracker" / "db", "DELETE FROM _issue WHERE id = 1")


def ticket_not_told(evidence: Path) -> None:
    change(evidence / "tracker" / "db", "DELETE FROM issue_messages WHERE linkid = (SELECT min(id) FROM _msg)")


def word_not_kept(evidence: Path) -> None:
    """A person was answered ok."""
    diary = json.loads((evidence / "diary.json").read_text())
    diary["acts"].append({"verb": "note", "token": "word-never-kept", "about": "INC-1", "answer": "ok"})
    (evidence / "diary.json").write_text(json.dumps(diary))


def illness_not_noticed(evidence: Path) -> None:
    diary = json.loads((evidence / "diary.json").read_text())
    last = {**diary["breaks"][-1], "after": 10**9}
    diary["breaks"].append(last)
    (evidence / "diary.json").write_text(json.dumps(diary))


@pytest.mark.parametrize(
    ("plant", "sort"),
    [
        (run_again, DOUBLED),
        (line_again, DOUBLED),
        (run_not_seen, LOST),
        (run_denied, LOST),
        (entry_cut_out, LOST),
        (last_entry_cut_off, LOST),
        (entry_rewritten, WRONG),
        (incident_forgotten, LOST),
        (update_pending, LOST),
        (update_never_queued, LOST),
        (ticket_doubled, DOUBLED),
        (ticket_gone, LOST),
        (ticket_not_told, LOST),
        (word_not_kept, LOST),
        (illness_not_noticed, LOST),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_checker_finds_what_is_planted_into_the_evidence(
    evidence: Path, plant: Callable[[Path], None], sort: str
) -> None:
    assert sort in planted(evidence, plant)


@pytest.mark.parametrize(("plant", "sort"), [("double", DOUBLED), ("loss", LOST)])
def test_an_agent_with_a_planted_defect_is_found_out(tmp_path: Path, plant: str, sort: str) -> None:
    available.require("hosts to reboot", missing(), INSTALL)
    done = torture(tmp_path / "evidence", "--kills", str(KILLS), "--seed", "7", "--plant", plant, "--rest", "30")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"\n{sort.upper()}: " in done.stdout, done.stdout


def test_a_crash_point_calls_who_watches_and_nobody_else() -> None:
    seen: list[CrashPoint] = []
    reached(CrashPoint.READY)
    watch(seen.append)
    try:
        reached(CrashPoint.COMMITTED)
    finally:
        watch(None)
    reached(CrashPoint.READY)
    assert seen == [CrashPoint.COMMITTED]
