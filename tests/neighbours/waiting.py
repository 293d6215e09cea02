"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

from collections.abc import Callable
from typing import TypeVar

from agent.demo import waiting

T = TypeVar("T")


def until(condition: Callable[[], T], *, within: float, what: str) -> T:
    """The first truthy answer; AssertionError naming `what` and the last answer after `within` s."""
    return waiting.until(condition, within=within, what=what, failure=AssertionError)
