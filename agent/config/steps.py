"""Reading the steps of a runbook: the keys all steps have, and the one that says what is done."""

import re
from collections.abc import Iterable, Mapping, Sequence

from agent.config.kinds import keys_of, plugin
from agent.config.probes import texts
from agent.config.problem import Path, nearest
from agent.config.secret import secret_names
from agent.config.shape import keys
from agent.config.source import RunbookFile
from agent.config.validation import MAPPING, show, validate
from agent.core import templates
from agent.model.runbook import Action, AskCheck, AskPerson, Step
from agent.model.text import one_line
from agent.plugin import registry

COMMON = tuple(key for key in keys(Step) if key != "action")
"""What every step may say, whatever it does."""

_RESULT_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_ALIKE = 0.7
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_TAKEN = ("incident", "host", "vars", "steps", "secret", "range")
_EVIDENCE = {"on_failure": "continue", "repeatable": True}
"""Looking is allowed to fail and may be done again, so evidence steps need not say so."""


class StepReader:
    """Reads steps in the order in which they run. `variables`: names of the runbook's variables."""

    def __init__(self, source: RunbookFile, variables: Iterable[str]) -> None:
        self._source = source
        self._variables = tuple(variables)
        self._registered: list[str] = []

    def read(self, section: str, path: Path, authored: object) -> Step | None:
        if not isinstance(authored, dict):
            self._source.report(path, f"expected {MAPPING}, got {show(authored)}", "write a step as '- run: …'")
            return None
        kind = self._kind(path, authored)
        action = self._action(path, kind, authored[kind]) if kind else None
        step = self._step(section, path, authored, kind, action)
        self._check_when(path, authored.get("when"))
        self._register(path, authored.get("register"))
        return step

    def _kind(self, path: Path, authored: Mapping[str, object]) -> str | None:
        kinds = registry.kinds(registry.STEPS)
        found = [key for key in authored if key in kinds]
        unknown = [key for key in authored if key not in kinds and key not in COMMON]
        for key in unknown:
            hint = _where_it_belongs(key, found) or _what_was_meant(key, kinds, found)
            self._source.report((*path, key), f"there is no key '{key}' in a step", hint)
        if len(found) > 1:
            what = f"does two things at once: {' and '.join(found)}"
            self._source.report(path, what, "write a step of its own for each")
        elif not found and not unknown:
            self._source.report(path, "does not say what to do", f"add one of {', '.join(kinds)}")
        return found[0] if len(found) == 1 else None

    def _action(self, path: Path, kind: str, authored: object) -> Action | None:
        here = (*path, kind)
        done_by = plugin(self._source, here, registry.STEPS, kind, Action)
        if done_by is None:
            return None
        data = authored if isinstance(authored, dict) else {done_by.primary: authored}
        action, findings = validate(done_by, data, here, self._source.reach)
        self._source.report_all(findings)
        known = templates.step_names(self._variables, self._registered)
        for place, text in texts(authored, here):
            wrong = templates.problems(text, known, shell=done_by.shell)
            for said in wrong:
                self._source.report(place, said)
            names = templates.secrets_in(text) if not wrong else frozenset()
            self._source.references += ((place, "secrets", name) for name in sorted(names))
        if action is not None:
            self._note_references(here, action)
        return action

    def _note_references(self, path: Path, action: Action) -> None:
        self._source.references += ((place, "secrets", name) for place, name in secret_names(action, path))
        match action.demand():
            case AskCheck(check=name):
                self._source.references.append(((*path, action.primary), "checks", name))
            case AskPerson(team=str() as team):
                self._source.references.append(((*path, "team"), "teams", team))

    def _step(
        self, section: str, path: Path, authored: Mapping[str, object], kind: str | None, action: Action | None
    ) -> Step | None:
        common = {key: value for key, value in authored.items() if key in COMMON}
        is_evidence = section == "evidence"
        filled_in: dict[str, object] = {"action": action or Action(), "evidence": is_evidence}
        if "name" not in common:
            filled_in["name"] = _name(kind, authored.get(kind or ""))
        if is_evidence:
            common |= self._evidence(path, common)
        step, findings = validate(Step, common, path, self._source.reach, filled_in)
        self._source.report_all(findings)
        if step is None:
            return None
        if action is not None and step.sudo and not action.takes_sudo:
            self._source.report((*path, "sudo"), f"a step of kind '{kind}' takes no sudo", "leave it out")
        if action is not None and step.on == "local" and not action.takes_sudo:
            self._source.report((*path, "on"), f"a step of kind '{kind}' is not done on a host", "leave it out")
        if step.timeout <= 0:
            self._source.report((*path, "timeout"), "a step needs time", "write a duration such as 60s")
        if section == "rollback" and authored.get("on_failure") == "rollback":
            what = "a rollback cannot be rolled back"
            self._source.report((*path, "on_failure"), what, "write continue or abort, or leave it out")
        return step if action is not None else None

    def _evidence(self, path: Path, common: Mapping[str, object]) -> Mapping[str, object]:
        for key, always in _EVIDENCE.items():
            if key in common and common[key] != always:
                what = f"an evidence step only looks, so {key} is always {show(always).strip(chr(39))}"
                self._source.report((*path, key), what, "leave it out, or move the step to steps:")
        return _EVIDENCE

    def _check_when(self, path: Path, when: object) -> None:
        if isinstance(when, str):
            known = templates.step_names(self._variables, self._registered)
            for said in templates.expression_problems(when, known):
                self._source.report((*path, "when"), said)

    def _register(self, path: Path, name: object) -> None:
        if not isinstance(name, str):
            return
        if name in _TAKEN:
            what = f"the name '{name}' has a meaning of its own in templates"
            self._source.report((*path, "register"), what, "choose another")
        elif not re.fullmatch(_RESULT_NAME, name):
            what = f"{show(name)} cannot be used in a template"
            self._source.report((*path, "register"), what, "use letters, digits and '_' only")
        else:
            self._registered.append(name)


def _where_it_belongs(key: str, kinds: list[str]) -> str:
    """A hint for a key of the action that is written beside it."""
    for kind in kinds:
        if key in keys_of(registry.STEPS, kind, Action):
            primary = registry.load(registry.STEPS, kind, Action).primary
            return f"write it under {kind}, as in {kind}: {{{primary}: …, {key}: …}}"
    return ""


def _what_was_meant(key: str, kinds: Sequence[str], found: list[str]) -> str:
    """`restart: nginx` is no odd spelling of `retry`: it says what to do, in a word that we do not have."""
    if meant := nearest(key, kinds) or nearest(key, COMMON, _ALIKE):
        return f"did you mean '{meant}'?"
    if found:
        return f"known here: {', '.join(COMMON)}"
    return f"what a step does is one of {', '.join(kinds)}: write run: COMMAND"


def _name(kind: str | None, authored: object) -> str:
    """What a step without a name is called: what it does, with … for what differs from run to run."""
    value = next(iter(authored.values()), "") if isinstance(authored, dict) else authored
    first_line = _TEMPLATE.sub("…", str(value)).strip().split("\n", 1)[0]
    return one_line(f"{kind} {first_line}".strip(), 80)
