"""The major incident, the incidents it stands for, and the hosts that are left to the plan in charge of them."""

from dataclasses import replace

from agent.model import events
from agent.model.activation import ActionState
from agent.model.commands import Milestone
from agent.model.incident import Origin, Phase, TicketRef
from agent.model.plan import Condition, Level, LevelRules, Scope
from agent.model.quantities import CountOrShare
from agent.model.runbook import Limits
from agent.model.timeline import EntryKind
from tests.core.emergencies import HOSTS, action, activate, all_well, begun, level, major, phases, plan, site
from tests.core.ward import Ward, check, group, runbook

GREEN = runbook("green")


def with_ladder() -> Ward:
    """The plan is declared by hand before anything is ill; the ladder of `web` is `green`."""
    ward = Ward(site(runbooks=(GREEN,), ladder=("green",)))
    all_well(ward)
    assert activate(ward)
    return ward


def test_the_major_incident_stands_for_those_in_scope() -> None:
    ward = begun()
    incident = major(ward)
    assert (incident.category, incident.plan, incident.linked) == ("emergency", "PLAN-1", ("INC-1",))
    assert incident.phase is Phase.ESCALATED
    assert incident.team == "operations"
    assert incident.origin is Origin.MONITORING
    assert "INC-1" in next(u.text for u in ward.updates if u.incident == "INC-2" and "Stands for" in u.text)
    assert any("INC-2" in update.text for update in ward.updates if update.incident == "INC-1")
    assert any("part of the major incident INC-2" in text for text in ward.story(EntryKind.PLAN))


def test_incidents_opened_later_are_linked_and_others_are_not() -> None:
    ward = begun()
    ward.tell(events.TicketFiled(ward.at, "INC-2", TicketRef("77", "http://tickets/77")))
    ward.falls_ill("disk", "web4")
    ward.falls_ill("disk", "db1")
    assert major(ward).linked == ward.plan().linked == ("INC-1", "INC-3")
    linked = next(update.text for update in ward.updates if update.incident == "INC-3" and "INC-2" in update.text)
    assert "ticket 77" in linked
    assert "INC-3" in [u for u in ward.updates if u.incident == "INC-2"][-1].text


def test_no_recovery_and_no_person_ends_the_major_incident_while_the_plan_is_at_work() -> None:
    ward = begun()
    assert not ward.person(events.Resolve("INC-2", "over"))
    assert "stand-down PLAN-1" in ward.reply
    ward.gets_well("web", *HOSTS)
    assert major(ward).phase is Phase.ESCALATED


def test_ordinary_treatment_waits_with_its_reason_once_and_goes_on_after_the_stand_down() -> None:
    ward = with_ladder()
    incident = ward.falls_ill("web", "web1")
    assert incident.phase is Phase.HELD
    ward.later(120)
    assert ward.reasons(incident.id) == ["emergency plan in charge"]
    assert not ward.steps
    assert ward.person(events.EndEmergency("PLAN-1", "it was smoke only", force=True))
    assert ward.incident(incident.id).phase is Phase.TREATING
    assert ward.under_way() == [("web1", "restart")]


def test_treatment_elsewhere_is_not_frozen() -> None:
    ward = Ward(site(plan(hosts=("web1",), scope=Scope(hosts=("web1",))), runbooks=(GREEN,), ladder=("green",)))
    assert activate(ward)
    assert ward.falls_ill("web", "web2").phase is Phase.TREATING


def test_a_treatment_begun_before_ends_and_the_hosts_that_waited_are_left_to_the_plan() -> None:
    one_by_one = runbook("green", serial=1)
    ward = Ward(site(runbooks=(one_by_one,), ladder=("green",)))
    ward.falls_ill("web", "web1", "web2")
    ward.gets_well("disk", *HOSTS)
    assert ward.under_way() == [("web1", "restart")]
    assert activate(ward)
    ward.ends()
    ward.gets_well("web", "web1")
    ward.later(60)
    assert not ward.under_way()
    assert any("web2 waits: emergency plan in charge" in text for text in ward.story(EntryKind.REFUSED))
    assert ward.person(events.EndEmergency("PLAN-1", "over", force=True))
    assert ward.under_way() == [("web2", "restart")]


def test_by_hand_is_refused_too_unless_overruled() -> None:
    ward = with_ladder()
    assert not ward.person(events.RunByHand("green", ("web1",)))
    assert "PLAN-1 is in charge of web1" in ward.reply
    assert ward.person(events.RunByHand("green", ("web1",), override="I stand beside it"))
    assert ward.under_way() == [("web1", "restart")]


def two_plans() -> Ward:
    """shop-down has web1 to web4, north has web2 and db1; both restart all their hosts."""
    everything = phases(action("restart", runbook="green"))
    north = plan(
        "north",
        hosts=("web2", "db1"),
        scope=Scope(hosts=("web2", "db1")),
        levels={Level.II: LevelRules()},
        phases=everything,
    )
    by_hand = {Level.II: LevelRules()}
    ward = Ward(site(plan(levels=by_hand, phases=everything), north, runbooks=(GREEN,)))
    all_well(ward)
    ward.falls_ill("web", "web1", "web2")
    ward.falls_ill("disk", "db1")
    return ward


def test_what_is_ill_in_scope_is_not_treated_from_elsewhere_either() -> None:
    """A service's errors are on no host of the plan's, and what treats them runs on this machine."""
    flush = runbook("flush", hosts="local")
    settings = site(runbooks=(flush,))
    errors = check("errors", service="shop", ladder=("flush",))
    ward = Ward(replace(settings, checks={**settings.checks, "errors": errors}))
    all_well(ward)
    assert activate(ward)
    incident = ward.falls_ill("errors", "checkout")
    assert ward.reasons(incident.id) == ["emergency plan in charge"]
    assert not ward.person(events.RunByHand("flush", (), incident=incident.id))
    assert "PLAN-1 is in charge of what is ill" in ward.reply
    assert not ward.steps
    assert ward.person(events.EndEmergency("PLAN-1", "enough", force=True), "carla")
    assert ward.under_way() == [("localhost", "restart")]


def test_a_treatment_elsewhere_that_was_begun_before_stops_between_its_batches() -> None:
    flush = runbook("flush", hosts="group:caches", serial=CountOrShare(count=1), limits=Limits(stop_after_failures=2))
    settings = site(runbooks=(flush,), groups=(group("caches", "db1", "post1"),))
    errors = check("errors", service="shop", ladder=("flush",))
    ward = Ward(replace(settings, checks={**settings.checks, "errors": errors}))
    all_well(ward)
    incident = ward.falls_ill("errors", "checkout")
    assert ward.under_way() == [("db1", "restart")]
    assert activate(ward)
    ward.ends()
    ward.later(600)
    assert not ward.under_way()
    assert "emergency plan in charge" in ward.reasons(incident.id)


def test_hosts_of_two_plans_stay_with_the_one_that_was_first() -> None:
    ward = two_plans()
    assert activate(ward, name="shop-down")
    ward.later(1)
    assert activate(ward, name="north")
    assert sorted(ward.under_way()) == [("db1", "restart"), ("web1", "restart"), ("web2", "restart")]
    refused = ward.story(EntryKind.REFUSED, about=major(ward, "PLAN-2").id)
    assert refused == ["contain 1, restart not on web2: emergency plan in charge: web2: PLAN-1 is in charge"]
    assert ward.execution("RUN-2").plan == "PLAN-2"
    assert [run.host for run in ward.execution("RUN-2").runs] == ["db1"]


def test_a_plan_with_nothing_left_goes_on_without() -> None:
    ward = two_plans()
    assert activate(ward, name="north")
    ward.gets_well("disk", "db1")
    assert activate(ward, name="shop-down")
    second = ward.plan("PLAN-2")
    assert [run.host for run in ward.execution("RUN-2").runs] == ["web1"]
    assert second.actions[0].state is ActionState.RUNNING


def test_an_action_whose_hosts_are_all_anothers_is_skipped() -> None:
    ward = two_plans()
    ward.gets_well("disk", "db1")
    assert activate(ward, name="shop-down")
    assert activate(ward, name="north")
    assert ward.plan("PLAN-2").actions[0].state is ActionState.SKIPPED
    assert "another emergency plan" in ward.plan("PLAN-2").actions[0].result


def test_it_is_the_plan_that_was_first_also_after_a_restart() -> None:
    ward = two_plans()
    assert activate(ward, name="north")
    ward.later(1)
    assert activate(ward, name="shop-down")
    ward.state.activations = dict(reversed(ward.state.activations.items()))
    ward.restarts()
    assert not ward.person(events.RunByHand("green", ("web2",)))
    assert "busy" in ward.reply or "PLAN-1" in ward.reply
    ward.person(events.EndEmergency("PLAN-2", "over", force=True))
    ward.later(1)
    ward.gets_well("web", "web2")
    assert not ward.person(events.RunByHand("green", ("web2",)))
    assert "PLAN-1" in ward.reply


def test_the_plan_begins_before_its_hosts_are_treated() -> None:
    """What opens the incident and what begins the plan is the same answer: nothing slips in between."""
    at_once = Condition.model_validate({"check_critical": "web"})
    ward = Ward(site(plan(levels={Level.II: level(at_once)}), runbooks=(GREEN,), ladder=("green",)))
    assert ward.falls_ill("web", "web1").phase is Phase.HELD
    assert not ward.steps


def test_the_ticket_of_the_major_incident_ends_with_the_review() -> None:
    ward = begun()
    assert ward.person(events.EndEmergency("PLAN-1", "over", force=True))
    told = [update.milestone for update in ward.updates if update.incident == "INC-2"]
    assert told[0] is Milestone.OPENED
    assert told[-1] is Milestone.RESOLVED
    assert not ward.person(events.Close("INC-2", "away with it"))
    assert "review" in ward.reply
    ward.later(8000)
    assert major(ward).phase is Phase.RESOLVED
