"""A pass over 10,000 Prometheus series: from the server's answer to committed decisions."""

import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.core.engine import decide
from agent.core.judgement import judge
from agent.core.state import State
from agent.model.check import CheckRules
from agent.model.events import Observed
from agent.model.observation import Answer, Pass
from agent.model.settings import Settings
from agent.model.threshold import parse_threshold
from agent.runtime.store import Store

SERIES = 10_000
ROUNDS = 7
TARGET = 1.0


def main() -> None:
    """Judged, decided, applied and committed in this process, with the real store on the real disk."""
    cases = {
        "first pass: everything is new": (0, 1),
        "usual pass: all well": (0, 4),
        "1,000 series turn critical: one incident": (1_000, 4),
    }
    console = Console()
    table = Table(title=f"One pass over {SERIES:,} series, medians of {ROUNDS}")
    for heading in ("pass", "judge ms", "decide ms", "commit ms", "all ms", "target"):
        table.add_column(heading, justify="right" if "ms" in heading else "left")
    for name, (bad, passes_before) in cases.items():
        with console.status(name):
            samples = [_sample(bad, passes_before) for _ in range(ROUNDS)]
        parts = [statistics.median(sample[part] for sample in samples) for part in range(3)]
        whole = statistics.median(sum(sample) for sample in samples)
        met = "met" if whole < TARGET else "MISSED"
        table.add_row(
            name, *(f"{part * 1000:.0f}" for part in parts), f"{whole * 1000:.0f}", f"< {TARGET * 1000:.0f}: {met}"
        )
    console.print(table)


def _sample(bad: int, passes_before: int) -> tuple[float, float, float]:
    rules = CheckRules(name="api-errors", kind="prometheus", critical=parse_threshold("value > 5"))
    state = State(Settings(checks={rules.name: rules}))
    with (
        tempfile.TemporaryDirectory(prefix="bench-observations-") as folder,
        Store.open(Path(folder) / "paramedic.db") as store,
    ):
        # with `confirm: 2`, the second of two bad passes is the one that decides
        for number in range(1, passes_before):
            is_last = number == passes_before - 1
            _one_pass(rules, state, store, float(number), bad if is_last else 0)
        return _one_pass(rules, state, store, float(passes_before), bad)


def _one_pass(rules: CheckRules, state: State, store: Store, at: float, bad: int) -> tuple[float, float, float]:
    answers = [
        Answer({"value": 9.0 if number < bad else 1.0}, subject=f"host{number}:9100") for number in range(SERIES)
    ]
    began = time.perf_counter()
    observations = tuple(
        judge(rules, answer, default_critical=None, subject=answer.subject, host=None, at=at, readings=None)
        for answer in answers
    )
    judged = time.perf_counter()
    decision = decide(state, Observed(at, (Pass(rules.name, rules.name, at, observations),)))
    state.apply(decision)
    decided = time.perf_counter()
    if decision.is_durable:
        store.commit([decision], at)
    return judged - began, decided - judged, time.perf_counter() - decided


if __name__ == "__main__":
    main()
