"""What cannot run here: skipped, but named loudly at the end; in CI it is an error.

A test that is quietly skipped looks like a test that passed.
"""

import os
from collections.abc import Iterable

import pytest

MARK = "NOT RUN HERE: "


def require(neighbour: str, why_not: str | None, remedy: str) -> None:
    """Go on if `why_not` is None; else skip the test that asked, or fail it where CI is set."""
    if why_not is None:
        return
    sentence = f"{MARK}{neighbour}, because {why_not}; to run it: {remedy}"
    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        pytest.fail(sentence)
    pytest.skip(sentence)


def not_run(skipped: Iterable[pytest.TestReport]) -> dict[str, int]:
    """Sentence -> number of tests it kept from running."""
    counted: dict[str, int] = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if MARK in reason:
            sentence = reason[reason.index(MARK) :]
            counted[sentence] = counted.get(sentence, 0) + 1
    return counted
