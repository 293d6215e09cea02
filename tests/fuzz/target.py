"""A parser, what it is fed with, and what must hold: hypothesis and atheris drive the same targets."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

Feed = Callable[[Any], None]
"""Raises whatever is a defect, an AssertionError or what escaped."""

PATIENCE = 5.0
"""Seconds of processor time for one input: what is sound takes milliseconds."""


@dataclass(frozen=True)
class Target:
    """`opened`: sets up what the parser needs and answers how to feed it. `examples`: so many in the tests."""

    name: str
    inputs: SearchStrategy[Any]
    opened: Callable[[], AbstractContextManager[Feed]]
    examples: int = 300


def pure(name: str, inputs: SearchStrategy[Any], feed: Feed, examples: int = 300) -> Target:
    """One that needs nothing else."""
    return Target(name, inputs, lambda: nullcontext(feed), examples)


def fuzzing(target: Target, feed: Feed) -> Any:
    """A hypothesis test of the target: call it, or give bytes to its `hypothesis.fuzz_one_input`."""

    def whatever_comes(value: Any) -> None:
        began = time.thread_time()
        feed(value)
        assert time.thread_time() - began < PATIENCE, "takes for ever"

    whatever_comes.__name__ = f"whatever_comes_to_{target.name}"  # hypothesis keeps examples by it
    effort = settings(
        max_examples=target.examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=set(Phase) - {Phase.explain},
    )
    return effort(given(target.inputs)(whatever_comes))
