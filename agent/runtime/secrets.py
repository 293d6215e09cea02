"""Secret values by name, from where the configuration says they are kept."""

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.config.secret import SecretRef
from agent.errors import UnknownSecret
from agent.plugin.files import read_small, regular

log = logging.getLogger("paramedic")

LIMIT = 65536
"""Bytes of a secret: a longer file is not one."""

REMEMBERED = 16
"""Values of one secret that stay known: a token may change every hour, and each costs time wherever text leaves."""

_Stamp = tuple[int, int, int]


class Secrets:
    """Resolves references when asked; a file is read again when it changes. Thread-safe.

    Text in UTF-8; line ends at the end do not belong to the value.
    """

    def __init__(self, refs: Mapping[str, SecretRef], environ: Mapping[str, str] = os.environ) -> None:
        self._refs = dict(refs)
        self._environ = environ
        self._read: dict[Path, tuple[_Stamp, str]] = {}
        self._seen: dict[str, str] = {}
        self._lock = threading.Lock()

    def use(self, refs: Mapping[str, SecretRef]) -> None:
        """Other references from now on; the old values stay known to `seen`."""
        self.seen()
        self._refs = dict(refs)

    def secret(self, name: str) -> str:
        """Raises UnknownSecret, which names the place and never what is there."""
        ref = self._refs.get(name)
        if ref is None:
            raise UnknownSecret(f"no secret is called {name!r}")
        value = self._value(name, ref).rstrip("\r\n")
        if not value:
            raise _missing(name, f"{ref} is empty")
        if value not in self._seen:
            self._remember(value, name)
        return value

    def _remember(self, value: str, name: str) -> None:
        with self._lock:
            before = [old for old, whose in self._seen.items() if whose == name]
            for forgotten in before[: max(0, len(before) + 1 - REMEMBERED)]:
                del self._seen[forgotten]
            self._seen[value] = name

    def seen(self) -> Mapping[str, str]:
        """Every value that can be had now, and the latest that were had before, to its name: a changed secret is
        still one."""
        for name in self._refs:
            try:
                self.secret(name)
            except UnknownSecret:
                continue  # what is not there cannot leak
        return dict(self._seen)

    def missing(self) -> Iterator[tuple[SecretRef, UnknownSecret]]:
        """Those whose value cannot be had now, and why."""
        for name, ref in self._refs.items():
            try:
                self.secret(name)
            except UnknownSecret as why:
                yield ref, why

    def say_missing(self) -> None:
        """Whoever needs one may do so only in the night of the fault."""
        for _, why in self.missing():
            log.warning("%s", why)

    def _value(self, name: str, ref: SecretRef) -> str:
        if ref.place == "env":
            if ref.name not in self._environ:
                raise _missing(name, f"the environment variable {ref.name} is not set")
            return _text(name, self._environ[ref.name], f"the environment variable {ref.name}")
        if ref.place == "file":
            return self._from_file(name, Path(ref.name))
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise _missing(name, f"systemd gave no credentials; the unit needs LoadCredential= for {ref.name!r}")
        return self._from_file(name, Path(folder) / ref.name)

    def _from_file(self, name: str, path: Path) -> str:
        try:
            about = regular(path, LIMIT)
            stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
            known = self._read.get(path)
            if known is not None and known[0] == stamp:
                return known[1]
            value = read_small(path, LIMIT).decode()
        except OSError as error:
            raise _missing(name, f"{path} ({(error.strerror or str(error)).lower()})") from error
        except UnicodeDecodeError:
            raise _missing(name, f"{path} is not UTF-8 text") from None
        self._read[path] = (stamp, value)
        return value


def _missing(name: str, why: str) -> UnknownSecret:
    """Without a colon behind the name or the path, which may end in `token` or `password`: what follows such a word and
    a colon is redacted.
    """
    return UnknownSecret(f"secret {name!r} cannot be had: {why}")


def _text(name: str, value: str, what: str) -> str:
    """Bytes that are no text come as lone surrogates, which nothing can encode, the redactor neither (PEP 383)."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _missing(name, f"{what} is not UTF-8 text") from None
    return value
