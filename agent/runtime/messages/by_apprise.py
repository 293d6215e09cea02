"""A program of its own that hands one message to Apprise: `python -m agent.runtime.messages.by_apprise`.

It reads `{"agent", "url", "subject", "body"}` as JSON and writes `{"error"}`: null when the message was taken. A
process, because Apprise costs 40 MB and half a second, some of its services wait without a bound, and what it logs may
hold the URL. When the process `agent`, its parent, is gone by the time that all is ready, nothing is sent: nobody would
know, and the next agent sends it again.
"""

import json
import logging
import os
import sys
from typing import Any

import requests
from apprise import Apprise, AppriseAsset, NotifyFormat
from apprise.common import OverflowMode

_BOTS = ("dingtalk", "wecombot", "feishu", "lark")
"""They answer 200 to what they did not take, and say so in the body, which Apprise does not look at."""


class _Said(logging.Handler):
    """What Apprise complains of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class _Session(requests.Session):
    """Takes an error for what it is."""

    refusal: str | None = None

    def send(self, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        answer = super().send(request, **settings)
        _Session.refusal = _refusal(answer) or _Session.refusal
        return answer


def deliver(agent: int, url: str, subject: str, body: str) -> str | None:
    """None when it was taken, else why not."""
    said = _Said()
    logging.basicConfig(handlers=[said], level=logging.WARNING)
    asset = AppriseAsset(
        app_id="paramedic",
        app_desc="paramedic",
        app_url="",
        async_mode=False,
        interpret_emojis=False,
        interpret_escapes=False,
        pem_autogen=False,
        pgp_autogen=False,
        storage_mode="memory",
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        return "the secret is no Apprise URL: see https://github.com/caronc/apprise/wiki"
    if "overflow=" not in url:
        service.overflow_mode = OverflowMode.SPLIT
    if url.partition(":")[0].lower() in _BOTS:
        requests.sessions.Session = requests.Session = _Session  # type: ignore[misc]
    one = Apprise(asset=asset)
    one.add(service)
    if os.getppid() != agent:
        return "the agent has ended"
    taken = one.notify(title=subject, body=body, body_format=NotifyFormat.TEXT)
    if _Session.refusal:
        return _Session.refusal
    return None if taken else "; ".join(said.lines[-2:]) or "the service did not take it and does not say why"


def _refusal(answer: requests.Response) -> str | None:
    """DingTalk and WeCom answer `{"errcode", "errmsg"}`, Feishu and Lark `{"code", "msg"}`; 0 is well."""
    try:
        said = answer.json()
    except ValueError:
        return None
    code = said.get("errcode", said.get("code", 0)) if isinstance(said, dict) else 0
    return None if code == 0 else f"refused with {code}: {said.get('errmsg', said.get('msg', ''))}"


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump({"error": deliver(**asked)}, sys.stdout)
