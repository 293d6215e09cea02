"""What is not settled: what waits for a yes, what nothing confirms, what still runs, what nobody knows."""

import json
import re
import subprocess
from dataclasses import replace

import pytest

from agent.model.execution import Outcome, RunPhase
from agent.model.incident import Phase
from agent.model.observation import Verdict
from agent.model.timeline import AGENT, Entry, EntryKind
from agent.model.views import CheckView, Story, SubjectView, TicketsView
from tests.functional.control_site import PARAMEDIC, ControlSite, paramedic
from tests.functional.fake_control import STATUS
from tests.functional.told_stories import BY_HAND, BY_HAND_STORY, INCIDENT, NOTICED, RESTART, chained

_WITHIN = 60
_RUN = ["runbook", "run", "restart-web", "--host", "web1", "--wait"]


# incidents


def test_a_service_that_nothing_knows_is_no_good_news(site: ControlSite) -> None:
    site.control.known = ()
    said = site.paramedic("incidents", "--service", "shpo")
    assert (said.code, said.out) == (1, "")
    assert said.err == "no check and no incident is of a service shpo: did you mean 'shop'?\n"
    assert "error" in json.loads(site.paramedic("incidents", "--service", "shpo", "--json").out)


def test_what_waits_for_a_yes_is_seen_among_the_incidents(site: ControlSite) -> None:
    site.control.known = (replace(INCIDENT, phase=Phase.TREATING, execution="RUN-7"),)
    assert "waits for a yes" not in site.paramedic("incidents").out
    asking = replace(RESTART, outcome=None, runs=(replace(RESTART.runs[0], outcome=None, phase=RunPhase.APPROVAL),))
    site.control.status_now = replace(STATUS, executions=(asking,), incidents=site.control.known)
    for words in (["incidents"], ["status"]):
        for columns in ("200", "60"):
            shown = " ".join(site.paramedic(*words, COLUMNS=columns).out.split())
            assert "waits for a yes: paramedic approve INC-12" in shown
        named = paramedic(*words, socket=site.socket, COLUMNS="300").out
        assert f"waits for a yes: paramedic --socket {site.socket} approve INC-12" in named


def test_a_step_of_a_plans_run_is_answered_by_the_run(site: ControlSite) -> None:
    asking = replace(BY_HAND, incident="INC-12", plan="PLAN-1")
    site.control.stories["RUN-3"] = replace(BY_HAND_STORY, executions=(asking,))
    assert "paramedic approve RUN-3" in site.paramedic("show", "RUN-3", COLUMNS="200").out


def test_status_lists_incidents_newest_first_as_incidents_does(site: ControlSite) -> None:
    found = tuple(
        replace(INCIDENT, id=f"INC-{n}", opened_at=INCIDENT.opened_at + after) for n, after in ((1, 0), (3, 9), (2, 5))
    )
    site.control.status_now = replace(STATUS, incidents=found, hosts=1, records=1)
    said = site.paramedic("status").out
    assert re.findall(r"^INC-\d+", said, re.MULTILINE) == ["INC-3", "INC-2", "INC-1"]
    assert "on 1 host;" in said
    assert "1 entry in" in said


def test_a_drill_without_a_queue_refuses_no_ticket_it_files_none(site: ControlSite) -> None:
    without = TicketsView(True, None, set_aside=6, last_error="there is no drill queue", files=False)
    site.control.status_now = replace(STATUS, tickets=without)
    said = site.paramedic("status", COLUMNS="200").out
    assert re.search(r"tickets +no drill queue is configured \(tickets: drill:\): 6 updates not filed$", said, re.M)
    assert "set aside" not in said


# checks


def listed_bad(site: ControlSite, *answers: tuple[Verdict | None, Verdict | None]) -> str:
    """What `checks list --bad` prints of one check for each (confirmed, last); without any of a check not asked yet."""
    subjects = [SubjectView("web1", "web1", *each, NOTICED, NOTICED, None, "said", False, False) for each in answers]
    site.control.checks_now = tuple(CheckView("web", "http", "", 10.0, None, (), (each,)) for each in subjects) or (
        CheckView("web", "http", "", 10.0, None, (), ()),
    )
    return site.paramedic("checks", "list", "--bad").out


def test_what_answers_badly_is_bad_before_it_is_confirmed(site: ControlSite) -> None:
    assert re.search(r"web1 +not confirmed .*UNKNOWN: said", listed_bad(site, (None, Verdict.UNKNOWN)))
    assert re.search(r"web1 +OK .*CRITICAL: said", listed_bad(site, (Verdict.OK, Verdict.CRITICAL)))


def test_what_cannot_be_asked_is_unknown_and_its_answer_does_not_say_so_again(site: ControlSite) -> None:
    blind = SubjectView("web1", "web1", Verdict.OK, Verdict.UNKNOWN, NOTICED, NOTICED, None, "no route", True, False)
    site.control.checks_now = (CheckView("web", "http", "", 10.0, None, (), (blind,)),)
    assert re.search(r"web1 +UNKNOWN .* no route$", site.paramedic("checks", "list").out, re.MULTILINE)
    assert "UNKNOWN: no route" not in site.paramedic("checks", "list").out


def test_all_is_well_only_where_every_check_has_said_so(site: ControlSite) -> None:
    well = (Verdict.OK, Verdict.OK)
    assert listed_bad(site, well, well) == "all is well\n"
    assert listed_bad(site, well, (None, Verdict.OK)) == "nothing bad so far, but yet 1 not confirmed\n"
    assert listed_bad(site) == "nothing bad so far, but yet 1 not asked\n"


# runs


def ended(outcome: Outcome) -> Story:
    run = replace(BY_HAND, id="RUN-8", outcome=outcome, runs=(replace(BY_HAND.runs[0], outcome=outcome),))
    return replace(BY_HAND_STORY, executions=(run,))


def test_a_run_by_hand_can_be_waited_for(site: ControlSite) -> None:
    site.control.stories["RUN-8"] = ended(Outcome.RECOVERED)
    said = site.paramedic(*_RUN)
    assert (said.code, said.out.splitlines()[1:]) == (0, ["RUN-8 restart-unit: recovered", "  web1: recovered"])


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(Outcome.RECOVERED, 0), (Outcome.DONE, 0), (Outcome.NOT_RECOVERED, 1), (Outcome.FAILED, 1), (Outcome.DECLINED, 1)],
)
def test_the_exit_code_says_whether_the_run_helped(site: ControlSite, outcome: Outcome, code: int) -> None:
    site.control.stories["RUN-8"] = ended(outcome)
    said = site.paramedic(*_RUN, "--json")
    document = json.loads(said.out)
    assert (said.code, document["about"], document["execution"]["outcome"]) == (code, "RUN-8", outcome.value)


def test_waiting_ends_when_the_run_does_and_says_meanwhile_what_it_waits_for(site: ControlSite) -> None:
    site.control.stories["RUN-8"] = BY_HAND_STORY
    words = [PARAMEDIC, "--socket", site.socket, *_RUN]
    waiting = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert waiting.stderr is not None
    assert waiting.stderr.readline().startswith("(how it goes")
    assert f"waits for a yes: paramedic --socket {site.socket} approve RUN-3, or" in waiting.stderr.readline()
    site.control.stories["RUN-8"] = ended(Outcome.DONE)
    assert waiting.wait(_WITHIN) == 0
    waiting.communicate()


# stories


def test_a_long_text_stands_once_and_is_referred_to_where_it_comes_again(site: ControlSite) -> None:
    long = "the key of 192.0.2.11 port 22 is not in /etc/paramedic/known_hosts. Add it: ssh-keyscan 192.0.2.11 >> hosts"
    run = replace(BY_HAND, runs=(replace(BY_HAND.runs[0], outcome=Outcome.FAILED, reason=f"step 'a': web1: {long}"),))
    texts = (
        f"web1: a: unreachable: web1: {long}",
        f"web1: b: unreachable: web1: {long[:-9]}…",
        f"ended: failed: {long}",
    )
    entries = [Entry(NOTICED, "RUN-3", EntryKind.STEP, text, AGENT, {"execution": "RUN-3"}) for text in texts]
    site.control.stories["RUN-3"] = Story(None, (run,), chained([*entries, replace(entries[0], text="short: short")]))
    said = site.paramedic("show", "RUN-3", COLUMNS="300").out
    assert said.count("ssh-keyscan") == 1
    assert "a: unreachable: web1: as above\n" in said
    assert "b: unreachable: web1: as above\n" in said
    assert "ended: failed: as above\n" in said
    assert site.paramedic("show", "RUN-3", "--full", COLUMNS="300").out.count("ssh-keyscan") == 4


def test_of_a_symptom_that_could_not_be_asked_it_is_said_in_english(site: ControlSite) -> None:
    blind = replace(INCIDENT.symptoms[0], blind=True, cleared_at=NOTICED + 147)
    story = site.control.stories["INC-12"]
    site.control.stories["INC-12"] = replace(story, incident=replace(INCIDENT, symptoms=(blind,)))
    assert "web on web1  could not be asked for 2 min 47 s" in site.paramedic("show", "INC-12").out
