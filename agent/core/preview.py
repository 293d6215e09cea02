"""The dry run: what a runbook would do, step by step, without doing any of it.

What an earlier step would answer is not known, so it stands as `<steps.NAME.stdout>` where it would be used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.core import templates
from agent.core.secret_token import substitute_secrets
from agent.core.variables import given_values, variables_for
from agent.errors import ParamedicError
from agent.model.incident import Incident
from agent.model.inventory import Host
from agent.model.quantities import say_duration
from agent.model.runbook import Action, AskCheck, AskPerson, Pause, Runbook, Step

_INCIDENT = ("id", "title", "priority", "category", "service", "hosts")
_RESULT = ("stdout", "stderr", "status", "ok")


@dataclass(frozen=True, slots=True)
class PreviewedStep:
    """One row of the dry run. `batch` counts from 1; `section` is evidence, steps, rollback or verify.

    `command` is what would be carried out, templates filled in; `notes` are conditions on that.
    """

    host: str
    batch: int
    section: str
    name: str
    kind: str
    command: str
    notes: tuple[str, ...] = ()


def preview(
    runbook: Runbook,
    hosts: Sequence[Host],
    variables: Mapping[str, object],
    incident: Incident | None = None,
) -> list[PreviewedStep]:
    """Every step on every host, in the order of batches. A variable without value stands as `<vars.NAME>`.

    Raises ValueError for a variable that the runbook does not have, and for a value it does not take.
    """
    values, missing = variables_for(runbook, given_values(runbook, variables))
    values |= {name: f"<vars.{name}>" for name in missing}
    size = runbook.batch_size(len(hosts))
    rows: list[PreviewedStep] = []
    for number, host in enumerate(hosts):
        rows += _on_host(runbook, host, number // size + 1, values, incident)
    return rows


def _on_host(
    runbook: Runbook, host: Host, batch: int, variables: Mapping[str, object], incident: Incident | None
) -> list[PreviewedStep]:
    registered: list[str] = []
    rows: list[PreviewedStep] = []
    for section, steps in (("evidence", runbook.evidence), ("steps", runbook.steps), ("rollback", runbook.rollback)):
        for step in steps:
            values = _values(incident, host, variables, registered)
            command, notes = _told(step, values, incident, registered, tuple(variables))
            rows.append(PreviewedStep(host.name, batch, section, step.name, step.action.kind, command, notes))
            if step.register_as:
                registered.append(step.register_as)
    verify = runbook.verify
    what = ", ".join(verify.checks) or "the checks that opened the incident"
    stable = f", well for {say_duration(verify.stable_for)}" if verify.stable_for else ""
    said = f"ask {what} for up to {say_duration(verify.within)}{stable}"
    otherwise = ("if it is not well: the rollback, then ask again",) if runbook.rollback else ()
    verification = PreviewedStep(host.name, batch, "verify", "verification", "check", said, otherwise)
    rollback = [row for row in rows if row.section == "rollback"]
    return [row for row in rows if row.section != "rollback"] + [verification] + rollback


def _values(
    incident: Incident | None, host: Host, variables: Mapping[str, object], registered: Sequence[str]
) -> dict[str, object]:
    results = {name: {part: f"<steps.{name}.{part}>" for part in _RESULT} for name in registered}
    return {**results, **templates.step_values(incident, host, variables, {}), "steps": results}


def _told(
    step: Step,
    values: dict[str, object],
    incident: Incident | None,
    registered: Sequence[str],
    variables: Sequence[str],
) -> tuple[str, tuple[str, ...]]:
    condition = _condition(step, values, incident, variables)
    if incident is None:
        values = values | {"incident": {name: f"<incident.{name}>" for name in _INCIDENT}}
    try:
        action = templates.rendered(step.action, values)
    except ParamedicError as error:
        why = "it needs what earlier steps answer" if registered else str(error)
        return _said(step.action), (*condition, *_notes(step, step.action), f"shown as written: {why}")
    return _said(action), (*condition, *_notes(step, action))


def _condition(
    step: Step, values: Mapping[str, object], incident: Incident | None, variables: Sequence[str]
) -> tuple[str, ...]:
    if step.when is None:
        return ()
    unknown = templates.expression_problems(step.when, templates.step_names(variables, ()))
    if unknown or (incident is None and "incident" in step.when):
        return (f"only if {step.when}",)  # it speaks of results that are not there yet
    try:
        applies = templates.evaluate(step.when, values)
    except ParamedicError as error:
        return (str(error),)
    return () if applies else (f"skipped, because this is not so: {step.when}",)


def _said(action: Action) -> str:
    main = str(getattr(action, action.primary))
    match action.demand():
        case Pause(seconds):
            return f"wait {say_duration(seconds)}"
        case AskCheck(check, within):
            return f"ask {check} until it is OK, for up to {say_duration(within)}"
        case AskPerson(question):
            return question
    others = action.model_dump(mode="json", exclude_unset=True, exclude={action.primary})
    more = "".join(f", {key}: {value}" for key, value in others.items()) if not action.shell else ""
    return substitute_secrets(main + more, lambda name: f"<secret {name}>", shell=False)


def _notes(step: Step, action: Action) -> tuple[str, ...]:
    notes: list[str] = []
    demand = action.demand()
    if isinstance(demand, AskPerson):
        whom = f" by {demand.team}" if demand.team else ""
        notes.append(
            f"waits up to {say_duration(demand.within)} for approval{whom}; if nobody comes: {demand.otherwise}"
        )
    if step.on == "local":
        notes.append("on the agent's machine")
    if step.sudo:
        notes.append("with sudo")
    if step.retry.attempts > 1:
        notes.append(f"tried up to {step.retry.attempts} times")
    if step.on_failure == "continue" and not step.evidence and not isinstance(demand, AskPerson):
        notes.append("goes on if it fails")
    return tuple(notes)
