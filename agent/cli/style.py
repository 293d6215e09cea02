"""Colours and signs, the same everywhere. Colour only adds to what the words say."""

PRIORITY = {"P1": "bold white on red", "P2": "bold red", "P3": "yellow", "P4": "cyan", "P5": "dim"}
PHASE = {
    "new": "bold",
    "treating": "cyan",
    "held": "yellow",
    "escalated": "magenta",
    "resolved": "green",
    "closed": "dim",
}
VERDICT = {"OK": "green", "WARNING": "yellow", "CRITICAL": "red", "UNKNOWN": "magenta"}
OUTCOME = {
    "recovered": "green",
    "done": "green",
    "not recovered": "red",
    "failed": "red",
    "undecidable": "magenta",
    "outcome unknown": "magenta",
    "refused": "yellow",
    "stopped": "yellow",
    "declined": "yellow",
}
STEP = {
    "ok": ("✓", "green"),
    "failed": ("✗", "red"),
    "timed out": ("✗", "red"),
    "unreachable": ("✗", "red"),
    "skipped": ("–", "dim"),
    "refused": ("⊘", "yellow"),
    "outcome unknown": ("?", "magenta"),
}
"""By `agent.model.execution.StepStatus`."""

ENTRY = {
    "noticed": ("▲", "red"),
    "opened": ("●", "bold"),
    "classified": ("●", "bold"),
    "assigned": ("●", "bold"),
    "joined": ("▲", "yellow"),
    "cause": ("●", "bold"),
    "acknowledged": ("✓", "cyan"),
    "note": ("✎", "cyan"),
    "treatment": ("▶", "cyan"),
    "refused": ("⊘", "yellow"),
    "approval": ("?", "magenta"),
    "verification": ("?", "magenta"),
    "rollback": ("↩", "yellow"),
    "escalated": ("↑", "magenta"),
    "recovered": ("✓", "green"),
    "resolved": ("✓", "bold green"),
    "reopened": ("▲", "red"),
    "closed": ("■", "dim"),
    "flapping": ("≈", "yellow"),
    "ticket": ("#", "dim"),
    "freeze": ("⊘", "cyan"),
    "plan": ("■", "bold red"),
    "message": ("✉", "dim"),
    "exercise": ("■", "yellow"),
}
"""By `agent.model.timeline.EntryKind`."""

OTHER = ("·", "dim")
LABEL = "dim"


def verified(outcome: object) -> tuple[str, str]:
    """How a verification or a treatment came out."""
    good = str(outcome) in ("recovered", "done")
    return ("✓" if good else "✗" if str(outcome) in ("not recovered", "failed") else "?"), OUTCOME.get(str(outcome), "")
