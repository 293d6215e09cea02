"""Reading a runbook: what is wrong with it by itself, whatever the rest of the configuration says."""

import hashlib
import re

from agent.config.problem import ConfigProblems, Path, nearest
from agent.config.shape import keys
from agent.config.source import RunbookFile
from agent.config.steps import StepReader
from agent.config.validation import MAPPING, NAME_HINT, NAME_PATTERN, show, validate
from agent.config.yaml import read_document
from agent.model.pattern import Pattern, PatternTooSlow
from agent.model.runbook import Runbook, Variable

SECTIONS = ("evidence", "steps", "rollback")
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


def parse_runbook(text: str, file: str, signed_by: str = "") -> Runbook:
    """The runbook that `text` says; `file` is how problems call it. Raises ConfigProblems."""
    source = RunbookFile(read_document(text, file))
    runbook = read_runbook(source, text, signed_by)
    if source.problems or runbook is None:
        raise ConfigProblems(source.problems)
    return runbook


def read_runbook(source: RunbookFile, text: str, signed_by: str = "") -> Runbook | None:
    """As `parse_runbook`, but problems go to `source`; the runbook is then only good for finding more.

    `signed_by`: who signed this very text.
    """
    data = source.document_of(()).data
    if not isinstance(data, dict):
        if not source.problems:
            source.report((), f"expected {MAPPING}, got {show(data)}", "begin with runbook: NAME")
        return None
    digest = hashlib.sha256(text.encode()).hexdigest()
    filled_in: dict[str, object] = {"text": text, "digest": digest, "signed_by": signed_by}
    filled_in |= _sections(source, data)
    others = {key: value for key, value in data.items() if key not in SECTIONS}
    runbook, findings = validate(Runbook, others, (), source.reach, filled_in, also=SECTIONS)
    source.report_all(findings)
    if runbook is not None:
        _check(source, runbook)
    return runbook


def _sections(source: RunbookFile, data: dict[str, object]) -> dict[str, object]:
    """The steps, in the order in which they run, so that each knows the results before it."""
    variables = data.get("vars")
    names = variables.keys() if isinstance(variables, dict) else ()
    reader = StepReader(source, names)
    sections: dict[str, object] = {}
    for section in SECTIONS:
        authored = data.get(section)
        if authored is None:
            sections[section] = ()
        elif isinstance(authored, list):
            steps = [reader.read(section, (section, index), each) for index, each in enumerate(authored)]
            sections[section] = tuple(step for step in steps if step)
        else:
            sections[section] = ()
            source.report((section,), f"expected a list of steps, got {show(authored)}", "begin each step with '- '")
    misspelt = any(nearest(key, SECTIONS) for key in data if key not in keys(Runbook))
    if not data.get("steps") and not data.get("evidence") and not misspelt:
        source.report((), "has no steps", "write steps: and under it a list, such as '- run: systemctl restart nginx'")
    return sections


def _check(source: RunbookFile, runbook: Runbook) -> None:
    if not re.fullmatch(NAME_PATTERN, runbook.name):
        source.report(("runbook",), f"{show(runbook.name)} is not a name", NAME_HINT)
    if not re.fullmatch(r"affected|local|(group|host):.+", runbook.hosts):
        source.report(
            ("hosts",), f"{show(runbook.hosts)} names no hosts", "write affected, local, host:NAME or group:NAME"
        )
    for name, variable in runbook.vars.items():
        _check_variable(source, ("vars", name), name, variable)


def _check_variable(source: RunbookFile, path: Path, name: str, variable: Variable) -> None:
    if not re.fullmatch(_VARIABLE, name):
        source.report(path, f"{show(name)} cannot be used in a template", "use letters, digits and '_' only")
    default = variable.default
    wrong_kind = isinstance(default, bool) is not (variable.type == "boolean")
    if default is not None and (wrong_kind or not isinstance(default, _TYPES[variable.type])):
        hint = "put it in quotes" if variable.type == "string" else "change the default or the type"
        source.report((*path, "default"), f"{show(default)} is not of type {variable.type}", hint)
        return
    if variable.pattern is None:
        return
    try:
        pattern = Pattern(variable.pattern)
        fits = default is None or pattern.is_all_of(str(default))
    except (ValueError, PatternTooSlow) as error:
        source.report((*path, "pattern"), str(error))
        return
    if not fits:
        source.report((*path, "default"), f"{show(default)} does not match the pattern {show(variable.pattern)}")
