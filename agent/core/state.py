"""All the agent knows while it runs."""

from dataclasses import dataclass, field
from typing import TypeVar

from agent.core.timers import Timers
from agent.model.activation import Activation, PlanWatch, Stage
from agent.model.decision import Decision, GlobalFreeze
from agent.model.execution import Execution, Treatment
from agent.model.exercise import Exercise
from agent.model.health import Health, Key, Window
from agent.model.incident import Incident
from agent.model.runbook import Runbook
from agent.model.settings import Settings

K = TypeVar("K")
V = TypeVar("V")

_TREATMENTS_KEPT = 8 * 86400.0
"""Seconds; longer than any rate limit's period can be useful."""


@dataclass(slots=True)
class State:
    """Owned by the one deciding thread; `apply` is the only way it changes.

    `incidents`, `activations`: those not closed. `watches` by plan.
    `library`: every runbook text in force or still referred to, by digest.
    """

    settings: Settings = field(default_factory=Settings)
    health: dict[Key, Health] = field(default_factory=dict)
    windows: dict[Key, Window] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    treatments: tuple[Treatment, ...] = ()
    freeze: GlobalFreeze | None = None
    counters: dict[str, int] = field(default_factory=dict)
    library: dict[str, Runbook] = field(default_factory=dict)
    activations: dict[str, Activation] = field(default_factory=dict)
    watches: dict[str, PlanWatch] = field(default_factory=dict)
    exercises: dict[str, Exercise] = field(default_factory=dict)
    _subjects: dict[str, set[Key]] = field(default_factory=dict)
    _on_host: dict[tuple[str, str | None], set[Key]] = field(default_factory=dict)
    _homes: dict[Key, set[str]] = field(default_factory=dict)
    _timers: Timers = field(default_factory=Timers)

    def __post_init__(self) -> None:
        for health in self.health.values():
            self._index_health(health)
        for incident in self.incidents.values():
            self._index(incident)
        for execution in self.executions.values():
            self._timers.set(execution.id, execution.due if execution.is_running else None)
        for activation in self.activations.values():
            self._timers.set(activation.id, activation.due)
        for watch in self.watches.values():
            self._timers.set(watch_timer(watch.plan), watch.due)
        for exercise in self.exercises.values():
            self._timers.set(exercise.id, exercise.until)
        self.configure(self.settings)

    def configure(self, settings: Settings) -> None:
        """Take new settings; runbooks that incidents and executions started with stay in the library."""
        self.settings = settings
        kept = {rung.digest for incident in self.incidents.values() for _, rungs in incident.ladders for rung in rungs}
        kept |= {execution.digest for execution in self.executions.values()}
        kept |= {action.digest for activation in self.activations.values() for action in activation.actions}
        self.library = {digest: runbook for digest, runbook in self.library.items() if digest in kept}
        self.library |= {runbook.digest: runbook for runbook in settings.runbooks.values()}
        self.library |= {runbook.digest: runbook for plan in settings.plans.values() for runbook in plan.inline}
        for gone in [name for name in self.watches if name not in settings.plans]:
            del self.watches[gone]
            self._timers.set(watch_timer(gone), None)

    def apply(self, decision: Decision) -> None:
        """Make a decision's changes part of the state."""
        for health in decision.health.values():
            self._forget(health.key, health)
            self._index_health(health)
        self.health.update(decision.health)
        self.windows.update(decision.windows)
        for key in decision.forgotten:
            self._forget(key, None)
            self.health.pop(key, None)
            self.windows.pop(key, None)
        for incident in decision.incidents.values():
            self._index(incident)
            if incident.closed_at is None:
                self.incidents[incident.id] = incident
            else:
                self.incidents.pop(incident.id, None)
        for execution in decision.executions.values():
            if execution.is_running:
                self.executions[execution.id] = execution
                self._timers.set(execution.id, execution.due)
            else:
                self.executions.pop(execution.id, None)
                self._timers.set(execution.id, None)
        for activation in decision.activations.values():
            if activation.stage is Stage.CLOSED:
                self.activations.pop(activation.id, None)
                self._timers.set(activation.id, None)
            else:
                self.activations[activation.id] = activation
                self._timers.set(activation.id, activation.due)
        for watch in decision.watches.values():
            self.watches[watch.plan] = watch
            self._timers.set(watch_timer(watch.plan), watch.due)
        for id, exercise in decision.exercises.items():
            if exercise is None:
                self.exercises.pop(id, None)
            else:
                self.exercises[id] = exercise
            self._timers.set(id, exercise.until if exercise else None)
        if decision.treatments:
            self._add_treatments(decision.treatments)
        if decision.freeze_changed:
            self.freeze = decision.freeze
        self.counters.update(decision.counters)

    def _add_treatments(self, treatments: tuple[Treatment, ...]) -> None:
        known = {(treatment.execution, treatment.host): treatment for treatment in self.treatments}
        known |= {(treatment.execution, treatment.host): treatment for treatment in treatments}
        latest = max(treatment.at for treatment in known.values())
        self.treatments = tuple(t for t in known.values() if t.at > latest - _TREATMENTS_KEPT)

    def _index_health(self, health: Health) -> None:
        self._subjects.setdefault(health.scope, set()).add(health.key)
        self._on_host.setdefault((health.key.check, health.host), set()).add(health.key)

    def _forget(self, key: Key, now: Health | None) -> None:
        """Take the subject out of the places where it was and, as `now` has it, is no longer."""
        before = self.health.get(key)
        if before is None:
            return
        if now is None or before.scope != now.scope:
            _take_out(self._subjects, before.scope, key)
        if now is None or before.host != now.host:
            _take_out(self._on_host, (key.check, before.host), key)

    def _index(self, incident: Incident) -> None:
        before = self.incidents.get(incident.id)
        if before is not None and before.symptoms is not incident.symptoms:
            now = {symptom.key for symptom in incident.symptoms}
            for gone in [symptom.key for symptom in before.symptoms if symptom.key not in now]:
                _take_out(self._homes, gone, incident.id)
        for symptom in incident.symptoms:
            if incident.closed_at is None:
                self._homes.setdefault(symptom.key, set()).add(incident.id)
            else:
                _take_out(self._homes, symptom.key, incident.id)
        self._timers.set(incident.id, incident.due if incident.closed_at is None else None)

    def next_due(self) -> float | None:
        """When the engine must be told that time passed; None when nothing waits for time."""
        return self._timers.next()

    def due(self, at: float) -> tuple[str, ...]:
        """Ids of incidents and executions that are due, earliest first."""
        return self._timers.due(at)

    def postpone(self, about: str, until: float) -> None:
        """Look at it again then, or when it changes."""
        self._timers.set(about, until)

    def subjects_of(self, scope: str) -> set[Key]:
        """Every subject this asking has reported and that is not forgotten."""
        return self._subjects.get(scope, set())

    def subjects_on(self, check: str, host: str | None) -> set[Key]:
        """The check's subjects on a host; of None: those on no host."""
        return self._on_host.get((check, host), set())

    def homes_of(self, key: Key) -> set[str]:
        """The incidents, not closed, that have or had this symptom."""
        return self._homes.get(key, set())


def watch_timer(plan: str) -> str:
    """Under what `TimePassed` speaks of a plan that is not active."""
    return f"plan:{plan}"


def _take_out(index: dict[K, set[V]], place: K, value: V) -> None:
    """Nothing is kept of a place that is empty: subjects come and go for years."""
    there = index.get(place)
    if there is not None:
        there.discard(value)
        if not there:
            del index[place]
