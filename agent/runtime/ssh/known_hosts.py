"""Whether a host's key is the one we know: OpenSSH's known_hosts files.

The format is that of sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: plain names, patterns, hashed names and
`@revoked` are understood; `@cert-authority` lines are passed over. A port other than 22 is part of the name.
paramiko has a reader of its own; it overlooks `@revoked` and patterns, gives up on a broken line, and
compares every line with every other, which takes minutes for ten thousand hashed names.
"""

import base64
import binascii
import hashlib
import hmac
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import paramiko

from agent.errors import HostKeyChanged, HostKeyUnknown
from agent.model.inventory import Login
from agent.runtime.ssh.failure import Failure
from agent.runtime.ssh.parsed_files import ParsedFiles


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One key of a known_hosts file. `blob`: the public key as it goes over the wire."""

    kind: str
    blob: bytes
    revoked: bool


class KnownHosts:
    """The content of one known_hosts file."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._named: dict[str, list[KnownKey]] = {}
        self._hashed: list[tuple[bytes, bytes, KnownKey]] = []
        self._patterns: list[tuple[list[str], KnownKey]] = []
        self._answered: dict[str, tuple[KnownKey, ...]] = {}
        for line in lines:
            self._add(line.split())

    def _add(self, fields: list[str]) -> None:
        marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
        if len(fields) < 3 or fields[0].startswith("#") or marker not in ("", "@revoked"):
            return
        names, kind, encoded = fields[:3]
        try:
            key = KnownKey(kind, base64.b64decode(encoded), revoked=marker == "@revoked")
            if names.startswith("|1|"):
                salt, digest = (base64.b64decode(part) for part in names.split("|")[2:4])
                self._hashed.append((salt, digest, key))
                return
        except (binascii.Error, ValueError):
            return  # as OpenSSH does: a line it cannot read vouches for nobody
        name_list = names.lower().split(",")
        if any(character in names for character in "*?!"):
            self._patterns.append((name_list, key))
            return
        for name in name_list:
            self._named.setdefault(name, []).append(key)

    def keys_of(self, name: str) -> tuple[KnownKey, ...]:
        """All keys, revoked ones included, that the file holds for `name` (as `host` or `[host]:port`).

        Each hashed name costs an HMAC, so an answer is worked out once.
        """
        keys = self._answered.get(name)
        if keys is None:
            keys = self._answered[name] = tuple(self._find(name.lower()))
        return keys

    def _find(self, name: str) -> list[KnownKey]:
        keys = list(self._named.get(name, ()))
        keys += [key for patterns, key in self._patterns if _matches(name, patterns)]
        keys += [
            key
            for salt, digest, key in self._hashed
            if hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
        ]
        return keys


def _matches(name: str, patterns: list[str]) -> bool:
    """A pattern list of ssh_config(5): `!` before a pattern excludes what it matches."""
    verdict = False
    for pattern in patterns:
        if fnmatchcase(name, pattern.removeprefix("!").replace("[", "[[]")):
            if pattern.startswith("!"):
                return False
            verdict = True
    return verdict


@dataclass(frozen=True, slots=True)
class HostKeys:
    """What the known_hosts file of a login says about its host."""

    login: Login
    file: Path
    keys: tuple[KnownKey, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of key to ask the host for: the host may have others, which would be unknown here."""
        return tuple(dict.fromkeys(key.kind for key in self.keys if not key.revoked))

    def verify(self, seen: paramiko.PKey) -> None:
        """Raises Failure (HostKeyUnknown, HostKeyChanged)."""
        where, file = f"{self.login.address} port {self.login.port}", str(self.file)
        same = [key for key in self.keys if key.blob == seen.asbytes()]
        described = f"{seen.get_name()} key {fingerprint(seen)}"
        if any(key.revoked for key in same):
            raise Failure(HostKeyChanged, f"{where} answers with the {described}, which {file} marks as revoked")
        if same:
            return
        if self.kinds:
            raise Failure(
                HostKeyChanged,
                f"{where} answers with the {described}, but {file} holds another key for it. Either the host "
                f"was set up anew, or another machine answers in its place. If the new key is right, remove the "
                f"old one: ssh-keygen -R {shlex.quote(known_name(self.login))} -f {shlex.quote(file)}",
            )
        raise Failure(
            HostKeyUnknown,
            f"the key of {where} is not in {file}. It answers with the {described}. Compare that fingerprint with "
            f"the host's own (ssh-keygen -lf /etc/ssh/ssh_host_{_short(seen)}_key.pub, on the host); "
            f"if they are the same, add the key: {_scan(self.login, seen)} >> {shlex.quote(file)}",
        )


class KnownHostsFiles:
    """Each file is read once, and again when it changes. Thread-safe."""

    def __init__(self) -> None:
        self._files: ParsedFiles[KnownHosts] = ParsedFiles()

    def of(self, login: Login) -> HostKeys:
        """Raises Failure (HostKeyUnknown) when the file cannot be read; one that is not there knows nobody."""
        path = Path(login.known_hosts).expanduser()
        try:
            known = self._files.get(path, lambda: KnownHosts(_lines(path)))
        except FileNotFoundError:
            known = KnownHosts(())
        except OSError as error:
            raise Failure(HostKeyUnknown, f"cannot read {path}: {error.strerror}") from error
        return HostKeys(login, path, known.keys_of(known_name(login)))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def known_name(login: Login) -> str:
    return login.address if login.port == 22 else f"[{login.address}]:{login.port}"


def fingerprint(key: paramiko.PKey) -> str:
    """As ssh-keygen -l prints it: SHA256 in base64 without padding."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _short(key: paramiko.PKey) -> str:
    """The kind of key as ssh-keyscan -t and the names of sshd's key files have it."""
    return key.get_name().removeprefix("ssh-").split("-")[0]


def _scan(login: Login, key: paramiko.PKey) -> str:
    scan = f"ssh-keyscan -p {login.port} -t {_short(key)} {shlex.quote(login.address)}"
    if login.jump is None:
        return scan
    return f"ssh -p {login.jump.port} {shlex.quote(f'{login.jump.user}@{login.jump.address}')} {scan}"
