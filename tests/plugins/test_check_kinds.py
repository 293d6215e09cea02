"""What every built-in check kind keeps."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.model.command_result import CommandResult
from agent.model.observation import Verdict
from agent.plugin.api import CheckType, ProcessInfo
from agent.plugin.registry import CHECKS, kinds, load
from agent.testing import FakeCheckPorts, FakeShell, check_contract

PING = FakeShell({("localhost", "ping"): CommandResult(0, "OK | rta=1ms", "")})
SLEEPER = ProcessInfo(7, "sleep", ("sleep", "9"), "root", True, 1.5, 4096, started=100.0, seen=160.0)
SETTINGS: Mapping[str, tuple[Mapping[str, Any], FakeCheckPorts]] = {
    "command": ({"run": "ping"}, FakeCheckPorts(shell=PING)),
    "cpu": ({}, FakeCheckPorts()),
    "disk": ({"path": "all"}, FakeCheckPorts()),
    "http": ({"url": "http://127.0.0.1:9/"}, FakeCheckPorts()),
    "memory": ({}, FakeCheckPorts()),
    "process": ({"name": "sleep"}, FakeCheckPorts(snapshot=[SLEEPER])),
    "tcp": ({"port": 9}, FakeCheckPorts()),
}


def test_exactly_these_kinds_are_built_in() -> None:
    assert set(kinds(CHECKS)) >= {*SETTINGS, "prometheus"}


@pytest.mark.parametrize("kind", sorted(SETTINGS))
def test_keeps_the_contract(kind: str) -> None:
    check_type = load(CHECKS, kind, CheckType)
    settings, ports = SETTINGS[kind]
    assert check_type.kind == kind
    assert check_contract(check_type, settings, ports=ports)


def test_the_contract_catches_what_it_is_for() -> None:
    """A check type that breaks a promise fails, or the contract is worth nothing."""
    from agent.model.observation import Answer
    from checks.memory import Memory

    def broken(answer: Answer) -> type[CheckType]:
        class Broken(Memory):
            __doc__ = Memory.__doc__

            def ask(self, target: object, ports: object) -> list[Answer]:
                return [answer]

        return Broken

    for answer, complaint in [
        (Answer({"used": 101.0}), "outside"),
        (Answer({"user": 1.0}), "not among"),
        (Answer({"used": float("nan")}), "not a number"),
        (Answer(message="two\nlines"), "one short"),
        (Answer(verdict=Verdict.CRITICAL), "without a reason"),
        (Answer(host=""), "not a host"),
        (Answer(subject="memory"), "own_subjects"),
    ]:
        with pytest.raises(AssertionError, match=complaint):
            check_contract(broken(answer), {})
