"""What people may tell an emergency plan."""

from agent.core.draft import Draft
from agent.model import events
from agent.model.decision import Reply

PlanAct = events.ActivatePlan | events.AcknowledgeCall | events.TickAction | events.EndEmergency | events.CloseReview


def act(draft: Draft, actor: str, what: PlanAct) -> Reply:
    """Do what a person asks, or say why not."""
    if isinstance(what, events.ActivatePlan):
        return Reply(False, f"there is no plan {what.plan!r}")
    return Reply(False, f"there is no {what.activation}")
