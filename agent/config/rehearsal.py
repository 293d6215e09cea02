"""Runbook tests as people write them, and their results. The format is described in docs/runbook-tests.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from agent.config.library import Library
from agent.config.problem import ConfigProblems, Path, say_known
from agent.config.source import OneFile, read_text
from agent.config.validation import MAPPING, show, validate
from agent.config.yaml import read_document, unreadable
from agent.core import rehearsal
from agent.core.expectation import WITH_A_PERSON, Expectation, differences
from agent.core.rehearsal import Rehearsed
from agent.core.scene import Answer, Course, Reaction, Recovery, Scene
from agent.core.variables import given_values
from agent.model.authored import Authored, Name
from agent.model.execution import Outcome, StepStatus
from agent.model.quantities import Duration
from agent.model.runbook import Runbook
from agent.model.settings import LOCALHOST

_ENDINGS = {
    "unreachable": StepStatus.UNREACHABLE,
    "times out": StepStatus.TIMED_OUT,
    "outcome unknown": StepStatus.UNKNOWN,
}
_OUTCOMES = (*(str(outcome) for outcome in Outcome if outcome is not Outcome.REFUSED), WITH_A_PERSON)


def _ending(value: object) -> object:
    return {"ends": value} if isinstance(value, str) else value


def _recovery(value: str) -> str:
    """Raises ValueError."""
    if value in (Course.AT_ONCE, Course.NEVER, Course.UNKNOWN) or (value.startswith("after ") and value[6:].strip()):
        return value
    raise ValueError(f"'{value}' is not known here: write at once, never, unknown or after STEP")


def _outcome(value: str) -> str:
    """Raises ValueError."""
    if value in _OUTCOMES or value.startswith("refused: "):
        return value
    hint = say_known(value, _OUTCOMES)
    raise ValueError(f"'{value}' is not an outcome: {hint} (or refused: REASON)")


Recovers = Annotated[str, AfterValidator(_recovery)]


class AuthoredIncident(Authored):
    """The incident that the runbook is tried on."""

    check: Name | None = Field(None, description="The check that failed; default: the one the runbook verifies by.")
    hosts: tuple[Name, ...] = Field(("host1",), min_length=1, description="Hosts on which it failed.")
    service: Name | None = Field(None, description="The service it belongs to.")
    category: str = Field("general", description="The fault type.")


class AuthoredAnswer(Authored):
    """What one attempt of a step comes to."""

    exit: int = Field(0, description="Exit status; 0, or what the step takes for success, is well.")
    stdout: str = ""
    stderr: str = ""
    takes: Duration = Field(0.0, description="How long; more than the step's timeout is timed out.")
    ends: Literal["unreachable", "times out", "outcome unknown"] | None = Field(
        None, description="Instead of an exit status; may be written in place of the whole answer."
    )


class AuthoredExpectation(Authored):
    """What must come of it; what is left out is not looked at."""

    outcome: Annotated[str, AfterValidator(_outcome)] | None = None
    steps: tuple[str, ...] | None = Field(None, description="Names in the order in which they ended.")
    commands: tuple[str, ...] | None = Field(None, description="Commands as they were run, templates filled in.")


class AuthoredTest(Authored):
    """One scene and what is expected of it."""

    name: str = Field(min_length=1)
    incident: AuthoredIncident = AuthoredIncident()
    vars: dict[str, str | int | float | bool] = Field({}, description="Values in place of the runbook's defaults.")
    host_vars: dict[str, str | int | float | bool] = Field({}, description="What {{ host.vars.x }} is on every host.")
    answers: dict[str, tuple[Annotated[AuthoredAnswer, BeforeValidator(_ending)], ...]] = {}
    recovers: Recovers = Field("at once", description="When the incident's check is well.")
    checks: dict[Name, Recovers] = Field({}, description="When other checks are well.")
    approve: dict[str, Literal["yes", "no", "nobody"]] = {}
    earlier: dict[Name, tuple[Duration, ...]] = Field({}, description="How long ago this runbook treated a host.")
    expect: AuthoredExpectation


class AuthoredTests(Authored):
    """A whole file. `tests` are validated one by one."""

    runbook: Name


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test. `file` as people would type it, `line` where the test begins."""

    file: str
    line: int
    runbook: str
    name: str
    differences: tuple[str, ...]
    rehearsed: Rehearsed

    @property
    def passed(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        """The differences under a heading that an editor can jump to; one line when it passed."""
        heading = f"{self.file}:{self.line}: {self.runbook}: {self.name}"
        if self.passed:
            return f"{heading}: passed"
        said = "\n".join(f"  {line}" for text in self.differences for line in text.splitlines())
        return f"{heading}: failed\n{said}"


def find_tests(places: Iterable[FilePath]) -> list[FilePath]:
    """Every `*.test.yaml` among the places, in them and in their `tests` folders; sorted, each once."""
    found: set[FilePath] = set()
    for place in places:
        if place.is_dir():
            found |= {file for pattern in ("*.test.y*ml", "tests/*.test.y*ml") for file in place.glob(pattern)}
        else:
            found.add(place)
    return sorted(found)


def rehearse(file: FilePath, folders: Iterable[FilePath] = ()) -> list[Result]:
    """Run every test of a file. The runbook is looked for in `folders`, then beside the file and above it.

    Raises ConfigProblems with everything that is wrong in the file, or in the runbook.
    """
    text, problem = read_text(file)
    document = read_document(text, str(file)) if problem is None else unreadable(str(file), problem)
    source = OneFile(document)
    runbook, tests = _read(source, (*folders, file.parent, file.parent.parent))
    if source.problems or runbook is None:
        raise ConfigProblems(source.problems)
    return [_result(source, runbook, index, test) for index, test in enumerate(tests)]


def _result(source: OneFile, runbook: Runbook, index: int, test: AuthoredTest) -> Result:
    found = rehearsal.rehearse(_scene(runbook, test))
    wanted = test.expect
    expected = Expectation(wanted.outcome, wanted.steps, wanted.commands)
    document = source.document_of(())
    _, marks = document.locate(("tests", index))
    return Result(document.file, marks.line, runbook.name, test.name, differences(expected, found), found)


# reading


def _read(source: OneFile, folders: Iterable[FilePath]) -> tuple[Runbook | None, list[AuthoredTest]]:
    data = source.document_of(()).data
    if not isinstance(data, dict):
        if not source.problems:
            source.report((), f"expected {MAPPING}, got {show(data)}", "begin with runbook: NAME")
        return None, []
    head = {key: value for key, value in data.items() if key != "tests"}
    whole, findings = validate(AuthoredTests, head, (), source.reach, also=("tests",))
    source.report_all(findings)
    runbook = _find(source, whole.runbook, folders) if whole else None
    written = data.get("tests")
    if not isinstance(written, list) or not written:
        source.report(("tests",), f"expected a list of tests, got {show(written)}", "begin each with '- name: …'")
        return runbook, []
    tests = [_read_test(source, runbook, ("tests", index), each) for index, each in enumerate(written)]
    return runbook, [test for test in tests if test]


def _read_test(source: OneFile, runbook: Runbook | None, path: Path, authored: object) -> AuthoredTest | None:
    test, findings = validate(AuthoredTest, _plain(authored), path, source.reach)
    source.report_all([finding._replace(path=source.reach(finding.path)) for finding in findings])
    if test is None or runbook is None:
        return test
    steps = [step.name for step in (*runbook.treatment, *runbook.rollback)]
    recoveries = [(("recovers",), test.recovers), *((("checks", name), said) for name, said in test.checks.items())]
    for place, said in recoveries:
        step = said.removeprefix("after ")
        if step != said and step not in steps:
            source.report((*path, *place), f"{runbook.name} has no step '{step}'", say_known(step, steps))
    hosts = [*test.incident.hosts, *_named_by(runbook)]
    for host in test.earlier:
        if host not in hosts:
            source.report((*path, "earlier", host), "this is no host of the test", say_known(host, hosts))
    try:
        given_values(runbook, test.vars)
    except ValueError as error:
        source.report((*path, "vars"), str(error))
    return test


def _named_by(runbook: Runbook) -> list[str]:
    """The host that the runbook treats whatever is ill."""
    sort, _, name = runbook.hosts.partition(":")
    return [LOCALHOST] if sort == "local" else [name] if sort == "host" else []


def _plain(authored: object) -> object:
    """What may be written shortly, written out: one answer for all attempts, `- rollback: NAME` as a list entry."""
    if not isinstance(authored, dict):
        return authored
    plain = dict(authored)
    if isinstance(answers := authored.get("answers"), dict):
        plain["answers"] = {name: each if isinstance(each, list) else [each] for name, each in answers.items()}
    expect = authored.get("expect")
    if isinstance(expect, dict) and isinstance(steps := expect.get("steps"), list):
        plain["expect"] = expect | {"steps": [_one_line(step) for step in steps]}
    return plain


def _one_line(step: object) -> object:
    if isinstance(step, dict) and list(step) == ["rollback"]:
        return f"rollback: {step['rollback']}"
    return step


def _find(source: OneFile, name: str, folders: Iterable[FilePath]) -> Runbook | None:
    known: set[str] = set()
    for folder in dict.fromkeys(folders):
        library = Library([folder])
        known |= library.names
        if name not in library.names:
            continue
        entry = library.entries.get(name)
        wrong = entry.source.problems if entry else library.problems
        if wrong or entry is None:
            source.problems.extend(wrong)
            return None
        return entry.runbook
    source.report(
        ("runbook",), f"there is no runbook '{name}'", say_known(name, known, "none was found near this file")
    )
    return None


# as the core takes it


def _scene(runbook: Runbook, test: AuthoredTest) -> Scene:
    return Scene(
        runbook=runbook,
        check=test.incident.check or next(iter(runbook.verify.checks), "check"),
        hosts=test.incident.hosts,
        service=test.incident.service,
        category=test.incident.category,
        variables=test.vars,
        host_vars=test.host_vars,
        answers={name: tuple(_answer(each) for each in answers) for name, answers in test.answers.items()},
        recovers=_recovery_of(test.recovers),
        checks={name: _recovery_of(said) for name, said in test.checks.items()},
        approvals={name: Reaction(said) for name, said in test.approve.items()},
        earlier=test.earlier,
    )


def _answer(authored: AuthoredAnswer) -> Answer:
    status = _ENDINGS[authored.ends] if authored.ends else None
    return Answer(authored.exit, authored.stdout, authored.stderr, authored.takes, status)


def _recovery_of(said: str) -> Recovery:
    step = said.removeprefix("after ")
    return Recovery(Course(said)) if step == said else Recovery(Course.AFTER, step)
