"""What a starting agent makes of the record it left."""

import logging

from agent.config.configuration import Configuration
from agent.config.problem import ConfigProblems
from agent.config.runbook import parse_runbook
from agent.core.state import State
from agent.model.runbook import Runbook
from agent.runtime.store import Saved, Store

log = logging.getLogger("paramedic")


_LOOKED_AT = 1000
"""Of the latest entries, whose chain is checked at every start: that takes some hundredths of a second."""


def look_at_the_latest(store: Store) -> None:
    """A record that was altered is no reason to help nobody, but one to be told of."""
    found = store.verify(last=_LOOKED_AT)
    if not found.ok:
        log.critical("the record is not as it was written: %s; `paramedic records verify` says more", found.text)


def latest(store: Store) -> float:
    """Time of the latest entry on record, 0 when there is none."""
    seq, _ = store.head()
    return max((record.entry.at for record in store.timeline(after_seq=seq - 1)), default=0.0)


def state_of(saved: Saved, configuration: Configuration) -> State:
    return State(
        settings=configuration.settings,
        health=dict(saved.health),
        incidents=dict(saved.incidents),
        executions={id: execution for id, execution in saved.executions.items() if execution.is_running},
        treatments=saved.treatments,
        freeze=saved.freeze,
        counters=dict(saved.counters),
        library=_library(saved),
        activations=dict(saved.activations),
        watches=dict(saved.watches),
        exercises=dict(saved.exercises),
    )


def awaited(state: State) -> set[str]:
    """Ids of the steps that an execution waits for."""
    executions = list(state.executions.values())
    return {run.pending for execution in executions for run in execution.runs if run.pending is not None}


def _library(saved: Saved) -> dict[str, Runbook]:
    """The runbook texts that incidents started with, as they were written then."""
    signers = _signers(saved)
    library: dict[str, Runbook] = {}
    for digest, text in saved.runbooks.items():
        try:
            runbook = parse_runbook(text, f"runbook {digest[:12]} as kept in the record", signers.get(digest, ""))
        except ConfigProblems as problems:
            log.error("an incident started with a runbook that can no longer be read: %s", problems)
            continue
        if runbook.digest == digest:
            library[digest] = runbook
        else:
            log.error("the text of runbook %s was changed in the record: it is not used", digest[:12])
    return library


def _signers(saved: Saved) -> dict[str, str]:
    """By digest: who had signed the text when it was loaded."""
    signers = {
        rung.digest: rung.signed_by
        for incident in saved.incidents.values()
        for _check, rungs in incident.ladders
        for rung in rungs
    }
    actions = [action for activation in saved.activations.values() for action in activation.actions]
    signers |= {action.digest: action.signed_by for action in actions}
    return signers | {execution.digest: execution.signed_by for execution in saved.executions.values()}
