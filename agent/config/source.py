"""Where values were written: one file, or the files of a folder taken together."""

import errno
from pathlib import Path as FilePath

from agent.config.problem import Path, Problem, say_known
from agent.config.shape import Findings
from agent.config.yaml import SIZE_LIMIT, TOO_LARGE, Document, Unreadable, read_document, unreadable
from agent.plugin.files import read_small

SINGLE = ("access", "agent", "login", "messages", "policy", "tickets")
"""Sections that are one thing: their keys may be spread over files."""

NAMED = (
    "hosts",
    "groups",
    "services",
    "teams",
    "people",
    "checks",
    "secrets",
    "plans",
    "resources",
    "drills",
)
"""Sections that hold things by name."""


class Source:
    """What was written, and the problems found in it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def document_of(self, path: Path) -> Document:
        """The file that holds what is at `path`, or most of the way to it."""
        raise NotImplementedError

    def reach(self, path: Path) -> Path:
        """The part of the path that was really written, without segments that are in no file."""
        marks, reached = self.document_of(path).marks, []
        for segment in path:
            if child := marks.children.get(segment):
                reached.append(segment)
                marks = child
        return tuple(reached)

    def report(self, path: Path, what: str, hint: str = "") -> None:
        self.problems.append(self.document_of(path).problem(path, what, hint))

    def report_all(self, findings: Findings) -> None:
        for finding in findings:
            self.report(*finding)


class OneFile(Source):
    """A document by itself, such as a runbook."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document
        self.problems.extend(document.problems)

    def document_of(self, path: Path) -> Document:
        return self._document


class RunbookFile(OneFile):
    """A runbook, and what its steps refer to: place, section of the configuration, name."""

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.references: list[tuple[Path, str, str]] = []


class PartOfFile(RunbookFile):
    """A runbook whose steps stand at `at` in something larger, where what is wrong with it is reported."""

    def __init__(self, document: Document, whole: Source, at: Path) -> None:
        super().__init__(document)
        self._whole = whole
        self._at = at

    def report(self, path: Path, what: str, hint: str = "") -> None:
        self._whole.report((*self._at, *path), what, hint)


class Folder(Source):
    """The configuration folder: sections put together from all its files.

    `is_whole` is False when a file could not be read: what seems to be missing may stand there. `files`: all that
    belong to it.
    """

    def __init__(self, folder: FilePath) -> None:
        super().__init__()
        self.is_whole = True
        self._sections: dict[str, dict[str, object]] = {name: {} for name in SINGLE + NAMED}
        self._homes: dict[tuple[str, str], Document] = {}
        self._documents: dict[str, Document] = {}
        self._nowhere = unreadable(str(folder), Unreadable(""))
        self.files = self._files(folder)
        for file in self.files:
            self._add(_read(file))

    def document_of(self, path: Path) -> Document:
        section = str(path[0]) if path else ""
        if len(path) > 1 and (home := self._homes.get((section, str(path[1])))):
            return home
        return self._documents.get(section, self._nowhere)

    def section(self, name: str) -> dict[str, object]:
        """What all files together say in this section."""
        return self._sections[name]

    def has(self, section: str) -> bool:
        """Whether any file has this section, be it empty."""
        return section in self._documents

    def _files(self, folder: FilePath) -> list[FilePath]:
        try:
            files = sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and file.is_file())
        except NotADirectoryError:
            self._unreadable(str(folder), "is a file", f"the configuration is a folder: give {folder.parent}")
            return []
        except OSError as error:
            self._unreadable(
                str(folder), f"cannot be read as a folder: {error.strerror}", "name the folder that holds checks.yaml"
            )
            return []
        if not files:
            self._unreadable(str(folder), "holds no *.yaml file", "name the folder that holds checks.yaml")
        return files

    def _unreadable(self, file: str, what: str, hint: str) -> None:
        self.is_whole = False
        self.problems.append(Problem(file, 0, 0, "", what, hint))

    def _add(self, document: Document) -> None:
        self.problems.extend(document.problems)
        self.is_whole = self.is_whole and document.readable
        if document.data is None:
            return
        if not isinstance(document.data, dict):
            self.is_whole = False
            self.problems.append(document.problem((), "expected sections such as 'checks:' or 'hosts:'"))
            return
        for name, content in document.data.items():
            self._add_section(document, name, content)

    def _add_section(self, document: Document, name: str, content: object) -> None:
        if name not in self._sections:
            hint = say_known(name, self._sections)
            if name in ("runbook", "steps"):
                hint = "a runbook belongs into the runbooks folder"
            self.problems.append(document.problem((name,), f"there is no section '{name}'", hint))
            return
        self._documents.setdefault(name, document)
        if content is None:
            return
        if not isinstance(content, dict):
            what = f"expected a mapping ('{'name' if name in NAMED else 'key'}: …' lines)"
            self.is_whole = False
            self.problems.append(document.problem((name,), what, _instead_of(name, content)))
            return
        for key, value in content.items():
            self._add_entry(document, name, key, value)

    def _add_entry(self, document: Document, section: str, key: str, value: object) -> None:
        first = self._homes.get((section, key))
        if first is not None:
            what = f"'{key}' is defined a second time, first in {first.where((section, key))}"
            self.problems.append(document.problem((section, key), what, "keep one of them"))
            return
        self._homes[section, key] = document
        self._sections[section][key] = value


def _instead_of(section: str, content: object) -> str:
    """What to write instead of something that is no mapping."""
    first = content[0] if isinstance(content, list) and content else None
    if not isinstance(first, dict):
        return f"indent what belongs to {section}"
    if section not in NAMED or (len(first) == 1 and isinstance(next(iter(first.values())), dict)):
        return "leave out the '- '"
    name = first.get("name")
    return f"no list, but each under its name: write {name if isinstance(name, str) else 'NAME'}: {{…}}"


def _read(file: FilePath) -> Document:
    text, problem = read_text(file)
    return read_document(text, str(file)) if problem is None else unreadable(str(file), problem)


def read_text(file: FilePath) -> tuple[str, Unreadable | None]:
    """The file's text, or what is wrong with the file."""
    try:
        raw = read_small(file, SIZE_LIMIT)
        return raw.decode("utf-8"), None
    except OSError as error:
        if error.errno == errno.EFBIG:
            return "", Unreadable(*TOO_LARGE)
        return "", Unreadable(f"cannot be read: {error.strerror}", "let the agent's user read it")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return "", Unreadable("is not UTF-8 text", "save the file as UTF-8", line)
