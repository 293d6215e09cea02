"""What stands in the way of logging in although the configuration is sound: files that are not there, unknown hosts."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agent.model.inventory import Login
from agent.runtime.ssh.failure import Failure
from agent.runtime.ssh.known_hosts import KnownHostsFiles

_NAMES = 6
_REFUSED = "will be refused until host keys are added: paramedic hosts check says how"


def missing_for_login(logins: Mapping[str, Login]) -> Iterator[str]:
    """A sentence for each file that is not there, and one for all hosts that a file of known hosts lacks."""
    keys: dict[str, list[str]] = {}
    files: dict[str, list[str]] = {}
    lines: dict[str, list[str]] = {}
    known = KnownHostsFiles()
    for name, login in logins.items():
        if login.key_file and not _is_there(login.key_file):
            keys.setdefault(login.key_file, []).append(name)
        if not _is_there(login.known_hosts):
            files.setdefault(login.known_hosts, []).append(name)
        elif not _is_known(known, login):
            lines.setdefault(login.known_hosts, []).append(name)
    for path, names in keys.items():
        yield f"key_file {path} does not exist, so nobody can log in to {_some(names)}"
    for path, names in files.items():
        yield f"known_hosts {path} does not exist: {_some(names)} {_REFUSED}"
    for path, names in lines.items():
        yield f"known_hosts {path} has no key of {_some(names)}, which {_REFUSED}"


def _is_there(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except PermissionError:
        return True  # not for us to see: perhaps the agent's user may


def _is_known(known: KnownHostsFiles, login: Login) -> bool:
    try:
        return bool(known.of(login).kinds)
    except Failure:
        return True  # not for us to read


def _some(names: Iterable[str]) -> str:
    first = list(names)
    more = len(first) - _NAMES
    return ", ".join(first[:_NAMES]) + (f" and {more} more" if more > 0 else "")
