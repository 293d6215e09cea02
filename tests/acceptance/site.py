"""A configuration of the daemon, written as an operator would write it."""

import secrets
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.demo.roundup import Roundup
from agent.demo.web import Web
from tests.neighbours.sshd import Sshd
from tests.neighbours.systemd_host import SystemdHost, SystemdHosts

LEDGER = "LEDGER"
"""Stands in every text for the file that runbook steps write down what they do in."""

AT_THE_GATE = "AT_THE_GATE"
"""Stands in every text for a command that waits until the test opens the gate. It gives up after a minute."""

WAITS = "for _ in $(seq 600); do [ -e {gate} ] && break; sleep 0.1; done"

AGENT = """\
agent: {{state_dir: {state}, socket: {socket}, runbooks: [runbooks], stop_within: {stop_within}}}
"""

BOOTED = """\
login: {{user: ops, key_file: {key}, known_hosts: {known_hosts}, connect_timeout: 3s}}
hosts:
  web1: {{address: {web1}}}
  web2: {{address: {web2}}}
  db1: {{address: {db1}}}
groups:
  web: {{hosts: [web1, web2], treat_at_once: {treat_at_once}}}
  db: {{hosts: [db1]}}
services:
  shop: {{title: The shop, on: "group:web", criticality: high, users: 500, owner: web-team, depends_on: [shop-data]}}
  shop-data: {{title: Orders, on: "group:db", criticality: vital, users: 500, owner: data-team}}
teams:
  web-team: {{categories: [web]}}
  data-team: {{categories: [data]}}
  operations: {{}}
"""

ON_LOOPBACK = """\
login: {{user: {user}, key_file: {key}, known_hosts: {known_hosts}, connect_timeout: 3s}}
hosts:
  web1: {{address: 127.0.0.1, login: {{port: {port}}}}}
groups:
  web: {{hosts: [web1]}}
services:
  shop: {{title: The shop, on: "group:web", criticality: high, users: 500, owner: web-team}}
teams:
  web-team: {{categories: [web]}}
  operations: {{}}
"""

TICKETS = """\
tickets:
  preset: roundup
  url: {url}
  basic: {{user: {user}, password: tracker}}
  settles_within: 3s
  prefix: {prefix}-  # the tracker is shared with other tests, whose incidents have the same numbers
secrets:
  tracker: {{file: tracker-password}}
"""

WEB_CHECK = """\
checks:
  web:
    kind: http
    on: group:web
    url: http://{{ host.address }}:8080/healthz
    every: 500ms
    timeout: 2s
    confirm: 2
    category: web
    service: shop
    ladder: [restart-web]
"""
"""Whether the shop's pages come from each booted host."""

RESTART_WEB = """\
runbook: restart-web
description: Restart the shop's web server when it stops answering.
hosts: affected
evidence:
  - name: who we are
    run: id -un
  - name: state of the unit
    run: systemctl status --no-pager --full shop-web
steps:
  - name: restart
    run: |
      echo "$(date +%s.%N) restart-web begins" >> LEDGER
      systemctl restart shop-web
      echo "$(date +%s.%N) restart-web ends" >> LEDGER
    sudo: true
    timeout: 20s
verify: {within: 20s}
"""


@dataclass(frozen=True)
class Line:
    """One line of a ledger. `at` in seconds since the epoch; all hosts of a test share one clock."""

    at: float
    what: str


class Site:
    """A configuration folder, a state folder, and what the daemon's environment must hold."""

    def __init__(self, folder: Path, *, stop_within: str = "20s") -> None:
        self.folder = folder
        self.config = folder / "config"
        self.state = folder / "state"
        self.socket = folder / "control.sock"
        self.environment = {"HOME": str(folder)}
        self.prefix = secrets.token_hex(4)
        self.ledger = Path(f"/var/tmp/ledger-{self.prefix}")
        self._gate = folder / "gate"
        (self.config / "runbooks").mkdir(parents=True)
        self.write("paramedic.yaml", AGENT.format(state=self.state, socket=self.socket, stop_within=stop_within))

    def write(self, name: str, text: str) -> None:
        """A file of the configuration."""
        text = textwrap.dedent(text).replace(LEDGER, str(self.ledger))
        (self.config / name).write_text(text.replace(AT_THE_GATE, WAITS.format(gate=self._gate)))

    def open_gate(self) -> None:
        self._gate.touch()

    def runbook(self, text: str) -> None:
        """In a file named after it."""
        text = textwrap.dedent(text)
        name = text.partition("\n")[0].removeprefix("runbook: ")
        self.write(f"runbooks/{name}.yaml", text)

    def booted(self, hosts: SystemdHosts, *, treat_at_once: int = 1) -> None:
        """web1, web2 and db1; the agent logs in as `ops`, who may sudo."""
        self.write(
            "hosts.yaml",
            BOOTED.format(
                key=hosts.client_key,
                known_hosts=hosts.known_hosts,
                treat_at_once=treat_at_once,
                **{host.name: host.address for host in hosts},
            ),
        )

    def on_loopback(self, sshd: Sshd) -> None:
        """One host, web1: this machine, by SSH."""
        self.write(
            "hosts.yaml",
            ON_LOOPBACK.format(user=sshd.user, key=sshd.client_key, known_hosts=sshd.known_hosts, port=sshd.port),
        )

    def watches(self, web: Web, *, ladder: str = "restart-shop") -> None:
        """A check of a web server on this machine, and which runbooks it leads to."""
        self.write("checks.yaml", SHOP_CHECK.format(url=web.url, ladder=ladder))

    def restarts(self, web: Web, runbook: str = "") -> None:
        """That check, and the runbook; RESTART in its text stands for the command that starts the web server again."""
        self.watches(web)
        self.runbook(textwrap.dedent(runbook or RESTART_SHOP).replace("RESTART", web.restart_command))

    def tickets(self, roundup: Roundup, *, url: str = "") -> None:
        """Incidents are copied to the tracker, which is asked at `url` if it is given."""
        self.write("tickets.yaml", TICKETS.format(url=url or roundup.url, user=roundup.user, prefix=self.prefix))
        password = self.config / "tracker-password"
        password.touch(mode=0o600)
        password.write_text(f"{roundup.password}\n")

    def filed(self, roundup: Roundup) -> list[dict[str, Any]]:
        """The issues that the daemon filed there, oldest first."""
        return roundup.issues(external_id=f"{self.prefix}-")

    def done_on(self, host: SystemdHost) -> list[Line]:
        """What steps wrote down on that host."""
        return _lines(host.run(f"cat {self.ledger}", check=False).stdout)

    def done_here(self) -> list[Line]:
        """What steps wrote down on this machine."""
        return _lines(self.ledger.read_text() if self.ledger.exists() else "")


SHOP_CHECK = """\
checks:
  web:
    kind: http
    on: group:web
    url: {url}
    every: 500ms
    timeout: 2s
    confirm: 2
    category: web
    service: shop
    ladder: [{ladder}]
"""

RESTART_SHOP = """\
runbook: restart-shop
description: Start the shop's web server again when it stops answering.
steps:
  - name: restart
    run: |
      echo "$(date +%s.%N) restart-shop begins" >> LEDGER
      RESTART
      echo "$(date +%s.%N) restart-shop ends" >> LEDGER
    timeout: 20s
verify: {within: 20s}
"""


def whats(lines: Sequence[Line]) -> list[str]:
    """What was done, without the times."""
    return [line.what for line in lines]


def _lines(text: str) -> list[Line]:
    split = [line.partition(" ") for line in text.splitlines()]
    return [Line(float(at), what) for at, _, what in split]
