"""The private keys a login may offer: from a file, from a systemd credential, from the SSH agent.

Parsing an RSA key or one with a passphrase takes a tenth of a second, so each is parsed once per process.
"""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import cast

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.pkey import UnknownKeyType

from agent.errors import LoginRefused, UnknownSecret
from agent.model.inventory import Login
from agent.runtime.ssh.failure import Failure
from agent.runtime.ssh.parsed_files import ParsedFiles

_NO_KEY = (ValueError, paramiko.SSHException, UnknownKeyType, UnsupportedAlgorithm, AssertionError)
"""What the libraries raise for a damaged file, and for a kind they do not know (a key on a security token, say)."""


class KeyRing:
    """Thread-safe. `passphrases` answers with the passphrase of the name a login gives; it raises UnknownSecret."""

    def __init__(self, passphrases: Callable[[str], str] = str) -> None:
        self._passphrases = passphrases
        self._files: ParsedFiles[paramiko.PKey] = ParsedFiles()

    def offers(self, login: Login) -> Generator[tuple[str, paramiko.PKey], None, None]:
        """(where the key is from, key), in the order to try them: key file, credential, agent.

        The agent is asked only when the keys before it were not accepted, and let go when the generator
        is closed. Raises Failure (LoginRefused) when there is nothing to offer or a key cannot be read.
        """
        if not (login.key_file or login.credential or login.use_agent):
            raise Failure(LoginRefused, "no key to log in with: give key_file, credential or use_agent")
        if login.key_file:
            yield login.key_file, self._read(Path(login.key_file).expanduser(), self._passphrase(login))
        if login.credential:
            yield f"credential {login.credential}", self._read(_credential(login.credential), self._passphrase(login))
        if login.use_agent:
            yield from _agent_keys()

    def _passphrase(self, login: Login) -> str | None:
        try:
            return None if login.passphrase is None else self._passphrases(login.passphrase)
        except UnknownSecret as error:
            raise Failure(LoginRefused, str(error)) from error

    def _read(self, path: Path, passphrase: str | None) -> paramiko.PKey:
        try:
            return self._files.get(path, lambda: _parse(path, passphrase), variant=passphrase)
        except OSError as error:
            raise Failure(LoginRefused, f"key file {path}: {error.strerror}") from error


def _parse(path: Path, passphrase: str | None) -> paramiko.PKey:
    """`cryptography` reports an encrypted key without passphrase as TypeError and wants the passphrase as bytes."""
    try:
        return paramiko.PKey.from_path(path)
    except TypeError as error:
        if passphrase is None:
            raise Failure(LoginRefused, f"key file {path} needs a passphrase") from error
    except _NO_KEY as error:
        raise Failure(LoginRefused, f"key file {path} is not a private key that can be used") from error
    try:
        return paramiko.PKey.from_path(path, cast("str", passphrase.encode()))
    except (TypeError, *_NO_KEY) as error:
        raise Failure(LoginRefused, f"key file {path}: the passphrase does not fit") from error


def _credential(name: str) -> Path:
    """Where systemd put the credential (systemd.exec(5), LoadCredential=)."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        raise Failure(
            LoginRefused,
            f"credential {name}: there is no $CREDENTIALS_DIRECTORY; "
            f"run as a systemd service with LoadCredential={name}:PATH",
        )
    return Path(folder) / name


def _agent_keys() -> Generator[tuple[str, paramiko.PKey], None, None]:
    if "SSH_AUTH_SOCK" not in os.environ:
        raise Failure(LoginRefused, "no SSH agent is running: $SSH_AUTH_SOCK is not set")
    try:
        agent = paramiko.Agent()
    except (paramiko.SSHException, OSError) as error:
        raise Failure(LoginRefused, f"the SSH agent does not answer: {error}") from error
    try:
        keys = agent.get_keys()
        if not keys:
            raise Failure(LoginRefused, "the SSH agent holds no key, or does not answer")
        for key in keys:
            yield f"agent key {key.comment or key.get_name()}", key
    finally:
        agent.close()
