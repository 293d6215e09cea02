"""What people say, before anything is made of it: on the record no secret may stand that somebody has typed."""

from dataclasses import fields, replace
from typing import Any

from agent.model.decision import Reply
from agent.model.events import Act, RunByHand
from agent.runtime.redaction import Redactor

_NAMES = frozenset({"incident", "about", "runbook", "hosts", "service", "variables", "plan", "activation", "whom"})
"""Fields that say what is meant: they are looked up, and recorded only if there is such a thing."""


def fit_for_the_record(act: Act, redactor: Redactor) -> Act:
    """The act with secrets hidden in all that is free text."""
    hidden: dict[str, Any] = {}
    for field in fields(act):
        said = getattr(act, field.name)
        if field.name not in _NAMES and type(said) is str:  # not an enumeration's word
            hidden[field.name] = redactor.redact(said)
    return replace(act, **hidden)


def refuse_secrets(act: Act, redactor: Redactor) -> Reply | None:
    """Why a runbook is not run with these variables: their values are kept with the commands they become part of."""
    if not isinstance(act, RunByHand):
        return None
    for name, value in act.variables.items():
        written = f"{name}={value}"
        if redactor.redact(written) != written:
            return Reply(
                False,
                f"the variable {redactor.redact(name)} holds a secret, or what looks like one, and would be on the "
                "record: let the runbook refer to it by secret('NAME')",
            )
    return None
