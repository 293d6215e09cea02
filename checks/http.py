"""Whether a web address answers, and answers what it should."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import requests
from pydantic import AfterValidator, Field, JsonValue

from agent.errors import CannotAsk
from agent.model.authored import Authored
from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.model.pattern import Expression
from agent.model.quantities import Duration
from agent.model.text import one_line
from agent.model.threshold import Reading, Unit
from agent.plugin.api import CheckPorts, CheckType
from agent.plugin.http import MIB, HttpAccess, http_url
from agent.plugin.http_answer import Statuses, body_text, is_among
from agent.plugin.network import say_failure

_NOTHING = object()
"""What a JSON path leads to when it leads nowhere; null is something."""


class Expect(Authored):
    """What a good answer looks like; everything that is written must hold."""

    status: Statuses = Field(("2xx",), description="Status, class of statuses (2xx), or a list of them.")
    within: Duration | None = Field(None, description="The most the answer may take; longer is critical.")
    body: Expression | None = Field(None, description="Regular expression to be found in the body.")
    header: dict[str, Expression] = Field({}, description="Header name: regular expression to be found in its value.")
    values: dict[str, JsonValue] = Field(
        {},
        alias="json",
        description="Path into the JSON body (`status.db`, `nodes.0.up`): the value that must be there.",
    )


class Http(HttpAccess, CheckType):
    """Asks a web address from this machine and looks at the answer.

    Critical: another status, header, body or JSON value than expected, too slow, refused, reset, a
    certificate that is not valid, no whole answer in time. UNKNOWN: the name does not resolve or this
    machine has no way out. Redirects are not followed unless you say so; proxy variables and .netrc are
    not read; the first 1MiB of a body is looked at.

    Example:
        web:
          kind: http
          on: group:web
          url: http://{{ host.address }}:8080/healthz
          every: 10s
          expect: {status: 200, within: 2s, json: {status.db: up}}
          json_value: queue.length
          warning: value > 100
    """

    kind: ClassVar[str] = "http"
    readings: ClassVar[Mapping[str, Reading] | None] = {
        "latency": Reading(Unit.SECONDS, "from asking until the answer had come"),
        "status": Reading(Unit.NUMBER, "HTTP status", 100.0, 999.0),
        "size": Reading(Unit.BYTES, "body as received, counted up to 1MiB", 0.0, float(MIB)),
        "value": Reading(Unit.NUMBER, "the number at `json_value`", float("-inf")),
    }
    url: Annotated[str, AfterValidator(http_url)] = Field(description="Address to ask.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        "GET", description="HTTP method."
    )
    headers: dict[str, str] = Field({}, description="Headers to send.")
    body: str | None = Field(None, description="Body to send, as UTF-8.")
    expect: Expect = Field(Expect(), description="What a good answer looks like.")
    json_value: str | None = Field(None, description="Path into the JSON body to a number: the reading `value`.")
    follow_redirects: bool = Field(False, description="Whether to follow redirects, five at most.")

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        within = self.expect.within
        # An answer that comes later is no good any more: nobody waits for it.
        patience = ports.timeout if within is None else min(within, ports.timeout)
        with self.session(ports, patience) as session:
            began = time.monotonic()
            try:
                response = session.request(
                    self.method,
                    self.url,
                    headers=self.headers,
                    data=self.body.encode() if self.body is not None else None,
                    allow_redirects=self.follow_redirects,
                )
            except requests.TooManyRedirects:
                return [Answer({}, Verdict.CRITICAL, "redirected more than five times")]
            except (requests.RequestException, OSError) as error:
                if isinstance(error, ValueError):  # an address or header that cannot be sent at all
                    raise CannotAsk(one_line(str(error))) from error
                return [Answer({}, Verdict.CRITICAL, say_failure(error))]
            return [self._judge(response, time.monotonic() - began)]

    def _judge(self, response: requests.Response, latency: float) -> Answer:
        readings = {"latency": latency, "status": float(response.status_code), "size": float(len(response.content))}
        document = _document(response) if self.json_value or self.expect.values else None
        wrong = list(self._wrong(response, document))
        if self.json_value:
            value = _number(_at(document, self.json_value))
            if value is not None:
                readings["value"] = value
            elif not wrong:
                found = _say(_at(document, self.json_value))
                return Answer(readings, Verdict.UNKNOWN, f"json {self.json_value}: expected a number, got {found}")
        if wrong:
            return Answer(readings, Verdict.CRITICAL, one_line("; ".join(wrong)))
        return Answer(readings, message=f"status {response.status_code} in {latency * 1000:.0f}ms")

    def _wrong(self, response: requests.Response, document: object) -> Iterator[str]:
        """Everything that is not as expected, a phrase each."""
        expect, status = self.expect, response.status_code
        if not is_among(status, expect.status):
            goes_to = f" to {response.headers['Location']}" if "Location" in response.headers else ""
            yield f"expected status {' or '.join(expect.status)}, got {status}{one_line(goes_to, 120)}"
        for name, pattern in expect.header.items():
            value = response.headers.get(name)
            if value is None or not pattern.is_in(value):
                yield f"header {name}: expected {pattern.pattern!r}, got {_say(_NOTHING if value is None else value)}"
        if expect.body and not expect.body.is_in(body_text(response)):
            yield f"body: expected {expect.body.pattern!r}, got {_say(body_text(response)[:400])}"
        for path, expected in expect.values.items():
            found = _at(document, path)
            if not _same(found, expected):
                yield f"json {path}: expected {_say(expected)}, got {_say(found)}"


def _document(response: requests.Response) -> object:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):  # a body of brackets only nests deeper than the parser can
        return _NOTHING


def _at(document: object, path: str) -> object:
    """What `a.b.0` leads to; numbers count from 0 in a list."""
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step, _NOTHING)
        elif isinstance(document, list) and step.isdecimal() and len(step) < 10 and int(step) < len(document):
            document = document[int(step)]
        else:
            return _NOTHING
    return document


def _number(value: object) -> float | None:
    """true is 1 and false 0; a text is no number, nor is NaN."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number == number else None


def _same(found: Any, expected: JsonValue) -> bool:
    """JSON equality: unlike in Python, true is not 1."""
    return bool(found == expected) and isinstance(found, bool) == isinstance(expected, bool)


def _say(value: object) -> str:
    if value is _NOTHING:
        return "nothing"
    return one_line(json.dumps(value, ensure_ascii=False, default=str), 80)
