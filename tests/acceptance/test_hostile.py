"""Every hostile value sent to a running daemon from all sides at once, and what then leaves it."""

import base64
import json
import os
import pty
import re
import subprocess
import threading
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.daemon import PARAMEDIC, SOON, Daemon
from tests.acceptance.site import Site
from tests.functional.control_request import request
from tests.hostile import CORPUS, NOT_PRINTABLE
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

CONFIG = """\
secrets: {db: {env: DB_SECRET}}
tickets:
  url: SITE/tickets
  headers: {X-Key: fixed}
  find: {path: /find, query: {q: "{{ id }}"}, among: all, id: id}
  create: {path: /new, body: {title: "{{ title }}", text: "{{ text }}", about: "{{ description }}"}, id: id}
  link: "{{ url }}/{{ answer.link }}"
  requests: {tell: {path: "/tell/{{ ticket.id }}", body: {text: "{{ text }}"}}}
  milestones: {opened: [tell], updated: [tell], resolved: [tell]}
checks:
  said:
    kind: command
    on: host:web1
    run: cat SAID; exit 2
    every: 500ms
    timeout: 20s
    category: web
    service: shop
    ladder: [look]
  series:
    kind: prometheus
    url: SITE
    query: q
    subject: [who, instance]
    critical: value > 1
    every: 500ms
    timeout: 20s
    category: web
  page:
    kind: http
    on: host:web1
    url: SITE/page
    headers: {X-Var: "{{ host.vars.v6 }}"}
    expect: {body: ^fine$, header: {X-Said: ^fine$}}
    every: 500ms
    timeout: 20s
    category: web
"""

HOSTS = """\
login: {{user: {user}, key_file: {key}, known_hosts: {known_hosts}, connect_timeout: 3s}}
hosts: {hosts}
groups: {{web: {{hosts: [web1]}}}}
services:
  shop: {{title: The shop, on: "group:web", criticality: high, users: 500, owner: web-team}}
teams: {{web-team: {{categories: [web]}}, operations: {{}}}}
"""

LOOK = """\
runbook: look
steps:
  - name: read
    run: cat SAID
    register: read
  - name: use
    run: |
      count() { echo "$#"; }
      count {{ read.stdout }} {{ incident.title }}
      printf %s {{ read.stdout }} > /dev/null
verify: {within: 1s}
"""

WORD = """\
runbook: word
vars: {given: {type: string}}
steps:
  - name: word
    run: |
      set -- {{ vars.given }} EACH
      printf '%s:' "$#"
      for each in "$@"; do printf %s "$each" | base64 -w0; printf ' '; done
"""

VALUES = [each for each in CORPUS if each.is_json and "\0" not in each.text and len(each.text) < 10_000]


def prepare(site: Site, sshd: Sshd, http_site: HttpSite, said: Path, canary: Path) -> list[str]:
    """The values that are in the inventory."""
    values = [each.of(canary) for each in VALUES]
    said.write_bytes("\n".join(values).encode() + b"\xff\xfe\0\xed\xa0\x80|\x1b=1")
    site.write("all.yaml", CONFIG.replace("SITE", http_site.url).replace("SAID", str(said)))
    host = {"address": sshd.address, "login": {"port": sshd.port}, "vars": {f"v{n}": v for n, v in enumerate(values)}}
    hosts = yaml.safe_dump({"web1": host}, default_flow_style=True, width=10**6).strip()
    about = {"user": sshd.user, "key": sshd.client_key, "known_hosts": sshd.known_hosts, "hosts": hosts}
    site.write("hosts.yaml", HOSTS.format(**about))
    site.environment["DB_SECRET"] = "never to be seen"
    site.runbook(LOOK.replace("SAID", str(said)))
    each = " ".join(f"{{{{ host.vars.v{n} }}}}" for n in range(len(values)))
    site.runbook(WORD.replace("EACH", each))
    series = [{"metric": {"who": f"{n} {each.text}", "instance": "web1"}, "value": [1, "7"]}
              for n, each in enumerate(CORPUS) if each.is_json]  # fmt: skip
    vector = {"status": "success", "data": {"resultType": "vector", "result": series}}
    http_site.answer("/api/v1/query", Answer(body=json.dumps(vector)))
    http_site.answer("/page", Answer(500, "\n".join(values), {"X-Said": "\x1b]52;c;x\x07\x9b2J"}))
    http_site.answer("/tickets/find", Answer(body='{"all": []}'))
    filed = {"id": "../../x?y#\u00e9 ;", "link": "\n".join(values)}
    http_site.answer("/tickets/tell/..%2F..%2Fx%3Fy%23%C3%A9%20%3B", Answer(), method="POST")
    http_site.answer("/tickets/new", Answer(422, "\n".join(values)), Answer(201, json.dumps(filed)), method="POST")
    return values


def test_nothing_hostile_comes_through(
    site: Site, daemon: Daemon, sshd: Sshd, http_site: HttpSite, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    values = prepare(site, sshd, http_site, tmp_path / "said", canary)
    daemon.start()
    daemon.until_said("treatment: look ended")
    typed = "\n".join(values)
    daemon.paramedic("note", "INC-1", typed[:15_000])
    daemon.paramedic("report", typed[:400], "--description", typed[:15_000])
    daemon.paramedic("freeze", typed[:15_000])
    daemon.paramedic("unfreeze", typed[:15_000])
    for value in ("$(touch x)", values[9], "a'b\"c\n\x1b[2J{{ 7*7 }}"):
        daemon.paramedic("runbook", "run", "word", "--host", "web1", "--var", f"given={value}", "--wait")
    until(lambda: any(r.path.startswith("/tickets/tell") for r in http_site.requests), within=SOON, what="told")

    assert_words_arrived(daemon, values)
    assert " step: web1: use: ok" in daemon.journal()
    ids = [each.id for each in daemon.incidents()]
    for words in (["incidents", "--all"], ["status"], ["checks", "list"], ["runbook", "list"],
                  *(["show", id, "--full"] for id in ids)):  # fmt: skip
        assert_harmless(daemon.paramedic(*words))
        assert_harmless(on_a_terminal(daemon, *words))
        assert daemon.paramedic(*words, "--json").isascii()
    _, figures = request(site.socket, "GET", "/metrics")
    assert all(family.name.startswith("paramedic_") for family in text_string_to_metric_families(figures))

    assert daemon.stop() == 0
    for line in daemon.journal().removesuffix("\n").split("\n"):
        assert line.isprintable()
        assert re.match(r"\d\d:\d\d:\d\d\.\d{3} (INFO|WARNING|ERROR) ", line), line
        assert len(line) < 5000
    for asked in http_site.requests:
        place = asked.path.partition("?")[0]
        assert place in ("/api/v1/query", "/page", "/tickets/find", "/tickets/new") or re.fullmatch(
            r"/tickets/tell/[A-Za-z0-9._~%-]+", place
        ), place
        if asked.body:
            assert isinstance(asked.json(), dict)
    assert not canary.exists()
    assert "never to be seen" not in daemon.journal()


def assert_words_arrived(daemon: Daemon, values: list[str]) -> None:
    """As many words as values, each as it was, whatever it held."""
    found = [entry for entry in daemon.told("RUN-2") if entry.kind == "step"]
    printed = str(found[-1].data["stdout"])
    count, _, words = printed.partition(":")
    arrived = [base64.b64decode(word).decode() for word in words.split(" ")[: len(values) + 1]]
    cleaned = [value.replace("\U000f5ec0", "").replace("\U000f5ec1", "") for value in values]
    assert count == str(len(values) + 1)
    assert arrived[1:] == cleaned


def assert_harmless(shown: str) -> None:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
    assert not NOT_PRINTABLE.findall(plain)


def on_a_terminal(daemon: Daemon, *words: str) -> str:
    """What a terminal of 100 columns is sent."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(PARAMEDIC), "--socket", str(daemon.site.socket), *words],
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LANG": "C.UTF-8"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    sent: list[bytes] = []

    def collect() -> None:
        try:
            while data := os.read(ours, 65536):
                sent.append(data)
        except OSError:
            return  # EIO: nobody holds the other end any more

    reader = threading.Thread(target=collect, daemon=True)
    reader.start()
    assert process.wait(60) == 0
    reader.join(60)
    os.close(ours)
    return b"".join(sent).decode()
