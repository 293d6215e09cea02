"""The runbook library: every runbook in the runbook folders, and what it refers to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from agent.config.agent_settings import Signers
from agent.config.names import refer, refer_to_hosts
from agent.config.problem import Path, Problem, say_known
from agent.config.runbook import read_runbook
from agent.config.signature import CannotVerify, NotSigned, signer_of
from agent.config.source import Folder, RunbookFile, read_text
from agent.config.yaml import Unreadable, read_document, unreadable
from agent.core.variables import given_values, variables_for
from agent.model.check import CheckRules
from agent.model.runbook import Runbook


@dataclass(frozen=True, slots=True)
class Entry:
    """A runbook and where it was written."""

    file: FilePath
    source: RunbookFile
    runbook: Runbook


class Library:
    """Runbooks by name. `names` holds also those that are written but not sound; `files`: all that were read.

    `cannot_verify`: why nothing can be said about signatures. Nothing is asked any more once there is one.
    """

    def __init__(self, folders: Iterable[FilePath], *, is_whole: bool = True, signers: Signers | None = None) -> None:
        """`is_whole`: False when a folder is missing, which has been said already. `signers`: one must have signed."""
        self.entries: dict[str, Entry] = {}
        self.names: set[str] = set()
        self.files: list[FilePath] = []
        self.is_whole = is_whole
        self.cannot_verify: CannotVerify | None = None
        self._signers = signers
        self._sources: list[RunbookFile] = []
        self._homes: dict[str, str] = {}
        for folder in folders:
            for file in self._files(folder):
                self._read(file)

    @property
    def kinds(self) -> set[type]:
        """Step kinds that the runbooks use."""
        return kinds_in(entry.runbook for entry in self.entries.values())

    @property
    def problems(self) -> list[Problem]:
        return [problem for source in self._sources for problem in source.problems]

    def check_references(self, config: Folder) -> None:
        """Everything that a runbook names must exist in the configuration."""
        for entry in self.entries.values():
            check_references_of(config, entry.runbook, entry.source)

    def check_ladder(self, config: Folder, check: CheckRules) -> None:
        """A ladder's runbooks must exist and need no value that nobody gives."""
        for index, rung in enumerate(check.ladder):
            self.check_use(config, ("checks", check.name, "ladder", index), rung.runbook, rung.vars)

    def check_use(self, config: Folder, path: Path, name: str, given: Mapping[str, object]) -> None:
        """A runbook that `path` names must exist and need no value that is not `given`."""
        if name not in self.names:
            if self.is_whole:
                hint = say_known(name, self.names, "no runbook was found in the runbook folders")
                config.report(path, f"there is no runbook '{name}'", hint)
        elif name in self.entries:
            self._check_values(config, path, self.entries[name].runbook, given)

    def _check_values(self, config: Folder, path: Path, runbook: Runbook, given: Mapping[str, object]) -> None:
        try:
            _, missing = variables_for(runbook, given_values(runbook, given))
        except ValueError as error:
            config.report((*path, "vars"), str(error), f"the variables stand in runbook '{runbook.name}' under vars")
            return
        if missing:
            what = f"runbook '{runbook.name}' needs a value for {' and '.join(missing)}"
            values = ", ".join(f"{name}: …" for name in missing)
            config.report(path, what, f"write {{runbook: {runbook.name}, vars: {{{values}}}}}")

    def _files(self, folder: FilePath) -> list[FilePath]:
        try:
            found = sorted(folder.iterdir())
        except OSError as error:
            what = f"cannot be read as a folder: {error.strerror}"
            document = unreadable(shown(folder), Unreadable(what, "name the folder that holds the runbooks"))
            self._sources.append(RunbookFile(document))
            self.is_whole = False
            return []
        return [
            file for file in found if file.suffix in (".yaml", ".yml") and file.is_file() and ".test." not in file.name
        ]

    def _read(self, file: FilePath) -> None:
        self.files.append(file)
        text, problem = read_text(file)
        signer = ""
        if problem is None and self._signers is not None:
            signer, problem = self._signer(text, file, self._signers)
        document = read_document(text, shown(file)) if problem is None else unreadable(shown(file), problem)
        source = RunbookFile(document)
        self._sources.append(source)
        if not document.readable:
            self.is_whole = False
            return
        runbook = read_runbook(source, text, signer)
        written = document.data.get("runbook") if isinstance(document.data, dict) else None
        if not isinstance(written, str):
            self.is_whole = False  # any name may be meant
            return
        first = self._homes.get(written)
        if first is not None:
            source.report(("runbook",), f"'{written}' is defined a second time, first in {first}", "keep one of them")
            return
        self.names.add(written)
        self._homes[written] = f"{document.file}:{document.locate(('runbook',))[1].line}"
        if runbook is not None:
            self.entries[written] = Entry(file, source, runbook)

    def _signer(self, text: str, file: FilePath, signers: Signers) -> tuple[str, Unreadable | None]:
        """Who signed it. What nobody signed is not even parsed."""
        if self.cannot_verify is not None:
            return "", None  # said once, and enough to refuse all
        try:
            return signer_of(text.encode(), file.absolute(), signers), None
        except CannotVerify as error:
            self.cannot_verify = error
            return "", None
        except NotSigned as error:
            return "", Unreadable(str(error), error.hint)


def kinds_in(runbooks: Iterable[Runbook]) -> set[type]:
    """Step kinds that these runbooks use."""
    return {type(step.action) for runbook in runbooks for step in (*runbook.treatment, *runbook.rollback)}


def check_references_of(config: Folder, runbook: Runbook, source: RunbookFile) -> None:
    """Everything that this runbook, written in `source`, names must exist in the configuration."""
    if runbook.hosts.startswith(("host:", "group:")):
        refer_to_hosts(config, ("hosts",), runbook.hosts, source)
    for index, name in enumerate(runbook.verify.checks):
        refer(config, ("verify", "check", index), "checks", name, source)
    for path, section, name in source.references:
        refer(config, path, section, name, source)


def shown(file: FilePath) -> str:
    """As people would type it here."""
    here = FilePath.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
