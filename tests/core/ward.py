"""A small hospital: a configuration one can keep in mind, an agent at work on it without any host, and
the rules that must hold after every single decision.

Longer than 400 lines, for the rules stand beside what they judge.
"""

import copy
import hashlib
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from agent.core.engine import decide
from agent.core.restoration import SKIPPED
from agent.core.state import State
from agent.model import events
from agent.model.activation import ActionState, Activation, CallState, Stage
from agent.model.check import CheckRules
from agent.model.commands import Ask, RunStep, SendMessage, UpdateTicket
from agent.model.decision import Decision
from agent.model.execution import Execution, RunPhase, StepOutcome, StepStatus
from agent.model.health import Key
from agent.model.incident import Incident, Phase
from agent.model.inventory import Group, Host
from agent.model.observation import Observation, Pass, Verdict
from agent.model.policy import LifecycleRules, Policy, Team, TreatmentRules
from agent.model.quantities import CountOrShare
from agent.model.runbook import Runbook, Step
from agent.model.service import Criticality, Service
from agent.model.settings import Settings
from agent.model.timeline import Entry, EntryKind
from agent.runtime.store.codec import dump, load
from agent.steps.approve import Approve
from agent.steps.check import CheckStep
from agent.steps.run import Run
from agent.steps.wait import Wait

OK, WARNING, CRITICAL, UNKNOWN = Verdict
NOT_CLEARED = "ok, but not below the recover threshold"


def run(name: str, command: str = "true", **more: Any) -> Step:
    return Step(name=name, action=Run(command=command), **more)


def wait(name: str, seconds: float, **more: Any) -> Step:
    return Step(name=name, action=Wait(duration=float(seconds)), **more)


def approve(name: str, **more: Any) -> Step:
    asked = {key: more.pop(key) for key in ("within", "otherwise", "team") if key in more}
    return Step(name=name, action=Approve(question=f"{name}?", **asked), **more)


def ask_check(name: str, check: str, within: float = 30.0, **more: Any) -> Step:
    return Step(name=name, action=CheckStep(name=check, within=float(within)), **more)


def runbook(name: str, *steps: Step, **more: Any) -> Runbook:
    """A runbook of these steps, `restart` by default; verified within 60 s unless said otherwise."""
    text = f"{name}: {steps!r} {more!r}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Runbook(
        name=name, steps=steps or (run("restart", "systemctl restart web"),), text=text, digest=digest, **more
    )


def check(name: str, **more: Any) -> CheckRules:
    return CheckRules(name=name, kind="fake", **{"every": 10.0, "confirm": 2, **more})


def settings(
    checks: Iterable[CheckRules] = (),
    runbooks: Iterable[Runbook] = (),
    *,
    services: Iterable[Service] = (),
    groups: Iterable[Group] = (),
    hosts: Iterable[str] = ("web1", "web2", "web3", "db1"),
    close_after: float = 3600.0,
    has_tickets: bool = True,
    **treatment: Any,
) -> Settings:
    return Settings(
        checks={each.name: each for each in checks},
        hosts={name: Host(name=name, address=f"10.0.0.{number}") for number, name in enumerate(hosts, 1)},
        groups={group.name: group for group in groups},
        services={service.name: service for service in services},
        teams={"dba": Team(name="dba", categories=("storage",))},
        policy=Policy(treatment=TreatmentRules(**treatment), lifecycle=LifecycleRules(close_after=close_after)),
        runbooks={each.name: each for each in runbooks},
        has_tickets=has_tickets,
    )


def shop(*runbooks: Runbook, **more: Any) -> Settings:
    """Check `web` on three hosts of service shop, which leans on check `db` of service database.

    Every runbook given, in this order, is the ladder of `web`; `db` has `restart-db`.
    """
    books = runbooks or (runbook("restart-web"),)
    rules: dict[str, Any] = more.pop("web", {})
    return settings(
        [
            check("web", service="shop", **{"ladder": tuple(book.name for book in books), **rules}),
            check("db", service="database", ladder=("restart-db",), **more.pop("db", {})),
            check("disk", category="storage"),
        ],
        [*books, runbook("restart-db", run("restart the database"))],
        services=[
            Service(
                name="shop",
                hosts=("web1", "web2", "web3"),
                criticality=Criticality.HIGH,
                users=200,
                depends_on=("database",),
            ),
            Service(name="database", hosts=("db1",), criticality=Criticality.VITAL, users=500),
        ],
        **more,
    )


def group(name: str, *hosts: str, at_once: int = 1) -> Group:
    return Group(name=name, hosts=hosts, treat_at_once=CountOrShare(count=at_once))


class Ward:
    """An agent that decides; time stands still unless `later` is called. Every decision is held against the rules."""

    def __init__(self, settings: Settings, at: float = 1_000.0, *, copied_each: int = 1) -> None:
        """`copied_each`: so many decisions apart a copy of everything proves that deciding changes nothing."""
        self.copied_each = copied_each
        self.told = 0
        self.state = State(settings=settings)
        self.at = at
        self.entries: list[Entry] = []
        self.steps: list[RunStep] = []
        self.updates: list[UpdateTicket] = []
        self.asked: list[Key] = []
        self.messages: list[SendMessage] = []
        self.over: dict[str, Activation] = {}
        self.pending: dict[str, RunStep] = {}
        self.closed: dict[str, Incident] = {}
        self.ended: dict[str, Execution] = {}
        self.busy: list[str] = []
        self.reply: str = ""

    # telling

    def tell(self, event: events.Event) -> Decision:
        self.told += 1
        before = self._copied() if self.told % self.copied_each == 0 else None
        decision = decide(self.state, event)
        if before is not None:
            assert self.state == before, "deciding changed the state"
            assert decide(before, event) == decision, "the same state and event gave another decision"
        self.state.apply(decision)
        self._keep(decision)
        self._hold_against_the_rules(decision, event)
        return decision

    def _copied(self) -> State:
        settings = self.state.settings
        known = {id(each): each for each in (settings, *settings.runbooks.values(), *self.state.library.values())}
        return copy.deepcopy(self.state, dict(known))  # pydantic models are frozen and dear to copy

    def sees(self, check: str, times: int = 1, **subjects: Verdict | str) -> Decision:
        """The check answers for these subjects, which are hosts; further askings come a second later each."""
        for number in range(times):
            if number:
                self.at += 1
            decision = self.tell(self.answers(check, subjects))
        return decision

    def answers(self, check: str, subjects: Mapping[str, Verdict | str], *, whole: bool = False) -> events.Observed:
        """One pass; unless `whole`, nothing is said of subjects that are not named."""
        found = tuple(
            Observation(
                check,
                subject,
                subject,
                OK if isinstance(verdict, str) else verdict,
                self.at,
                message=f"{subject} says {verdict if isinstance(verdict, str) else verdict.name}",
                cleared=verdict is OK,
            )
            for subject, verdict in subjects.items()
        )
        return events.Observed(self.at, (Pass(check, check, self.at, found, complete=whole),))

    def falls_ill(self, check: str = "web", *hosts: str, times: int = 2) -> Incident:
        self.sees(check, times, **dict.fromkeys(hosts or ("web1",), CRITICAL))
        home = max(self.state.homes_of(Key(check, (hosts or ("web1",))[0])), key=lambda id: int(id[4:]))
        return self.incident(home)

    def gets_well(self, check: str = "web", *hosts: str, times: int = 2) -> None:
        self.sees(check, times, **dict.fromkeys(hosts or ("web1",), OK))

    def ends(self, *, host: str | None = None, **outcome: Any) -> RunStep:
        """The step under way that was begun first (on this host) ends: well, unless told otherwise."""
        step = next(each for each in self.pending.values() if host in (None, each.host))
        del self.pending[step.id]
        if "status" not in outcome:
            outcome["status"] = StepStatus.FAILED if outcome.get("exit") else StepStatus.OK
            outcome.setdefault("exit", 0)
        self.tell(events.StepEnded(self.at, step.id, StepOutcome(**outcome)))
        return step

    def later(self, seconds: float) -> None:
        """Time passes; the engine is told whenever something is due."""
        until, told = self.at + seconds, 0
        while (due := self.state.next_due()) is not None and due <= until:
            self.at = max(self.at, due)
            for about in self.state.due(self.at):
                self.tell(events.TimePassed(self.at, about))
            told += 1
            assert told < 10_000, "something is always due and never done"
        self.at = until

    def person(self, act: events.Act, actor: str = "anna", closed: Incident | None = None) -> bool:
        decision = self.tell(events.PersonActed(self.at, actor, act, closed))
        assert decision.reply is not None
        self.reply = decision.reply.text
        return decision.reply.ok

    def restarts(self, away: float = 0.0, *, begun: bool = True) -> None:
        """The agent ends and starts from what was stored; steps that were under way end as nobody knows.

        Not `begun`: they had been ordered and nothing more. Those still wanted are to be carried out then.
        """
        old, self.at = self.state, self.at + away
        self.state = State(
            settings=old.settings,
            health={key: through_the_store(health) for key, health in old.health.items()},
            incidents={id: through_the_store(incident) for id, incident in old.incidents.items()},
            executions={id: through_the_store(execution) for id, execution in old.executions.items()},
            treatments=tuple(through_the_store(treatment) for treatment in old.treatments),
            freeze=old.freeze,
            counters=dict(old.counters),
            library=dict(old.library),
            activations={id: through_the_store(activation) for id, activation in old.activations.items()},
            watches={name: through_the_store(watch) for name, watch in old.watches.items()},
            exercises={id: through_the_store(exercise) for id, exercise in old.exercises.items()},
        )
        decision = self.tell(
            events.Started(self.at, "paramedic 1 on here", frozenset() if begun else frozenset(self.pending))
        )
        for ended in decision.ended_steps:
            self.pending.pop(ended, None)
        for step in [step for step in self.pending.values() if begun and not step.repeatable]:
            del self.pending[step.id]
            self.tell(events.StepEnded(self.at, step.id, StepOutcome(StepStatus.UNKNOWN, message="the agent ended")))

    # looking

    def incident(self, id: str = "INC-1") -> Incident:
        return self.state.incidents.get(id) or self.closed[id]

    def execution(self, id: str = "RUN-1") -> Execution:
        return self.state.executions.get(id) or self.ended[id]

    def plan(self, id: str = "PLAN-1") -> Activation:
        return self.state.activations.get(id) or self.over[id]

    def under_way(self) -> list[tuple[str, str]]:
        """(host, step) of each command that was ordered and has not ended."""
        return [(step.host, step.name) for step in self.pending.values()]

    def story(self, *kinds: EntryKind, about: str = "INC-1") -> list[str]:
        return [entry.text for entry in self.entries if entry.about == about and (not kinds or entry.kind in kinds)]

    def reasons(self, about: str = "INC-1") -> list[str]:
        """The named reasons of every refusal, in order."""
        return [
            str(entry.data["reason"])
            for entry in self.entries
            if entry.about == about and entry.kind is EntryKind.REFUSED
        ]

    # keeping the record

    def _keep(self, decision: Decision) -> None:
        self.entries += decision.entries
        for incident in decision.incidents.values():
            if incident.closed_at is not None:
                self.closed[incident.id] = incident
            else:
                self.closed.pop(incident.id, None)
        self.over |= {id: each for id, each in decision.activations.items() if each.stage is Stage.CLOSED}
        self.ended |= {each.id: each for each in decision.executions.values() if not each.is_running}
        for command in decision.commands:
            match command:
                case RunStep():
                    assert command.id not in {step.id for step in self.steps}, f"{command.id} is ordered twice"
                    self.steps.append(command)
                    self.pending[command.id] = command
                case UpdateTicket():
                    self.updates.append(command)
                case SendMessage():
                    assert command.id not in {each.id for each in self.messages}, f"{command.id} is sent twice"
                    self.messages.append(command)
                case Ask(keys):
                    self.asked += keys

    def _hold_against_the_rules(self, decision: Decision, event: events.Event) -> None:
        for incident in self.state.incidents.values():
            _nothing_is_forgotten(incident, self.state)
        for execution in self.state.executions.values():
            waits = execution.due is not None or any(run.pending for run in execution.runs)
            assert waits or not execution.is_running, f"{execution.id} waits for nothing"
        for activation in self.state.activations.values():
            _a_plan_is_looked_after(activation, self.state)
        self.busy = _one_treatment_at_a_time(self.state, self.busy)
        for entry in decision.entries:
            assert entry.text, "an entry says nothing"
            assert entry.kind is not EntryKind.REFUSED or entry.data.get("reason"), f"refused without reason: {entry}"
            dump(entry)
        for incident_id in {update.incident for update in self.updates}:
            numbers = [update.number for update in self.updates if update.incident == incident_id]
            steps = {after - before for before, after in pairwise([0, *numbers])}
            assert steps <= {1, SKIPPED + 1}, f"ticket updates of {incident_id}: {numbers}"
        if isinstance(event, events.PersonActed) and decision.reply and not decision.reply.ok:
            changed = any(
                (
                    decision.entries,
                    decision.commands,
                    decision.incidents,
                    decision.executions,
                    decision.activations,
                )
            )
            assert not changed, f"refused, and yet something changed: {decision}"
        due = self.state.next_due()
        dues = [incident.due for incident in self.state.incidents.values()]
        dues += [execution.due for execution in self.state.executions.values()]
        dues += [activation.due for activation in self.state.activations.values()]
        dues += [watch.due for watch in self.state.watches.values()]
        dues += [exercise.until for exercise in self.state.exercises.values()]
        assert due == min((each for each in dues if each is not None), default=None), (
            "the timers and what is due disagree"
        )


def through_the_store(value: Any) -> Any:
    """What comes back when it is written and read again."""
    again = load(type(value), dump(value), "test")
    assert again == value, "the store changes it"
    return again


def _a_plan_is_looked_after(activation: Activation, state: State) -> None:
    about = f"{activation.id} ({activation.stage})"
    if not activation.stage.is_active:
        assert activation.due is None, f"{about} is over and waits"
        return
    assert activation.due is not None, f"{about} waits for nothing"
    incident = state.incidents.get(activation.incident)
    assert incident is not None, f"{about} has no major incident"
    assert incident.phase.is_open, f"{about} has a major incident that is over"
    assert set(activation.linked) == set(incident.linked), f"{about} and its incident stand for different ones"
    for call in activation.calls:
        assert (call.state is CallState.CALLED) == (call.due is not None), f"{about}: {call} waits for nothing"
    under_way = [a for a in activation.actions if not a.is_settled and a.state is not ActionState.WAITING]
    assert len(under_way) <= 1, f"{about}: several actions at once"
    for action in under_way:
        execution = state.executions.get(action.execution or "")
        running = execution is not None and execution.is_running
        assert running or action.state is not ActionState.RUNNING, f"{about}: {action.name} runs, and nothing does"
    waiting = [a for a in activation.actions if a.state is ActionState.WAITING and activation.level >= a.level]
    assert under_way or not waiting, f"{about}: the next action is left lying"


def _nothing_is_forgotten(incident: Incident, state: State) -> None:
    about = f"{incident.id} ({incident.phase})"
    treated = state.executions.get(incident.execution or "")
    assert incident.execution is None or (treated and treated.is_running), f"{about}: {incident.execution} has ended"
    match incident.phase:
        case Phase.TREATING:
            assert treated, f"{about} is treated by nothing"
        case Phase.HELD:
            assert incident.due is not None, f"{about} waits for nothing"
            assert incident.held_because, f"{about} does not say why"
        case Phase.NEW:
            assert treated, f"{about} is left lying"
        case Phase.RESOLVED:
            assert incident.due is not None, f"{about} will never close"
        case Phase.ESCALATED:
            assert incident.due is None
        case Phase.CLOSED:
            raise AssertionError(f"{about} is still in the state")


def _busy(state: State) -> list[str]:
    """Hosts under treatment."""
    return [
        run.host
        for execution in state.executions.values()
        if execution.is_running
        for run in execution.runs
        if run.phase not in (RunPhase.WAITING, RunPhase.ENDED)
    ]


def _one_treatment_at_a_time(state: State, before: list[str]) -> list[str]:
    """`before`: the hosts that were under treatment before this decision; returns those that are now."""
    busy = _busy(state)
    assert len(busy) == len(set(busy)), f"treated twice at once: {busy}"
    if any(execution.override for execution in state.executions.values()):
        return busy
    for one in state.settings.groups.values():
        at_once = [host for host in busy if host in one.hosts]
        if not set(at_once) <= set(before):  # a smaller budget may come into force during treatments
            assert len(at_once) <= one.treat_at_once.of(len(one.hosts)), f"budget of {one.name}: {at_once}"
    return busy
