"""Drills that ask the running agent for leave."""

from agent.core.draft import Draft
from agent.model import events
from agent.model.decision import Reply


def act(draft: Draft, actor: str, what: events.BeginExercise | events.EndExercise) -> Reply:
    """Do what a drill asks, or say why not."""
    return Reply(False, f"{what.exercise} has no leave")
