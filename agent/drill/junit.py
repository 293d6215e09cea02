"""The result for pipelines, in the XML that JUnit made common.

Schema as most readers know it: https://github.com/testmoapp/junitxml. Each expectation is a test case; so is that
everything was put back. A drill that was stopped before its end has an error.
"""

import time
from xml.etree import ElementTree

from agent.drill.report import state_of
from agent.model.drill import MARK
from agent.model.drill_result import DrillResult, Judged
from agent.model.text import one_line, printable_lines

_LONG = 2000
"""Characters of a value."""


def as_junit(result: DrillResult) -> str:
    """Characters that XML does not have are shown as their escapes."""
    cases = [_case(result, each) for each in result.judged]
    cases.append(_other(result, "everything is put back", "failure", "" if result.rolled_back else _not_back(result)))
    cases.append(_other(result, "went to its end", "error", result.stopped_because))
    failures = sum(1 for case in cases if case.find("failure") is not None)
    errors = sum(1 for case in cases if case.find("error") is not None)
    counts = {
        "tests": str(len(cases)),
        "failures": str(failures),
        "errors": str(errors),
        "skipped": "0",
        "time": _seconds(result.ended_at - result.started_at),
    }
    root = ElementTree.Element("testsuites", {"name": "paramedic drills", **counts})
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(result.started_at))
    name = one_line(f"{MARK} {result.id} {result.drill}", _LONG)
    suite = ElementTree.SubElement(root, "testsuite", {"name": name, "timestamp": stamp, **counts})
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (
        ("title", result.title),
        ("form", result.form),
        ("digest", result.digest),
        ("actor", result.actor),
        ("score", f"{result.score:.3f}"),
    ):
        ElementTree.SubElement(properties, "property", {"name": key, "value": one_line(value, _LONG)})
    suite.extend(cases)
    ElementTree.SubElement(suite, "system-out").text = "\n".join(
        one_line(f"{each.at:.3f} {each.about} {each.text} ({each.actor})", _LONG) for each in result.entries
    )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(result: DrillResult, each: Judged) -> ElementTree.Element:
    said = "" if each.met else f"{state_of(each)}: {each.actual}"
    case = _other(result, each.label, "failure", said, each.seconds)
    if (failure := case.find("failure")) is not None:
        failure.text = printable_lines(f"expected: {each.expected}\nactual: {each.actual}")
    return case


def _other(result: DrillResult, name: str, kind: str, wrong: str, seconds: float | None = None) -> ElementTree.Element:
    words = {"classname": one_line(f"drill.{result.drill}"), "name": one_line(name, _LONG)}
    case = ElementTree.Element("testcase", {**words, "time": _seconds(seconds or 0.0)})
    if wrong:
        ElementTree.SubElement(case, kind, {"message": one_line(wrong, _LONG), "type": kind})
    return case


def _not_back(result: DrillResult) -> str:
    failed = [f"{each.name} on {each.host}: {each.text}" for each in result.undone if not each.ok]
    return "; ".join(failed) or "the steady state does not hold"


def _seconds(value: float) -> str:
    return f"{max(0.0, value):.3f}"
