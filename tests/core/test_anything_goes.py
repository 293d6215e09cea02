"""Whatever happens, in whatever order: the rules hold after every decision, and in the end nothing is left lying.

The rules themselves stand in `tests.core.ward`: deciding changes nothing and never raises, no open
incident is without treatment, due time or person, no host is treated twice at once, budgets hold, ticket
updates are numbered without gaps, every refusal has a reason, a refused act changes nothing.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from agent.model import events
from agent.model.execution import StepOutcome, StepStatus
from agent.model.incident import Phase, TicketRef
from agent.model.observation import Verdict
from agent.model.plan import Level, PlanRole, StandDown
from agent.model.quantities import CountOrShare, Rate
from agent.model.runbook import Limits, Retry, Variable, Verify
from agent.model.settings import Settings
from tests.core.emergencies import action, call, condition, level, phases, plan
from tests.core.ward import NOT_CLEARED, Ward, approve, ask_check, group, run, runbook, shop, wait

HOSTS = ("web1", "web2", "web3")
VERDICTS = st.sampled_from(["OK", "WARNING", "CRITICAL", "UNKNOWN", NOT_CLEARED])
ANSWERS = st.dictionaries(st.sampled_from(HOSTS), VERDICTS, min_size=1)
STEPS = st.sampled_from(
    [
        run("plain"),
        run("patient", retry=Retry(attempts=3, delay=1.0)),
        run("careless", on_failure="continue", register="seen"),
        run("stern", on_failure="abort", repeatable=True, retry=Retry(attempts=2, delay=0.0)),
        run("choosy", when="steps.seen.ok"),
        run("never", when="false"),
        wait("breathe", 3),
        ask_check("asks", "db", 10),
        approve("May I", within=20.0, otherwise="escalate"),
        approve("May I go on", within=20.0, otherwise="continue"),
        approve("May I or not", within=20.0, otherwise="abort", on_failure="continue"),
    ]
)
RUNBOOKS = st.builds(
    lambda number, steps, **more: runbook(f"r{number}", *steps, **more),
    number=st.integers(1, 3),
    steps=st.lists(STEPS, min_size=1, max_size=3),
    rollback=st.lists(STEPS, max_size=2).map(tuple),
    hosts=st.sampled_from(["affected", "affected", "group:web", "host:db1", "local", "host:gone"]),
    serial=st.sampled_from([None, CountOrShare(count=1), CountOrShare(share=0.5)]),
    limits=st.builds(
        Limits,
        per_host=st.sampled_from([None, Rate(1, 30.0)]),
        per_runbook=st.sampled_from([None, Rate(2, 60.0)]),
        stop_after_failures=st.integers(1, 3),
    ),
    verify=st.builds(
        Verify,
        checks=st.sampled_from([(), ("web",), ("disk",), ("db", "web")]),
        within=st.sampled_from([5.0, 30.0]),
        stable_for=st.sampled_from([0.0, 4.0]),
    ),
    vars=st.sampled_from([{}, {"unit": Variable(default="nginx")}, {"size": Variable(type="integer")}]),
)


ACTIONS = st.lists(
    st.builds(
        action,
        st.sampled_from(["stop the bleeding", "mend it"]),
        runbook=st.sampled_from(["r1", "r2", "r3", "nowhere"]),
        hosts=st.sampled_from([None, "affected", "group:web"]),
        approve=st.sampled_from([None, PlanRole.COMMANDER]),
        on_failure=st.sampled_from(["people", "continue"]),
        timeout=st.sampled_from([15.0, 60.0]),
        level=st.sampled_from([Level.I, Level.IV]),
    )
    | st.just(action("look", do="look at it", timeout=20.0)),
    max_size=3,
)
CONDITIONS = st.sampled_from(
    [
        condition(hosts_healthy="below 60%"),
        condition(hosts_healthy="below 100%", lasting=10.0),
        condition(unresolved="P4", lasting=20.0),
        condition(incidents=2, priority="P5", within=60.0),
        condition(treatments_failed=1, within=60.0),
        condition(check_critical="disk"),
    ]
)
CALLS = st.sampled_from(
    [(), (call("commander", 10.0, call("technical_lead", 10.0)),), (call("liaison", None), call("scribe", 5.0))]
)
PLANS = st.builds(
    lambda name, text, **more: plan(name, digest=f"{name} {text}", **more),
    name=st.sampled_from(["shop-down", "north"]),
    text=st.integers(1, 2),
    hosts=st.sampled_from([HOSTS, ("web1", "db1")]),
    levels=st.builds(lambda one, two: {Level.I: level(one), Level.II: level(two)}, CONDITIONS, CONDITIONS),
    lower_after=st.sampled_from([None, 20.0]),
    notification=CALLS,
    phases=st.builds(lambda contain, recover: phases(*contain, recover=tuple(recover)), ACTIONS, ACTIONS),
    report_every=st.just(30.0),
    stand_down=st.builds(
        lambda confirmed_by: StandDown.model_validate({"for": 5.0, "confirmed_by": confirmed_by}),
        st.sampled_from([None, "commander"]),
    ),
)


def hospital(books: list[Any], data: dict[str, Any]) -> Settings:
    plans = {each.name: each for each in data["plans"]}
    return replace(_shop(books, data), plans=plans)


def _shop(books: list[Any], data: dict[str, Any]) -> Settings:
    return shop(
        *{book.name: book for book in books}.values(),
        groups=[group("web", *HOSTS, at_once=data["at_once"])],
        close_after=100.0,
        cooldown=data["cooldown"],
        dependency_wait=10.0,
        web={
            "confirm": data["confirm"],
            "unknown_after": 15.0,
            "flapping": data["flapping"],
            "no_data": data["no_data"],
        },
        db={"confirm": 1},
    )


SETTINGS = st.builds(
    hospital,
    st.lists(RUNBOOKS, min_size=1, max_size=3),
    st.fixed_dictionaries(
        {
            "at_once": st.integers(1, 3),
            "cooldown": st.sampled_from([0.0, 20.0]),
            "confirm": st.sampled_from([1, 2, "2 of 3"]),
            "flapping": st.sampled_from([{}, {"changes": 3, "within": 60.0, "settle": 20.0}]),
            "no_data": st.sampled_from(["ok", "unknown", "critical"]),
            "plans": st.lists(PLANS, max_size=2),
        }
    ),
)
ENDINGS = st.sampled_from([StepStatus.OK] * 4 + [each for each in StepStatus if each is not StepStatus.SKIPPED])
INCIDENTS = st.integers(1, 4).map("INC-{}".format)
ACTIVATIONS = st.integers(1, 3).map("PLAN-{}".format)
ACTS = st.one_of(
    st.builds(
        events.ActivatePlan,
        st.sampled_from(["shop-down", "north"]),
        st.sampled_from([Level.I, Level.II]),
        st.just("smoke"),
    ),
    st.builds(events.AcknowledgeCall, ACTIVATIONS, st.none(), st.sampled_from([None, "carla", "tim", "lea"])),
    st.builds(events.TickAction, ACTIVATIONS, st.integers(1, 4), st.booleans()),
    st.builds(events.EndEmergency, ACTIVATIONS, st.just("over"), st.booleans()),
    st.builds(events.CloseReview, ACTIVATIONS, st.just("## Root cause\nrats\n## Improvement actions\n")),
    st.builds(events.Approve, ACTIVATIONS, st.booleans()),
    st.builds(
        events.BeginExercise,
        st.sampled_from(["EX-1", "EX-2"]),
        st.just("a drill"),
        st.sampled_from([("web1",), ("db1",), ("web1", "web2")]),
        st.sampled_from([("web",), ("disk", "db")]),
        st.sampled_from([(), ("shop",)]),
        st.just(20.0),
    ),
    st.builds(events.EndExercise, st.sampled_from(["EX-1", "EX-2"])),
    st.builds(events.Acknowledge, INCIDENTS),
    st.builds(events.AddNote, INCIDENTS, st.just("note")),
    st.builds(events.Assign, INCIDENTS, st.sampled_from(["dba", "bob", " "])),
    st.builds(events.Escalate, INCIDENTS, st.just("mine")),
    st.builds(events.Resolve, INCIDENTS, st.just("done")),
    st.builds(events.Close, INCIDENTS, st.just("over")),
    st.builds(events.Reopen, INCIDENTS, st.just("again")),
    st.builds(events.Approve, INCIDENTS, st.booleans()),
    st.builds(events.Freeze, st.just("audit")),
    st.builds(events.Unfreeze),
    st.builds(
        events.Report,
        st.just("it hangs"),
        service=st.sampled_from([None, "shop", "nothing"]),
        hosts=st.lists(st.sampled_from(["web1", "db1", "gone"]), max_size=2).map(tuple),
    ),
    st.builds(
        events.RunByHand,
        st.sampled_from(["r1", "r2", "r3"]),
        st.lists(st.sampled_from([*HOSTS, "db1"]), max_size=3).map(tuple),
        variables=st.sampled_from([{}, {"size": "5"}]),
        incident=st.none() | INCIDENTS,
        override=st.sampled_from([None, "it burns"]),
    ),
)


class AnythingGoes(RuleBasedStateMachine):
    ward: Ward

    @initialize(settings=SETTINGS)
    def begin(self, settings: Settings) -> None:
        self.ward = Ward(settings, copied_each=10)
        self.ward.sees("db", db1="OK")

    @rule(
        answers=st.dictionaries(st.sampled_from(HOSTS), VERDICTS, min_size=1),
        again=st.integers(1, 3),
        whole=st.booleans(),
    )
    def web_answers(self, answers: dict[str, str], again: int, whole: bool) -> None:
        self._sees("web", answers, again, whole)

    @rule(verdict=VERDICTS, check=st.sampled_from(["db", "disk"]))
    def another_check_answers(self, verdict: str, check: str) -> None:
        self._sees(check, {"db1" if check == "db" else "web1": verdict}, 1, True)

    def _sees(self, check: str, answers: dict[str, str], again: int, whole: bool) -> None:
        meant = {host: word if word == NOT_CLEARED else Verdict[word] for host, word in answers.items()}
        for _ in range(again):
            self.ward.at += 0.5
            self.ward.tell(self.ward.answers(check, meant, whole=whole))

    @precondition(lambda self: self.ward.pending)
    @rule(
        which=st.integers(0, 5),
        status=st.sampled_from(
            [StepStatus.OK] * 4 + [status for status in StepStatus if status is not StepStatus.SKIPPED]
        ),
    )
    def a_step_ends(self, which: int, status: StepStatus) -> None:
        step = list(self.ward.pending.values())[which % len(self.ward.pending)]
        del self.ward.pending[step.id]
        outcome = StepOutcome(status, exit=0 if status is StepStatus.OK else 1)
        self.ward.tell(events.StepEnded(self.ward.at, step.id, outcome))

    @rule(seconds=st.sampled_from([0.0, 0.3, 2.0, 11.0, 40.0, 150.0]))
    def time_passes(self, seconds: float) -> None:
        self.ward.later(seconds)

    @rule(act=ACTS, actor=st.sampled_from(["anna", "carla"]))
    def a_person_acts(self, act: events.Act, actor: str) -> None:
        closed = self.ward.closed.get(getattr(act, "incident", None) or "")
        self.ward.person(act, actor, closed=closed)

    @rule(incident=INCIDENTS)
    def a_ticket_is_filed(self, incident: str) -> None:
        self.ward.tell(events.TicketFiled(self.ward.at, incident, TicketRef("4711")))

    @rule(away=st.sampled_from([0.0, 100.0]))
    def the_agent_restarts(self, away: float) -> None:
        self.ward.restarts(away)

    @rule(settings=SETTINGS)
    def the_configuration_changes(self, settings: Settings) -> None:
        self.ward.state.configure(settings)
        self.ward.tell(events.Reloaded(self.ward.at, "anna", "a new one"))

    def teardown(self) -> None:
        """The storm is over: everything answers well, steps succeed. Then only a person's work is left."""
        if not hasattr(self, "ward"):
            return
        ward = self.ward
        ward.person(events.Unfreeze())
        ward.later(20)  # no drill asks for more time
        for id in list(ward.state.activations):
            ward.person(events.EndEmergency(id, "the storm is over", force=True))
        for _ in range(60):
            for id in [*ward.state.executions, *ward.state.activations]:
                ward.person(events.EndEmergency(id, "again", force=True))
                ward.person(events.Approve(id, yes=True))
            while ward.pending:
                ward.ends()
            self._sees("web", dict.fromkeys(HOSTS, "OK"), 3, True)
            self._sees("db", {"db1": "OK"}, 1, True)
            self._sees("disk", {"web1": "OK"}, 2, True)
            ward.later(10)
            if not any(self._left()):
                break
        assert not any(self._left()), "\n".join(self._left())

    def _left(self) -> Iterator[str]:
        """What cannot be explained by a person who has to act."""
        state = self.ward.state
        yield from (f"{activation.id} never ends" for activation in state.activations.values() if activation.due)
        yield from (f"{exercise.id} never ends" for exercise in state.exercises.values())
        yield from (f"{execution.id} never ends" for execution in state.executions.values() if execution.is_running)
        for incident in state.incidents.values():
            if incident.phase not in (Phase.ESCALATED, Phase.RESOLVED):
                yield f"{incident.id} is left {incident.phase}"
            for symptom in incident.ill:
                if symptom.key.check != "reported":
                    yield f"{symptom.key} answers well, and still counts as ill in {incident.id}"


AnythingGoes.TestCase.settings = effort(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnythingGoes = AnythingGoes.TestCase
