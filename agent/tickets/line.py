"""The line to a ticket system: one request at a time, bounded, its failures TicketErrors."""

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import requests

from agent.errors import CannotAsk, TicketError, TicketSystemNotAsked, TicketSystemUnavailable, UnknownSecret
from agent.model.text import one_line
from agent.plugin.api import Secrets
from agent.plugin.http import MIB, HttpAccess
from agent.tickets.refusal import FOR_A_PERSON, broken, refused
from agent.tickets.reply import Reply
from agent.tickets.request import Request
from agent.tickets.template import Template, Values


@dataclass(frozen=True)
class Line:
    """`headers` go with every request, and `tokens` (header → name of a secret); `seconds` for each request.

    Redirects are not followed: credentials go nowhere but to `url`.
    """

    access: HttpAccess
    url: str
    headers: Mapping[str, Template]
    tokens: Mapping[str, str]
    seconds: float
    secrets: Secrets

    def ask(self, request: Request, values: Values, also: Collection[int] = ()) -> Reply:
        """The answer, if its status is one the author expects or one of `also`. Raises TicketError."""
        path = request.path.render(values)
        what = f"{request.method} {one_line(path, 120)}"
        changes = request.method != "GET"
        query = {name: template.render(values) for name, template in request.query.items()}
        headers = self._headers(request, values)
        body = None if request.body is None else json.dumps(request.body.fill(values), default=str).encode()
        try:
            with self.access.session(self.secrets, self.seconds) as session:
                for name, secret in self.tokens.items():
                    session.headers[name] = self.secrets.secret(secret)
                _refuse_unsendable(what, session.headers)
                answer = session.request(
                    request.method, self.url + path, params=query, headers=headers, data=body, allow_redirects=False
                )
            hidden = tuple(secret.encode() for secret in self._credentials() if secret)
        except requests.RequestException as error:
            raise broken(error, what, changes=changes) from error
        except CannotAsk as error:
            raise TicketSystemUnavailable(f"{what}: {error}") from error
        except UnknownSecret as error:
            raise TicketSystemNotAsked(f"{what}: {error}", retry_after=FOR_A_PERSON) from error
        reply = Reply(what, answer.status_code, answer.headers, answer.content, changes, hidden)
        if reply.status not in (*request.expect, *also):
            raise refused(reply)
        if len(reply.body) >= MIB:
            raise reply.unreadable("is longer than 1 MiB")
        return reply

    def _headers(self, request: Request, values: Values) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        for name, template in {**self.headers, **request.headers}.items():
            headers[name] = _sendable(name, template.render(values))
        return headers

    def _credentials(self) -> Iterator[str]:
        """What must not be quoted from an answer: an error page may show the request it is about."""
        names = [*self.tokens.values(), *([self.access.bearer] if self.access.bearer else ())]
        if self.access.basic:
            names.append(self.access.basic.password)
            login = f"{self.access.basic.user}:{self.secrets.secret(self.access.basic.password)}"
            yield base64.b64encode(login.encode()).decode()
        for name in names:
            yield self.secrets.secret(name)


def _is_sendable(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()


def _sendable(name: str, text: str) -> str:
    """Raises TicketError for what no header can carry."""
    if not _is_sendable(text):
        raise TicketError(f"the header {name} cannot carry {one_line(repr(text), 80)}", retryable=False)
    return text


def _refuse_unsendable(what: str, login: Mapping[str, str | bytes]) -> None:
    """A key with a line break, say. Raises TicketSystemUnavailable, which does not show the secret."""
    for name, value in login.items():
        if not _is_sendable(str(value)):
            text = f"{what} cannot be sent: the secret for the header {name} has characters that no header can carry"
            raise TicketSystemUnavailable(text, retry_after=FOR_A_PERSON)
