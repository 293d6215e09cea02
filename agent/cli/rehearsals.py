"""`runbook test`: tests of runbooks, without any host."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.cli import style
from agent.cli.terminal import safe, safe_lines
from agent.config.problem import ConfigProblems, Problem
from agent.config.rehearsal import Result, find_tests, rehearse
from agent.runtime.control.plain import plain


@dataclass(slots=True)
class Outcome:
    """`problems`: of test files and runbooks that could not be read; their tests were not run."""

    files: int = 0
    results: list[Result] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(1 for result in self.results if not result.passed)

    @property
    def is_good(self) -> bool:
        """No tests at all are no proof."""
        return bool(self.results) and not self.failed and not self.problems


def rehearse_all(places: Sequence[Path], folders: Sequence[Path]) -> Outcome:
    """Every test in files and folders. `folders`: where runbooks are looked for first."""
    outcome = Outcome()
    for file in find_tests(places):
        outcome.files += 1
        try:
            outcome.results += rehearse(file, folders)
        except ConfigProblems as found:
            outcome.problems += found.problems
    return outcome


def outcome_as_json(outcome: Outcome) -> dict[str, object]:
    results = [
        {
            "file": result.file,
            "line": result.line,
            "runbook": result.runbook,
            "name": result.name,
            "passed": result.passed,
            "differences": list(result.differences),
            "outcome": result.rehearsed.outcome,
            "steps": list(result.rehearsed.steps),
            "commands": list(result.rehearsed.commands),
        }
        for result in outcome.results
    ]
    return {"ok": outcome.is_good, "results": results, "problems": plain(outcome.problems)}


def print_outcome(console: Console, outcome: Outcome, *, stories: bool) -> None:
    """`stories`: also what happened in each test, as the timeline would tell it."""
    for result in outcome.results:
        sign, colour = ("✓", "green") if result.passed else ("✗", "red")
        text = Text(f"{sign} ", colour).append(safe(f"{result.runbook}: {result.name}"), "default")
        if not result.passed:
            text.append(safe(f"  {result.file}:{result.line}"), style.LABEL)
        console.print(text, soft_wrap=True)
        for difference in result.differences:
            for line in safe_lines(difference):
                console.print(Text(f"    {line}", "red"), soft_wrap=True)
        if stories:
            for entry in result.rehearsed.entries:
                console.print(Text(f"    {safe(entry.text)}", style.LABEL), soft_wrap=True)
    if outcome.problems:
        from agent.cli.config_summary import say_problems

        say_problems(outcome.problems)
    if not outcome.files:
        console.print(Text("no tests were found: a test file is called NAME.test.yaml", "yellow"))
        return
    passed = len(outcome.results) - outcome.failed
    said = f"{passed} passed" + (f", {outcome.failed} failed" if outcome.failed else "")
    console.print(Text(said, "bold green" if outcome.is_good else "bold red"))
