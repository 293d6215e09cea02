"""Who carries one message to one target, and tells what came of it."""

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import unquote

from agent.errors import CommandTimedOut, HostError, MessageError, UnknownSecret
from agent.model.commands import SendMessage
from agent.model.people import MessageTarget
from agent.model.text import one_line, printable_lines
from agent.plugin.api import Secrets
from agent.runtime.redaction import HIDDEN, SHORTEST, written_forms
from agent.runtime.shell import LocalShell

WITHIN = 60.0
"""Seconds for one attempt, after which it is killed."""

_BY_APPRISE = shlex.join(["exec", sys.executable, "-I", "-m", "agent.runtime.messages.by_apprise"])
"""As a child of our own, which `exec` makes it."""

_SUBJECT = 200
_BODY = 32768
"""Characters."""

_ERROR = 300
_UNMISTAKABLE = 8
"""Characters of a part of a URL that is hidden also within a word."""


class Courier(Protocol):
    """Thread-safe. A drill puts another one in this place, which marks what it hands on."""

    def deliver(self, message: SendMessage) -> None:
        """Once, and not for longer than WITHIN. Raises MessageError, which quotes no secret.

        With an error nobody knows whether it was delivered all the same.
        """

    def use(self, targets: Mapping[str, MessageTarget]) -> None:
        """These targets from now on."""


class AppriseCourier:
    """By Apprise, in a process of its own for each message."""

    def __init__(self, targets: Mapping[str, MessageTarget], secrets: Secrets, *, within: float = WITHIN) -> None:
        self._targets = targets
        self._secrets = secrets
        self._within = within
        self._shell = LocalShell()

    def use(self, targets: Mapping[str, MessageTarget]) -> None:
        self._targets = targets

    def deliver(self, message: SendMessage) -> None:
        target = self._targets.get(message.target)
        if target is None:
            raise MessageError(f"no message target is called {message.target!r}")
        try:
            url = self._secrets.secret(target.url)
        except UnknownSecret as error:
            raise MessageError(str(error)) from error
        asked = {
            "agent": os.getpid(),
            "url": url,
            "subject": one_line(message.subject, _SUBJECT),
            "body": printable_lines(message.body[:_BODY]),
        }
        try:
            ended = self._shell.run(_BY_APPRISE, timeout=self._within, stdin=json.dumps(asked).encode())
        except CommandTimedOut:
            raise MessageError(f"no answer within {self._within:g} s") from None
        except HostError as error:
            raise MessageError(str(error)) from None
        refusal = _refusal(ended.stdout, f"sending ended with status {ended.status} and no word")
        if refusal is not None:
            raise MessageError(one_line(without_url(refusal, url), _ERROR))


def _refusal(said: str, otherwise: str) -> str | None:
    try:
        error = json.loads(said)["error"]
    except (ValueError, KeyError, TypeError):
        return otherwise
    return None if error is None else str(error)


def without_url(text: str, url: str) -> str:
    """The text without the URL and all that stands in it: which of its parts are secret depends on the service."""
    _, _, secret = url.partition("://")
    parts = {part for part in re.split(r"[/:@?&=#,;\s]+", secret) if len(part) >= SHORTEST}
    parts |= {unquote(part) for part in parts} | {url, secret}
    forms = {form for part in parts for form in written_forms(part)}
    for form in sorted(forms, key=len, reverse=True):
        pattern = re.escape(form) if len(form) >= _UNMISTAKABLE else rf"(?<!\w){re.escape(form)}(?!\w)"
        text = re.sub(pattern, HIDDEN, text)
    return text
