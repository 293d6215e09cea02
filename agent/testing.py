"""For authors of plugins: ports with given answers, and the contract that every check type keeps.

def test_my_check() -> None:
    shell = FakeShell({("web1", "uptime"): CommandResult(0, "up", "")})
    check_contract(MyCheck, {"path": "/"}, ports=FakeCheckPorts(shell=shell))
"""

import inspect
import math
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from agent.config.yaml import read_document
from agent.errors import ParamedicError, UnknownSecret
from agent.model.check import CheckRules
from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.model.text import one_line
from agent.model.threshold import Reading, parse_threshold
from agent.plugin.api import CheckType, ProcessInfo, Shell

LOCAL = Host(name="localhost", connection="local")
"""The machine itself, as a check's target."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One call of `FakeShell.run`."""

    host: str
    command: str
    timeout: float
    sudo: bool
    stdin: bytes | None


class FakeShell:
    """Answers commands from a table and keeps what was run in `ran`.

    Keys are (host name, command); a value is the result, an error to raise (HostUnreachable, …), or a
    sequence of these, one for each time, the last one for good. A command that is not in the table
    fails the test.
    """

    def __init__(
        self,
        answers: Mapping[
            tuple[str, str], CommandResult | ParamedicError | Sequence[CommandResult | ParamedicError]
        ] = {},
    ) -> None:
        self._answers = {
            key: [given] if isinstance(given, CommandResult | ParamedicError) else list(given)
            for key, given in answers.items()
        }
        self.ran: list[Ran] = []

    def run(
        self,
        host: Host,
        command: str,
        *,
        timeout: float,
        sudo: bool = False,
        stdin: bytes | None = None,
        output_limit: int | None = None,
    ) -> CommandResult:
        """As `agent.plugin.api.Shell.run`."""
        self.ran.append(Ran(host.name, command, timeout, sudo, stdin))
        given = self._answers.get((host.name, command))
        if not given:
            raise AssertionError(f"nobody said what {command!r} answers on {host.name}")
        answer = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(answer, ParamedicError):
            raise answer
        return answer


@dataclass
class FakeCheckPorts:
    """`agent.plugin.api.CheckPorts` with given answers; change `snapshot` between two askings as you like."""

    shell: Shell = field(default_factory=FakeShell)
    timeout: float = 10.0
    snapshot: Sequence[ProcessInfo] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)

    def processes(self) -> Sequence[ProcessInfo]:
        return self.snapshot

    def neighbour(self, name: str) -> AbstractContextManager[None]:
        """It is asked, whatever happened before."""
        return nullcontext()

    def secret(self, name: str) -> str:
        """Raises UnknownSecret."""
        if name not in self.secrets:
            raise UnknownSecret(f"there is no secret {name}")
        return self.secrets[name]


def check_contract(
    check_type: type[CheckType],
    settings: Mapping[str, Any],
    *,
    target: Host = LOCAL,
    ports: FakeCheckPorts | None = None,
) -> Sequence[Answer]:
    """Ask twice with these settings and assert all that the agent relies on; the second answers.

    The class: documented, with an example that can be read; every field described; no key that every
    check has already. The answers: readings as declared and within their bounds, messages one short
    line, subjects different from each other.
    """
    _described(check_type)
    check = check_type.model_validate(dict(settings))
    ports = ports or FakeCheckPorts()
    for answers in (check.ask(target, ports), last := check.ask(target, ports)):
        subjects = [answer.subject for answer in answers]
        assert len(set(subjects)) == len(subjects), f"two answers about one subject: {sorted(subjects)}"
        for answer in answers:
            _sound(check_type, answer)
    return last


def example_of(kind: type[CheckType]) -> Mapping[str, Mapping[str, Any]]:
    """The checks under `Example:` in the class's docstring, by name. Raises AssertionError when there is none."""
    _, found, example = (inspect.getdoc(kind) or "").rpartition("Example:\n")
    assert found, f"{kind.__name__}: the docstring ends with no example"
    document = read_document(textwrap.dedent(example), f"example of {kind.__name__}")
    assert not document.problems, "; ".join(str(problem) for problem in document.problems)
    assert isinstance(document.data, dict), f"{kind.__name__}: the example is no mapping of checks"
    return document.data


def _described(kind: type[CheckType]) -> None:
    common = CheckRules.model_fields.keys() - {"name"}
    assert not common & kind.model_fields.keys(), f"keys of every check: {common & kind.model_fields.keys()}"
    for name, about in kind.model_fields.items():
        assert about.description, f"{kind.__name__}.{name} has no description"
    assert kind.model_config.get("frozen"), "settings must not change"
    assert kind.model_config.get("extra") == "forbid", "an unknown key must be an error"
    for name, example in example_of(kind).items():
        assert example["kind"] == kind.kind, f"the example {name} is of another kind"
        kind.model_validate({key: value for key, value in example.items() if key not in common})
        for severity in ("warning", "critical", "recover"):
            if severity in example:
                _speaks_of(example[severity], kind.readings)
    if kind.default_critical is not None:
        _speaks_of(kind.default_critical, kind.readings)


def _speaks_of(threshold: str, readings: Mapping[str, Reading] | None) -> None:
    for comparison in parse_threshold(threshold).comparisons:
        assert readings is None or comparison.reading in readings, f"{threshold}: there is no such reading"


def _sound(kind: type[CheckType], answer: Answer) -> None:
    assert answer.message == one_line(answer.message), f"not one short, printable line: {answer.message!r}"
    assert answer.subject == one_line(answer.subject), f"not a printable name: {answer.subject!r}"
    assert kind.own_subjects or not answer.subject, f"{answer.subject!r}: subjects of its own need `own_subjects`"
    assert answer.host is None or answer.host == one_line(answer.host).strip() != "", f"not a host: {answer.host!r}"
    if answer.verdict is not Verdict.OK:
        assert answer.message, f"{answer.verdict.name} without a reason"
    for name, value in answer.readings.items():
        assert not math.isnan(value), f"{name} is not a number: leave it out"
        if kind.readings is not None:
            assert name in kind.readings, f"{name} is not among the declared readings"
            bounds = kind.readings[name]
            assert bounds.low <= value <= bounds.high, f"{name} = {value} is outside {bounds.low}..{bounds.high}"
