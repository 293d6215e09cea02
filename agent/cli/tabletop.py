"""A tabletop in the terminal: tells what would happen, asks, writes down what is said."""

from collections.abc import Callable
from pathlib import Path

from agent.cli import times
from agent.cli.exits import refused
from agent.cli.terminal import say
from agent.config.configuration import Configuration
from agent.config.yaml import SIZE_LIMIT, read_document
from agent.drill import archive
from agent.drill.tabletop import Answer, conduct, would_happen
from agent.model.drill import MARK, Drill, Question
from agent.model.drill_result import DrillResult
from agent.plugin.files import read_small

_YES = ("y", "yes", "true")
_NO = ("n", "no", "false")


def at_the_table(
    configuration: Configuration, drill: Drill, actor: str, answers: Path | None, *, quiet: bool
) -> DrillResult:
    """`answers`: a file instead of people. Raises Failure."""
    ask = _from_file(drill, answers) if answers is not None else _from_people
    if not quiet:
        say(f"{MARK} {drill.title}\n\n{drill.scenario}".rstrip())
        told = list(would_happen(drill, configuration.settings))
        if told:
            say("\nWhat would happen, as it is written now:\n" + "\n".join(told))
    state_dir = configuration.agent.state_dir
    try:
        result = conduct(drill, archive.begin(state_dir), actor, times.now, ask)
        archive.keep(state_dir, result)
    except OSError as error:
        raise refused(f"{error.filename or state_dir}: {error.strerror or error}; run it as the agent's user") from None
    return result


def _from_people(question: Question) -> Answer:
    whom = f" ({question.by.said})" if question.by else ""
    say(f"\n{question.ask}{whom}")
    said = _line("> ")
    if question.good:
        say(f"A good answer: {question.good}")
    while (word := _line("Was it good? (yes/no) ").lower()) not in (*_YES, *_NO):
        say("write yes or no")
    return said, word in _YES


def _line(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        raise refused("nobody answers: run it where people can, or give --answers FILE") from None


def _from_file(drill: Drill, file: Path) -> Callable[[Question], Answer]:
    """A list in the order of the questions, each {answer: …, good: true}. Raises Failure."""
    try:
        document = read_document(read_small(file, SIZE_LIMIT).decode(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise refused(f"{file} cannot be read: {error}") from None
    if document.problems:
        raise refused("\n".join(map(str, document.problems)))
    given = document.data
    if not isinstance(given, list) or len(given) != len(drill.ask):
        raise refused(f"{file}: write a list of {len(drill.ask)} answers, each '- {{answer: …, good: true}}'")
    answers: dict[str, Answer] = {}
    for number, (question, each) in enumerate(zip(drill.ask, given, strict=True), 1):
        if not isinstance(each, dict) or set(each) != {"answer", "good"} or not isinstance(each["good"], bool):
            raise refused(f"{file}: answer {number} is not {{answer: …, good: true}} or {{answer: …, good: false}}")
        answers[question.ask] = str(each["answer"]), each["good"]
    return lambda question: answers[question.ask]
