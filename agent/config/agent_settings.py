"""The agent's own settings: where it keeps things and how much it does at once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from agent.config.source import Folder
from agent.config.validation import validate
from agent.model.authored import Authored
from agent.model.pattern import Expression, Pattern
from agent.model.quantities import Duration, Size

LogLevel = Literal["debug", "info", "warning", "error"]


def _hides_something(pattern: Pattern) -> Pattern:
    if pattern.is_in(""):
        raise ValueError(f"{pattern.pattern!r} fits nothing at all as well: it would hide every text")
    return pattern


HiddenPattern = Annotated[Expression, AfterValidator(_hides_something)]


class AuthoredSigners(Authored):
    """Who may sign runbooks, in the formats of ssh-keygen(1)."""

    allowed_signers: str = Field(description="File with who may sign, one in a line: NAME KEYTYPE KEY.")
    revoked: str | None = Field(None, description="File with keys that count no more: public keys, or a KRL.")


class AuthoredAgent(Authored):
    """Everything in `agent:`. Paths are relative to the configuration folder. Durations in seconds, sizes in bytes."""

    state_dir: str | None = Field(
        None, description="Folder for the record; default: the state directory systemd gives, else ./var."
    )
    socket: str | None = Field(
        None, description="Control socket; default: in the runtime directory systemd gives, else in state_dir."
    )
    runbooks: tuple[str, ...] = Field(
        (), description="Folders with runbooks; default: runbooks in the configuration folder, else beside it."
    )
    signed_runbooks: AuthoredSigners | None = Field(
        None, description="Only runbooks that one of these signed are used."
    )
    workers: int = Field(20, ge=1, le=1000, description="Checks asked at the same time.")
    step_workers: int = Field(50, ge=1, le=1000, description="Runbook steps carried out at the same time.")
    log_level: LogLevel = "info"
    output_limit: Size = Field(65536, description="How much of a command's output is kept.")
    stop_within: Duration = Field(30.0, description="How long a clean stop waits for steps under way.")
    redact: tuple[HiddenPattern, ...] = Field(
        (), description="Regular expressions of what is hidden as a secret is.", max_length=100
    )


@dataclass(frozen=True, slots=True)
class Signers:
    """Files that say who may sign runbooks, and whose keys count no more."""

    allowed: Path
    revoked: Path | None = None


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """As authored, with every path absolute. `output_limit` in bytes, `stop_within` in seconds.

    `signers` None: runbooks need no signature.
    """

    state_dir: Path
    socket: Path
    runbooks: tuple[Path, ...]
    signers: Signers | None = None
    workers: int = 20
    step_workers: int = 50
    log_level: LogLevel = "info"
    output_limit: int = 65536
    stop_within: float = 30.0
    redact: tuple[Pattern, ...] = ()


def read_agent(source: Folder, folder: Path, environ: Mapping[str, str]) -> AgentSettings:
    """Defaults stand in for what is wrong, so that everything else can be looked at as well."""
    authored, findings = validate(AuthoredAgent, source.section("agent"), ("agent",), source.reach)
    source.report_all(findings)
    authored = authored or AuthoredAgent()
    state_dir = _state_dir(authored.state_dir, folder, environ)
    return AgentSettings(
        state_dir=state_dir,
        socket=_socket(authored.socket, folder, state_dir, environ),
        runbooks=_runbook_folders(source, authored.runbooks, folder),
        signers=_signers(source, authored.signed_runbooks, folder),
        workers=authored.workers,
        step_workers=authored.step_workers,
        log_level=authored.log_level,
        output_limit=authored.output_limit,
        stop_within=authored.stop_within,
        redact=authored.redact,
    )


def written_places(folder: Path) -> tuple[Path | None, Path | None]:
    """State folder and control socket, where the configuration says them; what is wrong in it is passed over.

    Relative where `folder` is.
    """
    source = Folder(folder)
    authored, _ = validate(AuthoredAgent, source.section("agent"), ("agent",), source.reach)
    if authored is None:
        return None, None
    state_dir = absolute(authored.state_dir, folder) if authored.state_dir else None
    return state_dir, absolute(authored.socket, folder) if authored.socket else None


def absolute(written: str, folder: Path) -> Path:
    """A path as written in the configuration: `~` is the agent's user's home, else relative to the folder."""
    return Path(os.path.normpath(folder / Path(written).expanduser()))


def _state_dir(written: str | None, folder: Path, environ: Mapping[str, str]) -> Path:
    if written:
        return absolute(written, folder)
    # systemd.exec(5): several directories are separated by colons; ours is the first.
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(given) if given else Path("var").absolute()


def _socket(written: str | None, folder: Path, state_dir: Path, environ: Mapping[str, str]) -> Path:
    if written:
        return absolute(written, folder)
    given = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return (Path(given) if given else state_dir) / "control.sock"


def _runbook_folders(source: Folder, written: tuple[str, ...], folder: Path) -> tuple[Path, ...]:
    if not written:
        usual = (folder / "runbooks", folder.parent / "runbooks")
        return tuple(place for place in usual if place.is_dir())[:1]
    places = tuple(absolute(each, folder) for each in written)
    for index, place in enumerate(places):
        if not place.is_dir():
            what = f"{place} is not a folder"
            source.report(("agent", "runbooks", index), what, "write a path relative to the configuration folder")
    return places


def _signers(source: Folder, written: AuthoredSigners | None, folder: Path) -> Signers | None:
    if written is None:
        return None
    signers = Signers(
        absolute(written.allowed_signers, folder), absolute(written.revoked, folder) if written.revoked else None
    )
    for key, file in (("allowed_signers", signers.allowed), ("revoked", signers.revoked)):
        if file is not None and not file.is_file():
            what = f"there is no file {file}"
            source.report(("agent", "signed_runbooks", key), what, "write a path relative to the configuration folder")
    return signers
