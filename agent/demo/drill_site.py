"""The throwaway site for drills: four web servers, their database and a ticket tracker, each on a "host" of its own.

What is to be read stands in agent/demo/drills/; here is only what differs from machine to machine. Each host is an
sshd with its own home folder, so that `~/shop` means another web server on each. Ordinary users can run it.
"""

import os
import pwd
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.demo.operator import Operator
from agent.demo.roundup import Roundup
from agent.demo.sshd import Sshd
from agent.demo.web import Web

WEB_HOSTS = ("web1", "web2", "web3", "web4")
HOSTS = (*WEB_HOSTS, "db1", "desk1")
DRILLS = resources.files("agent.demo") / "drills"
"""The configuration that is the same everywhere."""

_AGENT = """\
agent: {{state_dir: {state}, socket: {socket}, runbooks: [runbooks]}}
"""
_HOST = """\
  {name}:
    address: 127.0.0.1
    login: {{port: {ssh}, key_file: {key}, known_hosts: {known_hosts}}}
    vars: {{port: {port}}}
"""
_TEAMS = """\
people:
  {user}: {{title: Whoever runs the drill, notify: [pager]}}
messages:
  targets:
    pager: {{url: pager}}
teams:
  web-team: {{title: Web team, categories: [web]}}
  database-team: {{title: Database team, categories: [database]}}
  operations: {{title: Operations, categories: [storage], members: [{user}]}}
secrets:
  roundup: {{env: DEMO_TICKET_PASSWORD}}
  pager: {{env: DEMO_PAGER}}
"""
_TICKETS = """\
tickets:
  preset: roundup
  url: {url}
  basic: {{user: {login}, password: roundup}}
  drill: {{url: {url}}}    # elsewhere a queue of its own: another project, another tracker
"""


class DrillSite:
    """All of it in `folder`. `operator` answers when it is called. Raises SiteError if a part does not come up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.config = self.folder / "config"
        self.state = self.folder / "state"
        self.socket = self.folder / "control.sock"
        self.sshd = {name: Sshd(self.folder / "hosts" / name) for name in HOSTS}
        self.database = Web(self.home("db1") / "database", script="start-database")
        self.web = {name: Web(self.home(name) / "shop", needs=self.database.port) for name in WEB_HOSTS}
        self.tickets = Roundup(self.folder / "roundup")
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.operator = Operator()
        self._parts = ExitStack()

    def home(self, host: str) -> Path:
        """What `~` means on that host."""
        return self.folder / "hosts" / host / "home"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the configuration's secrets need."""
        secrets = {"DEMO_TICKET_PASSWORD": self.tickets.password, "DEMO_PAGER": self.operator.url}
        return {**secrets, "HOME": str(self.folder), "PARAMEDIC_CONFIG": str(self.config)}

    def __enter__(self) -> Self:
        with self._parts as parts:
            site: list[Sshd | Web | Roundup | Operator] = [*self.sshd.values(), self.database, *self.web.values()]
            for part in (*site, self.tickets, self.operator):
                parts.callback(part.stop)
                part.start()
            for name in WEB_HOSTS:
                (self.home(name) / "logs").mkdir(exist_ok=True)
            self.note_tracker()
            self._write_config()
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def note_tracker(self) -> None:
        """Where drills find the ticket tracker's process, after it has started."""
        folder = self.home("desk1") / "tracker"
        folder.mkdir(exist_ok=True)
        (folder / "pid").write_text(f"{self.tickets.pid}\n")

    def _write_config(self) -> None:
        with resources.as_file(DRILLS) as shipped:
            shutil.copytree(shipped, self.config, dirs_exist_ok=True)
        (self.config / "paramedic.yaml").write_text(_AGENT.format(state=self.state, socket=self.socket))
        (self.config / "hosts.yaml").write_text(self._hosts())
        (self.config / "teams.yaml").write_text(_TEAMS.format(user=self.user))
        url = self.tickets.url.rstrip("/")
        (self.config / "tickets.yaml").write_text(_TICKETS.format(url=url, login=self.tickets.user))
        for path in (self.config, *self.config.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)

    def _hosts(self) -> str:
        ports = {name: web.port for name, web in self.web.items()}
        ports |= {"db1": self.database.port, "desk1": self.tickets.port}
        hosts = "".join(
            _HOST.format(name=name, ssh=sshd.port, key=sshd.client_key, known_hosts=sshd.known_hosts, port=ports[name])
            for name, sshd in self.sshd.items()
        )
        login = f"login: {{user: {self.user}}}\n"
        return f"{login}hosts:\n{hosts}groups:\n  web: {{hosts: [{', '.join(WEB_HOSTS)}], treat_at_once: 50%}}\n"
