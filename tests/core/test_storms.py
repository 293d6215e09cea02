"""A thousand hosts fall ill within a second: few incidents, few words, and no more treatment than is allowed."""

import time

import pytest

from agent.model import events
from agent.model.commands import Milestone
from agent.model.execution import Outcome, StepOutcome, StepStatus
from agent.model.incident import Phase
from agent.model.observation import Verdict
from agent.model.policy import StormRules
from agent.model.quantities import Rate
from agent.model.runbook import Limits
from agent.model.service import Service
from agent.model.settings import Settings
from agent.model.timeline import EntryKind
from tests.core.ward import CRITICAL, OK, Ward, check, group, run, runbook, settings

MANY = 1000
HOSTS = [f"h{number}" for number in range(MANY)]
WELL = StepOutcome(StepStatus.OK, exit=0)


def racks(*, service: bool = False, ladder: tuple[str, ...] = ("restart",), at_once: int = 50) -> Settings:
    shop = Service(name="shop", hosts=tuple(HOSTS), users=500)
    return settings(
        [check("web", service="shop" if service else None, ladder=ladder)],
        [runbook("restart", run("restart"))],
        services=[shop] if service else [],
        groups=[group("all", *HOSTS, at_once=at_once)],
        hosts=HOSTS,
    )


def ward_of(settings: Settings) -> Ward:
    return Ward(settings, copied_each=100_000)


def together(ward: Ward, verdict: Verdict, hosts: list[str] = HOSTS) -> None:
    ward.sees("web", 2, **dict.fromkeys(hosts, verdict))


def one_by_one(ward: Ward, verdict: Verdict, hosts: list[str]) -> None:
    """Each host is asked by itself, and decided by itself."""
    for _ in range(2):
        ward.at += 0.5
        for host in hosts:
            ward.tell(ward.answers("web", {host: verdict}))


def ill(ward: Ward) -> int:
    return sum(len(incident.ill) for incident in ward.state.incidents.values())


@pytest.mark.parametrize("service", [True, False])
@pytest.mark.parametrize("ladder", [("restart",), ()])
def test_what_fails_together_is_one_incident(service: bool, ladder: tuple[str, ...]) -> None:
    ward = ward_of(racks(service=service, ladder=ladder))
    together(ward, CRITICAL)
    assert len(ward.state.incidents) == 1
    assert ill(ward) == MANY
    assert len(ward.entries) < 20
    assert len(ward.updates) <= 3
    assert "997 more" in ward.updates[1].text or "1000 at once" in ward.updates[0].text
    assert max(len(str(update.fields)) + len(update.text) for update in ward.updates) < 20_000


@pytest.mark.parametrize("service", [True, False])
@pytest.mark.parametrize("ladder", [("restart",), ()])
def test_what_fails_one_by_one_within_a_second_is_few_incidents(service: bool, ladder: tuple[str, ...]) -> None:
    """Also without a runbook: then a person has the first incident at once, and takes in the rest."""
    ward = ward_of(racks(service=service, ladder=ladder))
    one_by_one(ward, CRITICAL, HOSTS[:200])
    assert len(ward.state.incidents) <= StormRules().subjects
    assert ill(ward) == 200


def test_a_few_faults_of_one_check_stay_incidents_of_their_own() -> None:
    ward = ward_of(racks())
    together(ward, CRITICAL, HOSTS[: StormRules().subjects - 1])
    assert len(ward.state.incidents) == StormRules().subjects - 1


def test_many_faults_of_one_check_over_hours_stay_incidents_of_their_own() -> None:
    ward = ward_of(racks(ladder=()))
    for host in HOSTS[:30]:
        together(ward, CRITICAL, [host])
        ward.at += 60.0
    assert len(ward.state.incidents) == 30


def test_what_all_have_in_common_is_on_record_once_with_all_names() -> None:
    ward = ward_of(racks(service=True))
    together(ward, CRITICAL)
    (joined,) = [entry for entry in ward.entries if entry.kind is EntryKind.JOINED]
    assert joined.text.startswith("999 at once: web on h1 is CRITICAL: h1 says CRITICAL; ")
    assert joined.data["subjects"] == [f"web on {host}" for host in HOSTS[1:]]
    together(ward, OK, HOSTS[50:])
    (recovered,) = [entry for entry in ward.entries if entry.kind is EntryKind.RECOVERED]
    assert len(recovered.data["subjects"]) == MANY - 50  # type: ignore[arg-type]


def test_no_more_hosts_are_treated_at_once_than_the_group_allows_until_all_are_well() -> None:
    """The ward's own rules hold every decision against the budget."""
    ward = ward_of(racks(service=True, at_once=50))
    together(ward, CRITICAL)
    treated = 0
    while ward.pending:
        assert len(ward.pending) <= 50
        step = ward.ends()
        treated += 1
        together(ward, OK, [step.host])
    assert treated == MANY
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.execution().outcome is Outcome.RECOVERED
    assert [update.milestone for update in ward.updates][-1] is Milestone.RESOLVED


def test_hosts_that_are_well_before_their_turn_are_left_alone_in_one_breath() -> None:
    ward = ward_of(racks(service=True, at_once=5))
    together(ward, CRITICAL)
    together(ward, OK)
    before = len(ward.entries)
    while ward.pending:
        together(ward, OK, [ward.ends().host])
    assert ward.incident().phase is Phase.RESOLVED
    assert len(ward.entries) - before < 40
    assert len(ward.steps) == 5


def test_hosts_over_their_limit_are_refused_in_one_sentence() -> None:
    book = runbook("restart", run("restart"), limits=Limits(per_host=Rate(1, 3600.0)))
    rules = check("web", service="shop", ladder=("restart",))
    shop = Service(name="shop", hosts=tuple(HOSTS), users=500)
    groups = [group("all", *HOSTS, at_once=MANY)]
    ward = ward_of(settings([rules], [book], services=[shop], groups=groups, hosts=HOSTS))
    together(ward, CRITICAL, HOSTS[:100])
    while ward.pending:
        ward.ends()
    together(ward, OK, HOSTS[:100])
    before = len(ward.entries)
    together(ward, CRITICAL, HOSTS[:200])
    assert len(ward.pending) == 100
    (refused,) = [entry for entry in ward.entries[before:] if entry.kind is EntryKind.REFUSED]
    assert refused.text.startswith(
        "h0, h1, h2, h3, h4, h5, h6, h7, h8, h9 and 90 more: rate limit, such as: restart ran"
    )
    assert refused.data["hosts"] == HOSTS[:100]
    assert len(ward.entries) - before < 20


def test_a_decision_about_a_thousand_hosts_takes_far_less_than_a_second() -> None:
    """In processor time, of which a busy machine takes nothing away; it was seconds when each asked about each."""
    ward = ward_of(racks(service=True))
    worst = 0.0

    def timed(event: events.Event) -> None:
        nonlocal worst
        began = time.thread_time()
        ward.tell(event)
        worst = max(worst, time.thread_time() - began)

    for verdict in (CRITICAL, CRITICAL):
        ward.at += 1
        timed(ward.answers("web", dict.fromkeys(HOSTS, verdict)))
    for step in list(ward.pending.values())[:20]:
        del ward.pending[step.id]
        timed(events.StepEnded(ward.at, step.id, WELL))
    assert worst < 0.5


def test_an_incident_in_which_pods_come_and_go_for_days_keeps_its_size() -> None:
    ward = ward_of(racks(service=True))
    together(ward, CRITICAL, ["h999"])  # whose treatment takes for ever
    for number in range(60):
        pods = [f"pod-{number}-{which}" for which in range(50)]
        together(ward, CRITICAL, pods)
        together(ward, OK, pods)
    (incident,) = ward.state.incidents.values()
    assert len(incident.symptoms) == 1000
    assert "h999" in {symptom.key.subject for symptom in incident.ill}
    assert len(ward.state._homes) == 1000
