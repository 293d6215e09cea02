"""Which conditions of a plan hold, since when, and when that may change by itself.

What cannot be known is neither a failure nor a recovery: a share of healthy hosts is `below` only if it is so even
should every host that nothing is known of, or that is left to a drill, be well, and `at least` only if it is so should
all of those be ill. Hosts that no check looks at are not counted at all, nor are incidents that are about nothing but
what cannot be asked.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from agent.core.area import Area, area_of, known_for_real
from agent.core.draft import Draft
from agent.model.activation import PlanWatch
from agent.model.health import Health
from agent.model.incident import Incident, Symptom
from agent.model.observation import Verdict
from agent.model.plan import Condition, Conditions, Level, Plan
from agent.model.quantities import say_duration
from agent.model.text import some


@dataclass(frozen=True, slots=True)
class Finding:
    """What is seen now. `since`: when that began, where that can be known; `until`: when time alone ends it."""

    is_true: bool
    text: str
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One condition. `is_true`: it is so now; `holds`: it has been so for its hold time. `text` is a sentence."""

    is_true: bool
    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """All conditions of a plan, by where they stand in it. `level`: the gravest whose conditions hold."""

    plan: Plan
    conditions: Mapping[str, Judged]

    @property
    def level(self) -> Level | None:
        held = [level for level, rules in self.plan.levels.items() if self._met(str(level), rules)]
        return max(held, default=None)

    def because(self, level: Level) -> str:
        """The conditions that hold, as a sentence."""
        return "; ".join(self.conditions[name].text for name in self._held(str(level), self.plan.levels[level]))

    def stirs(self, level: Level) -> list[str]:
        """What is so now of this level's conditions, whether it has lasted or not; empty: nothing of them is met."""
        rules = self.plan.levels[level]
        if not self._met(str(level), rules, lasting=False):
            return []
        return [self.conditions[name].text for name, _ in _named(str(level), rules) if self.conditions[name].is_true]

    @property
    def may_stand_down(self) -> bool:
        """Whether what the plan writes of its stand-down holds."""
        rules = self.plan.stand_down
        return not rules.each or self._met("stand_down", rules)

    def _met(self, prefix: str, rules: Conditions, *, lasting: bool = True) -> bool:
        """One of `any`, if there are any, and every one of `all`. What has no conditions is never met."""
        judged = {name: self.conditions[name] for name, _ in _named(prefix, rules)}
        found = {name: each.holds if lasting else each.is_true for name, each in judged.items()}
        anyone = [holds for name, holds in found.items() if name.startswith(f"{prefix}.any.")]
        every = [holds for name, holds in found.items() if name.startswith(f"{prefix}.all.")]
        return bool(found) and (not anyone or any(anyone)) and all(every)

    def _held(self, prefix: str, rules: Conditions) -> Iterator[str]:
        return (name for name, _ in _named(prefix, rules) if self.conditions[name].holds)


def judge(draft: Draft, plan: Plan) -> Judgement:
    """Judge every condition now, and keep in the plan's watch since when they hold."""
    before = draft.watch(plan.name)
    if before.digest != plan.digest:
        before = PlanWatch(plan.name, digest=plan.digest, counts_from=before.counts_from)
    view = View(draft, area_of(plan, draft.settings))
    conditions: dict[str, Judged] = {}
    since: dict[str, float] = {}
    moments: list[float] = []
    for name, condition in _each(plan):
        found = view.look(condition)
        if not found.is_true:
            conditions[name] = Judged(False, False, found.text)
            continue
        seen = found.since if found.since is not None else before.since.get(name, draft.at)
        began = since[name] = seen if before.counts_from is None else max(seen, before.counts_from)
        moments += [began + condition.hold, *([] if found.until is None else [found.until])]
        counts = name not in before.spent
        lasted = f", for {say_duration(draft.at - began)}" if condition.hold else ""
        conditions[name] = Judged(counts, counts and draft.at >= began + condition.hold, found.text + lasted)
    due = min((moment for moment in moments if moment > draft.at), default=None)
    spent = tuple(name for name in before.spent if name in since)
    after = replace(before, since=since, due=due, spent=spent)
    if after != draft.watch(plan.name):
        draft.put_watch(after)
    return Judgement(plan, conditions)


def spend(draft: Draft, plan: Plan, *, above: Level | None = None) -> None:
    """What is true now counts again only once it has ceased: a person has decided in spite of it.

    `above`: of graver levels alone.
    """
    watch = draft.watch(plan.name)
    levels = [str(level) for level in plan.levels if above is None or level > above]
    spent = tuple(name for name in watch.since if name.partition(".")[0] in levels)
    draft.put_watch(replace(watch, spent=tuple(dict.fromkeys((*watch.spent, *spent)))))


def begin_anew(draft: Draft, plan: str) -> None:
    """No condition has held for any time yet."""
    draft.put_watch(replace(draft.watch(plan), since={}, counts_from=draft.at))


def _each(plan: Plan) -> Iterator[tuple[str, Condition]]:
    for level, rules in plan.levels.items():
        yield from _named(str(level), rules)
    yield from _named("stand_down", plan.stand_down)


def _named(prefix: str, rules: Conditions) -> Iterator[tuple[str, Condition]]:
    for sort, conditions in (("any", rules.any), ("all", rules.all)):
        for number, condition in enumerate(conditions, 1):
            yield f"{prefix}.{sort}.{number}", condition


class View:
    """What conditions are judged by, in one decision."""

    def __init__(self, draft: Draft, area: Area) -> None:
        self._draft = draft
        self._area = area
        self._on_hosts: dict[str, list[Health]] | None = None

    def look(self, condition: Condition) -> Finding:
        """Whether the condition is so now, whatever its hold time."""
        if condition.unresolved is not None:
            return self._unresolved(condition.unresolved.rank)
        if condition.incidents is not None:
            return self._incidents(condition, condition.incidents)
        if condition.treatments_failed is not None:
            return self._treatments(condition, condition.treatments_failed)
        if condition.check_critical is not None:
            return self._critical(condition.check_critical)
        return self._hosts(condition)

    def _unresolved(self, rank: int) -> Finding:
        """Since the first of them was opened; one that came back, since it did."""
        found = [
            incident
            for incident in self._draft.incidents()
            if incident.phase.is_open
            and incident.classification.priority.rank <= rank
            and _tell_of_a_fault(incident.ill or incident.symptoms)
            and self._area.has(incident)
        ]
        if not found:
            return Finding(False, f"no incident of P{rank} or graver is open")
        first = min(found, key=_unresolved_since)
        text = f"{first.id} ({first.classification.priority}) is unresolved"
        return Finding(True, text, since=_unresolved_since(first))

    def _incidents(self, condition: Condition, number: int) -> Finding:
        """Incidents that are closed by now are not counted."""
        opened = sorted(
            incident.opened_at
            for incident in self._draft.incidents()
            if incident.opened_at > self._draft.at - condition.within
            and incident.classification.priority.rank <= condition.priority.rank
            and _tell_of_a_fault(incident.symptoms)
            and self._area.has(incident)
        )
        what = f"{len(opened)} incidents of {condition.priority} or graver within {say_duration(condition.within)}"
        return _counted(opened, number, condition.within, what)

    def _treatments(self, condition: Condition, number: int) -> Finding:
        """A run on several hosts is one treatment; one that touched nothing, because no host could be reached, none."""
        begun = {
            treatment.execution: treatment.at
            for treatment in self._draft.treatments()
            if treatment.effective is False
            and treatment.counts
            and self._area.holds(treatment.host)
            and treatment.at > self._draft.at - condition.within
        }
        what = f"{len(begun)} treatments failed or did not help within {say_duration(condition.within)}"
        return _counted(sorted(begun.values()), number, condition.within, what)

    def _critical(self, check: str) -> Finding:
        found = [h.key for h in known_for_real(self._draft) if h.key.check == check and h.status is Verdict.CRITICAL]
        return Finding(bool(found), f"{some(found)} critical" if found else f"{check} is not critical")

    def _hosts(self, condition: Condition) -> Finding:
        share = condition.hosts_healthy
        assert share is not None, "a condition has one of five keys"
        well, unseen, of = self._healthy(condition.of)
        reached = share.holds(well + unseen if share.below else well, of)
        unknown = f", nothing is known of {unseen}" if unseen else ""
        return Finding(reached, f"{well} of {of} hosts of {condition.of or 'the scope'} are healthy ({share}){unknown}")

    def _healthy(self, of: str | None) -> tuple[int, int, int]:
        """How many hosts are healthy, of how many nothing is known, and how many are looked at."""
        settings, area, is_left = self._draft.settings, self._area, self._draft.is_left_to_a_drill
        sort, _, name = (of or "").partition(":")
        if sort == "service":
            area = Area(settings.services[name].hosts if name in settings.services else (), (name,), settings)
        elif of:
            area = Area(settings.hosts_of(of), (), settings)
        well = unseen = total = 0
        for host in area.hosts:
            here = [health for health in self._of(host) if area.concerns(health)]
            if not here:
                continue
            total += 1
            real = [health for health in here if not is_left(health.key.check, health.host)]
            if any(health.is_bad for health in real):
                continue
            if len(real) < len(here) or any(h.status is None or h.blind_since is not None for h in real):
                unseen += 1
            else:
                well += 1
        return well, unseen, total

    def _of(self, host: str) -> list[Health]:
        if self._on_hosts is None:
            self._on_hosts = {}
            for health in self._draft.healths():
                self._on_hosts.setdefault(health.host or "", []).append(health)
        return self._on_hosts.get(host, [])


def _tell_of_a_fault(symptoms: Iterable[Symptom]) -> bool:
    """Whether something is wrong with any of them, or they only cannot be asked."""
    return any(not symptom.blind for symptom in symptoms)


def _unresolved_since(incident: Incident) -> float:
    if not incident.reopened:
        return incident.opened_at
    return max(incident.opened_at, min((symptom.since for symptom in incident.ill), default=incident.opened_at))


def _counted(times: list[float], number: int, within: float, what: str) -> Finding:
    """So many within a time: over when the one that makes up the number is too long ago."""
    if len(times) < number:
        return Finding(False, what)
    return Finding(True, what, until=times[-number] + within)
