"""The service as it is installed: the real unit, with all its limits, in a real systemd, treating another host."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.neighbours import available, systemd_host
from tests.neighbours.systemd_host import SystemdHost, SystemdHosts
from tests.neighbours.waiting import until
from tests.packaging.test_unit import MOST_EXPOSURE
from tests.packaging.wheel import install

_SOON = 60.0

SITE = """\
login: {{user: ops, credential: ssh-key}}
hosts: {{web2: {{address: {address}}}}}
access:
  viewer: [vera]
  responder: [group:oncall]
  commander: [carol]
agent: {{stop_within: 50s}}
"""

CHECKS = """\
checks:
  web:
    kind: http
    on: host:web2
    url: http://{{ host.address }}:8080/healthz
    every: 500ms
    confirm: 2
    ladder: [restart-shop]
  sshd: {kind: process, name: sshd, every: 1s}
  load: {kind: cpu, critical: load_per_core > 10000, every: 1s}
"""

RESTART = """\
runbook: restart-shop
steps:
  - {name: restart, run: systemctl restart shop-web, sudo: true}
verify: {within: 20s}
"""

SLOW = """\
runbook: slow
hosts: host:web2
steps:
  - name: waits at the gate
    run: touch /tmp/at-the-gate; while [ ! -e /tmp/gate ]; do sleep 0.1; done
    timeout: 45s
"""

DROP_IN = """\
[Service]
LoadCredential=ssh-key:/etc/paramedic/credentials/ssh-key
TimeoutStopSec=1s
"""

PEOPLE = """\
groupadd oncall
for who in vera rick carol mallory; do useradd --groups paramedic $who; done
usermod --append --groups oncall rick
useradd stranger
"""


class Service:
    """paramedic, installed on web1."""

    def __init__(self, host: SystemdHost) -> None:
        self.host = host

    def asked_by(self, user: str, *words: str) -> tuple[int, str]:
        """What the command said to that user, and its exit code."""
        done = self.host.run(f"runuser -u {user} -- paramedic {' '.join(words)}", check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def json(self, *words: str, user: str = "vera") -> Any:
        code, said = self.asked_by(user, *words, "--json")
        assert code in (0, 1), said
        return json.loads(said)

    def show(self, what: str) -> str:
        """A property of the unit."""
        return self.host.run(f"systemctl show --value -p {what} paramedic").stdout.strip()

    def journal(self) -> str:
        return self.host.run("journalctl -u paramedic -o cat --no-pager").stdout

    def check(self, name: str) -> Any:
        """What it knows of the check's one subject; None before the first answer."""
        [found] = [each for each in self.json("checks", "list")["checks"] if each["name"] == name]
        return found["subjects"][0] if found["subjects"] else None

    def solved(self, check: str) -> Any:
        """The latest incident that this check caused, once that is resolved."""
        found = [each for each in self.json("incidents", "--all")["incidents"] if each["cause"] == check]
        return next((each for each in found if each["phase"] in ("resolved", "closed")), None)

    def until_journal(self, words: str) -> None:
        until(lambda: words in self.journal(), within=_SOON, what=f"the journal says {words!r}")


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHosts]:
    """Hosts of our own: users are added, and who guards is guarded."""
    available.require("hosts with a real systemd", systemd_host.missing(), systemd_host.INSTALL)
    with SystemdHosts(tmp_path_factory.mktemp("hosts"), ["web1", "web2"]) as hosts:
        yield hosts


@pytest.fixture(scope="module")
def service(hosts: SystemdHosts, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Installed, configured and started."""
    host, other = hosts["web1"], hosts["web2"]
    install(host, tmp_path_factory.mktemp("installed"))
    host.run(PEOPLE)
    etc = "/etc/paramedic"
    host.run(f"rm {etc}/*.yaml {etc}/runbooks/*.yaml")
    host.write(f"{etc}/site.yaml", SITE.format(address=other.address), mode="640 -g paramedic")
    host.write(f"{etc}/checks.yaml", CHECKS, mode="640 -g paramedic")
    for name, text in (("restart-shop", RESTART), ("slow", SLOW)):
        host.write(f"{etc}/runbooks/{name}.yaml", text, mode="640 -g paramedic")
    host.write(f"{etc}/known_hosts", other.known_hosts_line, mode="640 -g paramedic")
    host.write(f"{etc}/credentials/ssh-key", other.client_key.read_text(), mode="600")
    host.write("/etc/systemd/system/paramedic.service.d/override.conf", DROP_IN)
    host.run(f"paramedic check-config {etc}")
    host.run("systemctl daemon-reload && systemctl enable --now paramedic")
    return Service(host)


pytestmark = [pytest.mark.root, pytest.mark.xdist_group("the service")]


def test_it_runs_behind_all_of_its_fence(service: Service) -> None:
    assert service.show("ActiveState") == "active"
    measured = service.host.run(
        f"systemd-analyze security --no-pager --threshold={MOST_EXPOSURE * 10:.0f} paramedic", check=False
    )
    assert measured.returncode == 0, measured.stdout[-200:]
    pid = service.show("MainPID")
    limits = service.host.run(f"cat /proc/{pid}/limits /proc/{pid}/status").stdout
    found = re.search(r"Max open files +(\d+)", limits)
    assert found
    assert int(found[1]) >= 10_000, "descriptors for a thousand hosts"
    assert "CapEff:\t0000000000000000" in limits
    assert "NoNewPrivs:\t1" in limits
    assert "Seccomp:\t2" in limits


def test_a_fault_on_another_host_is_treated_over_ssh_and_verified(service: Service, hosts: SystemdHosts) -> None:
    other = hosts["web2"]
    until(lambda: (service.check("web") or {}).get("status") == "OK", within=_SOON, what="the shop is well")
    other.kill_service("shop-web")
    solved = until(lambda: service.solved("web"), within=_SOON, what="the incident is solved")
    assert other.service("shop-web") == "active"
    told = service.json("show", solved["id"])
    assert [run["outcome"] for run in told["executions"]] == ["recovered"]


def test_people_are_known_and_do_what_their_role_allows(service: Service) -> None:
    assert service.json("status")["you"] == {"user": "vera", "role": "viewer"}
    assert service.json("status", user="rick")["you"] == {"user": "rick", "role": "responder"}
    code, said = service.asked_by("vera", "freeze", "no")
    assert code == 5
    assert "to freeze takes the role commander, and vera is a viewer. Commander: root, paramedic, carol." in said
    service.until_journal("agent refused: refused to freeze: it takes the role commander, and vera is a viewer")
    assert service.asked_by("mallory", "status")[0] == 5, "of the socket's group, but with no role"
    code, said = service.asked_by("stranger", "status")
    assert code == 5
    assert "you may not speak to the agent" in said
    assert service.asked_by("rick", "report", "the shop is slow")[0] == 0
    [reported] = [each for each in service.json("incidents")["incidents"] if each["reporter"]]
    assert reported["reporter"] == "rick"
    assert service.asked_by("rick", "resolve", reported["id"])[0] == 0
    assert service.asked_by("rick", "freeze", "no")[0] == 5
    assert service.asked_by("carol", "freeze", "a", "trial")[0] == 0
    assert service.asked_by("carol", "unfreeze")[0] == 0


def test_what_it_sees_of_its_machine_and_says_of_what_is_hidden(service: Service) -> None:
    until(lambda: (service.check("load") or {}).get("status") == "OK", within=_SOON, what="the load is known")
    until(lambda: (service.check("sshd") or {}).get("last"), within=_SOON, what="the process was looked for")
    found = service.check("sshd")
    assert (found["last"], found["status"]) == ("UNKNOWN", None)
    assert "systemctl edit paramedic, and there [Service] ProtectProc=default" in found["message"]


def test_what_it_writes_is_its_own(service: Service) -> None:
    found = service.host.run("find /var/lib/paramedic /run/paramedic -printf '%m %u %p\\n'").stdout.split("\n")
    modes = {line.split(" ")[2]: line.split(" ")[:2] for line in found if line}
    assert modes.pop("/run/paramedic") == ["750", "paramedic"]
    assert modes.pop("/run/paramedic/control.sock") == ["660", "paramedic"]
    assert modes.pop("/var/lib/paramedic") == ["700", "paramedic"]
    assert "/var/lib/paramedic/paramedic.db-wal" in modes
    assert set(map(tuple, modes.values())) == {("600", "paramedic")}, modes


def test_systemd_hears_that_it_lives(service: Service) -> None:
    before = service.show("WatchdogTimestampMonotonic")
    assert int(before) > 0
    until(lambda: service.show("WatchdogTimestampMonotonic") != before, within=_SOON, what="a sign of life")
    assert service.show("NRestarts") == "0"


def test_a_reload_takes_effect_roles_at_once_and_one_with_a_mistake_is_on_record(service: Service) -> None:
    text = service.host.run("cat /etc/paramedic/site.yaml").stdout
    service.host.write("/etc/paramedic/site.yaml", text.replace("[vera]", "[vera, mallory]"), mode="640 -g paramedic")
    service.host.run("systemctl reload paramedic")
    service.until_journal("agent agent: configuration reloaded")
    assert service.json("status", user="mallory")["you"] == {"user": "mallory", "role": "viewer"}
    service.host.write("/etc/paramedic/site.yaml", text.replace("viewer:", "veiwer:"), mode="640 -g paramedic")
    code, said = service.asked_by("carol", "reload")
    assert code == 1
    assert "/etc/paramedic/site.yaml:4: access.veiwer: there is no key 'veiwer' here: did you mean 'viewer'?" in said
    service.until_journal(
        "agent refused: reload refused, nothing was changed: 1 problem, the first: /etc/paramedic/site"
    )
    service.host.write("/etc/paramedic/site.yaml", text.replace("[carol]", "[root]"), mode="640 -g paramedic")
    code, said = service.asked_by("carol", "reload")
    assert code == 0
    assert said.endswith("; mind: carol has no role from now on")
    assert service.asked_by("carol", "status")[0] == 5


def test_a_stop_waits_for_the_step_under_way_longer_than_the_unit_says(service: Service, hosts: SystemdHosts) -> None:
    """TimeoutStopSec= is 1 s here, and stop_within 50: the agent asks systemd for that time."""
    other = hosts["web2"]
    started = service.json("runbook", "run", "slow", "--host", "web2", user="rick")
    until(lambda: other.run("test -e /tmp/at-the-gate", check=False).returncode == 0, within=_SOON, what="the step")
    service.host.run("systemctl --no-block stop paramedic && systemd-run --on-active=3s --unit=later true")
    until(lambda: service.host.service("later.timer") != "active", within=_SOON, what="systemd's own limit is over")
    assert service.show("ActiveState") == "deactivating"
    other.run("touch /tmp/gate")
    until(lambda: service.show("ActiveState") not in ("deactivating", "active"), within=_SOON, what="it has stopped")
    assert (service.show("ActiveState"), service.show("Result")) == ("inactive", "success")
    told = json.loads(service.host.run(f"paramedic show {started['about']} --json").stdout)
    assert [run["outcome"] for run in told["executions"]] != [None], "the step's end is on record"
    assert "ok" in [entry["entry"]["data"].get("status") for entry in told["entries"]]


def test_with_the_drop_in_it_sees_processes(service: Service) -> None:
    service.host.write("/etc/systemd/system/paramedic.service.d/processes.conf", "[Service]\nProtectProc=default\n")
    service.host.run("systemctl daemon-reload && systemctl restart paramedic")
    until(lambda: (service.check("sshd") or {}).get("status") == "OK", within=_SOON, what="sshd is seen")
