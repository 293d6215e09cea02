"""When a level is reached and when an emergency is over: conditions that could never, or would always, hold."""

from collections.abc import Iterator, Mapping

from agent.config.names import refer
from agent.config.problem import Path
from agent.config.source import Folder
from agent.config.validation import show
from agent.model.plan import Condition, Conditions, Level, LevelRules
from agent.model.quantities import LONGEST_PERIOD, say_duration

_TAKES = {"incidents": ("priority", "within"), "treatments_failed": ("within",), "hosts_healthy": ("of",)}
"""Keys beside `for` that say more about a kind of condition."""
_MORE = ("priority", "within", "of")


def check_levels(source: Folder, path: Path, levels: Mapping[Level, LevelRules]) -> None:
    for level, rules in levels.items():
        for place, condition in _each((*path, level.value), rules):
            check_condition(source, place, condition)
            if (share := condition.hosts_healthy) and not (share.below and share.share > 0):
                hint = "a level is reached when too few are healthy: write below 60%"
                source.report((*place, "hosts_healthy"), f"'{share}' says nothing is wrong", hint)
    _check_order(source, path, levels)


def check_stand_down(source: Folder, path: Path, rules: Conditions) -> None:
    for place, condition in _each(path, rules):
        check_condition(source, place, condition)
        if condition.hosts_healthy and condition.hosts_healthy.below:
            hint = "an emergency is over when enough are healthy: write at least 90%"
            source.report((*place, "hosts_healthy"), f"'{condition.hosts_healthy}' is no good end", hint)
        elif condition.kind != "hosts_healthy":
            what = f"'{condition.kind}' is what an emergency begins with"
            hint = "no level's conditions hold any more when it is over, so leave this out"
            source.report((*place, condition.kind), what, hint)


def _each(path: Path, rules: Conditions) -> Iterator[tuple[Path, Condition]]:
    for key in ("any", "all"):
        for index, condition in enumerate(getattr(rules, key)):
            yield (*path, key, index), condition


def check_condition(source: Folder, path: Path, condition: Condition) -> None:
    """Whether one condition by itself can come about, wherever it stands."""
    kind = condition.kind
    for key in _MORE:
        if key in condition.model_fields_set and key not in _TAKES.get(kind, ()):
            hint = "write for: …, how long it must hold" if key == "within" else "leave it out"
            source.report((*path, key), f"'{kind}' takes no '{key}'", hint)
    if condition.check_critical is not None:
        refer(source, (*path, "check_critical"), "checks", condition.check_critical)
    if condition.of is not None:
        _refer_to_many(source, (*path, "of"), condition.of)
    if "within" in _TAKES.get(kind, ()):
        _check_times(source, path, condition)


def _check_times(source: Folder, path: Path, condition: Condition) -> None:
    within = say_duration(condition.within)
    if not 0 < condition.within <= LONGEST_PERIOD:
        source.report((*path, "within"), f"{within} cannot be looked back", "write a time up to a week")
    elif condition.hold > condition.within:
        what = f"must hold for {say_duration(condition.hold)}, but looks back only {within}"
        source.report((*path, "for"), what, "leave 'for' out, or look back further with 'within'")


def _refer_to_many(source: Folder, path: Path, reference: str) -> None:
    sort, _, name = reference.partition(":")
    if sort in ("service", "group") and name:
        refer(source, path, f"{sort}s", name)
        return
    found = [word for word in ("service", "group") if reference in source.section(f"{word}s")]
    hint = f"write {found[0]}:{reference}" if found else "write service:NAME or group:NAME"
    source.report(path, f"{show(reference)} names no service or group", hint)


def _check_order(source: Folder, path: Path, levels: Mapping[Level, LevelRules]) -> None:
    """A graver level that is reached no later than a lighter one takes the lighter one's place for ever."""
    graver: list[tuple[Level, Condition]] = []
    for level in sorted(levels, reverse=True):
        rules = levels[level]
        for index, condition in enumerate(rules.any):
            before = next((above for above, other in graver if _reached_sooner(other, condition)), None)
            if before is not None:
                what = f"never counts: level {before}, which is graver, is reached as soon"
                source.report((*path, level.value, "any", index), what, f"make it easier to reach than level {before}")
        if not rules.all:
            graver += [(level, condition) for condition in rules.any]


def _reached_sooner(graver: Condition, lighter: Condition) -> bool:
    """Whether the graver level's condition holds whenever the lighter one's does."""
    if graver.kind != lighter.kind or graver.hold > lighter.hold:
        return False
    match graver.kind:
        case "hosts_healthy":
            shares = graver.hosts_healthy, lighter.hosts_healthy
            return graver.of == lighter.of and bool(shares[0] and shares[1] and shares[0].share >= shares[1].share)
        case "incidents":
            is_wider = graver.priority.rank >= lighter.priority.rank and graver.within >= lighter.within
            return is_wider and (graver.incidents or 0) <= (lighter.incidents or 0)
        case "treatments_failed":
            return graver.within >= lighter.within and (graver.treatments_failed or 0) <= (
                lighter.treatments_failed or 0
            )
        case "unresolved":
            return bool(graver.unresolved and lighter.unresolved and graver.unresolved.rank >= lighter.unresolved.rank)
        case _:
            return graver.check_critical == lighter.check_critical
