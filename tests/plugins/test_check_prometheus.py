"""prometheus: a real one, and everything a broken one may say."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from agent.errors import CannotAsk
from agent.model.observation import Answer as Found
from agent.model.observation import Verdict
from agent.testing import LOCAL, FakeCheckPorts, check_contract
from checks.prometheus import Prometheus
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.ports import free_port
from tests.neighbours.prometheus import NodeExporter
from tests.neighbours.prometheus import Prometheus as Server
from tests.neighbours.scripted_server import Script, ScriptedServer, drips, sends, silent
from tests.neighbours.waiting import until

QUERY_PATH = "/api/v1/query"
HOSTILE = "\\x1b[2J" + "y" * 192 + "…"
EMPTY = Answer(body='{"status": "success", "data": {"resultType": "vector", "result": []}}')


def ask(url: str, query: str, *, timeout: float = 10, **settings: Any) -> list[Found]:
    check = Prometheus.model_validate({"url": url, "query": query, **settings})
    return list(check.ask(LOCAL, FakeCheckPorts(timeout=timeout, secrets={"token": "t0ken"})))


def canned(site: HttpSite, result: object, kind: str = "vector", **more: object) -> str:
    """The site's address, where every query answers with `result`."""
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    site.answer(QUERY_PATH, Answer(body=json.dumps(body)))
    return site.url


def series(value: str = "1", **labels: str) -> dict[str, object]:
    return {"metric": labels, "value": [1700000000.1, value]}


def test_a_vector_of_a_real_prometheus_gives_one_subject_per_series(
    prometheus: Server, node_exporter: NodeExporter
) -> None:
    node_exporter.expose("test_waiting", {'{shop="a"}': 3, '{shop="b"}': -0.5})
    until(lambda: len(prometheus.ask("test_waiting")) == 2, within=30, what="both series scraped")
    settings = {"url": prometheus.url, "query": "test_waiting", "subject": "shop"}
    answers = check_contract(Prometheus, settings)
    assert {answer.subject: dict(answer.readings) for answer in answers} == {"a": {"value": 3}, "b": {"value": -0.5}}
    assert {answer.verdict for answer in answers} == {Verdict.OK}


def test_figures_of_this_machine_by_a_real_node_exporter(prometheus: Server) -> None:
    [answer] = ask(prometheus.url, "node_load1", subject="instance")
    assert (answer.subject, answer.host) == ("here", "here")
    assert answer.readings["value"] >= 0


@pytest.mark.parametrize(
    ("query", "value"), [("42", 42), ("vector(7)", 7), ("vector(1)/0", float("inf")), ("-1/0", float("-inf"))]
)
def test_a_lone_number_is_about_the_target(prometheus: Server, query: str, value: float) -> None:
    [answer] = ask(prometheus.url, query)
    assert (answer.subject, answer.host, answer.readings["value"]) == ("", None, value)


def test_not_a_number_is_unknown(prometheus: Server) -> None:
    [answer] = ask(prometheus.url, "vector(0)/0")
    assert (answer.verdict, dict(answer.readings)) == (Verdict.UNKNOWN, {})
    assert "NaN" in answer.message


def test_no_series_are_no_answers(prometheus: Server) -> None:
    assert ask(prometheus.url, "nobody_exposes_this") == []


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("sum(", "refused the query with status 400: .*parse error"),
        ("up[5m]", "instant query"),
        ('"text"', "not an answer"),
    ],
)
def test_a_query_that_makes_no_sense_is_not_asked(prometheus: Server, query: str, complaint: str) -> None:
    with pytest.raises(CannotAsk, match=complaint):
        ask(prometheus.url, query)


@pytest.mark.parametrize(
    ("settings", "labels", "subject", "host"),
    [
        ({}, {"job": "web", "instance": "w1:80"}, "job=web instance=w1:80", None),
        ({"host_label": "instance"}, {"job": "web", "instance": "w1:80"}, "job=web instance=w1:80", "w1"),
        ({"subject": "instance"}, {"job": "web", "instance": "w1:80"}, "w1:80", "w1"),
        ({"subject": ["instance", "disk"]}, {"instance": "w1:80", "disk": "sda"}, "w1:80 sda", "w1"),
        ({"subject": "disk", "host_label": "instance"}, {"instance": "w1", "disk": "sda"}, "sda", "w1"),
        ({"subject": "instance"}, {"instance": "[2001:db8::1]:9100"}, "[2001:db8::1]:9100", "2001:db8::1"),
        ({"subject": "instance"}, {"instance": "2001:db8::1"}, "2001:db8::1", "2001:db8::1"),
        ({"subject": "instance"}, {"instance": ""}, "", None),
        ({"subject": "gone"}, {"instance": "w1"}, "instance=w1", None),
        ({}, {}, "", None),
        ({"subject": "x"}, {"x": "\x1b[2J" + "y" * 500}, HOSTILE, HOSTILE),
    ],
)
def test_what_an_answer_is_about(
    http_site: HttpSite, settings: dict[str, Any], labels: dict[str, str], subject: str, host: str | None
) -> None:
    [answer] = ask(canned(http_site, [series(**labels)]), "q", **settings)
    assert (answer.subject, answer.host) == (subject, host)


def test_series_that_are_named_alike_are_unknown_and_hide_no_other(http_site: HttpSite) -> None:
    url = canned(http_site, [series(i="a", disk="1"), series("9", i="b"), series(i="a", disk="2")])
    answers = {answer.subject: answer for answer in ask(url, "q", subject="i")}
    assert answers["b"].readings == {"value": 9}
    assert answers["a"].verdict is Verdict.UNKNOWN
    assert "2 series are named alike: aggregate the query by (i)" in answers["a"].message


@pytest.mark.parametrize("result", [[series(i="a")], []])
def test_a_partial_answer_proves_nothing(http_site: HttpSite, result: list[dict[str, Any]]) -> None:
    url = canned(http_site, result, warnings=["store s3 is away\n"])
    with pytest.raises(CannotAsk, match=r"^the answer may be partial: store s3 is away$"):
        ask(url, "q")


def test_a_remark_on_the_query_is_no_warning(http_site: HttpSite) -> None:
    url = canned(http_site, [series(i="a")], warnings=["PromQL info: metric might not be a counter"])
    [answer] = ask(url, "q")
    assert answer.message == "value 1"


def test_sends_the_query_with_its_deadline_and_logs_in(http_site: HttpSite) -> None:
    ask(canned(http_site, []), 'up{job="a b"}', timeout=7, bearer="token")
    [request] = http_site.requests
    assert request.path == f"{QUERY_PATH}?query=up%7Bjob%3D%22a+b%22%7D&timeout=7.000"
    assert request.headers["Authorization"] == "Bearer t0ken"


def test_a_path_before_the_api_and_a_slash_after_it_are_kept(http_site: HttpSite) -> None:
    http_site.answer(f"/prom{QUERY_PATH}", EMPTY)
    assert ask(f"{http_site.url}/prom/", "up") == []


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (Answer(200, "<html>log in</html>"), "does not answer as Prometheus does"),
        (Answer(200, "[" * 100_000), "does not answer as Prometheus does"),
        (Answer(200, "[]"), "does not answer as Prometheus does"),
        (Answer(200, '{"status": "success"}'), "does not answer as Prometheus does"),
        (Answer(200, '{"status": "error", "data": null}'), "does not answer as Prometheus does"),
        (Answer(200, '{"data": {"result": null}}'), "not an answer of Prometheus"),
        (Answer(200, '{"data": {"result": [{"metric": {}}]}}'), "not an answer of Prometheus"),
        (Answer(200, '{"data": {"result": [{"metric": {}, "value": [1, "x"]}]}}'), "not an answer of Prometheus"),
        (Answer(200, '{"data": {"result": [1, []]}}'), "not an answer of Prometheus"),
        (Answer(503, "upstream \x1b[31mgone"), r"status 503: upstream \\x1b"),
        (Answer(503, '{"status": "error", "error": "query timed out"}'), "status 503: query timed out"),
        (Answer(302, headers={"Location": "ftp://elsewhere/"}), "Prometheus at"),
    ],
)
def test_what_is_no_answer_of_prometheus_is_unknown(http_site: HttpSite, answer: Answer, complaint: str) -> None:
    http_site.answer(QUERY_PATH, answer)
    with pytest.raises(CannotAsk, match=complaint) as raised:
        ask(http_site.url, "up")
    assert str(raised.value).isprintable()
    assert len(http_site.requests) == 1, "asked once, with no hidden retries"


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (silent, "no answer within 300ms"),
        (drips(b"HTTP/1.1 200 OK\r\n\r\n", b" "), "no answer within 300ms"),
        (sends(), "closed without an answer"),
    ],
)
def test_a_server_that_gives_no_answer_is_unknown_in_time(script: Script, complaint: str) -> None:
    with ScriptedServer(script) as server, pytest.raises(CannotAsk, match=complaint):
        ask(f"http://127.0.0.1:{server.port}", "up", timeout=0.3)


def test_refused_is_unknown() -> None:
    with pytest.raises(CannotAsk, match="connection refused"):
        ask(f"http://127.0.0.1:{free_port()}", "up")


def test_ten_thousand_series_are_ten_thousand_answers(http_site: HttpSite) -> None:
    url = canned(http_site, [series(str(n), instance=f"web{n}:9100", job="node", dc="a") for n in range(10_000)])
    answers = ask(url, "q", subject="instance", timeout=60)
    assert len(answers) == 10_000
    assert answers[-1] == Found({"value": 9999.0}, Verdict.OK, "value 9999", "web9999:9100", "web9999")


@pytest.mark.parametrize(
    "settings", [{}, {"query": ""}, {"query": "up", "url": "prom:9090"}, {"query": "up", "subject": 1}]
)
def test_refuses_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Prometheus.model_validate(settings)


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000])
def test_a_number_beyond_all_measure_is_no_answer(http_site: HttpSite, number: str) -> None:
    body = '{"status": "success", "data": {"result": [{"metric": {}, "value": [1, %s]}]}}' % number  # noqa: UP031
    http_site.answer(QUERY_PATH, Answer(body=body))
    with pytest.raises(CannotAsk, match=r"not an answer of Prometheus|does not answer as Prometheus does"):
        ask(http_site.url, "up")


@pytest.mark.parametrize("charset", ["idna", "undefined", "punycode"])
def test_an_encoding_that_only_python_knows_is_not_used(http_site: HttpSite, charset: str) -> None:
    http_site.answer(QUERY_PATH, Answer(body=EMPTY.body, headers={"Content-Type": f"text/plain; charset={charset}"}))
    assert ask(http_site.url, "up") == []
