"""`approve`: nothing further happens on the host until a person says yes."""

from typing import Literal

from pydantic import Field

from agent.model.authored import Name
from agent.model.quantities import Duration
from agent.model.runbook import Action, AskPerson, Demand


class Approve(Action):
    """Wait for a person's yes (`paramedic approve`)."""

    kind = "approve"
    primary = "question"

    question: str = Field(min_length=1, description="What is asked, as a sentence.")
    team: Name | None = Field(None, description="Who is asked; default: whoever the incident is assigned to.")
    within: Duration = Field(900.0, gt=0, description="How long to wait.")
    otherwise: Literal["abort", "continue", "escalate"] = Field(
        "escalate", description="What happens when nobody answers in time."
    )

    def demand(self) -> Demand:
        return AskPerson(self.question, self.team, self.within, self.otherwise)
