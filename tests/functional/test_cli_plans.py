"""`paramedic plan`, `resources` and `review`, in front of a served agent: what is asked, said, and ended with."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model.activation import ActionState, Activation, CallState, Stage
from agent.model.events import AcknowledgeCall, ActivatePlan, Approve, CloseReview, EndEmergency, TickAction
from agent.model.exercise import Exercise
from agent.model.inventory import Host
from agent.model.plan import Level, PlanRole
from agent.model.settings import Settings
from agent.runtime.control.emergency_views import emergency_view
from tests.functional.control_site import ControlSite, control_site, paramedic
from tests.functional.fake_control import STATUS
from tests.functional.told_emergencies import ACTIVE, DECLARED, OVER, RESOURCES
from tests.functional.told_stories import HOSTILE, NOTICED


@pytest.fixture
def site() -> Iterator[ControlSite]:
    with control_site() as served:
        yield served


def stands(site: ControlSite, activation: Activation) -> list[str]:
    """The lines of `plan status` below what the plan says: who is in charge, what is done, what waits."""
    site.control.emergencies.known = [activation]
    said = site.paramedic("plan", "status", activation.id)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(("in charge", "waits", "over")))
    return lines[first:]


@pytest.mark.parametrize(
    ("words", "act"),
    [
        (
            ["plan", "activate", "shop-down", "--level", "ii", "--reason", "fire in B 112"],
            ActivatePlan("shop-down", Level.II, "fire in B 112"),
        ),
        (["plan", "ack", "PLAN-1"], AcknowledgeCall("PLAN-1")),
        (
            ["plan", "ack", "1", "--role", "technical_lead", "--for", "bob"],
            AcknowledgeCall("PLAN-1", PlanRole.TECHNICAL_LEAD, "bob"),
        ),
        (["plan", "tick", "plan-1", "3"], TickAction("PLAN-1", 3)),
        (
            ["plan", "tick", "PLAN-1", "3", "--skip", "--note", "not needed"],
            TickAction("PLAN-1", 3, True, "not needed"),
        ),
        (["plan", "stand-down", "PLAN-1"], EndEmergency("PLAN-1")),
        (
            ["plan", "stand-down", "PLAN-1", "--force", "--reason", "checks lie"],
            EndEmergency("PLAN-1", "checks lie", True),
        ),
        (["approve", "PLAN-1"], Approve("PLAN-1", True)),
        (["deny", "plan-1", "too early"], Approve("PLAN-1", False, "too early")),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_an_act_is_done_and_answered(site: ControlSite, words: list[str], act: object) -> None:
    said = site.paramedic(*words)
    assert said.code == 0, said.err
    assert [done for _, done in site.control.acts] == [act]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["plan", "activate", "shop-down", "--level", "V", "--reason", "x"], "is no level"),
        (["plan", "activate", "shop-down", "--level", "II"], "--reason"),
        (["plan", "stand-down", "PLAN-1", "--force"], "--reason WHY"),
        (["plan", "tick", "PLAN-1", "0"], "N"),
        (["plan", "ack", "INC-1"], "one looks like PLAN-1"),
    ],
    ids=lambda value: " ".join(value[1:4]) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_not_sent(site: ControlSite, words: list[str], complaint: str) -> None:
    said = site.paramedic(*words, COLUMNS="200")
    assert said.code == 2
    assert complaint in said.err
    assert site.control.acts == []


def test_the_list_says_what_is_at_work_and_overdue(site: ControlSite) -> None:
    said = site.paramedic("plan")
    assert "shop-down" in said.out
    assert "2025-10-01: OVERDUE" in said.out
    assert "AT WORK: PLAN-1" in said.out


def test_a_plan_is_shown_as_sentences(site: ControlSite) -> None:
    said = site.paramedic("plan", "show", "shop-down").out
    for sentence in (
        "commander: Alice Adams (alice), +49 30 1, then",
        "I   only when a person declares it",
        "below 60% of the hosts of the scope are healthy, for 1m or an incident of P1 or graver is unresolved",
        "to acknowledge within 5 min",
        " 2. restart  (runbook restart-web",
        "after a yes of the commander",
        "recovered (RTO) within 2 h",
        "Call Bob.",
    ):
        assert sentence in said


def test_a_plan_that_is_not_there_is_named_with_the_nearest(site: ControlSite) -> None:
    said = site.paramedic("plan", "show", "shop-dwon")
    assert (said.code, said.err) == (1, "there is no emergency plan shop-dwon: did you mean 'shop-down'?\n")


def test_the_status_ends_with_what_waits_for_whom_and_what_to_type(site: ControlSite) -> None:
    lines = stands(site, ACTIVE)
    assert lines[0] == "in charge  Alice Adams (alice), +49 30 1, who has not acknowledged yet"
    assert lines[1] == "now        nothing: it waits for a person"
    assert lines[2].startswith("waits for  Alice Adams (alice), +49 30 1: acknowledge as commander")
    assert lines[3].strip() == "paramedic plan ack PLAN-1 --role commander"
    assert "1. maintenance page: Switch the load balancer." in lines[4]
    assert lines[5].strip() == "paramedic plan tick PLAN-1 1"


def acknowledged(activation: Activation) -> Activation:
    call = replace(
        activation.calls[0], state=CallState.ACKNOWLEDGED, acknowledged_by="bob", acknowledged_at=DECLARED + 90
    )
    return replace(activation, calls=(call, *activation.calls[1:]))


def test_what_the_agent_does_now_is_said(site: ControlSite) -> None:
    done, running = ACTIVE.actions
    actions = (
        replace(done, state=ActionState.DONE, actor="bob", ended_at=DECLARED + 60),
        replace(running, state=ActionState.RUNNING, execution="RUN-9"),
    )
    lines = stands(site, replace(acknowledged(ACTIVE), actions=actions))
    assert lines[0].endswith("(bob)")  # his title is hostile, and shown as escapes
    assert lines[1] == "now        2. restart (RUN-9)"
    assert len(lines) == 2


def test_what_the_agent_says_to_type_names_the_socket_that_was_named(site: ControlSite) -> None:
    said = paramedic("plan", "status", socket=site.socket, COLUMNS="200").out
    assert f"paramedic --socket {site.socket} plan ack PLAN-1 --role commander" in said


def test_an_action_that_waits_for_a_yes_says_both_answers(site: ControlSite) -> None:
    done, waiting = ACTIVE.actions
    actions = (replace(done, state=ActionState.SKIPPED), replace(waiting, state=ActionState.APPROVAL))
    lines = stands(site, replace(acknowledged(ACTIVE), actions=actions))
    assert "yes or no to 2. restart" in lines[2]
    assert lines[3].strip() == "paramedic approve PLAN-1  (or: paramedic deny PLAN-1 WHY)"


def test_where_nobody_answers_the_fallback_is_shown(site: ControlSite) -> None:
    assert not any("Call Bob." in line for line in stands(site, ACTIVE))
    nobody = replace(ACTIVE, calls=(replace(ACTIVE.calls[0], state=CallState.NOBODY), ACTIVE.calls[1]))
    lines = stands(site, nobody)
    assert lines[0].startswith("in charge  NOBODY HAS ANSWERED")
    assert lines[-1] == "fallback   Call Bob."


def test_a_stand_down_that_only_lacks_a_word_says_whose(site: ControlSite) -> None:
    asked = replace(acknowledged(ACTIVE), stage=Stage.STANDING_DOWN, actions=(), asked_at=DECLARED + 600)
    assert stands(site, asked)[1] == "now        everything in scope is asked once more before it stands down"
    lines = stands(site, replace(asked, checked_at=DECLARED + 610))
    assert "all is well: confirm that it is over" in lines[2]
    assert lines[3].strip() == "paramedic plan stand-down PLAN-1"


def test_one_whose_plan_is_no_longer_configured_says_that_a_person_ends_it() -> None:
    in_force = Settings(hosts={"web1": Host(name="web1", address="10.0.0.1")})
    last = emergency_view(ACTIVE, in_force).waits[-1]
    assert last.command == "paramedic plan stand-down PLAN-1 --force --reason WHY"
    assert "shop-down is no longer configured" in last.what
    assert emergency_view(ACTIVE, Settings()).waits[-1].command != last.command, "from the record: nobody knows"


def test_an_emergency_that_is_over_waits_for_its_review(site: ControlSite) -> None:
    lines = stands(site, OVER)
    assert lines[0] == "waits for  team operations: complete the review"
    assert "paramedic review close PLAN-2 PLAN-2.md" in lines[1]
    assert stands(site, replace(OVER, stage=Stage.CLOSED, reviewed_by="alice")) == ["over, and reviewed by alice"]


def test_status_begins_with_the_emergency(site: ControlSite) -> None:
    control = site.control
    assert "LEVEL" not in site.paramedic("status").out
    known = tuple(control.emergencies.emergencies(all=False, limit=9))
    control.status_now = replace(control.status_now, emergencies=known)
    lines = site.paramedic("status").out.splitlines()
    assert "PLAN-1   LEVEL II   active, 40 s after it was declared  The web shop is down" in lines[:4]
    assert lines.index("           paramedic plan ack PLAN-1 --role commander") < 10


def test_status_begins_with_the_drill_under_way(site: ControlSite) -> None:
    drill = Exercise("DRILL-3", f"The web server dies {HOSTILE}", "alice", ("web1",), ("web",), NOTICED, NOTICED + 200)
    site.control.status_now = replace(STATUS, exercises=(drill,))
    for words in (("status",), ("plan", "status")):
        first, *_ = site.paramedic(*words).out.splitlines()
        assert first.startswith("EXERCISE DRILL-3 The web server dies ")
        assert first.endswith("(alice), on web1, for 1 min 40 s: what its checks say of it is the drill's")
        assert "\x1b" not in first
    (told,) = json.loads(site.paramedic("status", "--json").out)["exercises"]
    assert (told["id"], told["hosts"], told["preempted_by"]) == ("DRILL-3", ["web1"], None)
    site.control.status_now = replace(STATUS, exercises=(replace(drill, preempted_by="INC-1"),))
    assert site.paramedic("status").out.splitlines()[0].endswith("; it must give way to INC-1")


def test_no_output_carries_what_could_move_the_cursor(site: ControlSite) -> None:
    for words in (["plan", "show", "shop-down"], ["plan", "status"], ["resources"], ["review", "show", "PLAN-1"]):
        said = site.paramedic(*words)
        assert "\x1b" not in said.out
        assert "\\x1b" in said.out


def test_resources_say_whether_they_are_usable_and_when_that_was_proven(site: ControlSite) -> None:
    said = site.paramedic("resources")
    assert said.code == 1
    assert "Carol, +49 30 7654321" in said.out
    assert "never so far" in said.out
    assert "NOT KNOWN spare" in said.out
    site.control.emergencies.resources_now = RESOURCES[:1]
    assert site.paramedic("resources").code == 0
    found = json.loads(site.paramedic("resources", "--json").out)
    assert [one["usable"] for one in found["resources"]] == [True]


def test_a_review_is_printed_as_it_stands_and_handed_in_as_it_was_completed(site: ControlSite, tmp_path: Path) -> None:
    assert site.paramedic("review", "show", "PLAN-1").out.startswith("# Review of PLAN-1\n")
    file = tmp_path / "review.md"
    file.write_text("# Review\n\n|a|b|\n", encoding="utf-8")
    assert site.paramedic("review", "close", "PLAN-1", str(file)).code == 0
    assert [done for _, done in site.control.acts] == [CloseReview("PLAN-1", "# Review\n\n|a|b|\n")]
    missing = site.paramedic("review", "close", "PLAN-1", str(tmp_path / "none.md"))
    assert missing.code == 1
    assert "none.md cannot be read: No such file or directory" in missing.err


def test_reviews_that_are_open_are_listed(site: ControlSite) -> None:
    assert site.paramedic("review").out == "no review is open\n"
    site.control.emergencies.known = [ACTIVE, OVER]
    said = site.paramedic("review", "list").out
    assert "PLAN-2" in said
    assert "PLAN-1" not in said


def test_json_is_what_the_socket_answers(site: ControlSite) -> None:
    found = json.loads(site.paramedic("plan", "status", "--json").out)["activations"]
    assert [one["activation"]["id"] for one in found] == ["PLAN-1"]
    assert found[0]["waits"][0]["command"] == "paramedic plan ack PLAN-1 --role commander"
    (plan,) = json.loads(site.paramedic("plan", "list", "--json").out)["plans"]
    assert (plan["name"], plan["overdue"], plan["active"]) == ("shop-down", True, ["PLAN-1"])


def test_an_emergency_that_is_not_there(site: ControlSite) -> None:
    for words in (["plan", "status", "PLAN-9"], ["review", "show", "PLAN-9"]):
        said = site.paramedic(*words)
        assert said.code == 1
        assert said.err.startswith("no emergency is called PLAN-9")
