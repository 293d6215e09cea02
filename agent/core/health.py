"""From answers to believed health: debounce, hysteresis, flap detection, lasting UNKNOWN.

One rule serves every change: `needed` of the last `of` answers must agree (`confirm`). UNKNOWN is not
an answer: it takes no place in the window, so it neither confirms nor refutes anything.
"""

from dataclasses import replace

from agent.model.check import CheckRules, Confirm
from agent.model.health import Health, Window
from agent.model.observation import Observation, Verdict

CLEAR, NOT_YET_CLEAR, WARNING, CRITICAL = range(4)
_CHANGES_KEPT = 64


def observe(health: Health, window: Window, observation: Observation, rules: CheckRules) -> tuple[Health, Window]:
    """Health and window after one observation; the same health object when nothing confirmed changed."""
    if observation.at < window.fresh_from:
        return health, window
    if observation.verdict is Verdict.UNKNOWN:
        return _unknown(health, window, observation, rules)
    recent = (*window.recent, _level(observation))[-rules.confirm.of :]
    window = Window(recent, observation.at, None, window.fresh_from, observation.verdict, observation.message)
    status = confirmed(recent, rules.confirm, health.status)
    if status is not health.status:
        health = _change(health, status, observation, rules)
    if health.blind_since is not None:
        health = replace(health, blind_since=None, message=observation.message)
    if health.flapping and observation.at - health.changes[-1] >= rules.flapping.settle:
        health = replace(health, flapping=False)
    return health, window


def confirmed(recent: tuple[int, ...], confirm: Confirm, status: Verdict | None) -> Verdict | None:
    """The status that the recent answers establish; `status` itself when they establish nothing new."""
    if recent.count(CRITICAL) >= confirm.needed:
        return Verdict.CRITICAL
    warnings = recent.count(WARNING)
    if warnings + recent.count(CRITICAL) >= confirm.needed:
        # coming down from critical takes as many plain warnings as going up took criticals
        return status if status is Verdict.CRITICAL and warnings < confirm.needed else Verdict.WARNING
    well = recent.count(CLEAR)
    if status is None or not status.is_bad:
        well += recent.count(NOT_YET_CLEAR)  # the recover threshold matters only on the way back
    return Verdict.OK if well >= confirm.needed else status


def confirms_well(window: Window, confirm: Confirm) -> bool:
    """Whether the answers since the counters started afresh are enough to call the subject well."""
    return window.recent.count(CLEAR) >= confirm.needed


def afresh(window: Window, at: float) -> Window:
    """Counters start from nothing: answers to questions asked before `at` no longer count."""
    return Window(fresh_from=at, unknown_since=window.unknown_since, message=window.message)


def forgotten(health: Health, window: Window, at: float) -> tuple[Health, Window]:
    """A person says that it is well: whatever speaks against that must be confirmed anew."""
    window = replace(afresh(window, at), unknown_since=None)
    return replace(health, status=None, since=at, blind_since=None, flapping=False, changes=()), window


def _level(observation: Observation) -> int:
    if observation.verdict is Verdict.CRITICAL:
        return CRITICAL
    if observation.verdict is Verdict.WARNING:
        return WARNING
    return CLEAR if observation.cleared else NOT_YET_CLEAR


def _unknown(health: Health, window: Window, observation: Observation, rules: CheckRules) -> tuple[Health, Window]:
    since = window.unknown_since if window.unknown_since is not None else observation.at
    window = replace(
        window,
        asked_at=observation.at,
        unknown_since=since,
        last_verdict=Verdict.UNKNOWN,
        message=observation.message,
    )
    if health.blind_since is None and observation.at - since >= rules.unknown_limit:
        health = replace(health, blind_since=since, message=observation.message)
    return health, window


def _change(health: Health, status: Verdict | None, observation: Observation, rules: CheckRules) -> Health:
    changes = health.changes
    was_known_or_is_bad = health.status is not None or (status is not None and status.is_bad)
    if was_known_or_is_bad and health.is_bad != (status is not None and status.is_bad):
        changes = (*changes, observation.at)[-_CHANGES_KEPT:]
    falls_ill = health.status is not None and not health.is_bad and status is not None and status.is_bad
    lately = sum(1 for change in changes if change > observation.at - rules.flapping.within)
    return replace(
        health,
        status=status,
        since=observation.at,
        message=observation.message,
        value=observation.value,
        changes=changes,
        well_until=observation.at if falls_ill else health.well_until,
        flapping=health.flapping or lately >= rules.flapping.changes,
    )
