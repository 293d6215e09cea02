"""http: what a good answer looks like, and everything a bad one may do."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agent.errors import CannotAsk, UnknownSecret
from agent.model.observation import Answer as Found
from agent.model.observation import Verdict
from agent.testing import LOCAL, FakeCheckPorts, check_contract
from checks.http import Http
from tests.neighbours.certificates import self_signed
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.ports import free_port
from tests.neighbours.scripted_server import Script, ScriptedServer, drips, floods, sends, silent

SECRETS = {"site-password": "pässword", "site-token": "t0ken"}


def ask(url: str, *, timeout: float = 10, **settings: Any) -> Found:
    check = Http.model_validate({"url": url, **settings})
    [answer] = check.ask(LOCAL, FakeCheckPorts(timeout=timeout, secrets=SECRETS))
    return answer


def test_a_good_answer(http_site: HttpSite) -> None:
    http_site.answer("/healthz", Answer(200, "fine"))
    [answer] = check_contract(Http, {"url": f"{http_site.url}/healthz?deep=1"})
    assert answer.verdict is Verdict.OK
    assert (answer.readings["status"], answer.readings["size"]) == (200, 4)
    assert 0 < answer.readings["latency"] < 10
    assert "value" not in answer.readings
    arrived = http_site.requests[0]
    assert (arrived.method, arrived.path) == ("GET", "/healthz?deep=1")
    assert arrived.headers["User-Agent"] == "paramedic"


LATIN = 'text/plain; charset="latin-1"'
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("given", "expect", "message"),
    [
        (Answer(200), {"status": 200}, None),
        (Answer(204), {"status": [200, 204]}, None),
        (Answer(226), {"status": "2xx"}, None),
        (Answer(404), {"status": 404}, None),
        (Answer(500), {}, "expected status 2xx, got 500"),
        (Answer(404), {"status": [200, "3xx"]}, "expected status 200 or 3xx, got 404"),
        (Answer(302, headers={"Location": "/login"}), {}, "got 302 to /login"),
        (Answer(body="all systems go"), {"body": "systems +go"}, None),
        (Answer(body="on fire"), {"body": "^ok$"}, "body: expected '^ok$', got \"on fire\""),
        (Answer(body="größe".encode("latin-1"), headers={"Content-Type": LATIN}), {"body": "größe"}, None),
        (Answer(headers={"X-Node": "web-7"}), {"header": {"x-node": r"^web-\d$"}}, None),
        (Answer(headers={"X-Node": "db"}), {"header": {"X-Node": "web"}}, "header X-Node: expected 'web', got \"db\""),
        (Answer(), {"header": {"X-Node": "web"}}, "header X-Node: expected 'web', got nothing"),
        (Answer(body='{"a": {"b": [1, {"c": "up"}]}}'), {"json": {"a.b.1.c": "up", "a.b.0": 1}}, None),
        (Answer(body='{"db": "down"}'), {"json": {"db": "up"}}, 'json db: expected "up", got "down"'),
        (Answer(body='{"db": null}'), {"json": {"db": None}}, None),
        (Answer(body="{}"), {"json": {"db": None}}, "json db: expected null, got nothing"),
        (Answer(body='{"ok": true}'), {"json": {"ok": 1}}, "json ok: expected 1, got true"),
        (Answer(body="[1]"), {"json": {"7": 1}}, "json 7: expected 1, got nothing"),
        (Answer(body="<html>"), {"json": {"db": "up"}}, 'json db: expected "up", got nothing'),
        (Answer(body=DEEP), {"json": {"db": "up"}}, 'json db: expected "up", got nothing'),
        (Answer(body=b"\xff\xfe\x00"), {"body": "ok"}, "body: expected 'ok'"),
        (Answer(500, "no"), {"body": "ok"}, 'expected status 2xx, got 500; body: expected \'ok\', got "no"'),
    ],
)  # fmt: skip
def test_what_is_expected(http_site: HttpSite, given: Answer, expect: Mapping[str, Any], message: str | None) -> None:
    http_site.answer("/", given)
    answer = ask(f"{http_site.url}/", expect=expect)
    assert answer.verdict is (Verdict.CRITICAL if message else Verdict.OK), answer.message
    assert (message or "status") in answer.message
    assert answer.message.isprintable()


def test_too_slow_is_critical_and_nobody_waits_for_it(http_site: HttpSite) -> None:
    http_site.answer("/", Answer(delay=0.2))
    answer = ask(f"{http_site.url}/", expect={"within": "100ms"})
    assert answer.verdict is Verdict.CRITICAL
    assert answer.message == "no answer within 100ms"
    assert ask(f"{http_site.url}/", expect={"within": "60s"}).verdict is Verdict.OK


def test_sends_what_it_is_told(http_site: HttpSite) -> None:
    http_site.answer("/rpc", Answer(), method="POST")
    ask(f"{http_site.url}/rpc", method="POST", headers={"X-A": "b"}, body='{"größe": 1}')
    [arrived] = http_site.requests
    assert arrived.json() == {"größe": 1}
    assert arrived.headers["X-A"] == "b"


@pytest.mark.parametrize(
    ("body", "value"),
    [('{"q": {"length": 7}}', 7), ('{"q": {"length": -0.5}}', -0.5), ('{"q": {"length": true}}', 1)],
)
def test_a_json_value_is_a_reading(http_site: HttpSite, body: str, value: float) -> None:
    http_site.answer("/", Answer(body=body))
    assert ask(f"{http_site.url}/", json_value="q.length").readings["value"] == value


@pytest.mark.parametrize("number", ['"7"', "null", "NaN", "1" * 400, "1" * 5000, "[]"])
def test_a_json_value_that_is_no_number_is_unknown(http_site: HttpSite, number: str) -> None:
    """Not OK: a threshold on it could never be met, and trouble would look like health."""
    http_site.answer("/", Answer(body=f'{{"length": {number}}}'))
    answer = ask(f"{http_site.url}/", json_value="length")
    assert answer.verdict is Verdict.UNKNOWN
    assert "json length: expected a number, got" in answer.message
    assert "value" not in answer.readings


def test_redirects_are_followed_only_on_demand(http_site: HttpSite) -> None:
    http_site.answer("/", Answer(302, headers={"Location": f"{http_site.url}/there"}))
    http_site.answer("/there", Answer(200))
    http_site.answer("/round", Answer(302, headers={"Location": f"{http_site.url}/round"}))
    assert ask(f"{http_site.url}/").verdict is Verdict.CRITICAL
    assert ask(f"{http_site.url}/", follow_redirects=True).readings["status"] == 200
    endless = ask(f"{http_site.url}/round", follow_redirects=True)
    assert (endless.verdict, endless.message) == (Verdict.CRITICAL, "redirected more than five times")


def test_logs_in_by_secret(http_site: HttpSite) -> None:
    ask(f"{http_site.url}/", basic={"user": "me", "password": "site-password"})
    ask(f"{http_site.url}/", bearer="site-token")
    sent = [request.headers["Authorization"] for request in http_site.requests]
    assert sent == ["Basic bWU6cMOkc3N3b3Jk", "Bearer t0ken"]


def test_an_unknown_secret_is_not_asked_without(http_site: HttpSite) -> None:
    with pytest.raises(UnknownSecret):
        ask(f"{http_site.url}/", bearer="nobody-knows")
    assert http_site.requests == []


def test_the_environment_redirects_nothing(
    http_site: HttpSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, nowhere)
    monkeypatch.delenv("no_proxy", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert os.environ["http_proxy"] == nowhere
    http_site.answer("/", Answer())
    assert ask(f"{http_site.url}/").verdict is Verdict.OK
    assert "Authorization" not in http_site.requests[0].headers


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (silent, "no answer within 300ms"),
        (drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "no answer within 300ms"),
        (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"), "no answer within 300ms"),
        (drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), "no answer within 300ms"),
        (drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "no answer within 300ms"),
        (sends(), "closed without an answer"),
    ],
)
def test_a_server_that_gives_no_answer_is_critical_in_time(script: Script, message: str) -> None:
    """A drip keeps every single read short: only a deadline for the whole ends it."""
    with ScriptedServer(script) as server:
        answer = ask(f"http://127.0.0.1:{server.port}/", timeout=0.3)
    assert (answer.verdict, dict(answer.readings)) == (Verdict.CRITICAL, {})
    assert message in answer.message


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000,
    ],
)
def test_what_is_not_http_is_critical(answer: bytes) -> None:
    with ScriptedServer(sends(answer)) as server:
        found = ask(f"http://127.0.0.1:{server.port}/")
    assert found.verdict is Verdict.CRITICAL
    assert found.message
    assert found.message.isprintable()


def test_a_body_without_end_is_looked_at_up_to_a_mebibyte() -> None:
    with ScriptedServer(floods(b"HTTP/1.1 200 OK\r\n\r\nhello")) as server:
        answer = ask(f"http://127.0.0.1:{server.port}/", timeout=30, expect={"body": "^hello"})
    assert answer.verdict is Verdict.OK
    assert answer.readings["size"] == 2**20


def test_a_chunk_of_a_negative_size_is_not_read_to_the_end_of_the_connection() -> None:
    """It would be, whatever is sent: hundreds of megabytes in a second."""
    with ScriptedServer(drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"x")) as server:
        answer = ask(f"http://127.0.0.1:{server.port}/", timeout=3)
    assert answer.verdict is Verdict.CRITICAL
    assert answer.message == "a chunk of a negative size"


def test_refused_is_critical() -> None:
    answer = ask(f"http://127.0.0.1:{free_port()}/")
    assert (answer.verdict, answer.message) == (Verdict.CRITICAL, "connection refused")


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/", "http://127.0.0.1:99999/", "http://255.255.255.255/"])
def test_what_cannot_be_asked_from_here_is_not_the_servers_fault(url: str) -> None:
    with pytest.raises(CannotAsk):
        ask(url)


OK = sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_certificate_must_be_valid_unless_said_otherwise(tmp_path: Path) -> None:
    trusted, context = self_signed(tmp_path)
    with ScriptedServer(OK, tls=context) as server:
        url = f"https://127.0.0.1:{server.port}/"
        unknown = ask(url)
        assert unknown.verdict is Verdict.CRITICAL
        assert "certificate not accepted: self-signed certificate" in unknown.message
        assert ask(url, ca_file=str(trusted)).verdict is Verdict.OK
        assert ask(url, verify_tls=False).verdict is Verdict.OK
        with pytest.raises(CannotAsk, match=r"gone\.pem is not there"):
            ask(url, ca_file=f"{tmp_path}/gone.pem")


def test_a_certificate_that_ran_out_is_critical(tmp_path: Path) -> None:
    trusted, context = self_signed(tmp_path, days=-1)
    with ScriptedServer(OK, tls=context) as server:
        answer = ask(f"https://127.0.0.1:{server.port}/", ca_file=str(trusted))
    assert answer.verdict is Verdict.CRITICAL
    assert "certificate has expired" in answer.message


def test_a_server_that_speaks_no_tls_is_critical() -> None:
    with ScriptedServer(OK) as server:
        answer = ask(f"https://127.0.0.1:{server.port}/")
    assert answer.verdict is Verdict.CRITICAL
    assert "TLS failed" in answer.message


def test_a_drip_within_tls_does_not_outlast_the_deadline(tmp_path: Path) -> None:
    trusted, context = self_signed(tmp_path)
    with ScriptedServer(drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), tls=context) as server:
        answer = ask(f"https://127.0.0.1:{server.port}/", ca_file=str(trusted), timeout=1)
    assert (answer.verdict, answer.message) == (Verdict.CRITICAL, "no answer within 1s")


def test_a_handshake_that_never_ends_does_not_outlast_the_deadline() -> None:
    record = b"\x16\x03\x03\x40\x00"  # the head of a handshake record of 16 KiB
    with ScriptedServer(drips(record, b"\x02")) as server:
        answer = ask(f"https://127.0.0.1:{server.port}/", timeout=0.3)
    assert (answer.verdict, answer.message) == (Verdict.CRITICAL, "no answer within 300ms")


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"url": "example.org"}, "not a web address"),
        ({"url": "http://me:secret@example.org/"}, "ends up in logs"),
        ({"expect": {"status": "20x"}}, "not a status"),
        ({"expect": {"status": True}}, "not a status"),
        ({"expect": {"body": "("}}, "regular expression"),
        ({"expect": {"within": 2}}, "no unit"),
        ({"expect": {"colour": "red"}}, "colour"),
        ({"bearer": "a", "basic": {"user": "b", "password": "c"}}, "not both"),
        ({"method": "GRAB"}, "method"),
    ],
)
def test_refuses_settings_that_make_no_sense(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Http.model_validate({"url": "http://localhost/", **settings})


def test_a_message_quotes_little_of_a_large_answer(http_site: HttpSite) -> None:
    http_site.answer("/", Answer(body=json.dumps({"a": "x" * 10_000})))
    answer = ask(f"{http_site.url}/", expect={"body": "ok", "json": {"a": "b"}})
    assert len(answer.message) <= 300
