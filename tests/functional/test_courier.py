"""One message by Apprise, to real servers on loopback."""

import json
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from agent.config.secret import SecretRef
from agent.errors import MessageError
from agent.model.commands import SendMessage
from agent.model.people import MessageTarget
from agent.runtime.messages.courier import WITHIN, AppriseCourier, without_url
from agent.runtime.secrets import Secrets
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.mail_server import MailServer

MARKUP = "# no heading\n* <b>x</b> [a](http://x) \\n :smile: &amp;"


@pytest.fixture
def site() -> Iterator[HttpSite]:
    with HttpSite() as running:
        yield running


def carry(url: str, subject: str = "shop is down", body: str = "half of it", within: float = WITHIN) -> None:
    secrets = Secrets({"mail": SecretRef("env", "URL")}, {"URL": url})
    targets = {"ops": MessageTarget(name="ops", url="mail")}
    AppriseCourier(targets, secrets, within=within).deliver(SendMessage("MSG-1", "INC-1", "ops", subject, body, 0.0))


def json_url(site: HttpSite, path: str) -> str:
    return f"json://ada:hunter2hunter2@127.0.0.1:{site.port}{path}"


def test_a_message_arrives_as_it_was_written(site: HttpSite) -> None:
    site.answer("/hook", Answer(200), method="POST")
    carry(json_url(site, "/hook"), "店铺不可用", MARKUP)
    (arrived,) = site.requests
    assert (arrived.json()["title"], arrived.json()["message"]) == ("店铺不可用", MARKUP)


def test_a_subject_is_one_line_and_a_body_moves_no_cursor(site: HttpSite) -> None:
    site.answer("/hook", Answer(200), method="POST")
    carry(json_url(site, "/hook"), "down\r\nBcc: eve@x.example", "red: \x1b[31m\nsecond \u202eline")
    said = site.requests[0].json()
    assert said["title"] == "down Bcc: eve@x.example"
    assert said["message"] == "red: \\x1b[31m\nsecond \\u202eline"


def test_a_mail_shows_markup_as_it_was_written() -> None:
    with MailServer() as server:
        carry(server.url, "half\nBcc: eve@x.example", MARKUP)
        (mail,) = server.arrived
    assert isinstance(mail, EmailMessage)
    assert (mail["to"], mail["subject"], mail["bcc"]) == ("ada@x.example", "half Bcc: eve@x.example", None)
    plain, html = (mail.get_body((sort,)) for sort in ("plain", "html"))
    assert plain or html
    if html:
        assert "&lt;b&gt;x&lt;/b&gt;" in html.get_content()
        assert "<b>x</b>" not in html.get_content()


@pytest.mark.parametrize(("status", "said"), [(401, "error=401"), (500, "error=500"), (429, "error=429")])
def test_what_is_not_taken_says_why_and_nothing_of_the_url(site: HttpSite, status: int, said: str) -> None:
    site.answer("/tok_5f3a9c27", Answer(status, "no"), method="POST")
    with pytest.raises(MessageError, match=said) as refused:
        carry(json_url(site, "/tok_5f3a9c27"))
    assert not {part for part in ("hunter2", "tok_5f3a9c27") if part in str(refused.value)}


def test_nobody_there() -> None:
    with HttpSite() as gone:
        url = json_url(gone, "/tok_5f3a9c27")
    with pytest.raises(MessageError, match="onnection") as refused:
        carry(url)
    assert "tok_5f3a9c27" not in str(refused.value)


@pytest.mark.parametrize("url", ["hunter2hunter2", "nosuch://hunter2hunter2@x", "mailto://"])
def test_what_is_no_apprise_url_is_told_without_it(url: str) -> None:
    with pytest.raises(MessageError, match="no Apprise URL") as refused:
        carry(url)
    assert "hunter2" not in str(refused.value)


def test_a_secret_that_is_not_there_is_named() -> None:
    with pytest.raises(MessageError, match="secret 'mail' cannot be had: the environment variable URL is not set"):
        AppriseCourier(
            {"ops": MessageTarget(name="ops", url="mail")}, Secrets({"mail": SecretRef("env", "URL")}, {})
        ).deliver(SendMessage("MSG-1", "INC-1", "ops", "s", "b", 0.0))


def test_an_attempt_that_does_not_end_is_killed(site: HttpSite) -> None:
    site.answer("/hook", Answer(200, delay=60), method="POST")
    with pytest.raises(MessageError, match="no answer within 3 s"):
        carry(json_url(site, "/hook?rto=60"), within=3.0)


@pytest.mark.parametrize(
    "answer", [{"errcode": 310000, "errmsg": "sign not match tok_5f3a9c27"}, {"code": 19021, "msg": "sign"}]
)
def test_a_bot_that_answers_200_and_took_nothing_has_refused(answer: dict[str, object]) -> None:
    import requests

    from agent.runtime.messages.by_apprise import _refusal

    response = requests.Response()
    response._content = json.dumps(answer).encode()
    assert "sign" in str(_refusal(response))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("POST /services/T01/B02/abcdef123456 failed", "slack://T01/B02/abcdef123456"),
        ("botabcdef123456:x", "tgram://botabcdef123456/"),
        ("p%40ssw0rd1 or p@ssw0rd1", "mailto://ada:p%40ssw0rd1@x.example"),
        ("key sesame; sesame!", "json://u:sesame@h/"),
    ],
)
def test_nothing_of_a_url_stays_in_a_text(text: str, url: str) -> None:
    left = without_url(text, url)
    for secret in ("abcdef123456", "ssw0rd1", "sesame"):
        assert secret not in left


def test_ordinary_words_stay() -> None:
    assert without_url("Failed to send JSON notification: error=500", "json://127.0.0.1:8080/notify") == (
        "Failed to send JSON notification: error=500"
    )


def test_nothing_is_sent_for_an_agent_that_is_gone(site: HttpSite) -> None:
    site.answer("/hook", Answer(200), method="POST")
    asked = {"agent": 1, "url": json_url(site, "/hook"), "subject": "s", "body": "b"}
    command = [sys.executable, "-I", "-m", "agent.runtime.messages.by_apprise"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == {"error": "the agent has ended"}
    assert site.requests == []
