"""What is no mistake in an emergency plan, but would be missed on the day it is needed."""

from collections.abc import Iterator
from datetime import date

from agent.model.plan import Call, Plan, PlanRole
from agent.model.settings import Settings


def plan_warnings(settings: Settings, today: date) -> Iterator[str]:
    """As sentences, plan after plan."""
    for name, plan in sorted(settings.plans.items()):
        for said in (*_of_plan(plan, today), *_of_people(plan, settings)):
            yield f"plan {name}: {said}"


def _of_plan(plan: Plan, today: date) -> Iterator[str]:
    if plan.review_due is not None and plan.review_due < today:
        yield f"was to be looked through by {plan.review_due}; do it, and write the next date as review_due"
    told = {call.tell for call in _each(plan.notification)}
    if not told:
        yield "has no notification, so nobody is told when it starts"
    elif PlanRole.COMMANDER not in told:
        yield "its notification never calls the commander"
    if not plan.fallback:
        yield "has no fallback, which says what people do when the agent must give up"


def _of_people(plan: Plan, settings: Settings) -> Iterator[str]:
    """Whom no message reaches."""
    named = {name for whom in plan.roles.values() for name in whom}
    named |= {call.tell for call in _each(plan.notification) if ":" in call.tell}
    people = {name.removeprefix("person:") for name in named if not name.startswith("team:")}
    for name in named:
        team = settings.teams.get(name.removeprefix("team:")) if name.startswith("team:") else None
        people |= set(team.members if team else ())
    mute = sorted(name for name in people if name not in settings.people or not settings.people[name].notify)
    if mute:
        yield f"no message reaches {', '.join(mute)}: write notify: under people, or somebody must call them"


def _each(calls: tuple[Call, ...]) -> Iterator[Call]:
    for call in calls:
        yield call
        yield from _each(call.then)
