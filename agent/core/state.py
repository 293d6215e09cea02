"""All the agent knows while it runs, and the working copy in which one event is decided."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from agent.core.guard import Circumstances
from agent.core.timers import Timers
from agent.model.commands import Command
from agent.model.decision import Decision, GlobalFreeze, Reply
from agent.model.execution import Execution, Treatment
from agent.model.health import Health, Key, Window
from agent.model.incident import Incident
from agent.model.runbook import Runbook
from agent.model.settings import Settings
from agent.model.timeline import AGENT, Entry, EntryKind

K = TypeVar("K")
V = TypeVar("V")

_TREATMENTS_KEPT = 8 * 86400.0
"""Seconds; longer than any rate limit's period can be useful."""


@dataclass(slots=True)
class State:
    """Owned by the one deciding thread; `apply` is the only way it changes.

    `incidents`: those not closed. `library`: every runbook text in force or still referred to, by digest.
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
        self.configure(self.settings)

    def configure(self, settings: Settings) -> None:
        """Take new settings; runbooks that incidents and executions started with stay in the library."""
        self.settings = settings
        kept = {rung.digest for incident in self.incidents.values() for _, rungs in incident.ladders for rung in rungs}
        kept |= {execution.digest for execution in self.executions.values()}
        self.library = {digest: runbook for digest, runbook in self.library.items() if digest in kept}
        self.library |= {runbook.digest: runbook for runbook in settings.runbooks.values()}

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


class Draft:
    """A working copy: reads fall through to the state, writes stay here until `decision`."""

    def __init__(self, state: State, at: float) -> None:
        self.state = state
        self.settings = state.settings
        self.at = at
        self._entries: list[Entry] = []
        self._commands: list[Command] = []
        self._health: dict[Key, Health] = {}
        self._on_host: dict[tuple[str, str | None], set[Key]] = {}
        self._windows: dict[Key, Window] = {}
        self._incidents: dict[str, Incident] = {}
        self._homes: dict[Key, set[str]] = {}
        self._executions: dict[str, Execution] = {}
        self._treatments: dict[tuple[str, str], Treatment] = {}
        self._freeze_changed = False
        self._freeze: GlobalFreeze | None = None
        self._counters: dict[str, int] = {}
        self._ended_steps: list[str] = []
        self._forgotten: dict[Key, None] = {}
        self.reply: Reply | None = None
        self.circumstances: Circumstances | None = None
        """What the guards look at, as `agent.core.treatment` found it; None: to be looked up anew."""

    # what is known

    def health(self, key: Key) -> Health | None:
        return self._health.get(key) or self.state.health.get(key)

    def healths(self) -> Iterator[Health]:
        """Every subject's health, with the changes made here."""
        for key, health in self.state.health.items():
            yield self._health.get(key, health)
        yield from (health for key, health in self._health.items() if key not in self.state.health)

    def subjects_on(self, check: str, host: str | None) -> list[Key]:
        """The check's subjects on a host, in order; with the changes made here."""
        known = self.state.subjects_on(check, host) | self._on_host.get((check, host), set())
        return sorted(key for key in known if (health := self.health(key)) and health.host == host)

    def changed_health(self) -> list[tuple[Health | None, Health]]:
        """What changed here: as it was before this event, and as it is now."""
        return [(self.state.health.get(key), health) for key, health in self._health.items()]

    def window(self, key: Key) -> Window:
        return self._windows.get(key) or self.state.windows.get(key) or Window()

    def incident(self, id: str) -> Incident | None:
        return self._incidents.get(id) or self.state.incidents.get(id)

    def incidents(self) -> list[Incident]:
        """Incidents that are not closed, oldest first."""
        known = self.state.incidents | self._incidents
        return [incident for incident in known.values() if incident.closed_at is None]

    def home_of(self, key: Key) -> Incident | None:
        """The incident, not closed, that has this symptom: the one where it is ill, else the latest to have had it."""
        ids = self.state.homes_of(key) | self._homes.get(key, set())
        homes = [known for id in ids if (known := self.incident(id)) and known.closed_at is None]
        if len(homes) < 2:
            return homes[0] if homes else None
        return max(homes, key=lambda home: (_is_ill_in(home, key), home.opened_at, home.id))

    def is_needed(self, key: Key) -> bool:
        """Whether an open incident has the subject, or a treatment is to be verified by it."""
        incident = self.home_of(key)
        if incident is not None and incident.phase.is_open:
            return True
        return any(key in run.verify for execution in self.executions() for run in execution.runs)

    def execution(self, id: str) -> Execution | None:
        return self._executions.get(id) or self.state.executions.get(id)

    def executions(self) -> list[Execution]:
        """Executions still running, oldest first."""
        known = self.state.executions | self._executions
        return [execution for execution in known.values() if execution.is_running]

    def ended_executions(self) -> list[Execution]:
        """Executions that ended while deciding this event."""
        return [execution for execution in self._executions.values() if not execution.is_running]

    def treatments(self) -> list[Treatment]:
        known = {(treatment.execution, treatment.host): treatment for treatment in self.state.treatments}
        return list((known | self._treatments).values())

    @property
    def freeze(self) -> GlobalFreeze | None:
        return self._freeze if self._freeze_changed else self.state.freeze

    def runbook(self, digest: str) -> Runbook | None:
        return self.state.library.get(digest)

    # what changes

    def record(self, about: str, kind: EntryKind, text: str, *, actor: str = AGENT, **data: object) -> None:
        """Write an entry into the timeline."""
        self._entries.append(Entry(self.at, about, kind, text, actor, data))

    def order(self, command: Command) -> None:
        """Ask the outside world to do something once this decision is committed."""
        self._commands.append(command)

    def put_health(self, health: Health) -> None:
        self._health[health.key] = health
        self._forgotten.pop(health.key, None)
        self._on_host.setdefault((health.key.check, health.host), set()).add(health.key)

    def forget(self, key: Key) -> None:
        """The subject is no more."""
        self._forgotten[key] = None
        self._health.pop(key, None)

    def put_window(self, key: Key, window: Window) -> None:
        self._windows[key] = window

    def put_incident(self, incident: Incident) -> Incident:
        self._incidents[incident.id] = incident
        for symptom in incident.symptoms:
            self._homes.setdefault(symptom.key, set()).add(incident.id)
        return incident

    def put_execution(self, execution: Execution) -> Execution:
        self._executions[execution.id] = execution
        self.circumstances = None
        return execution

    def put_treatment(self, treatment: Treatment) -> None:
        self._treatments[(treatment.execution, treatment.host)] = treatment
        self.circumstances = None

    def put_freeze(self, freeze: GlobalFreeze | None) -> None:
        self._freeze_changed, self._freeze = True, freeze
        self.circumstances = None

    def end_step(self, step_id: str) -> None:
        self._ended_steps.append(step_id)

    def count(self, counter: str) -> int:
        """The next number of a counter, from 1."""
        number = self._counters.get(counter, self.state.counters.get(counter, 0)) + 1
        self._counters[counter] = number
        return number

    def skip(self, counter: str, numbers: int) -> None:
        """So many numbers are never given."""
        self._counters[counter] = self._counters.get(counter, self.state.counters.get(counter, 0)) + numbers

    def decision(self) -> Decision:
        """Everything that changed."""
        digests = {rung.digest for i in self._incidents.values() for _, rungs in i.ladders for rung in rungs}
        digests |= {execution.digest for execution in self._executions.values()}
        return Decision(
            entries=tuple(self._entries),
            commands=tuple(self._commands),
            health=self._health,
            windows=self._windows,
            incidents=self._incidents,
            executions=self._executions,
            treatments=tuple(self._treatments.values()),
            freeze_changed=self._freeze_changed,
            freeze=self._freeze,
            counters=self._counters,
            ended_steps=tuple(self._ended_steps),
            forgotten=tuple(self._forgotten),
            runbooks={d: self.state.library[d].text for d in sorted(digests) if d in self.state.library},
            reply=self.reply,
        )


def _take_out(index: dict[K, set[V]], place: K, value: V) -> None:
    """Nothing is kept of a place that is empty: subjects come and go for years."""
    there = index.get(place)
    if there is not None:
        there.discard(value)
        if not there:
            del index[place]


def _is_ill_in(incident: Incident, key: Key) -> bool:
    return incident.phase.is_open and any(symptom.key == key and symptom.is_ill for symptom in incident.symptoms)
