"""Who is called, who acknowledges, whose turn it is when nobody does; and what they are told later on."""

from dataclasses import replace

import pytest

from agent.model import events
from agent.model.activation import CallState
from agent.model.people import Person
from agent.model.plan import Call, Level, LevelRules, PlanRole
from agent.model.policy import Team
from agent.model.timeline import EntryKind
from tests.core.emergencies import ROLES, action, activate, all_well, begun, call, major, phases, plan, site, told
from tests.core.ward import Ward

COMMANDER = call("commander", 60.0)


def states(ward: Ward) -> list[CallState]:
    return [each.state for each in ward.plan().calls]


def called(*calls: Call) -> Ward:
    return begun(plan(notification=calls))


def ack(ward: Ward, actor: str, role: PlanRole | None = None, whom: str | None = None) -> bool:
    return ward.person(events.AcknowledgeCall("PLAN-1", role, whom), actor)


def test_the_holder_is_called_and_told_how_to_acknowledge() -> None:
    ward = called(COMMANDER)
    (message,) = ward.messages
    assert message.target == "carla-phone"
    assert message.about == major(ward).id
    assert message.subject == "PLAN-1 level II: The shop is down"
    for part in ("shop-down", "level II", "2 of 4 hosts", "commander", "paramedic plan ack PLAN-1"):
        assert part in message.body
    assert states(ward) == [CallState.CALLED]


def test_acknowledged_in_time() -> None:
    ward = called(COMMANDER)
    ward.later(59)
    assert ack(ward, "carla")
    ward.later(600)
    assert ward.plan().calls[0].acknowledged_by == "carla"
    assert not told(ward, "dan-phone")
    assert ward.plan().marks.acknowledged == ward.plan().activated_at + 59
    acknowledged = ward.story(EntryKind.ACKNOWLEDGED, about="INC-2")
    assert acknowledged == ["commander: acknowledged by Carla (carla) after 59s"]


def test_who_is_called_may_answer_behind_sudo_and_nobody_else() -> None:
    ward = called(COMMANDER)
    assert not ack(ward, "root")
    assert not ack(ward, "mallory (for carla)")
    assert ack(ward, "root (for carla)")
    assert ward.plan().calls[0].acknowledged_by == "carla"
    said = ward.story(EntryKind.ACKNOWLEDGED, about="INC-2")
    assert said == ["commander: acknowledged by Carla (carla) after 0ms, said by root (for carla)"]


def test_deputies_follow_and_then_nobody_is_left() -> None:
    ward = called(COMMANDER)
    ward.later(60)
    assert told(ward, "dan-phone")
    assert any("Carla (carla) did not acknowledge within 1m" in text for text in ward.story(about="INC-2"))
    ward.later(59)
    assert states(ward) == [CallState.CALLED]
    ward.later(1)
    assert states(ward) == [CallState.NOBODY]
    assert any("nobody answered" in text for text in ward.story(EntryKind.PLAN, about="INC-2"))
    assert ward.plan().marks.acknowledged is None


def test_a_deputys_time_goes_on_across_a_restart() -> None:
    ward = called(COMMANDER)
    ward.later(60)
    ward.later(30)
    ward.restarts(20)
    assert states(ward) == [CallState.CALLED]
    ward.later(10)
    assert states(ward) == [CallState.NOBODY]
    assert len(told(ward, "carla-phone")) == len(told(ward, "dan-phone")) == 1


def test_both_may_answer_late() -> None:
    ward = called(COMMANDER)
    ward.later(60)
    assert ack(ward, "carla"), "it is the deputy's turn, but the holder is there now"
    assert ward.plan().calls[0].acknowledged_by == "carla"
    other = called(COMMANDER)
    other.later(300)
    assert ack(other, "dan")
    assert states(other) == [CallState.ACKNOWLEDGED]
    assert "after nobody had answered" in other.story(EntryKind.ACKNOWLEDGED, about="INC-2")[0]


def test_children_follow_the_acknowledgement_or_that_nobody_answered() -> None:
    tree = call("commander", 60.0, call("technical_lead", 60.0, call("person:lea", None)))
    ward = called(tree)
    assert states(ward) == [CallState.CALLED, CallState.WAITING, CallState.WAITING]
    assert ack(ward, "carla")
    assert states(ward) == [CallState.ACKNOWLEDGED, CallState.CALLED, CallState.WAITING]
    ward.later(60)
    assert states(ward) == [CallState.ACKNOWLEDGED, CallState.NOBODY, CallState.TOLD]


def test_who_is_only_told_holds_up_nobody() -> None:
    ward = called(call("technical_lead", None, COMMANDER))
    assert states(ward) == [CallState.TOLD, CallState.CALLED]
    assert "plan ack" not in ward.messages[0].body


def test_a_graver_level_calls_more_people() -> None:
    ward = called(COMMANDER, call("technical_lead", 60.0, level=Level.I))
    assert states(ward) == [CallState.CALLED, CallState.WAITING]
    assert activate(ward, Level.I)
    assert states(ward) == [CallState.CALLED, CallState.CALLED]
    assert told(ward, "tim-phone")


def test_when_the_level_comes_down_no_deputy_is_called_for_the_graver_one() -> None:
    levels = {Level.I: LevelRules(), Level.III: LevelRules()}
    ward = Ward(site(plan(levels=levels, notification=(call("commander", 60.0, level=Level.I),))))
    all_well(ward)
    assert activate(ward, Level.I, actor="lea")
    assert activate(ward, Level.III, actor="lea")
    ward.later(300)
    assert not told(ward, "dan-phone")
    assert activate(ward, Level.I, actor="lea")
    assert told(ward, "dan-phone")


def test_who_cannot_be_reached_by_message_is_named_and_has_the_time_all_the_same() -> None:
    ward = called(call("liaison", 60.0))
    assert not ward.messages
    assert any("not reachable by message: lea" in text for text in ward.story(EntryKind.MESSAGE, about="INC-2"))
    assert ack(ward, "lea")


def test_a_person_without_a_target_is_not_reachable_either() -> None:
    settings = site(plan(notification=(call("liaison", 60.0),)))
    lea = Person(name="lea", title="Lea", phone="+49 30 1234")
    ward = Ward(replace(settings, people={**settings.people, "lea": lea}))
    assert activate(ward)
    (text,) = ward.story(EntryKind.MESSAGE, about="INC-1")
    assert text.startswith("not reachable by message: Lea (lea), +49 30 1234; call them")


def test_what_a_role_is_asked_goes_to_all_of_it_once_nobody_has_answered() -> None:
    ward = begun(
        plan(
            notification=(COMMANDER,),
            phases=phases(
                action("wait", do="wait", timeout=200.0), action("cut", do="cut", approve=PlanRole.COMMANDER)
            ),
        )
    )
    ward.later(120)
    ward.messages.clear()
    assert ward.person(events.TickAction("PLAN-1", 1), "tim")
    assert [message.target for message in ward.messages] == ["carla-phone", "dan-phone"]


def test_a_role_that_nobody_holds() -> None:
    ward = called(call("scribe", 60.0, COMMANDER))
    assert states(ward) == [CallState.NOBODY, CallState.CALLED]
    assert "nobody is named as scribe" in ward.story(EntryKind.PLAN, about="INC-2")


def test_all_of_a_team_are_called_at_once_and_one_of_them_is_enough() -> None:
    settings = site(plan(notification=(call("team:night", 60.0),)))
    settings = replace(settings, teams={"night": Team(name="night", members=("tim", "dan"))})
    ward = Ward(settings)
    assert activate(ward)
    assert [message.target for message in ward.messages] == ["tim-phone", "dan-phone"]
    assert ack(ward, "dan")
    assert states(ward) == [CallState.ACKNOWLEDGED]


@pytest.mark.parametrize("actor", ["tim", "root"])
def test_only_who_is_called_may_acknowledge(actor: str) -> None:
    ward = called(COMMANDER)
    assert not ack(ward, actor)
    assert "carla, dan" in ward.reply


def test_on_behalf_of_who_is_called() -> None:
    ward = called(COMMANDER)
    assert not ack(ward, "root", whom="tim")
    assert ack(ward, "root", whom="carla")
    assert ward.plan().calls[0].acknowledged_by == "carla"
    assert "said by root" in ward.story(EntryKind.ACKNOWLEDGED, about="INC-2")[0]


def test_acknowledging_twice_changes_nothing() -> None:
    ward = called(COMMANDER)
    assert ack(ward, "carla")
    entries = len(ward.entries)
    assert ack(ward, "carla")
    assert "already" in ward.reply
    assert len(ward.entries) == entries


def test_of_several_calls_the_one_that_is_meant() -> None:
    roles = {**ROLES, PlanRole.SCRIBE: ("carla",)}
    ward = begun(plan(roles=roles, notification=(COMMANDER, call("scribe", 60.0))))
    assert ack(ward, "carla", PlanRole.SCRIBE)
    assert states(ward) == [CallState.CALLED, CallState.ACKNOWLEDGED]
    assert ack(ward, "carla")
    assert states(ward) == [CallState.ACKNOWLEDGED, CallState.ACKNOWLEDGED]


# situation reports


def test_reports_go_to_who_is_there_to_the_ticket_and_on_the_record() -> None:
    ward = begun(plan(notification=(COMMANDER, call("technical_lead", None)), report_every=300.0))
    assert ack(ward, "dan")
    ward.later(299)
    assert ward.plan().reports == 0
    ward.later(1)
    assert ward.plan().reports == 1
    for target in ("dan-phone", "tim-phone"):
        assert told(ward, target)[-1].endswith("situation report 1")
    assert not any("report" in subject for subject in told(ward, "carla-phone"))
    text = ward.messages[-1].body
    assert "Known: level II" in text
    assert "2 of 4 hosts ill (web1, web2)" in text
    assert "INC-1" in text
    assert "Done: nothing yet." in text
    assert "In charge: commander: Dan (dan)" in text
    assert any("Situation report 1" in update.text for update in ward.updates if update.incident == "INC-2")
    assert any(text.startswith("situation report 1") for text in ward.story(EntryKind.PLAN, about="INC-2"))
    ward.later(900)
    assert ward.plan().reports == 4


def test_after_a_restart_one_report_is_made_for_those_that_were_missed() -> None:
    ward = begun(plan(report_every=300.0))
    ward.restarts(1000)
    assert ward.plan().reports == 1
    ward.later(300)
    assert ward.plan().reports == 2


def test_after_the_end_there_are_no_reports() -> None:
    ward = begun(plan(report_every=300.0))
    assert ward.person(events.EndEmergency("PLAN-1", "over", force=True))
    ward.later(3000)
    assert ward.plan().reports == 0


def test_a_rise_is_told_also_to_who_has_not_acknowledged_yet() -> None:
    ward = called(COMMANDER)
    assert states(ward) == [CallState.CALLED]
    assert activate(ward, Level.I)
    assert told(ward, "carla-phone")[-1] == "PLAN-1 level I: The shop is down: situation report 1"
