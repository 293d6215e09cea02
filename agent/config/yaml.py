"""Reading YAML that people wrote, keeping where everything stood. Bounded in size, depth and alias expansion."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from agent.config.problem import Path, Problem, say_path
from agent.config.scalar import plain_scalar

SIZE_LIMIT = 1 << 20
TOO_LARGE = f"is larger than {SIZE_LIMIT >> 20} MiB", "spread it over several files"
DEPTH_LIMIT = 50
EXPANSION_LIMIT = 100_000
"""How many values aliases may repeat in one file."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRING_TAGS = ("tag:yaml.org,2002:str", "!")
_MERGE = "<<"


@dataclass(slots=True)
class Marks:
    """Where a value stands: the line and column of its key, or of itself in a list. `size`: values below and itself."""

    line: int
    column: int
    children: "dict[str | int, Marks]" = field(default_factory=dict)
    size: int = 1
    height: int = 1

    def add(self, segment: str | int, child: "Marks") -> None:
        self.children[segment] = child
        self.size += child.size
        self.height = max(self.height, child.height + 1)


@dataclass(frozen=True, slots=True)
class Document:
    """What one file says. `data` is None when the file is empty or could not be read at all."""

    file: str
    data: object
    marks: Marks
    problems: tuple[Problem, ...] = ()
    readable: bool = True

    def locate(self, path: Path) -> tuple[Path, Marks]:
        """As far along the path as the file goes, and the place of that."""
        marks = self.marks
        for depth, segment in enumerate(path):
            child = marks.children.get(segment)
            if child is None:
                return path[:depth], marks
            marks = child
        return path, marks

    def where(self, path: Path) -> str:
        """File and line, as a problem says them."""
        return f"{self.file}:{self.locate(path)[1].line}"

    def problem(self, path: Path, what: str, hint: str = "") -> Problem:
        """A problem with the value at `path`, or with what holds it where the path goes further than the file."""
        there, marks = self.locate(path)
        return Problem(self.file, marks.line, marks.column, say_path(there), what, hint)


class _Broken(Exception):
    """Nothing after this point of the file can be trusted."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_document(text: str, file: str) -> Document:
    """Never raises: what is wrong is in `problems`. `file` is how people call the file."""
    if len(text) > SIZE_LIMIT:
        return unreadable(file, Unreadable(*TOO_LARGE))
    reader = _Reader(text.removeprefix("\ufeff"), file)
    try:
        data, marks = reader.document()
    except _Broken as broken:
        return Document(file, None, Marks(1, 1), (*reader.problems, broken.problem), readable=False)
    except yaml.MarkedYAMLError as error:
        return Document(file, None, Marks(1, 1), (*reader.problems, _syntax_problem(error, text, file)), readable=False)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return unreadable(file, Unreadable("holds a character that is not text", "save the file as plain text", line))
    return Document(file, data, marks, tuple(reader.problems))


class Unreadable(NamedTuple):
    """Why a file cannot be read, and what would be right. `line` 0: it is about the file as a whole."""

    what: str
    hint: str = ""
    line: int = 0


def unreadable(file: str, why: Unreadable) -> Document:
    """The document of a file of which nothing could be read."""
    problem = Problem(file, why.line, 0, "", why.what, why.hint)
    return Document(file, None, Marks(0, 0), (problem,), readable=False)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """What the parser says, in words that tell what to look for."""
    said, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    what, hint = f"is not YAML: {said} {context}".rstrip(), "compare indentation and quotes with the lines above"
    if "mapping values are not allowed" in said:
        what = "a ':' stands where no key can be"
        hint = "put a value that holds ': ' in quotes, or compare the indentation"
    elif "unknown escape character" in said:
        what, hint = "a backslash in double quotes begins an escape, and this is none", "use single quotes"
    elif "quoted scalar" in context:
        what, hint = "the quotes that begin here are never closed", "close them"
        mark = error.context_mark or mark
    elif "cannot start any token" in said and mark:
        character = text.splitlines()[mark.line][mark.column : mark.column + 1]
        what, hint = f"a value begins with '{character}'", "put the value in quotes"
        if character == "\t":
            what, hint = "a tab is used for indentation", "indent with spaces"
    elif " flow " in context:
        what, hint = "the '[…]' or '{…}' here does not come to an end", "close it, and put commas between its parts"
        mark = error.context_mark or mark
    elif "did not find expected key" in said or "could not find expected ':'" in said:
        what = "this line is neither 'key: value' nor indented like its neighbours"
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    line = min(line, len(text.splitlines()) or 1)  # what is missing at the end is reported behind it
    return Problem(file, line, column, "", what, hint)


def _place(event: Event) -> tuple[int, int]:
    mark = event.start_mark
    assert mark is not None  # only events that are made by hand have none
    return mark.line + 1, mark.column + 1


class _Reader:
    """Builds data and marks from the parser's events, so that bounds hold before anything grows."""

    def __init__(self, text: str, file: str) -> None:
        self._events: Iterator[Event] = yaml.parse(text, Loader=_LOADER)
        self._file = file
        self._anchors: dict[str, tuple[object, Marks]] = {}
        self._expanded = 0
        self.problems: list[Problem] = []

    def document(self) -> tuple[object, Marks]:
        next(self._events)  # the stream's start
        first = next(self._events)
        if isinstance(first, StreamEndEvent):
            return None, Marks(1, 1)
        data, marks = self._value(next(self._events), (), 1)
        next(self._events)  # the document's end
        second = next(self._events)
        if isinstance(second, DocumentStartEvent):
            raise self._broken(second, (), "a second document begins ('---')", "write one document a file")
        return data, marks

    def _value(self, event: Event, path: Path, depth: int) -> tuple[object, Marks]:
        if isinstance(event, AliasEvent):
            return self._alias(event, path, depth)
        if depth > DEPTH_LIMIT:
            raise self._broken(event, path, f"is nested deeper than {DEPTH_LIMIT} levels", "")
        self._check_tag(event, path)
        marks = Marks(*_place(event))
        data: object
        if isinstance(event, ScalarEvent):
            data = plain_scalar(event.value) if event.implicit[0] else event.value
        elif isinstance(event, SequenceStartEvent):
            data = self._sequence(marks, path, depth)
        elif isinstance(event, MappingStartEvent):
            data = self._mapping(marks, path, depth)
        else:
            raise self._broken(event, path, f"is not YAML: {type(event).__name__}", "")
        if event.anchor:
            self._anchors[event.anchor] = data, marks
        return data, marks

    def _alias(self, event: AliasEvent, path: Path, depth: int) -> tuple[object, Marks]:
        known = self._anchors.get(event.anchor or "")
        if known is None:
            what = f"'*{event.anchor}' names nothing written before it"
            raise self._broken(event, path, what, f"write '&{event.anchor}' at the value to repeat, above this line")
        data, marks = known
        self._expanded += marks.size
        if self._expanded > EXPANSION_LIMIT:
            raise self._broken(event, path, f"aliases repeat more than {EXPANSION_LIMIT} values", "use fewer")
        if depth + marks.height - 1 > DEPTH_LIMIT:
            raise self._broken(event, path, f"is nested deeper than {DEPTH_LIMIT} levels", "")
        here = Marks(*_place(event), marks.children, marks.size, marks.height)
        return data, here

    def _sequence(self, marks: Marks, path: Path, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            index = len(items)
            item, item_marks = self._value(event, (*path, index), depth + 1)
            items.append(item)
            marks.add(index, item_marks)
        return items

    def _mapping(self, marks: Marks, path: Path, depth: int) -> dict[str, object]:
        entries: dict[str, object] = {}
        merged: list[tuple[object, Marks, Event]] = []
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                hint = "put a value that begins with '{' or '[' in quotes, as in \"{{ host.name }}\""
                raise self._broken(event, path, "a key must be a word, not a mapping or a list", hint)
            key = str(event.value)
            value, value_marks = self._value(next(self._events), (*path, key), depth + 1)
            if key == _MERGE and event.implicit[0]:
                merged.append((value, value_marks, event))
                continue
            value_marks.line, value_marks.column = _place(event)
            if key in entries:
                self._report_twice(marks.children[key], value_marks, (*path, key))
                continue
            entries[key] = value
            marks.add(key, value_marks)
        for value, value_marks, event in merged:
            self._merge(entries, marks, value, value_marks, event, path)
        return entries

    def _merge(
        self, entries: dict[str, object], marks: Marks, value: object, value_marks: Marks, event: Event, path: Path
    ) -> None:
        """`<<: *other`: what is not said here is taken from there (https://yaml.org/type/merge.html)."""
        sources = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, source in sources:
            if not isinstance(source, dict):
                raise self._broken(event, path, "'<<' can only take over a mapping", "write <<: *NAME")
            source_marks = value_marks if index is None else value_marks.children[index]
            for key, taken in source.items():
                if key not in entries:
                    entries[key] = taken
                    marks.add(key, source_marks.children[key])

    def _check_tag(self, event: Event, path: Path) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _STRING_TAGS:
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self.problems.append(self._problem(event, path, f"the YAML tag '{short}' is not supported", "leave it out"))

    def _report_twice(self, first: Marks, second: Marks, path: Path) -> None:
        what = f"'{path[-1]}' is written twice, first in line {first.line}"
        self.problems.append(Problem(self._file, second.line, second.column, say_path(path), what, "keep one of them"))

    def _problem(self, event: Event, path: Path, what: str, hint: str) -> Problem:
        return Problem(self._file, *_place(event), say_path(path), what, hint)

    def _broken(self, event: Event, path: Path, what: str, hint: str) -> _Broken:
        return _Broken(self._problem(event, path, what, hint))
