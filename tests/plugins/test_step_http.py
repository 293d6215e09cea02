"""`http`: how each answer, and each way not to answer, is told."""

import socket
import threading
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from agent.core import templates
from agent.errors import UnknownSecret
from agent.model.execution import StepOutcome, StepStatus
from agent.model.inventory import Host
from agent.plugin.api import Shell
from agent.steps.http import HttpStep
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.ports import free_port

HERE = Host(name="localhost", connection="local")


class Ports:
    @property
    def shell(self) -> Shell:
        raise AssertionError("an http step runs no command")

    def secret(self, name: str) -> str:
        if name != "api":
            raise UnknownSecret(f"no secret is called {name!r}")
        return "s3cret"


@pytest.fixture
def site() -> Iterator[HttpSite]:
    with HttpSite() as site:
        yield site


def perform(timeout: float = 20, **authored: object) -> StepOutcome:
    return HttpStep.model_validate(authored).perform(HERE, Ports(), timeout=timeout, sudo=False)


@pytest.mark.parametrize(
    ("answer", "expect", "status", "says"),
    [
        (Answer(200, "fine"), {}, StepStatus.OK, "status 200"),
        (Answer(204, ""), {}, StepStatus.OK, "status 204"),
        (Answer(503, "down"), {}, StepStatus.FAILED, "expected status 2xx, got 503"),
        (Answer(404, "none"), {"status": [200, 404]}, StepStatus.OK, "status 404"),
        (Answer(302, "", {"Location": "/elsewhere"}), {}, StepStatus.FAILED, "expected status 2xx, got 302"),
        (Answer(200, "state: green"), {"body": "green|yellow"}, StepStatus.OK, "status 200"),
        (Answer(200, "state: red"), {"body": "green"}, StepStatus.FAILED, "body: expected 'green', got 'state: red'"),
        (Answer(200, "ü", {"Content-Type": "text/plain; charset=nonsense"}), {}, StepStatus.OK, "status 200"),
    ],
)
def test_an_answer(site: HttpSite, answer: Answer, expect: object, status: StepStatus, says: str) -> None:
    site.answer("/do", answer)
    outcome = perform(url=f"{site.url}/do", expect=expect)
    assert (outcome.status, outcome.message) == (status, says)
    assert (outcome.exit, outcome.stdout) == (answer.status, answer.body)
    assert [request.path for request in site.requests] == ["/do"]


def test_what_is_sent(site: HttpSite) -> None:
    site.answer("/do", Answer(201, "made"), method="POST")
    authored = HttpStep(
        url=f"{site.url}/do?q={{{{ vars.q | urlencode }}}}",
        method="POST",
        headers={"X-Host": "{{ host.name }}"},
        body={"host": "{{ host.name }}", "deep": [{"q": "{{ vars.q }}"}], "n": 1},
        bearer="api",
    )
    ready = templates.rendered(authored, templates.step_values(None, HERE, {"q": 'a"b &c'}, {}))
    assert ready.perform(HERE, Ports(), timeout=20, sudo=False).status is StepStatus.OK
    (request,) = site.requests
    assert request.path == "/do?q=a%22b%20%26c"
    assert request.headers["X-Host"] == "localhost"
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert request.json() == {"host": "localhost", "deep": [{"q": 'a"b &c'}], "n": 1}


def test_a_text_is_sent_as_it_is(site: HttpSite) -> None:
    site.answer("/do", Answer(), method="PUT")
    assert perform(url=f"{site.url}/do", method="PUT", body="grün").status is StepStatus.OK
    assert site.requests[0].body == "grün".encode()


@pytest.mark.parametrize(("method", "unsure"), [("GET", False), ("POST", True)])
def test_no_answer_in_time(site: HttpSite, method: str, unsure: bool) -> None:
    site.answer("/slow", Answer(delay=30), method=method)
    outcome = perform(url=f"{site.url}/slow", method=method, timeout=0.5)
    assert outcome.status is StepStatus.TIMED_OUT
    assert outcome.message.startswith("no answer within 500ms")
    assert ("what it did is not known" in outcome.message) is unsure


@pytest.mark.parametrize(("method", "status"), [("GET", StepStatus.FAILED), ("POST", StepStatus.UNKNOWN)])
def test_a_connection_that_breaks_after_the_request(method: str, status: StepStatus) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

        server = threading.Thread(target=hang_up)
        server.start()
        outcome = perform(url=f"http://127.0.0.1:{listener.getsockname()[1]}/", method=method)
        server.join(10)
    assert outcome.status is status
    assert ("what it did is not known" in outcome.message) is (status is StepStatus.UNKNOWN)


@pytest.mark.parametrize("host", [f"127.0.0.1:{free_port()}", "no-such-name.invalid"], ids=["refused", "no such name"])
def test_nobody_there(host: str) -> None:
    outcome = perform(url=f"http://{host}/", method="POST")
    assert outcome.status is StepStatus.UNREACHABLE
    assert "what it did" not in outcome.message


@pytest.mark.parametrize(
    "authored", [{"headers": {"X": "two\nlines"}}, {"headers": {"X": "zażółć"}}, {"body": {"share": float("nan")}}]
)
def test_what_no_request_can_carry_was_surely_not_sent(site: HttpSite, authored: dict[str, object]) -> None:
    outcome = perform(url=f"{site.url}/do", method="POST", **authored)
    assert outcome.status is StepStatus.FAILED
    assert outcome.message.startswith("the request cannot be sent: ")
    assert site.requests == []


def test_an_unknown_secret_sends_nothing(site: HttpSite) -> None:
    outcome = perform(url=f"{site.url}/do", bearer="other")
    assert (outcome.status, outcome.message) == (StepStatus.FAILED, "no secret is called 'other'")
    assert site.requests == []


@pytest.mark.parametrize(
    "authored",
    [
        {"url": "ftp://x/"},
        {"url": "http://u:p@x/"},
        {"url": "http://x/", "method": "BREW"},
        {"url": "http://x/", "expect": {"status": 20}},
        {"url": "http://x/", "expect": {"body": "("}},
    ],
)
def test_what_makes_no_sense_is_refused(authored: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HttpStep.model_validate(authored)


@pytest.mark.parametrize("charset", ["idna", "undefined", "utf-8\x00", "punycode", "zlib", "x" * 300])
def test_an_encoding_that_is_none_is_not_used(site: HttpSite, charset: str) -> None:
    site.answer("/", Answer(200, "schön", {"Content-Type": f"text/plain; charset={charset}"}))
    assert perform(url=site.url, expect={"body": "schön"}).status is StepStatus.OK


def test_a_status_must_be_possible() -> None:
    with pytest.raises(ValidationError, match="met by no answer"):
        perform(url="http://127.0.0.1", expect={"status": []})
