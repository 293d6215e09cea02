"""The working copy in which one event is decided."""

from collections.abc import Iterator

from agent.core.guard import Circumstances
from agent.core.state import State
from agent.model.activation import Activation, PlanWatch, Stage
from agent.model.commands import Command
from agent.model.decision import Decision, GlobalFreeze, Reply
from agent.model.execution import Execution, Treatment
from agent.model.exercise import Exercise
from agent.model.health import Health, Key, Window
from agent.model.incident import Incident
from agent.model.runbook import Runbook
from agent.model.timeline import AGENT, Entry, EntryKind


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
        self._activations: dict[str, Activation] = {}
        self._watches: dict[str, PlanWatch] = {}
        self._exercises: dict[str, Exercise | None] = {}
        self._freeze_changed = False
        self._freeze: GlobalFreeze | None = None
        self._counters: dict[str, int] = {}
        self._ended_steps: list[str] = []
        self._forgotten: dict[Key, None] = {}
        self.news = 0
        """Grows with every change that plans and drills go by: not with every answer, nor with every step."""
        self.followed = 0
        """The news that plans have been judged by."""
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

    def activation(self, id: str) -> Activation | None:
        return self._activations.get(id) or self.state.activations.get(id)

    def activations(self) -> list[Activation]:
        """Those not closed, oldest first."""
        known = self.state.activations | self._activations
        return [activation for activation in known.values() if activation.stage is not Stage.CLOSED]

    def watch(self, plan: str) -> PlanWatch:
        return self._watches.get(plan) or self.state.watches.get(plan) or PlanWatch(plan)

    def exercises(self) -> list[Exercise]:
        """Those that last."""
        known = self.state.exercises | self._exercises
        return [exercise for exercise in known.values() if exercise is not None]

    def is_left_to_a_drill(self, check: str, host: str | None) -> bool:
        """Whether what this check says of this host is a drill's."""
        return any(exercise.speaks_of(check, host) for exercise in self.exercises())

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
        self.news += 1
        self._health[health.key] = health
        self._forgotten.pop(health.key, None)
        self._on_host.setdefault((health.key.check, health.host), set()).add(health.key)

    def forget(self, key: Key) -> None:
        """The subject is no more."""
        self.news += 1
        self._forgotten[key] = None
        self._health.pop(key, None)

    def put_window(self, key: Key, window: Window) -> None:
        self._windows[key] = window

    def put_incident(self, incident: Incident) -> Incident:
        self.news += 1
        self._incidents[incident.id] = incident
        for symptom in incident.symptoms:
            self._homes.setdefault(symptom.key, set()).add(incident.id)
        return incident

    def put_execution(self, execution: Execution) -> Execution:
        if not execution.is_running:
            self.news += 1
        self._executions[execution.id] = execution
        self.circumstances = None
        return execution

    def put_treatment(self, treatment: Treatment) -> None:
        self._treatments[(treatment.execution, treatment.host)] = treatment
        self.circumstances = None

    def put_activation(self, activation: Activation) -> Activation:
        self.news += 1
        self._activations[activation.id] = activation
        self.circumstances = None
        return activation

    def put_watch(self, watch: PlanWatch) -> None:
        self._watches[watch.plan] = watch

    def put_exercise(self, id: str, exercise: Exercise | None) -> None:
        """None: it is over."""
        self._exercises[id] = exercise
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
        digests |= {action.digest for a in self._activations.values() for action in a.actions if action.digest}
        return Decision(
            entries=tuple(self._entries),
            commands=tuple(self._commands),
            health=self._health,
            windows=self._windows,
            incidents=self._incidents,
            executions=self._executions,
            treatments=tuple(self._treatments.values()),
            activations=self._activations,
            watches=self._watches,
            exercises=self._exercises,
            freeze_changed=self._freeze_changed,
            freeze=self._freeze,
            counters=self._counters,
            ended_steps=tuple(self._ended_steps),
            forgotten=tuple(self._forgotten),
            runbooks={d: self.state.library[d].text for d in sorted(digests) if d in self.state.library},
            reply=self.reply,
        )


def _is_ill_in(incident: Incident, key: Key) -> bool:
    return incident.phase.is_open and any(symptom.key == key and symptom.is_ill for symptom in incident.symptoms)
