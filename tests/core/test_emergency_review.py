"""The review: what the agent fills in, what people must complete, and its end."""

import json

import pytest

from agent.core.emergency.review import problems_of, review_document, root_cause_of
from agent.model import events
from agent.model.activation import Stage
from agent.model.commands import Milestone
from agent.model.incident import Phase
from agent.model.plan import Targets
from agent.model.timeline import Entry, EntryKind
from agent.runtime.control.body import LIMIT
from tests.core.emergencies import action, begun, call, major, phases, plan, site
from tests.core.ward import Ward, runbook

TARGETS = Targets.model_validate({"declare": 10.0, "acknowledge": 30.0, "rto": 5.0, "contain": 60.0})
CAUSE = "<!-- why it happened"
ROW = "|  |  |  |"


def ended() -> Ward:
    """Declared after 10 s, acknowledged by the deputy after 61 s; the runbook failed, a person did it; one was left."""
    ward = begun(
        plan(
            notification=(call("commander", 60.0), call("technical_lead", 60.0)),
            phases=phases(action("restart", runbook="revive"), action("ring | them", do="ring")),
        ),
        runbooks=(runbook("revive"),),
    )
    ward.ends(host="web1", exit=1)
    ward.ends(host="web2", exit=1)
    ward.later(61)
    ward.person(events.AcknowledgeCall("PLAN-1"), "dan")
    ward.later(60)
    ward.person(events.TickAction("PLAN-1", 1, note="by hand"), "tim")
    ward.person(events.EndEmergency("PLAN-1", "enough", force=True), "carla")
    return ward


def document(ward: Ward) -> str:
    activation = ward.plan()
    entries = [entry for entry in ward.entries if entry.about == activation.incident]
    return review_document(activation, major(ward), [ward.incident("INC-1")], entries, TARGETS)


def section(text: str, heading: str) -> str:
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


def completed(text: str, *rows: str, cause: str = "A cable was cut.") -> str:
    start = text.index(CAUSE)
    end = text.index("-->", start) + 3
    return (text[:start] + cause + text[end:]).replace(ROW, "\n".join(rows))


def test_it_says_all_the_agent_knows() -> None:
    ward = ended()
    text = document(ward)
    assert text.startswith("# Review of PLAN-1: The shop is down\n")
    for part in ("version 1", "INC-2", "Stood for INC-1", "web1, web2, web3, web4", "Level: II"):
        assert part in text.split("## Timeline")[0]
    for entry in ward.entries:
        if entry.about == "INC-2" and entry.kind is EntryKind.ACKNOWLEDGED:
            assert entry.text in section(text, "Timeline")
    assert "| commander | carla, dan | acknowledged | dan after 1m 1s |" in section(text, "Who was called")
    assert r"ring \| them" in section(text, "What was done"), "a name cannot break out of its cell"


@pytest.mark.parametrize(
    "row",
    [
        "| declared | 10s | 10s | met |",
        "| everybody acknowledged | 30s |  | not reached |",
        "| contained | 1m |  | not reached |",
        "| recovered (RTO) | 5s |  | not reached |",
        "| stood down |  | 2m 11s | no target |",
    ],
)
def test_times_against_targets(row: str) -> None:
    assert row in section(document(ended()), "Times against targets")


def test_a_target_is_missed() -> None:
    ward = ended()
    text = review_document(ward.plan(), None, [], [], Targets.model_validate({"declare": 9.0}))
    assert "| declared | 9s | 10s | missed |" in text
    assert "declared: later than its target" in section(text, "What went badly")


def test_what_went_well_and_badly_is_filled_in() -> None:
    text = document(ended())
    badly = section(text, "What went badly")
    for part in (
        "carla did not answer in time",
        "technical lead: nobody answered (tim)",
        "action 1, restart",
        "left for a person",
    ):
        assert part in badly
    assert "declared: within the target" in section(text, "What went well")


def test_what_hosts_say_stays_text() -> None:
    ward = ended()
    said = r"<img src=x> ![](http://x/y) [a](b) \| <!-- # Root cause"
    text = review_document(ward.plan(), None, [], [Entry(ward.at, "INC-2", EntryKind.NOTE, said)], TARGETS)
    assert r"| \<img src=x> !\[](http://x/y) \[a](b) \\\| \<!-- # Root cause |" in text


def test_of_a_timeline_that_could_not_be_handed_back_the_beginning_and_the_end_are_shown() -> None:
    ward = ended()
    entries = [Entry(ward.at, "INC-2", EntryKind.NOTE, f"报告 {number} " + "数" * 300) for number in range(2000)]
    text = review_document(ward.plan(), None, [major(ward)] * 2000, entries, TARGETS)
    assert len(json.dumps({"text": text})) < LIMIT - 32 * 1024
    assert "报告 0 " in text
    assert "报告 1999 " in text
    rows = [row for row in section(text, "Timeline").splitlines() if "报告" in row]
    assert f"{2000 - len(rows)} more: paramedic show PLAN-1" in text
    assert "Stood for 1950 more" in text


def test_what_is_not_completed_is_named() -> None:
    text = document(ended())
    assert problems_of(text) == ("nothing is written under '## Root cause'",)
    assert problems_of(completed(text)) == ()
    assert root_cause_of(completed(text)) == "A cable was cut."


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        ("| second cable | anna | 2030-01-31 |", []),
        ("| second cable |  | 2030-01-31 |", ["improvement 'second cable' has no owner"]),
        ("| second cable | anna |  |", ["improvement 'second cable' has no due date such as 2030-01-31"]),
        ("|a|b|soon|", ["improvement 'a' has no due date such as 2030-01-31 but 'soon'"]),
        ("| | anna | 2030-01-31 |", ["the improvement of anna does not say what is to be done"]),
        (r"| a \| b | anna | 2030-01-31 |", []),
        ("|  |  |  |", []),
    ],
)
def test_improvements_need_an_owner_and_a_due_date(row: str, problems: list[str]) -> None:
    assert list(problems_of(completed(document(ended()), row))) == problems


def test_a_document_without_its_sections() -> None:
    assert problems_of("all was fine") == (
        "nothing is written under '## Root cause'",
        "the section '## Improvement actions' is missing",
    )


def test_it_closes_only_when_complete() -> None:
    ward = ended()
    text = document(ward)
    assert not ward.person(events.CloseReview("PLAN-1", text), "olga")
    assert "Root cause" in ward.reply
    ward.restarts(10)
    assert ward.person(events.CloseReview("PLAN-1", completed(text)), "olga")
    activation = ward.plan()
    assert (activation.stage, activation.reviewed_by) == (Stage.CLOSED, "olga")
    assert activation.review == completed(text)
    assert not ward.state.activations
    assert major(ward).phase is Phase.CLOSED
    assert any("A cable was cut." in told for told in ward.story(EntryKind.PLAN, about="INC-2"))
    last = [update for update in ward.updates if update.incident == "INC-2"][-1]
    assert last.milestone is Milestone.CLOSED
    assert "A cable was cut." in last.text


def test_there_is_none_while_the_plan_is_at_work() -> None:
    ward = begun()
    assert not ward.person(events.CloseReview("PLAN-1", completed(document(ward))))
    assert "no review yet" in ward.reply


def test_a_fault_that_came_back_was_not_noticed_before_it_began() -> None:
    ward = Ward(site(plan()))
    ward.falls_ill("web", "web1")
    opened = ward.incident().opened_at
    ward.gets_well("web", "web1")
    ward.later(300)
    ward.falls_ill("web", "web1", "web2")
    assert ward.incident().opened_at == opened, "the same incident, reopened"
    ward.later(10)
    marks = ward.plan().marks
    assert marks.noticed is not None
    assert marks.noticed >= marks.began > opened
