"""What the agent goes by must be nobody else's to change, and what is secret nobody else's to read."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

from agent.config.agent_settings import AgentSettings
from agent.config.library import shown
from agent.config.problem import Path, Problem
from agent.config.secret import SecretRef
from agent.config.source import Folder
from agent.config.trust import GROUP_AND_OTHERS, OTHERS, Trust
from agent.model.inventory import Login


@dataclass(frozen=True, slots=True)
class Named:
    """A file that the configuration names. `secret`: the rights nobody else may have to it; None: it is no secret."""

    file: FilePath
    secret: int | None = None


def check_permissions(
    trust: Trust, source: Folder, files: Iterable[FilePath], named: Mapping[Named, Path]
) -> list[Problem]:
    """Problems with `files`, which the agent goes by; those with what is `named` are reported there.

    A place that spoils several of them is said once.
    """
    faults = {fault.at: fault for file in dict.fromkeys(files) if (fault := trust.changeable(file))}
    said = set(faults)
    for each, path in named.items():
        fault = trust.changeable(each.file) if each.secret is None else trust.exposed(each.file, each.secret)
        if fault is not None and fault.at not in said:
            said.add(fault.at)
            source.report(path, fault.what, fault.hint)
    return [Problem(shown(fault.at), 0, 0, "", fault.what, fault.hint) for fault in faults.values()]


def agent_files(agent: AgentSettings) -> dict[Named, Path]:
    """The record's folder, and who may sign."""
    named: dict[Named, Path] = {Named(agent.state_dir): ("agent", "state_dir")}
    if agent.signers:
        named[Named(agent.signers.allowed)] = ("agent", "signed_runbooks", "allowed_signers")
        if agent.signers.revoked:
            named[Named(agent.signers.revoked)] = ("agent", "signed_runbooks", "revoked")
    return named


def login_files(source: Folder, logins: Mapping[str, Login], environ: Mapping[str, str]) -> dict[Named, Path]:
    """Keys and known hosts. Each file where it is first named: a thousand hosts share theirs."""
    named: dict[Named, Path] = {}
    for host, login in logins.items():
        named.setdefault(Named(FilePath(login.known_hosts).expanduser()), _where(source, host, "known_hosts"))
        if login.key_file:
            key = Named(FilePath(login.key_file).expanduser(), GROUP_AND_OTHERS)
            named.setdefault(key, _where(source, host, "key_file"))
        if login.credential and (file := _credential(login.credential, environ)):
            named.setdefault(file, _where(source, host, "credential"))
    return named


def secret_files(secrets: Mapping[str, SecretRef], environ: Mapping[str, str]) -> dict[Named, Path]:
    """Files that hold secrets."""
    named: dict[Named, Path] = {}
    for name, secret in secrets.items():
        if secret.place == "file":
            named.setdefault(Named(FilePath(secret.name), GROUP_AND_OTHERS), ("secrets", name, secret.place))
        elif secret.place == "credential" and (file := _credential(secret.name, environ)):
            named.setdefault(file, ("secrets", name, secret.place))
    return named


def program_files(kinds: Iterable[type]) -> Iterator[FilePath]:
    """Where the kinds that a configuration uses are written: they run with all the agent's rights."""
    for module in sorted({kind.__module__ for kind in kinds}):
        if file := getattr(sys.modules.get(module), "__file__", None):
            yield FilePath(file)


def _credential(name: str, environ: Mapping[str, str]) -> Named | None:
    """systemd lets the service in by an access list, which shows as rights of the group (systemd.exec(5))."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    return Named(FilePath(folder) / name, OTHERS) if folder else None


def _where(source: Folder, host: str, key: str) -> Path:
    own = ("hosts", host, "login", key)
    return own if source.reach(own) == own else ("login", key)
