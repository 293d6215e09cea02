"""A tabletop: people are told what would happen, and asked what they would do. Nothing is carried out."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from agent.core.preview import preview
from agent.drill.judging import judge
from agent.drill.record import marked
from agent.model.drill import Drill, Question
from agent.model.drill_result import DrillResult, Evidence
from agent.model.inventory import Host
from agent.model.plan import Call, Plan, PlanAction
from agent.model.quantities import say_duration
from agent.model.runbook import Runbook
from agent.model.settings import Settings
from agent.model.text import some
from agent.model.timeline import AGENT, Entry, EntryKind

Answer = tuple[str, bool]
"""What was said, and whether those at the table found it good."""


def would_happen(drill: Drill, settings: Settings) -> Iterator[str]:
    """Line by line, what the plan or the runbook under exercise would do, as it is written now."""
    plan = settings.plans.get(drill.plan or "")
    if plan is not None:
        yield from _of_plan(plan, settings)
    runbook = settings.runbooks.get(drill.runbook or "")
    if runbook is not None:
        hosts = [settings.hosts[name] for name in drill.hosts.names] or [Host(name="<the host that is ill>")]
        yield f"Runbook {runbook.name}: {runbook.description}"
        yield from _of_runbook(runbook, hosts, {})
        ladder = [check for check in settings.checks.values() if runbook.name in check.runbooks]
        for check in ladder:
            yield f"Check {check.name} calls for {', then '.join(check.runbooks)}, then for a person."


def _of_plan(plan: Plan, settings: Settings) -> Iterator[str]:
    yield f"Emergency plan {plan.name}, version {plan.version}: {plan.title}"
    yield f"It is in charge of {some(plan.hosts) or 'no host'}."
    for level, rules in plan.levels.items():
        by_hand = "" if rules.each else " (only when a person declares it)"
        yield f"Level {level}: {rules.title or 'no title'}{by_hand}"
    for role, whom in plan.roles.items():
        yield f"As {role.said}: {', then '.join(whom)}."
    yield from _of_calls(plan.notification)
    for phase, actions in plan.phases.items():
        yield f"Phase {phase}:"
        for action in actions:
            yield from _of_action(action, plan, settings)
    confirmed = f", confirmed by the {plan.stand_down.confirmed_by.said}" if plan.stand_down.confirmed_by else ""
    yield f"It is over when all has been well for {say_duration(plan.stand_down.hold)}{confirmed}."
    if plan.fallback:
        yield f"If the agent cannot go on: {plan.fallback}"


def _of_calls(calls: Sequence[Call]) -> Iterator[str]:
    for call in calls:
        within = f", to acknowledge within {say_duration(call.within)}" if call.within is not None else ""
        yield f"Called: {call.tell.replace('_', ' ')}{within}."
        yield from _of_calls(call.then)


def _of_action(action: PlanAction, plan: Plan, settings: Settings) -> Iterator[str]:
    approve = f", after a yes of the {action.approve.said}" if action.approve else ""
    yield f"  {action.name} ({action.by.said}, at most {say_duration(action.timeout)}{approve})"
    if action.do:
        yield f"    by hand: {action.do}"
    runbook = action.inline or settings.runbooks.get(action.runbook or "")
    if runbook is not None:
        names = settings.hosts_of(action.hosts or "") or plan.hosts
        hosts = [settings.hosts[name] for name in names if name in settings.hosts]
        yield from (f"  {line}" for line in _of_runbook(runbook, hosts[:1], action.vars))


def _of_runbook(runbook: Runbook, hosts: Sequence[Host], variables: Mapping[str, object]) -> Iterator[str]:
    for step in preview(runbook, hosts, variables):
        notes = f" ({'; '.join(step.notes)})" if step.notes else ""
        yield f"  {step.host}, {step.section}: {step.name}: {step.command}{notes}"


def conduct(
    drill: Drill, id: str, actor: str, now: Callable[[], float], ask: Callable[[Question], Answer]
) -> DrillResult:
    """Ask every question; `ask` gives what was said. `now` gives seconds since the epoch."""
    began = now()
    entries = [_noted(began, f"tabletop {drill.name} begins: {drill.title}", AGENT)]
    answers: dict[str, Answer] = {}
    for question in drill.ask:
        said, good = answers[question.ask] = ask(question)
        verdict = "found good" if good else "not found good"
        by = f" ({question.by.said})" if question.by else ""
        entries.append(_noted(now(), f"{question.ask}{by} {said or 'no answer'}; {verdict}", actor))
    ended = now()
    return DrillResult(
        id=id,
        drill=drill.name,
        title=drill.title,
        form=drill.form,
        digest=drill.digest,
        actor=actor,
        started_at=began,
        ended_at=ended,
        judged=judge(drill, Evidence(ended, began, answers=answers)),
        objectives=drill.objectives,
        scenario=drill.scenario,
        rolled_back=True,
        entries=tuple(entries),
    )


def _noted(at: float, text: str, actor: str) -> Entry:
    return Entry(at, "agent", EntryKind.EXERCISE, marked(text), actor)
