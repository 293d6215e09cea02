"""Secrets put wherever they could leak from, and then looked for in all that leaves a running daemon."""

import json
from pathlib import Path

from tests.acceptance.daemon import SOON, Daemon
from tests.acceptance.site import Site
from tests.functional.control_request import request
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

DECLARED = "correct-horse-9+staple"
"""The value of a secret of the configuration."""
LOOKS_LIKE_ONE = "hunter2hunter2"
"""Stands behind `password=` only."""
OF_A_PATTERN = "CUST-774411"
"""Fits the operator's own pattern."""
ALL = f"{DECLARED} password={LOOKS_LIKE_ONE} {OF_A_PATTERN}"

CONFIG = """\
secrets:
  api: {file: api-secret}
tickets:
  url: SITE/tickets
  secret_headers: {X-Key: api}
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
    subject: [instance, who]
    critical: value > 1
    every: 500ms
    timeout: 20s
    category: web
  partly:
    kind: prometheus
    url: SITE/partly
    query: q
    critical: value > 1
    every: 500ms
    timeout: 20s
    unknown_after: 1s
    category: web
  page:
    kind: http
    on: host:web1
    url: SITE/page
    expect: {body: ^fine$, header: {X-Said: ^fine$}}
    every: 500ms
    timeout: 20s
    category: web
"""

LOOK = """\
runbook: look
vars: {given: {type: string, default: none}}
steps:
  - name: show
    run: |
      printf '%s\\n' {{ secret('api') }} {{ vars.given }}
      cat SAID
      cat SAID >&2
    register: shown
    on_failure: continue
  - name: repeat
    run: printf %s {{ shown.stdout }} {{ incident.title }}; exit 1
"""


def prepare(site: Site, sshd: Sshd, http_site: HttpSite, said: Path) -> None:
    site.on_loopback(sshd)
    secret = site.config / "api-secret"
    secret.write_text(DECLARED + "\n")
    secret.chmod(0o600)
    said.write_text(f"{ALL} | {DECLARED}=1 {OF_A_PATTERN}=2\n{ALL}\n")
    text = CONFIG.replace("SITE", http_site.url).replace("SAID", str(said))
    site.write("all.yaml", text)
    own = (site.config / "paramedic.yaml").read_text()
    site.write("paramedic.yaml", own.rstrip().removesuffix("}") + ", redact: ['CUST-\\d{6}']}\n")
    site.runbook(LOOK.replace("SAID", str(said)))
    metric = {"instance": ALL, "who": f"token={LOOKS_LIKE_ONE}"}
    vector = {"resultType": "vector", "result": [{"metric": metric, "value": [1, "7"]}]}
    whole: dict[str, object] = {"status": "success", "data": vector}
    http_site.answer("/api/v1/query", Answer(body=json.dumps(whole)))
    http_site.answer("/partly/api/v1/query", Answer(body=json.dumps(whole | {"warnings": [ALL]})))
    http_site.answer("/page", Answer(500, ALL, {"X-Said": ALL, "Location": f"http://u:{LOOKS_LIKE_ONE}@h/{DECLARED}"}))
    http_site.answer("/tickets/find", Answer(body='{"all": []}'))
    refused = Answer(503, ALL)
    http_site.answer("/tickets/new", refused, Answer(201, json.dumps({"id": 7, "link": ALL})), method="POST")
    http_site.answer("/tickets/tell/7", Answer(409, ALL), Answer(200, "{}"), method="POST")


def test_no_secret_leaves_the_daemon(
    site: Site, daemon: Daemon, sshd: Sshd, http_site: HttpSite, tmp_path: Path
) -> None:
    prepare(site, sshd, http_site, tmp_path / "said")
    daemon.start()
    for words in ("treatment: look ended", "series on [redacted:api] password=", "page on web1 is", "partly cannot be"):
        daemon.until_said(words)
    outputs = [
        daemon.paramedic("note", "INC-1", f"tried {ALL}"),
        daemon.paramedic("assign", "INC-1", ALL),
        daemon.paramedic("report", f"broken {ALL}", "--description", f"seen {ALL}"),
        daemon.paramedic("freeze", f"because {ALL}"),
        daemon.paramedic("unfreeze", f"over {ALL}"),
        daemon.paramedic("runbook", "run", "look", "--host", ALL, status=1),
        daemon.paramedic("escalate", "INC-1", f"reason {ALL}"),
        daemon.paramedic("resolve", "INC-1", f"reason {ALL}"),
    ]
    for value in ALL.split():
        refused = daemon.paramedic("runbook", "run", "look", "--host", "web1", "--var", f"given={value}", status=1)
        assert "the variable given holds a secret, or what looks like one" in refused
        outputs.append(refused)
    until(lambda: any(r.path.startswith("/tickets/tell") for r in http_site.requests), within=SOON, what="told")
    site.write("broken.yaml", f"checks: {{x: {{kind: tcp, on: host:web1, port: '{DECLARED}'}}}}\n")
    outputs.append(daemon.paramedic("reload", status=1))
    (site.config / "broken.yaml").unlink()
    incidents = [each.id for each in daemon.incidents()]
    words = [["incidents", "--all"], ["status"], ["checks", "list"], *(["show", id, "--full"] for id in incidents)]
    outputs += [daemon.paramedic(*each) for each in words]
    outputs += [json.dumps(daemon.json(*each)) for each in words]
    outputs.append(request(site.socket, "GET", "/metrics")[1])
    told = daemon.told()
    assert told.has("note: tried [redacted:api] password=[redacted] [redacted]")
    assert " step: web1: repeat: " in daemon.journal()

    assert daemon.stop() == 0
    sent = b"\n".join(sent.body for sent in http_site.requests)
    kept = b"\n".join(file.read_bytes() for file in site.state.iterdir() if file.is_file())
    left = {
        "outputs": "\n".join(outputs).encode(),
        "journal": daemon.journal().encode(),
        "tickets": sent,
        "store": kept,
    }
    for where, content in left.items():
        assert b"[redacted" in content, f"nothing was put to the test in {where}"
        for secret in (DECLARED, LOOKS_LIKE_ONE, OF_A_PATTERN):
            at = content.find(secret.encode())
            assert at < 0, f"{where}: …{content[max(0, at - 300) : at + 100]!r}…"
