"""Where the agent meets the world. A drill runs the same parts, with fenced ones in these places."""

from collections.abc import Callable
from dataclasses import dataclass

from agent.model.runbook import Action
from agent.plugin.api import Secrets, Shell
from agent.runtime.committing import Record
from agent.runtime.interview import Interviewer
from agent.runtime.messages.courier import Courier
from agent.runtime.neighbours import Neighbours
from agent.runtime.performer import installed
from agent.runtime.redaction import Redactor
from agent.runtime.store import Store


def _real(shell: Shell) -> Shell:
    return shell


def _courier(courier: Courier) -> Courier:
    return courier


def _record(store: Store) -> Record:
    return store


@dataclass(frozen=True, slots=True)
class Outside:
    """What is made of the real ones: of the shell that steps are given, of that for checks, and of the record that
    decisions are committed to. `interviewer`: asks checks. `step_kind`: the class of a kind of step.
    """

    step_shell: Callable[[Shell], Shell] = _real
    check_shell: Callable[[Shell], Shell] = _real
    interviewer: Callable[[Shell, Secrets, Redactor, Neighbours], Interviewer] = Interviewer
    step_kind: Callable[[str], type[Action]] = installed
    courier: Callable[[Courier], Courier] = _courier
    record: Callable[[Store], Record] = _record


REAL = Outside()
"""As it is."""
