"""The throwaway site, and a configuration of the agent for it: what an operator would have written."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.demo.roundup import Roundup
from agent.demo.sshd import Sshd
from agent.demo.web import Web

_HOSTS = """\
login:
  user: {user}
  key_file: {key}
  known_hosts: {known_hosts}
hosts:
  web1: {{address: 127.0.0.1, login: {{port: {ssh_port}}}}}
groups:
  web: {{hosts: [web1]}}
"""
_SERVICES = """\
services:
  shop: {title: The shop, on: "group:web", criticality: high, users: 500, owner: web-team}
teams:
  web-team: {title: Web team, categories: [web]}
  operations: {title: Whoever is on duty}
"""
_CHECKS = """\
checks:
  web:
    kind: http
    on: group:web
    url: {url}
    every: 1s
    timeout: 2s
    expect: {{status: 200, within: 1s}}
    confirm: 2
    category: web
    service: shop
    ladder: [restart-shop]
"""
_TICKETS = """\
tickets:
  preset: roundup
  url: {url}
  basic: {{user: {user}, password: roundup}}
secrets:
  roundup: {{env: DEMO_TICKET_PASSWORD}}
"""
_AGENT = """\
agent: {{state_dir: {state}, socket: {socket}, runbooks: [runbooks]}}
"""
_RUNBOOK = """\
runbook: restart-shop
description: Start the shop's web server again when it stops answering.
hosts: affected
serial: 1
limits: {{per_host: 3 per hour}}
evidence:
  - name: who is on the machine
    run: uptime
  - name: last words of the web server
    run: tail -n 20 {folder}/log
steps:
  - name: restart the web server
    run: {restart}
    timeout: 10s
verify: {{within: 20s, stable_for: 2s}}
"""


class Site:
    """A web service on a "host" reached by a real sshd, and a real ticket tracker; all of it in `folder`.

    Use as a context manager. Raises SiteError if a part does not come up.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sshd = Sshd(folder / "sshd")
        self.web = Web(folder / "web")
        self.tickets = Roundup(folder / "roundup")
        self.config = folder / "config"
        self.socket = folder / "control.sock"
        self.environment = {"DEMO_TICKET_PASSWORD": self.tickets.password, "HOME": str(folder)}
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with self._parts as parts:
            for part in (self.sshd, self.web, self.tickets):
                parts.callback(part.stop)
                part.start()
            self._write_config()
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def _write_config(self) -> None:
        (self.config / "runbooks").mkdir(parents=True, exist_ok=True)
        sshd, tickets = self.sshd, self.tickets
        hosts = _HOSTS.format(user=sshd.user, key=sshd.client_key, known_hosts=sshd.known_hosts, ssh_port=sshd.port)
        files = {
            "paramedic.yaml": _AGENT.format(state=self.folder / "state", socket=self.socket),
            "hosts.yaml": hosts,
            "services.yaml": _SERVICES,
            "checks.yaml": _CHECKS.format(url=self.web.url),
            "tickets.yaml": _TICKETS.format(url=tickets.url.rstrip("/"), user=tickets.user),
            "runbooks/restart-shop.yaml": _RUNBOOK.format(folder=self.web.folder, restart=self.web.restart_command),
        }
        for name, text in files.items():
            (self.config / name).write_text(text)
