"""The actions of an emergency plan: a runbook, steps that make one, or something that a person does."""

from collections.abc import Iterator, Mapping, Sequence

from agent.config.inline import INLINE, read_inline
from agent.config.library import Library, check_references_of
from agent.config.names import refer_to_hosts
from agent.config.problem import Path, nearest
from agent.config.roles import check_held, check_level
from agent.config.shape import keys
from agent.config.source import Folder
from agent.config.validation import MAPPING, show, validate
from agent.model.plan import Plan, PlanAction, PlanPhase, PlanRole
from agent.model.quantities import say_duration
from agent.model.runbook import Runbook
from agent.model.text import one_line

_BROKEN = PlanAction(name="")
"""Stands where something cannot be read at all, so that what comes after it keeps its number."""

_KINDS = ("runbook", "steps", "do")
_OF_RUNBOOKS = ("hosts", "on_failure")
"""What means nothing where a person does it."""


class ActionReader:
    """Reads the actions of each phase. `signed`: only runbooks that somebody signed may be used."""

    def __init__(self, source: Folder, library: Library, *, signed: bool) -> None:
        self._source = source
        self._library = library
        self._signed = signed

    def read(self, path: Path, plan: str, authored: object) -> Sequence[PlanAction]:
        """The actions of one phase, numbered as they are written."""
        if authored is None:
            return ()
        if not isinstance(authored, list):
            self._source.report(path, f"expected a list of actions, got {show(authored)}", "begin each with '- '")
            return ()
        read = [
            self._read((*path, index), f"{plan}.{path[-1]}.{index + 1}", each) for index, each in enumerate(authored)
        ]
        return [action for action in read if action is not None]

    def _read(self, path: Path, name: str, authored: object) -> PlanAction | None:
        if not isinstance(authored, dict):
            hint = "write an action as '- runbook: NAME', '- do: …' or with steps:"
            self._source.report(path, f"expected {MAPPING}, got {show(authored)}", hint)
            return None
        own = {key: value for key, value in authored.items() if key not in INLINE}
        kinds = [kind for kind in _KINDS if authored.get(kind) is not None]
        inline = self._inline(path, name, authored) if kinds == ["steps"] else None
        filled_in: dict[str, object] = {"inline": inline}
        if "name" not in own:
            filled_in["name"] = _name(authored, kinds)
        action, findings = validate(PlanAction, own, path, self._source.reach, filled_in, also=INLINE)
        self._source.report_all(findings)
        misspelt = not kinds and any(nearest(key, _KINDS) for key in authored if key not in keys(PlanAction))
        if len(kinds) != 1 and not misspelt:
            what = f"does two things at once: {' and '.join(kinds)}" if kinds else "does not say what to do"
            hint = "write an action of its own for each" if kinds else "add one of runbook, steps, do"
            self._source.report(path, what, hint)
        for kind in kinds if len(kinds) == 1 else ():
            self._check_keys(path, kind, authored)
        return action

    def _inline(self, path: Path, name: str, authored: Mapping[str, object]) -> Runbook | None:
        if self._signed:
            hint = "signed_runbooks asks for it: make a runbook of them, sign it, and write runbook: NAME"
            self._source.report((*path, "steps"), "nobody can sign steps that stand in a plan", hint)
            return None
        runbook, part = read_inline(self._source, path, name, str(authored.get("name", "")), authored)
        if runbook is not None:
            check_references_of(self._source, runbook, part)
        return runbook

    def _check_keys(self, path: Path, kind: str, authored: Mapping[str, object]) -> None:
        """Keys that would do nothing beside this kind."""
        idle = [key for key in INLINE if key in authored] if kind != "steps" else []
        idle += ["vars"] if kind != "runbook" and "vars" in authored else []
        idle += [key for key in _OF_RUNBOOKS if key in authored] if kind == "do" else []
        for key in idle:
            hint = "a person does it: leave it out" if kind == "do" else "leave it out"
            self._source.report((*path, key), f"'{key}' has no meaning beside '{kind}'", hint)

    def check(self, path: Path, plan: Plan) -> None:
        """What the actions name must exist, and hold with the rest of the plan."""
        for here, action in _each(path, plan):
            if "by" in action.model_fields_set:
                check_held(self._source, (*here, "by"), action.by, plan.roles)
            if action.approve is not None:
                check_held(self._source, (*here, "approve"), action.approve, plan.roles)
            if action.hosts is not None and action.hosts != "affected":
                refer_to_hosts(self._source, (*here, "hosts"), action.hosts)
            if action.runbook is not None and action.do is None and action.inline is None:
                self._library.check_use(self._source, here, action.runbook, action.vars)
            self._check_time(here, action)
            check_level(self._source, (*here, "level"), action.level, plan.levels)

    def _check_time(self, path: Path, action: PlanAction) -> None:
        entry = self._library.entries.get(action.runbook or "")
        runbook = action.inline or (entry.runbook if entry else None)
        if action.timeout <= 0:
            self._source.report((*path, "timeout"), "an action needs time", "write a duration such as 10m")
        elif runbook is not None and action.timeout < runbook.verify.within:
            verified = say_duration(runbook.verify.within)
            what = f"{say_duration(action.timeout)} is over before it could be verified, which takes up to {verified}"
            self._source.report((*path, "timeout"), what, "give it more time")

    @staticmethod
    def in_order(plan: Plan) -> dict[PlanPhase, tuple[PlanAction, ...]]:
        """Phases as they come, whatever order they are written in. Nobody answers for technical things where nobody
        holds that role but the commander.
        """
        lead = PlanRole.TECHNICAL_LEAD if PlanRole.TECHNICAL_LEAD in plan.roles else PlanRole.COMMANDER
        return {
            phase: tuple(
                action if "by" in action.model_fields_set else action.model_copy(update={"by": lead})
                for action in plan.phases[phase]
            )
            for phase in PlanPhase
            if phase in plan.phases
        }


def _each(path: Path, plan: Plan) -> Iterator[tuple[Path, PlanAction]]:
    for phase, actions in plan.phases.items():
        for index, action in enumerate(actions):
            yield (*path, "phases", phase.value, index), action


def _name(authored: Mapping[str, object], kinds: list[str]) -> str:
    """What an action without a name is called: what it does."""
    said = authored[kinds[0]] if kinds and kinds[0] != "steps" else "steps"
    return one_line(str(said).strip().split("\n", 1)[0], 80)
