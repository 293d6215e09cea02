"""Messages of a running daemon: delivered, waiting, tried again after a reload; and no address leaves with them."""

import json
import sqlite3
from contextlib import closing
from email.message import Message
from pathlib import Path

from tests.acceptance.daemon import SOON, Daemon
from tests.acceptance.site import Site
from tests.functional.control_request import request
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.mail_server import MailServer
from tests.neighbours.waiting import until

TOKEN = "tok-5f3a9c27b1"
PASSWORD = "hunter2hunter2"
NONSENSE = "nosuch-77aa51://abcd-998877"
DECLARED = "correct-horse-9+staple"

CONFIG = """\
messages:
  targets: {good: {url: good}, mail: {url: mail}, refusing: {url: refusing}, nonsense: {url: nonsense}}
people:
  ada: {notify: [good, refusing]}
  bob: {notify: [mail, nonsense]}
secrets:
  good: {file: good}
  mail: {file: mail}
  refusing: {file: refusing}
  nonsense: {file: nonsense}
  api: {file: api}
checks:
  here: {kind: command, on: local, run: "true", every: 1s, category: local}
teams:
  operations: {}
plans:
  all-hands:
    title: All hands on deck
    owner: operations
    scope: {hosts: [localhost]}
    roles: {commander: [ada], technical_lead: [bob]}
    levels: {II: {title: by hand}}
    notification: [{tell: commander, within: 1h}, {tell: technical_lead}]
"""


def give(site: Site, **secrets: str) -> None:
    for name, value in secrets.items():
        file = site.config / name
        file.touch(mode=0o600)
        file.write_text(value + "\n")


def prepare(site: Site, http_site: HttpSite, mail_server: MailServer) -> None:
    site.write("all.yaml", CONFIG)
    give(
        site,
        good=f"json://ada:{PASSWORD}@127.0.0.1:{http_site.port}/{TOKEN}",
        mail=mail_server.url,
        refusing=f"json://127.0.0.1:{http_site.port}/refuse-{TOKEN}",
        nonsense=NONSENSE,
        api=DECLARED,
    )
    http_site.answer(f"/{TOKEN}", Answer(200), method="POST")
    http_site.answer(f"/refuse-{TOKEN}", Answer(401, f"who is {PASSWORD}?"), method="POST")


def test_messages_go_out_wait_are_seen_and_go_out_after_a_reload(
    site: Site, daemon: Daemon, http_site: HttpSite
) -> None:
    with MailServer() as mail_server:
        prepare(site, http_site, mail_server)
        daemon.start()
        outputs = [
            daemon.paramedic("messages", "list", "--config", str(site.config)),
            daemon.paramedic("messages", "test", "good", "--config", str(site.config)),
            daemon.paramedic("messages", "test", "mail", "--config", str(site.config)),
            daemon.paramedic("messages", "test", "refusing", "--config", str(site.config), status=1),
            daemon.paramedic("messages", "test", "nonsense", "--config", str(site.config), status=1),
            daemon.paramedic("messages", "test", "nobody", "--config", str(site.config), status=1),
        ]
        assert "good: delivered in" in outputs[1]
        assert "refusing: not delivered: Failed to send JSON POST notification" in outputs[3]
        assert "no Apprise URL" in outputs[4]
        assert "there is no message target nobody" in outputs[5]
        because = f"it burns: {DECLARED}"
        outputs.append(daemon.paramedic("plan", "activate", "all-hands", "--level", "II", "--reason", because))
        daemon.until("message: message to mail delivered")
        daemon.until("message: message to good delivered")
        until(lambda: _status(daemon)["silent"] == ["nonsense", "refusing"], within=SOON, what="two are seen to fail")
        status = daemon.json("status")
        assert status["messages"]["waiting"] == 2
        names = {one["name"]: one["why"] for one in status["neighbours"] if one["state"] == "silent"}
        assert set(names) == {"messages:refusing", "messages:nonsense"}
        outputs += [json.dumps(status), daemon.paramedic("status"), request(site.socket, "GET", "/metrics")[1]]
        assert "nothing gets through to nonsense, refusing" in outputs[-2]
        assert "paramedic_messages_waiting 2" in outputs[-1]

        mail = mail_server.arrived[-1]
        assert "All hands on deck" in mail["subject"]
        assert "it burns: [redacted:api]" in _text(mail)
        give(site, nonsense=f"json://127.0.0.1:{http_site.port}/{TOKEN}")
        http_site.answer(f"/refuse-{TOKEN}", Answer(200), method="POST")
        daemon.paramedic("reload")
        daemon.until("message: message to refusing delivered")
        daemon.until("message: message to nonsense delivered")
        assert _status(daemon)["waiting"] == 0
        outputs.append(daemon.paramedic("show", "INC-1", "--full"))
        assert daemon.stop() == 0
        password = mail_server.password
    sent = "".join(str(one.body) for one in http_site.requests)
    left = {"outputs": "\n".join(outputs), "sent": sent, "journal": daemon.journal(), "store": _kept(site.state)}
    for where, text in left.items():
        for secret in (TOKEN, PASSWORD, password, "998877", "77aa51", DECLARED):
            at = text.find(secret)
            assert at < 0, f"{where}: …{text[max(0, at - 300) : at + 100]}…"


def _text(mail: Message) -> str:
    return "".join(part.get_content() for part in mail.walk() if part.get_content_maintype() == "text")


def _status(daemon: Daemon) -> dict[str, object]:
    found = daemon.json("status")["messages"]
    return {**found, "silent": sorted(found["silent"])}


def _kept(state: Path) -> str:
    with closing(sqlite3.connect(state / "paramedic.db")) as record:
        return "\n".join(record.iterdump())
