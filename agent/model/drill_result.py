"""What a drill came to. Times in seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.model.activation import Activation
from agent.model.execution import Execution
from agent.model.incident import Incident
from agent.model.timeline import Entry


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the drill's own record says at `at`. `injected_at`: of the first fault, None before it.

    `tickets`: incident to its ticket in the drill queue. `answers`: of a tabletop, question to what was said and
    whether the people found it good.
    """

    at: float
    injected_at: float | None
    entries: tuple[Entry, ...] = ()
    incidents: tuple[Incident, ...] = ()
    executions: tuple[Execution, ...] = ()
    activations: tuple[Activation, ...] = ()
    tickets: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, tuple[str, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """One expectation. `met` None: still open. `seconds`: from the first injection until it was met; `limit`: until
    when it had to be. `expected` and `actual` are sentences.
    """

    label: str
    objective: str
    met: bool | None
    expected: str
    actual: str
    seconds: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A check's answer about one subject, for the steady state."""

    check: str
    subject: str
    verdict: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Undone:
    """One command of the rollback, and what came of it. `by_host`: the host itself had undone it already."""

    name: str
    host: str
    ok: bool
    text: str
    by_host: bool = False


@dataclass(frozen=True, slots=True)
class DrillResult:
    """`id`: `DRILL-7`. `stopped_because`: empty when it went to its end; `interrupted`: its process ended before
    everything was put back, which was done later. `touched`: hosts on which anything was run.

    `steady_before`, `steady_after`: what the steady state's checks said; `rolled_back`: every undo succeeded and the
    steady state holds again.
    """

    id: str
    drill: str
    title: str
    form: str
    digest: str
    actor: str
    started_at: float
    ended_at: float
    judged: tuple[Judged, ...]
    objectives: Mapping[str, str] = field(default_factory=dict)
    scenario: str = ""
    stopped_because: str = ""
    steady_before: tuple[Asked, ...] = ()
    steady_after: tuple[Asked, ...] = ()
    undone: tuple[Undone, ...] = ()
    rolled_back: bool = False
    touched: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Every expectation met, to the end, and everything put back. Where nothing was judged, nothing has passed."""
        return not self.stopped_because and self.rolled_back and bool(self.judged) and all(e.met for e in self.judged)

    @property
    def score(self) -> float:
        """Share of the expectations that were met, 0 to 1; 0 with none."""
        return sum(1 for each in self.judged if each.met) / len(self.judged) if self.judged else 0.0
