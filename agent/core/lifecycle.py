"""The life of an incident, as a table of phase × move.

        ┌────────────── relapse, reopen ───────────────┐
        ▼                                              │
    ┌──────┐ treat ┌──────────┐ recover           ┌──────────┐ close ┌────────┐
    │ new  ├──────▶│ treating ├──────────────────▶│ resolved ├──────▶│ closed │
    └┬──┬──┘       └┬────────┬┘ end               └──────────┘       └────────┘
     │  │   hold    │        │  (back to new:          ▲    ▲            │ reopen
     │  └───────▶ held       │   next rung?)           │    │            ▼ (back to new)
     │              │        ▼                         │    │
     └──────────────┴──▶ escalated ────────────────────┘    │
                    (a person has it)   recover, resolve    │
                                                  from new and held too

Acknowledging, noting and assigning change no phase. A move that is not in the table is refused and
changes nothing.
"""

from enum import StrEnum

from agent.errors import ParamedicError
from agent.model.incident import Phase


class Move(StrEnum):
    """What can happen to an incident."""

    TREAT = "treat"
    """A runbook starts."""
    END = "end"
    """The treatment ended and the fault is still there."""
    HOLD = "hold"
    """Treatment is wanted and refused for now."""
    ESCALATE = "escalate"
    """A person has it from here."""
    RECOVER = "recover"
    """Monitoring confirms that every symptom is gone."""
    RESOLVE = "resolve"
    """A person says it is solved."""
    CLOSE = "close"
    RELAPSE = "relapse"
    """A symptom of a resolved incident came back."""
    REOPEN = "reopen"
    """A person says it is not solved."""


class IllegalMove(ParamedicError):
    """The incident cannot make this move from where it is; nothing was changed."""


_WHILE_WAITING = {
    Move.TREAT: Phase.TREATING,
    Move.HOLD: Phase.HELD,
    Move.ESCALATE: Phase.ESCALATED,
    Move.RECOVER: Phase.RESOLVED,
    Move.RESOLVE: Phase.RESOLVED,
}

MOVES: dict[Phase, dict[Move, Phase]] = {
    Phase.NEW: _WHILE_WAITING,
    Phase.HELD: _WHILE_WAITING,
    Phase.TREATING: {
        Move.END: Phase.NEW,
        Move.RECOVER: Phase.RESOLVED,
        Move.ESCALATE: Phase.ESCALATED,
    },
    Phase.ESCALATED: {
        Move.TREAT: Phase.TREATING,  # only by hand: a person runs a runbook on it
        Move.ESCALATE: Phase.ESCALATED,
        Move.RECOVER: Phase.RESOLVED,
        Move.RESOLVE: Phase.RESOLVED,
    },
    Phase.RESOLVED: {Move.CLOSE: Phase.CLOSED, Move.RELAPSE: Phase.NEW, Move.REOPEN: Phase.NEW},
    Phase.CLOSED: {Move.REOPEN: Phase.NEW},
}

_TREATED = "it is being treated: wait for the verification, or take it over first (escalate)"
_RESOLVE_FIRST = "resolve it first; an incident closes only after recovery"
_SOLVED = "reopen it first if it is not solved"
_DONE_BEFORE = ((Move.RESOLVE, Phase.RESOLVED), (Move.CLOSE, Phase.CLOSED))


def _advice(phase: Phase, move: Move) -> str:
    match move:
        case Move.RESOLVE:
            return _TREATED if phase.is_open else ""
        case Move.ESCALATE | Move.TREAT:
            return "" if phase.is_open else _SOLVED
        case Move.CLOSE:
            return _RESOLVE_FIRST if phase.is_open else ""
        case _:
            return "it is still open" if move is Move.REOPEN else ""


def after(phase: Phase, move: Move) -> Phase:
    """The phase that follows. Raises IllegalMove."""
    following = MOVES[phase].get(move)
    if following is None:
        advice = _advice(phase, move)
        already = "already " if (move, phase) in _DONE_BEFORE else ""
        raise IllegalMove(f"cannot {move} an incident that is {already}{phase}" + (f": {advice}" if advice else ""))
    return following
