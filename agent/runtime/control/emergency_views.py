"""Emergency plans as people are shown them, from the configuration and from what is at work."""

from collections.abc import Iterator, Mapping
from datetime import date

from agent.core.emergency.messages import called, in_role, people_in
from agent.model.activation import ActionRun, ActionState, Activation, CallRun, CallState, Stage
from agent.model.emergency_views import (
    ActionView,
    CallView,
    EmergencyView,
    LevelView,
    PlanView,
    ResourceView,
    WaitView,
)
from agent.model.health import Health, Key, Window
from agent.model.observation import Verdict
from agent.model.plan import Call, Condition, Plan, PlanAction, PlanRole, Resource
from agent.model.quantities import say_duration
from agent.model.settings import Settings


def plan_view(plan: Plan, settings: Settings, today: date, active: tuple[str, ...] = ()) -> PlanView:
    return PlanView(
        name=plan.name,
        title=plan.title,
        version=plan.version,
        digest=plan.digest,
        owner=plan.owner,
        approved_by=plan.approved_by,
        review_due=plan.review_due.isoformat() if plan.review_due else None,
        overdue=plan.review_due is not None and plan.review_due < today,
        services=plan.scope.services,
        hosts=plan.hosts,
        roles={role.said: _all_called(whom, settings) for role, whom in plan.roles.items()},
        levels=tuple(
            LevelView(level.value, rules.title, tuple(map(say, rules.any)), tuple(map(say, rules.all)))
            for level, rules in plan.levels.items()
        ),
        calls=tuple(_calls(plan, plan.notification, settings, 0)),
        actions=tuple(_actions(plan, settings)),
        report_every=plan.report_every,
        stand_down=tuple(_stand_down(plan)),
        targets={name: seconds for name, seconds in plan.targets if seconds is not None},
        resources=plan.resources,
        fallback=plan.fallback,
        active=active,
    )


def say(condition: Condition) -> str:
    """The condition as a sentence."""
    lasting = f", for {say_duration(condition.hold)}" if condition.hold else ""
    within = f"within {say_duration(condition.within)}"
    match condition.kind:
        case "unresolved":
            said = f"an incident of {condition.unresolved} or graver is unresolved"
        case "incidents":
            said = f"{condition.incidents} incidents of {condition.priority} or graver {within}"
        case "treatments_failed":
            said = f"{condition.treatments_failed} treatments failed or did not help {within}"
        case "check_critical":
            said = f"check {condition.check_critical} is critical"
        case _:
            of = (condition.of or "the scope").replace(":", " ")
            said = f"{condition.hosts_healthy} of the hosts of {of} are healthy"
    return said + lasting


def _stand_down(plan: Plan) -> Iterator[str]:
    yield f"no level's conditions hold and everything in scope is well, for {say_duration(plan.stand_down.hold)}"
    if plan.stand_down.any:
        yield " or ".join(map(say, plan.stand_down.any))
    yield from map(say, plan.stand_down.all)
    if plan.stand_down.confirmed_by:
        yield f"{plan.stand_down.confirmed_by.said} confirms it"


def _all_called(whom: tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    return tuple(called(person, settings) for person in people_in(whom, settings))


def _calls(plan: Plan, calls: tuple[Call, ...], settings: Settings, depth: int) -> Iterator[CallView]:
    for call in calls:
        is_role = call.tell in tuple(PlanRole)
        whom = plan.roles.get(PlanRole(call.tell), ()) if is_role else (call.tell.removeprefix("person:"),)
        tell = PlanRole(call.tell).said if is_role else call.tell
        yield CallView(tell, _all_called(whom, settings), call.within, call.level.value, depth)
        yield from _calls(plan, call.then, settings, depth + 1)


def _actions(plan: Plan, settings: Settings) -> Iterator[ActionView]:
    number = 0
    for phase, actions in plan.phases.items():
        for action in actions:
            number += 1
            yield _action(number, phase.value, action, settings)


def _action(number: int, phase: str, action: PlanAction, settings: Settings) -> ActionView:
    runbook = action.inline or settings.runbooks.get(action.runbook or "")
    return ActionView(
        number=number,
        phase=phase,
        name=action.name,
        kind="steps" if action.inline else "runbook" if action.runbook else "person",
        what=action.do or (runbook.name if runbook else action.runbook or ""),
        by=action.by.said,
        level=action.level.value,
        hosts=action.hosts or (runbook.hosts if runbook else ""),
        timeout=action.timeout,
        approve=action.approve.said if action.approve else None,
        digest=runbook.digest if runbook else "",
        text=action.inline.text if action.inline else "",
    )


def emergency_view(activation: Activation, settings: Settings) -> EmergencyView:
    """`settings`: those in force; without the people in them they are named by their user names."""
    shown = _Shown(activation, settings)
    return EmergencyView(activation, shown.in_charge(), tuple(shown.under_way()), tuple(shown.waits()))


class _Shown:
    """One activation, and the people of the configuration in force."""

    def __init__(self, activation: Activation, settings: Settings) -> None:
        self._it = activation
        self._settings = settings

    def in_charge(self) -> str:
        """Who commands, as far as is known."""
        call = next((call for call in self._it.calls if call.role is PlanRole.COMMANDER), None)
        if call and call.acknowledged_by:
            return self._called((call.acknowledged_by,))
        who = self._acting(PlanRole.COMMANDER)
        if call and call.state is CallState.NOBODY:
            return f"NOBODY HAS ANSWERED; {who} must be called"
        return f"{who}, who has not acknowledged yet" if call and call.state is CallState.CALLED else who

    def under_way(self) -> Iterator[str]:
        for action in self._it.actions:
            if action.state is ActionState.RUNNING:
                run = f" ({action.execution})" if action.execution else ""
                yield f"{action.number}. {action.name}{run}"
        if self._it.stage is Stage.STANDING_DOWN and self._it.checked_at is None:
            yield "everything in scope is asked once more before it stands down"

    def waits(self) -> Iterator[WaitView]:
        """What waits for a person, the most pressing first."""
        if not self._it.stage.is_active:
            yield from self._review()
            return
        for call in self._it.calls:
            if call.state is CallState.CALLED:
                yield self._call(call)
        for action in self._it.actions:
            yield from self._action(action)
        if self._settings.hosts and self._it.plan not in self._settings.plans:  # those of an agent that runs
            what = f"say when it is over: {self._it.plan} is no longer configured, so it does not end by itself"
            command = f"paramedic plan stand-down {self._it.id} --force --reason WHY"
            yield WaitView(self._acting(PlanRole.COMMANDER), what, command)
        if self._it.stage is Stage.STANDING_DOWN and self._it.checked_at is not None and not self._it.confirmed_by:
            command = f"paramedic plan stand-down {self._it.id}"
            yield WaitView(self._acting(self._confirms), "all is well: confirm that it is over", command)

    def _call(self, call: CallRun) -> WaitView:
        who = self._called(call.whom[call.turn : call.turn + 1])
        role = f" --role {call.role.value}" if call.role else ""
        said = f" as {call.role.said}" if call.role else ""
        return WaitView(who, f"acknowledge{said}", f"paramedic plan ack {self._it.id}{role}", call.due)

    def _action(self, action: ActionRun) -> Iterator[WaitView]:
        what = f"{action.number}. {action.name}"
        if action.state is ActionState.APPROVAL:
            command = f"paramedic approve {self._it.id}  (or: paramedic deny {self._it.id} WHY)"
            yield WaitView(self._acting(action.approve or action.by), f"yes or no to {what}", command, action.due)
        elif action.state is ActionState.TODO:
            more = action.result or (action.do if action.do != action.name else "")
            command = f"paramedic plan tick {self._it.id} {action.number}"
            yield WaitView(self._acting(action.by), f"{what}: {more}" if more else what, command, action.due)

    def _review(self) -> Iterator[WaitView]:
        if self._it.stage is Stage.REVIEW:
            id, plan = self._it.id, self._settings.plans.get(self._it.plan)
            who = f"team {plan.owner}" if plan else self._acting(PlanRole.SCRIBE)
            how = f"paramedic review show {id} > {id}.md, complete it, then paramedic review close {id} {id}.md"
            yield WaitView(who, "complete the review", how)

    @property
    def _confirms(self) -> PlanRole:
        plan = self._settings.plans.get(self._it.plan)
        return (plan.stand_down.confirmed_by if plan else None) or PlanRole.COMMANDER

    def _acting(self, role: PlanRole) -> str:
        return self._called(in_role(self._it, role)) or f"whoever is {role.said}"

    def _called(self, names: tuple[str, ...]) -> str:
        return " or ".join(called(name, self._settings) for name in people_in(names, self._settings))


def resource_view(
    resource: Resource, settings: Settings, known: list[Health], windows: Mapping[Key, Window]
) -> ResourceView:
    """`known`: the subjects of its check. All of them must be usable; a warning is no reason not to use it."""
    worst = max(known, key=_badness, default=None)
    window = windows.get(worst.key) if worst else None
    proofs = [_proven(health, windows.get(health.key)) for health in known]
    proven = [at for at in proofs if at is not None]
    return ResourceView(
        name=resource.name,
        title=resource.title,
        kind=resource.kind,
        check=resource.check,
        contact=resource.contact,
        note=resource.note,
        usable=bool(known) and all(_is_usable(health) for health in known),
        verdict=None if worst is None else Verdict.UNKNOWN if worst.blind_since is not None else worst.status,
        message=((window.message if window else "") or worst.message) if worst else "not asked yet",
        proven_at=min(proven) if proven and len(proven) == len(proofs) else None,
        plans=tuple(plan.name for plan in settings.plans.values() if resource.name in plan.resources),
    )


def _is_usable(health: Health) -> bool:
    return health.blind_since is None and health.status in (Verdict.OK, Verdict.WARNING)


def _badness(health: Health) -> int:
    if health.blind_since is not None or health.status is None:
        return 2
    return {Verdict.OK: 0, Verdict.WARNING: 1}.get(health.status, 3)


def _proven(health: Health, window: Window | None) -> float | None:
    """When it was last seen to be usable: at its latest good answer, else until it fell ill or could not be asked."""
    if health.status not in (Verdict.OK, Verdict.WARNING):
        return health.well_until
    if health.blind_since is not None:
        return health.blind_since
    is_fresh = window is not None and window.last_verdict in (Verdict.OK, Verdict.WARNING)
    return window.asked_at if window and is_fresh else health.since
