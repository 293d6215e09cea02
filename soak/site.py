"""The site that is soaked: real servers on loopback, and a configuration that asks them every second."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.demo.roundup import Roundup
from agent.demo.sshd import Sshd
from agent.demo.web import Web
from soak.series import Series

_NODES = {f"node{number}": f"127.0.0.{20 + number}" for number in range(1, 5)}

_CONFIG = """\
agent: {{state_dir: {state}, socket: {socket}, runbooks: [runbooks]}}
login: {{user: {user}, port: {port}, key_file: {key}, known_hosts: {known_hosts}, connect_timeout: 2s}}
policy:
  lifecycle: {{close_after: 3s}}
  treatment: {{dependency_wait: 2s}}
hosts:
  web1: {{address: 127.0.0.1}}
{nodes}
groups:
  nodes: {{hosts: [{names}]}}
  web: {{hosts: [web1]}}
services:
  shop: {{title: The shop, on: "group:web", criticality: high, users: 500, owner: web-team}}
  batch: {{title: Short-lived pods, on: "group:nodes", criticality: low, users: 5}}
teams:
  web-team: {{categories: [web]}}
  operations: {{}}
secrets:
  tracker: {{env: SOAK_TRACKER_PASSWORD}}
tickets:
  preset: roundup
  url: {tracker}
  basic: {{user: {tracker_user}, password: tracker}}
checks:
  web:
    kind: http
    on: group:web
    url: {web}
    {often}
    service: shop
    category: web
    ladder: [restart-shop]
  stuck:
    kind: command
    on: group:nodes
    run: test ! -e {folder}/stuck || exit 2
    {often}
    ladder: [unstick]
  door: {{kind: tcp, on: group:nodes, port: {port}, {inline}}}
  shop-process: {{kind: process, pid_file: {pid_file}, {inline}}}
  busy: {{kind: cpu, warning: load1 > 100000, {inline}}}
  room: {{kind: memory, warning: available < 1MB, {inline}}}
  disk: {{kind: disk, path: {folder}, warning: inodes_free < 1, {inline}}}
  pods:
    kind: prometheus
    url: {series}
    query: restarts
    subject: pod
    critical: value > 5
    no_data: ok
    forget_after: 30s
    service: batch
    {often}
{extra}
"""
_OFTEN = ["every: 1s", "timeout: 10s", "confirm: 2", "flapping: {changes: 10000}"]
_RESTART = """\
runbook: restart-shop
limits: {{per_host: 100000 per hour}}
evidence:
  - name: last words of the web server
    run: tail -n 200 {folder}/log
steps:
  - name: restart
    run: {restart}
    repeatable: true
    timeout: 60s
verify: {{within: 60s, stable_for: 1s}}
"""
_UNSTICK = """\
runbook: unstick
limits: {{per_host: 100000 per hour}}
serial: 2
steps:
  - name: noise
    run: seq 2000
  - name: fails first
    run: "false"
    on_failure: continue
  - name: unstick
    run: rm -f {folder}/stuck
    repeatable: true
verify: {{within: 60s}}
"""


class SoakSite:
    """In `folder`, between entering and leaving. `extra`: more checks, as lines of YAML below `checks:`."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder.resolve()
        self.sshd = Sshd(folder / "sshd", addresses=("127.0.0.1", *_NODES.values()))
        self.web = Web(folder / "web")
        self.tracker = Roundup(folder / "roundup")
        self.series = Series()
        self.config = folder / "config"
        self.state = folder / "state"
        self.socket = folder / "control.sock"
        self.stuck = self.folder / "stuck"
        self.environment = {"SOAK_TRACKER_PASSWORD": self.tracker.password}
        self.connections = len(_NODES)
        self._extra = extra
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            for part in (self.sshd, self.web, self.tracker, self.series):
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
        text = _CONFIG.format(
            state=self.state,
            socket=self.socket,
            user=self.sshd.user,
            port=self.sshd.port,
            key=self.sshd.client_key,
            known_hosts=self.sshd.known_hosts,
            nodes="\n".join(f"  {name}: {{address: {address}}}" for name, address in _NODES.items()),
            names=", ".join(_NODES),
            tracker=self.tracker.url,
            tracker_user=self.tracker.user,
            web=self.web.url,
            folder=self.folder,
            pid_file=self.web.pid_file,
            series=self.series.url,
            often="\n    ".join(_OFTEN),
            inline=", ".join(_OFTEN),
            extra=self._extra,
        )
        (self.config / "paramedic.yaml").write_text(text)
        restart = _RESTART.format(folder=self.web.folder, restart=self.web.restart_command)
        (self.config / "runbooks" / "restart-shop.yaml").write_text(restart)
        (self.config / "runbooks" / "unstick.yaml").write_text(_UNSTICK.format(folder=self.folder))
