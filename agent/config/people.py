"""People, and the ways a message reaches them."""

import re
from collections.abc import Collection, Mapping

from agent.config.names import named, refer
from agent.config.problem import Path, say_known
from agent.config.source import Folder
from agent.config.validation import MAPPING, NAME_HINT, NAME_PATTERN, show, validate
from agent.model.authored import Authored
from agent.model.people import MessageTarget, Person
from agent.model.policy import Team

_TARGETS = ("messages", "targets")


def read_targets(source: Folder) -> dict[str, MessageTarget]:
    """Message targets by name. What stands for a URL is never repeated in a problem: it may be the URL itself."""
    messages, findings = validate(Messages, source.section("messages"), ("messages",), source.reach)
    source.report_all(findings)
    targets: dict[str, MessageTarget] = {}
    for name, authored in messages.targets.items() if messages else ():
        path = (*_TARGETS, name)
        if not re.fullmatch(NAME_PATTERN, name):
            source.report(path, f"{show(name)} is not a name", NAME_HINT)
            continue
        if isinstance(authored, str):
            source.report(path, f"expected {MAPPING}, got text", "write {url: NAME}, the name of a secret")
            continue
        target, findings = validate(MessageTarget, authored, path, source.reach, {"name": name})
        source.report_all(findings)
        if target is not None:
            targets[name] = target
            _check_url(source, (*path, "url"), target.url)
    return targets


class Messages(Authored):
    """Everything in `messages:`, before each target is looked at."""

    targets: dict[str, object] = {}


def _check_url(source: Folder, path: Path, url: str) -> None:
    if ":" in url:
        hint = "give it a name under 'secrets:' and write that name here"
        source.report(path, "an Apprise URL holds passwords: it is a secret and never stands here", hint)
    else:
        refer(source, path, "secrets", url)


def read_people(source: Folder, targets: Mapping[str, MessageTarget]) -> dict[str, Person]:
    people: dict[str, Person] = {}
    for name, authored in named(source, "people"):
        path = ("people", name)
        person, findings = validate(Person, authored, path, source.reach, {"name": name})
        source.report_all(findings)
        if person is None:
            continue
        people[name] = person
        for index, target in enumerate(person.notify):
            _refer_to_target(source, (*path, "notify", index), target, targets)
    return people


def _refer_to_target(source: Folder, path: Path, name: str, targets: Mapping[str, MessageTarget]) -> None:
    written = source.section("messages").get("targets")
    known: Collection[str] = written if isinstance(written, dict) else targets
    if name not in known and source.is_whole:
        hint = say_known(name, known, "define it under 'messages:', in 'targets:'")
        source.report(path, f"there is no message target '{name}'", hint)


def check_members(source: Folder, teams: Mapping[str, Team]) -> None:
    """Where people are written, those of the teams are among them."""
    if not source.section("people"):
        return
    for team in teams.values():
        for index, member in enumerate(team.members):
            refer(source, ("teams", team.name, "members", index), "people", member)
