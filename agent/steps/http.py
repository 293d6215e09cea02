"""`http`: one request to a web service, from the machine the agent runs on."""

import errno
import ssl
import time
from collections.abc import Iterator
from typing import Annotated, Literal

import requests
from pydantic import AfterValidator, Field, JsonValue, field_validator

from agent.errors import CannotAsk, UnknownSecret
from agent.model.authored import Authored
from agent.model.execution import StepOutcome, StepStatus
from agent.model.inventory import Host
from agent.model.pattern import Pattern, PatternTooSlow
from agent.model.runbook import Action, Demand, Perform
from agent.model.text import one_line
from agent.plugin.api import StepPorts
from agent.plugin.endings import PERHAPS
from agent.plugin.http import HttpAccess, http_url
from agent.plugin.http_answer import Statuses, body_text, is_among
from agent.plugin.network import say_failure, say_silence

BODY_LIMIT = 65536
"""Bytes of the answer that are kept."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing on the server (RFC 9110, 9.2.1)."""

_NOBODY_THERE = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH})


class ExpectedAnswer(Authored):
    """What the answer of a successful request looks like."""

    status: Statuses = Field(("2xx",), description="Status, class of statuses (2xx), or a list of them.")
    body: str | None = Field(None, description="Regular expression to be found in the body.")

    @field_validator("body")
    @classmethod
    def _is_expression(cls, body: str | None) -> str | None:
        Pattern(body or "")
        return body


class HttpStep(HttpAccess, Action):
    """Send one request. Redirects are not followed; the result's `status` is the HTTP status."""

    kind = "http"
    primary = "url"

    url: Annotated[str, AfterValidator(http_url)] = Field(
        description="Address; put what is not an address through `| urlencode`."
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        "GET", description="HTTP method."
    )
    headers: dict[str, str] = Field({}, description="Headers to send.")
    body: str | dict[str, JsonValue] | list[JsonValue] | None = Field(
        None, description="Text to send as it is, or a mapping or list to send as JSON."
    )
    expect: ExpectedAnswer = Field(ExpectedAnswer(), description="What counts as success.")

    def demand(self) -> Demand:
        return Perform()

    def perform(self, host: Host, ports: StepPorts, *, timeout: float, sudo: bool) -> StepOutcome:
        """A request without a whole answer may have had an effect, unless its method changes nothing."""
        began = time.monotonic()
        try:
            with self.session(ports, timeout, BODY_LIMIT) as session:
                try:
                    request = self._request(session)
                except ValueError as error:
                    said = f"the request cannot be sent: {one_line(str(error))}"
                    return StepOutcome(StepStatus.FAILED, message=said, seconds=time.monotonic() - began)
                response = session.send(request, allow_redirects=False)
        except UnknownSecret as error:
            return StepOutcome(StepStatus.FAILED, message=str(error))
        except CannotAsk as error:
            return StepOutcome(StepStatus.UNREACHABLE, message=str(error), seconds=time.monotonic() - began)
        except (requests.RequestException, OSError) as error:
            return self._without_answer(error, timeout, time.monotonic() - began)
        return self._judge(response, time.monotonic() - began)

    def _request(self, session: requests.Session) -> requests.PreparedRequest:
        """Raises ValueError for what no request can carry; until here nothing was sent."""
        request = requests.Request(
            self.method,
            self.url,
            headers=self.headers,
            data=self.body.encode() if isinstance(self.body, str) else None,
            json=None if isinstance(self.body, str) else self.body,
        )
        try:
            prepared = session.prepare_request(request)
        except requests.exceptions.InvalidJSONError as error:
            raise ValueError(str(error)) from error
        for value in prepared.headers.values():
            value.encode("latin-1")  # as http.client does when the request is half on its way
        return prepared

    def _judge(self, response: requests.Response, seconds: float) -> StepOutcome:
        text = body_text(response)
        try:
            wrong = "; ".join(self._wrong(response.status_code, text))
        except PatternTooSlow as error:
            wrong = f"body: {error}"
        return StepOutcome(
            StepStatus.FAILED if wrong else StepStatus.OK,
            exit=response.status_code,
            stdout=text,
            message=one_line(wrong) or f"status {response.status_code}",
            seconds=seconds,
        )

    def _wrong(self, status: int, text: str) -> Iterator[str]:
        expected = self.expect.status
        if not is_among(status, expected):
            yield f"expected status {' or '.join(expected)}, got {status}"
        if self.expect.body and not Pattern(self.expect.body).is_in(text):
            yield f"body: expected {self.expect.body!r}, got {one_line(text, 200)!r}"

    def _without_answer(self, error: Exception, timeout: float, seconds: float) -> StepOutcome:
        late = isinstance(error, requests.Timeout)
        said = say_silence(timeout) if late else say_failure(error)
        if _was_not_sent(error):
            return StepOutcome(StepStatus.UNREACHABLE, message=said, seconds=seconds)
        changes_nothing = self.method in _SAFE
        message = said if changes_nothing else f"{said}; {PERHAPS}"
        if late:
            return StepOutcome(StepStatus.TIMED_OUT, message=message, seconds=seconds)
        status = StepStatus.FAILED if changes_nothing else StepStatus.UNKNOWN
        return StepOutcome(status, message=message, seconds=seconds)


def _was_not_sent(error: BaseException) -> bool:
    """Whether it surely broke before the request was on its way: nobody listens, or no certificate was agreed on."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError | requests.exceptions.InvalidURL):
            return True
        if isinstance(cause, OSError) and cause.errno in _NOBODY_THERE:
            return True
        cause = cause.__cause__ or cause.__context__
    return False
