"""`wait`: give the service time."""

from pydantic import Field

from agent.model.quantities import Duration
from agent.model.runbook import Action, Demand, Pause


class Wait(Action):
    """Wait for a while before the next step."""

    kind = "wait"
    primary = "duration"

    duration: Duration = Field(gt=0, description="How long.")

    def demand(self) -> Demand:
        return Pause(self.duration)
