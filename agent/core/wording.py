"""What is ill, in words. A sentence about very many names a few of them."""

from collections.abc import Sequence

from agent.model.incident import Symptom

_SAID = 3


def saying(symptom: Symptom) -> str:
    state = "cannot be asked" if symptom.blind else f"is {symptom.status.name}"
    return f"{symptom.key} {state}{after_colon(symptom.message)}"


def say_all(symptoms: Sequence[Symptom]) -> str:
    return few([saying(symptom) for symptom in symptoms])


def few(sayings: Sequence[str]) -> str:
    more = f"; and {len(sayings) - _SAID} more" if len(sayings) > _SAID else ""
    return "; ".join(sayings[:_SAID]) + more


def after_colon(message: str) -> str:
    return f": {message}" if message else ""


def title(symptom: Symptom, at_once: int) -> str:
    """Of the incident that this symptom opens, with so many others at the same time."""
    line = f"{at_once} at once: {saying(symptom)}" if at_once > 1 else saying(symptom)
    return line if len(line) <= 120 else line[:117] + "..."
