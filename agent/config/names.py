"""Names that people give, and references from one thing to another."""

import re
from collections.abc import Iterator

from agent.config.problem import Path, say_known
from agent.config.source import Folder, Source
from agent.config.validation import NAME_HINT, NAME_PATTERN, show
from agent.model.settings import LOCALHOST

_ONE = {
    "hosts": "host",
    "groups": "group",
    "services": "service",
    "teams": "team",
    "checks": "check",
    "secrets": "secret",
    "people": "person",
    "plans": "plan",
    "resources": "resource",
}

_HARDLY_A_SECRET = re.compile(r"(?!.{41})[a-z]+([-_.][a-z]+){1,2}")
"""Two or three plain words put together, as `tracker-token`."""


def named(source: Folder, section: str) -> Iterator[tuple[str, object]]:
    """Each thing in a section whose name is one."""
    for name, authored in source.section(section).items():
        if re.fullmatch(NAME_PATTERN, name):
            yield name, authored
        else:
            source.report((section, name), f"{show(name)} is not a name", NAME_HINT)


def exists(source: Folder, section: str, name: str) -> bool:
    """Whether it is written anywhere, soundly or not."""
    return name in source.section(section) or (section == "hosts" and name == LOCALHOST)


def refer(source: Folder, path: Path, section: str, name: str, written_in: Source | None = None) -> bool:
    """Whether what is named exists. Reports it otherwise, unless it may stand in a file that could not be read.

    `written_in`: where the reference stands, when it is not in the configuration folder.
    """
    if exists(source, section, name):
        return True
    if source.is_whole:
        known = [*source.section(section), *([LOCALHOST] if section == "hosts" else [])]
        hint = say_known(name, known, f"define it under '{section}:'")
        what = _no_secret(name) if section == "secrets" else f"there is no {_ONE[section]} '{name}'"
        (written_in or source).report(path, what, hint)
    return False


def _no_secret(name: str) -> str:
    """Someone may have written the secret itself: then it is not repeated."""
    return (
        f"there is no secret '{name}' here" if _HARDLY_A_SECRET.fullmatch(name) else "there is no secret of this name"
    )


def refer_to_hosts(source: Folder, path: Path, reference: str, written_in: Source | None = None) -> bool:
    """Whether `local`, `host:NAME` or `group:NAME` names hosts that exist."""
    if reference == "local":
        return True
    sort, colon, name = reference.partition(":")
    if colon and sort in ("host", "group"):
        return refer(source, path, f"{sort}s", name, written_in)
    (written_in or source).report(path, f"{show(reference)} names no hosts", _reference_hint(source, reference))
    return False


def _reference_hint(source: Folder, reference: str) -> str:
    word = reference.partition(":")[2].strip() or reference
    for sort in ("host", "group"):
        if exists(source, f"{sort}s", word):
            return f"write {sort}:{word}"
    return "write local, host:NAME or group:NAME"
