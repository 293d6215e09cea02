"""Hosts for drills: several addresses of one sshd, each a host that is ill while its file is there."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config.configuration import Configuration
from agent.config.load import load
from agent.model.drill import Drill
from tests.functional.control_site import short_folder
from tests.neighbours.sshd import Sshd

WAITED_FOR = "127.0.0.10"
"""Where it is seen that sshd has started: what connects to the others is the agent or a drill."""
HOSTS = {"web1": "127.0.0.11", "web2": "127.0.0.12", "db1": "127.0.0.13"}


@dataclass
class DrillSite:
    """`settings`: sections of the configuration beside those that every test has."""

    folder: Path
    sshd: Sshd
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def socket(self) -> Path:
        return self.folder / "agent.sock"

    def broken(self, host: str) -> Path:
        """While this file is there, the host is ill."""
        return self.folder / f"{host}.broken"

    def ledger(self, host: str) -> Path:
        """Where runbook steps write what they do on the host."""
        return self.folder / f"{host}.ledger"

    def breaks(self, host: str, **more: Any) -> dict[str, Any]:
        """An injection that makes a host ill."""
        file = self.broken(host)
        return {"name": f"break {host}", "host": host, "run": f"touch {file}", "undo": f"rm -f {file}", **more}

    def drill(self, **changes: Any) -> dict[str, Any]:
        return {
            "title": "The web service goes down",
            "form": "live",
            "runbook": "mend",
            "hosts": {"allow": ["host:web1"], "most": 1},
            "steady_state": {"checks": ["web"], "within": "5s"},
            "inject": [self.breaks("web1")],
            "expect": [{"detected": "web"}, {"treated_with": "mend"}, {"recovered": True}],
            "deadline": "60s",
            "alone": "5s",
            **changes,
        }

    def write(self, *, runbook: str = "", **drills: dict[str, Any]) -> Configuration:
        """With these drills, by name. `runbook`: instead of one that mends."""
        (self.config / "runbooks").mkdir(parents=True, exist_ok=True)
        sshd, folder = self.sshd, self.folder
        login = {"user": sshd.user, "key_file": str(sshd.client_key), "known_hosts": str(sshd.known_hosts)}
        sections = {
            "agent": {"state_dir": str(self.state), "socket": str(self.socket), "stop_within": "5s"},
            "login": login,
            "hosts": {name: {"address": at, "login": {"port": sshd.port}} for name, at in HOSTS.items()},
            "groups": {"web": {"hosts": ["web1", "web2"], "treat_at_once": 2}, "db": {"hosts": ["db1"]}},
            "services": {"shop": {"title": "The shop", "on": "group:web", "owner": "web-team"}},
            "teams": {"web-team": {"categories": ["web"]}, "operations": {}},
            "checks": {
                "web": {
                    "kind": "command",
                    "on": "group:web",
                    "run": f"test ! -e {folder}/{{{{ host.name }}}}.broken || exit 2",
                    "every": "500ms",
                    "confirm": 2,
                    "category": "web",
                    "service": "shop",
                    "ladder": ["mend"],
                }
            },
            "drills": drills,
            **self.settings,
        }
        (self.config / "all.yaml").write_text(json.dumps(sections))
        (self.config / "runbooks" / "mend.yaml").write_text(runbook or self.mends())
        return load(self.config)

    def mends(self, hosts: str = "affected", steps: str = "") -> str:
        here = f"{self.folder}/{{{{ host.name }}}}"
        mend = f"  - run: echo mend >> {here}.ledger; rm -f {here}.broken\n"
        return f"runbook: mend\nhosts: {hosts}\nsteps:\n{steps}{mend}verify: {{within: 20s}}\n"

    def read(self, name: str = "down") -> tuple[Configuration, Drill]:
        configuration = load(self.config)
        return configuration, configuration.drills[name]

    def connections(self, host: str) -> int:
        """How often anybody has connected to the host, by its own log."""
        return len(re.findall(rf"Connection from .* on {re.escape(HOSTS[host])} port", self.sshd.log.read_text()))


@contextmanager
def drill_site() -> Iterator[DrillSite]:
    with short_folder() as folder, Sshd(folder / "sshd", addresses=(WAITED_FOR, *HOSTS.values())) as sshd:
        yield DrillSite(folder, sshd)
