"""`check`: go on only when a check says OK."""

from pydantic import Field

from agent.model.authored import Name
from agent.model.quantities import Duration
from agent.model.runbook import Action, AskCheck, Demand


class CheckStep(Action):
    """Ask a check on this host until it is OK, or fail."""

    kind = "check"
    primary = "name"

    name: Name = Field(description="The check to ask.")
    within: Duration = Field(30.0, gt=0, description="How long it may take to become OK.")

    def demand(self) -> Demand:
        return AskCheck(self.name, self.within)
