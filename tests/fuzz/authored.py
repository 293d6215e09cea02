"""What people write: quantities, thresholds, expressions, templates, documents, whole folders."""

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from agent.cli.times import parse_since
from agent.config.load import load
from agent.config.problem import ConfigProblems, Problem
from agent.config.rehearsal import rehearse
from agent.config.runbook import parse_runbook
from agent.config.yaml import SIZE_LIMIT, read_document
from agent.core import templates
from agent.core.variables import given_values
from agent.errors import ParamedicError
from agent.model.check import parse_confirm
from agent.model.pattern import Pattern, PatternTooSlow
from agent.model.quantities import (
    parse_count_or_share,
    parse_duration,
    parse_rate,
    parse_share,
    parse_size,
    say_duration,
)
from agent.model.runbook import Runbook
from agent.model.threshold import parse_threshold
from agent.tickets import template as ticket_template
from checks.http import Expect
from tests.functional.test_config_shipped import RUNBOOKS
from tests.fuzz import documents
from tests.fuzz.target import Feed, Target, pure
from tests.fuzz.words import EXPRESSIONS, QUANTITIES, TEMPLATES, THRESHOLDS, made_of, scalars

_INSIDES = ("invalid literal", "could not convert", "Exceeds the limit", "not enough values", "out of range")
"""How Python itself puts it: nobody has found words for that case."""


def _is_said(text: str) -> None:
    assert text.strip()
    assert not any(words in text for words in _INSIDES), text


def _parser(parse: Callable[[object], object], holds: Callable[[Any], bool]) -> Feed:
    """`parse` gives a value for which `holds`, or says what is wrong as a ValueError."""

    def feed(written: object) -> None:
        try:
            value = parse(written)
        except ValueError as error:
            _is_said(str(error))
        else:
            assert holds(value), value

    return feed


def _status(written: object) -> object:
    return Expect.model_validate({"status": written}).status


def _is_sound_duration(seconds: float) -> bool:
    return not isinstance(seconds, float) or not math.isfinite(seconds) or bool(say_duration(seconds))


_WRITTEN = scalars(QUANTITIES)
_TIMES = scalars(made_of("2h", "3d", "2025-11-20", "9999-12-31", " 17:00", "T23:59:60", "0000-01-01", "-", ":"))


def _variable(given: tuple[str, object]) -> None:
    kind, value = given
    variable = {"type": kind, "pattern": "[a-z0-9]+"}
    runbook = Runbook.model_validate({"runbook": "r", "steps": (), "vars": {"v": variable}})
    _parser(lambda written: given_values(runbook, {"v": written}), bool)(value)


def _expression(pair: tuple[str, str]) -> None:
    try:
        pattern = Pattern(pair[0])
    except ValueError as error:
        _is_said(str(error))
        return
    try:
        pattern.is_in(pair[1])
    except PatternTooSlow as error:
        _is_said(str(error))


_KNOWN = templates.step_names(["unit"], ["seen"])
_VALUES: dict[str, object] = {
    "host": {"name": "web1", "address": "192.0.2.1", "vars": {"size": 3}},
    "vars": {"unit": "nginx; reboot"},
    "steps": {"seen": {"stdout": "'$(reboot)", "stderr": "", "status": 0, "ok": True}},
    "seen": {"stdout": "x", "stderr": "", "status": 0, "ok": True},
    "incident": None,
}


def _template(written: str) -> None:
    """What is found sound when it is read is rendered later, or fails as a template may."""
    for shell in (True, False):
        for problem in templates.problems(written, _KNOWN, shell=shell):
            _is_said(problem)
        try:
            rendered = templates.render(written, _VALUES, shell=shell)
        except templates.TemplateFailed as error:
            _is_said(str(error))
        else:
            assert len(rendered) <= max(templates.RENDERED_LIMIT, len(written))


def _condition(written: str) -> None:
    for problem in templates.expression_problems(written, _KNOWN):
        _is_said(problem)
    try:
        templates.evaluate(written, _VALUES)
    except templates.TemplateFailed as error:
        _is_said(str(error))


def _ticket_template(written: str) -> None:
    try:
        template = ticket_template.Template(written, typed=True)
    except ValueError as error:
        _is_said(str(error))
        return
    try:
        template.value({"id": "INC-1", "host": _VALUES["host"], "incident": None})
    except ParamedicError as error:
        _is_said(str(error))


def _are_said(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        assert str(problem).isprintable()
        assert problem.what
        assert "Input should" not in problem.what
        _is_said(problem.what)


def _document(text: str) -> None:
    document = read_document(text, "x.yaml")
    _are_said(document.problems)
    for problem in document.problems:
        assert 0 <= problem.line <= len(text) + 1


def _runbook(text: str) -> None:
    try:
        parse_runbook(text, "x.yaml")
    except ConfigProblems as problems:
        assert problems.problems
        _are_said(problems.problems)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _loads(folder: Path, read: Callable[[Path], object]) -> None:
    try:
        read(folder)
    except ConfigProblems as problems:
        assert problems.problems
        _are_said(problems.problems)


@contextmanager
def _configuration() -> Iterator[Feed]:
    with _folder() as place:

        def feed(whole: dict[str, Any]) -> None:
            shutil.rmtree(place)
            _loads(documents.write(place, whole), partial(load, environ={}))

        yield feed


@contextmanager
def _files() -> Iterator[Feed]:
    """Bytes, in each of the places that are read."""
    with _folder() as place:
        (place / "runbooks").mkdir()
        (place / "agent.yaml").write_text("agent: {runbooks: [runbooks]}")

        def feed(content: bytes) -> None:
            for name in ("checks.yaml", "runbooks/r.yaml", "r.test.yaml"):
                (place / name).write_bytes(content)
            _loads(place, partial(load, environ={}))
            _loads(place, lambda place: rehearse(place / "r.test.yaml"))

        yield feed


@contextmanager
def _runbook_tests() -> Iterator[Feed]:
    with _folder() as place:

        def feed(content: Any) -> None:
            file = place / "x.test.yaml"
            file.write_text(documents.as_text(content), encoding="utf-8")
            _loads(file, lambda file: rehearse(file, [RUNBOOKS]))

        yield feed


_BYTES = st.one_of(documents.TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=40))
_TOO_LARGE = st.just(b"a: " + b"x" * SIZE_LIMIT)

TARGETS = (
    pure("durations", _WRITTEN, _parser(parse_duration, _is_sound_duration)),
    pure("sizes", _WRITTEN, _parser(parse_size, lambda size: isinstance(size, int) and size >= 0)),
    pure("shares", _WRITTEN, _parser(parse_share, lambda share: 0 <= share <= 1)),
    pure("counts", _WRITTEN, _parser(parse_count_or_share, lambda count: count.of(8) >= 1 and bool(str(count)))),
    pure("rates", _WRITTEN, _parser(parse_rate, lambda rate: parse_rate(str(rate)).count == rate.count)),
    pure("debounces", _WRITTEN, _parser(parse_confirm, lambda found: parse_confirm(str(found)) == found)),
    pure("thresholds", scalars(THRESHOLDS), _parser(parse_threshold, lambda one: parse_threshold(str(one)) == one)),
    pure("statuses", _WRITTEN, _parser(_status, bool)),
    pure(
        "times",
        _TIMES.filter(lambda time: isinstance(time, str)),
        _parser(lambda text: parse_since(str(text), 1e9), math.isfinite),
    ),
    pure("variables", st.tuples(st.sampled_from(["string", "integer", "number", "boolean"]), _WRITTEN), _variable),
    pure("expressions", st.tuples(EXPRESSIONS, made_of("a", "b", "ab", "\n")), _expression, examples=200),
    pure("templates", TEMPLATES, _template, examples=200),
    pure("conditions", TEMPLATES, _condition, examples=200),
    pure("ticket_templates", TEMPLATES, _ticket_template, examples=200),
    pure("documents", documents.TEXT, _document),
    pure("runbooks", documents.runbooks() | documents.TEXT, _runbook, examples=100),
    Target("configurations", documents.configurations(), _configuration, examples=40),
    Target("files", _BYTES | _TOO_LARGE, _files, examples=100),
    Target("runbook_tests", documents.runbook_tests(), _runbook_tests, examples=100),
)
