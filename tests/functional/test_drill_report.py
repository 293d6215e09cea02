"""The report of a drill: complete, readable by people and programs, and safe whatever the values are."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from agent.drill import archive
from agent.drill.findings import findings, objectives
from agent.drill.junit import as_junit
from agent.drill.report import as_json, as_markdown, verdict
from agent.errors import StoreCorrupt
from agent.model.drill_result import Asked, DrillResult, Judged, Undone
from agent.model.timeline import Entry, EntryKind
from agent.runtime.store import codec

MET = Judged("detected web", "notice", True, "an incident by check web within 10s", "INC-1 by web after 3s", 3.0, 10.0)
UNMET = Judged("recovered", "recovery", False, "every incident is resolved within 1m", "INC-1 is escalated", None, 60.0)
PASSED = DrillResult(
    id="DRILL-1",
    drill="web-down",
    title="The web server dies",
    form="live",
    digest="d" * 64,
    actor="alice",
    started_at=1_700_000_000.0,
    ended_at=1_700_000_090.0,
    judged=(MET,),
    objectives={"notice": "It is noticed.", "recovery": "It comes back."},
    scenario="Somebody pulls the plug.",
    steady_before=(Asked("web", "web1", "OK", "200"),),
    steady_after=(Asked("web", "web1", "OK", "200"),),
    undone=(Undone("kill", "web1", True, "exit 0"),),
    rolled_back=True,
    touched=("web1",),
    entries=(Entry(1_700_000_003.0, "INC-1", EntryKind.NOTICED, "web on web1 is CRITICAL"),),
)
FAILED = replace(PASSED, id="DRILL-2", judged=(MET, UNMET))

HOSTILE = (
    "<script>alert(1)</script> | x |\n# heading\n[link](http://evil.example) ![i](http://evil.example/i) `code` "
    "**bold** \x1b[31mred\x1b[0m \x00 \ud800 \u202e ]]> & \" ' http://evil.example www.evil.example a@evil.example"
)


def cells(markdown: str) -> list[str]:
    """What a reader of GitHub's Markdown sees, cell by cell and paragraph by paragraph."""
    return ["".join(child.content for child in token.children or ()) for token in parsed(markdown) if token.children]


def parsed(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").parse(markdown)


def test_people_read_everything_in_it() -> None:
    text = as_markdown(FAILED)
    said = cells(text)
    assert said[0] == "【演练】EXERCISE DRILL-2: The web server dies"
    assert "failed: 1 of 2 (50%)" in said
    for value in (UNMET.expected, UNMET.actual, "not met", MET.actual, "3s", "10s", "1m", "Somebody pulls the plug."):
        assert value in said
    assert said[said.index("It comes back.") :][:3] == ["It comes back.", "0 of 1", "0%"]
    assert said[said.index("It is noticed.") :][:3] == ["It is noticed.", "1 of 1", "100%"]
    assert "Everything was put back and the steady state holds again." in said
    assert "OK: 200" in said
    assert "web on web1 is CRITICAL" in said
    assert "None: the drill went to its end." in said
    assert said[said.index("action") :][:3] == ["action", "owner", "due date"]


def test_what_was_not_put_back_stands_out() -> None:
    undone = (Undone("kill", "web1", False, "exit 1: no such unit"),)
    bad = replace(FAILED, rolled_back=False, undone=undone, stopped_because="a real incident: INC-9")
    said = " ".join(cells(as_markdown(bad)))
    assert "Not proved" in said
    assert "a real incident: INC-9" in said
    assert "exit 1: no such unit" in said
    assert "kill on web1 was not undone: exit 1: no such unit" in findings(bad)
    assert verdict(bad).startswith("stopped")


def test_findings_are_facts_and_the_first_of_many_is_named() -> None:
    assert findings(PASSED) == ["Everything that was expected happened in its time"]
    late = replace(MET, seconds=9.0)
    assert findings(replace(PASSED, judged=(late,))) == [
        "detected web was only just in time: 9s of 10s, 1s to spare",
    ]
    two = findings(replace(PASSED, judged=(replace(MET, met=False), UNMET)))
    assert two[-1] == "The first of these is detected web; what comes after it may only follow from it"
    left = tuple(replace(UNMET, label=label, met=None) for label in ("recovered", "ticket"))
    aborted = findings(replace(PASSED, judged=(MET, *left), stopped_because="aborted by alice"))
    assert aborted == [
        "The drill was stopped before its end: aborted by alice",
        "2 expectations were still open when the drill ended: recovered; ticket",
    ]
    by_host = findings(replace(PASSED, undone=(Undone("kill", "web1", True, "", by_host=True),)))
    assert by_host == ["web1 itself undid kill, because the agent did not in time"]
    ill = findings(replace(PASSED, rolled_back=False, steady_after=(Asked("web", "web1", "CRITICAL", "refused"),)))
    assert ill[0] == "web on web1 is CRITICAL after the drill: refused"


def test_score_per_objective() -> None:
    assert [(each.name, each.met, each.of) for each in objectives(FAILED)] == [("notice", 1, 1), ("recovery", 0, 1)]
    assert (FAILED.score, FAILED.passed, PASSED.passed) == (0.5, False, True)


def test_programs_read_the_same() -> None:
    data = json.loads(as_json(FAILED))
    assert (data["passed"], data["score"]) == (False, 0.5)
    assert data["judged"][1]["actual"] == "INC-1 is escalated"
    assert data["findings"] == findings(FAILED)


def test_a_pipeline_sees_each_expectation() -> None:
    suite = ElementTree.fromstring(as_junit(FAILED))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "0")
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert set(cases) == {"detected web", "recovered", "everything is put back", "went to its end"}
    assert cases["detected web"].get("time") == "3.000"
    failure = cases["recovered"].find("failure")
    assert failure is not None
    assert failure.get("message") == "not met: INC-1 is escalated"
    assert failure.text == f"expected: {UNMET.expected}\nactual: {UNMET.actual}"
    stopped = ElementTree.fromstring(as_junit(replace(PASSED, stopped_because="aborted", rolled_back=False)))[0]
    assert (stopped.get("failures"), stopped.get("errors")) == ("1", "1")


def hostile() -> DrillResult:
    bad = Judged(HOSTILE, HOSTILE, False, HOSTILE, HOSTILE)
    return replace(
        PASSED,
        drill=HOSTILE,
        title=HOSTILE,
        actor=HOSTILE,
        scenario=HOSTILE,
        stopped_because=HOSTILE,
        judged=(bad,),
        objectives={HOSTILE: HOSTILE},
        steady_before=(Asked(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        undone=(Undone(HOSTILE, HOSTILE, False, HOSTILE),),
        touched=(HOSTILE,),
        entries=(Entry(1.0, HOSTILE, EntryKind.NOTE, HOSTILE, HOSTILE),),
    )


def test_nothing_in_a_value_is_markup() -> None:
    ours, theirs = parsed(as_markdown(PASSED)), parsed(as_markdown(hostile()))
    kinds = {token.type for token in ours}
    assert {token.type for token in theirs} <= kinds
    assert [t.type for t in theirs].count("heading_open") == [t.type for t in ours].count("heading_open")
    inline = {child.type for token in theirs for child in token.children or ()}
    assert not inline & {"html_inline", "link_open", "image", "code_inline", "em_open"}
    shown = "".join(cells(as_markdown(hostile())))
    assert "<script>alert(1)</script> | x |" in shown
    assert "\x1b" not in shown
    assert "http://" not in as_markdown(hostile()), "a bare address becomes a link on many sites"


def test_xml_holds_any_value() -> None:
    suite = ElementTree.fromstring(as_junit(hostile()))[0]
    cases = list(suite.iter("testcase"))
    assert "<script>alert(1)</script>" in (cases[0].get("name") or "")
    assert "\\x1b" in (cases[0].get("name") or "")
    assert as_junit(hostile()).encode("utf-8")


def test_results_are_kept_and_found_again(tmp_path: Path) -> None:
    assert archive.kept(tmp_path) == []
    assert archive.begin(tmp_path) == "DRILL-1"
    assert archive.begin(tmp_path) == "DRILL-2"
    assert archive.kept(tmp_path) == [], "neither has ended"
    folder = archive.keep(tmp_path, FAILED)
    archive.keep(tmp_path, PASSED)
    assert sorted(file.name for file in folder.iterdir()) == ["report.md", "report.xml", "result.json"]
    assert archive.kept(tmp_path) == [PASSED, FAILED]
    assert archive.read(tmp_path, "DRILL-2") == FAILED
    assert archive.begin(tmp_path) == "DRILL-3"


def test_hostile_results_are_kept_too(tmp_path: Path) -> None:
    archive.keep(tmp_path, hostile())
    [found] = archive.kept(tmp_path)
    assert found.title == codec.storable(HOSTILE)


@pytest.mark.parametrize("id", ["DRILL-9", "../DRILL-1", "DRILL-1/../DRILL-1", "", "drill-1"])
def test_what_is_not_there_is_not_found(tmp_path: Path, id: str) -> None:
    archive.keep(tmp_path, PASSED)
    with pytest.raises(FileNotFoundError):
        archive.read(tmp_path, id)


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    folder = archive.keep(tmp_path, PASSED)
    (folder / "result.json").write_text("{")
    with pytest.raises(StoreCorrupt, match=r"DRILL-1/result\.json"):
        archive.kept(tmp_path)
