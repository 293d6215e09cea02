"""Hosts that fail as hosts do, all at once, while each has an open incident.

For each fault: the record says in right words what is wrong, nothing is closed by not knowing, nothing is treated,
a check that is well goes on being asked, memory and threads stay bounded, and what was wrong is over by itself.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from agent.model.health import Key
from agent.model.observation import Verdict
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site
from tests.neighbours.faulty_line import FaultyLine
from tests.neighbours.scripted_server import sends, silent
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

MOST_GROWTH = 60 * 2**20
"""Bytes of memory that all these faults together may cost the daemon."""

MOST_THREADS = 120

HOSTS = """\
login: {{user: {user}, key_file: {key}, known_hosts: {known_hosts}, connect_timeout: 2s}}
hosts:
"""

CHECK = """\
  {name}:
    kind: command
    on: host:{name}
    run: |
      read -r state < {folder}/{name}
      case $state in
        hangs) echo $$ >> {folder}/pids; sleep 300; true ;;
        floods) echo $$ >> {folder}/pids; cat /dev/zero; true ;;
        ill) head -c 100000 /dev/zero | tr '\\0' x >&2; echo it hurts; exit 2 ;;
      esac
      head -c 100000 /dev/zero | tr '\\0' x >&2
      echo it is well
    every: 500ms
    timeout: 3s
    unknown_after: 2s
"""


@dataclass(frozen=True)
class Fault:
    """`words`: what the record says of it; `connects`: whether the host can be logged in to nevertheless."""

    words: str
    connects: bool = False


FAULTS = {
    "refuses": Fault("connection refused"),
    "silent": Fault("accepts connections, but no SSH within 2 s"),
    "freezes": Fault("accepts connections, but no SSH within 2 s"),
    "mail": Fault("does not complete an SSH handshake"),
    "stranger": Fault("holds another key for it. Either the host was set up anew, or another machine"),
    "hangs": Fault("the command did not end within 3 s", connects=True),
    "floods": Fault("the command did not end within 3 s", connects=True),
    "cut": Fault("the connection broke while the command was running", connects=True),
}
WELL = ("steady", "slow")
"""Hosts that answer all the while, the second of them slowly."""


@dataclass
class Ward:
    """Hosts behind lines of their own, all of them one sshd."""

    folder: Path
    sshd: Sshd
    impostor: Sshd
    lines: dict[str, FaultyLine]

    def state(self, name: str, state: str) -> None:
        unfinished = self.folder / "unfinished"
        unfinished.write_text(f"{state}\n")
        unfinished.rename(self.folder / name)

    def write(self, site: Site) -> None:
        known_hosts = self.folder / "known_hosts"
        kind, key = (self.sshd.folder / "host_key.pub").read_text().split()[:2]
        known_hosts.write_text("".join(f"[127.0.0.1]:{line.port} {kind} {key}\n" for line in self.lines.values()))
        hosts = HOSTS.format(user=self.sshd.user, key=self.sshd.client_key, known_hosts=known_hosts)
        for name, line in self.lines.items():
            hosts += f"  {name}: {{address: 127.0.0.1, login: {{port: {line.port}}}}}\n"
        site.write("hosts.yaml", hosts)
        site.write("checks.yaml", "checks:\n" + "".join(CHECK.format(name=n, folder=self.folder) for n in self.lines))

    def strike(self) -> None:
        """Every fault sets in."""
        self.lines["refuses"].refuse()
        self.lines["silent"].answer(silent)
        self.lines["freezes"].freeze()
        self.lines["mail"].answer(sends(b"220 mail.example.org ESMTP\r\n"))
        stranger = self.lines["stranger"]
        stranger.restore()
        stranger.upstream = self.impostor.port
        self.state("hangs", "hangs")
        self.state("floods", "floods")
        cut = self.lines["cut"]
        cut.restore()
        cut.hang_up_after = 50_000
        self.lines["slow"].delay = 0.02

    def mend(self) -> None:
        """All can be asked again, and are as ill as before."""
        self.lines["stranger"].upstream = self.sshd.port
        for name in FAULTS:
            self.state(name, "ill")
            self.lines[name].restore()

    def heal(self) -> None:
        for name in FAULTS:
            self.state(name, "well")


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    folder = tmp_path / "ward"
    folder.mkdir()
    with ExitStack() as stack:
        sshd = stack.enter_context(Sshd(tmp_path / "sshd"))
        impostor = stack.enter_context(Sshd(tmp_path / "impostor"))
        (impostor.folder / "authorized_keys").write_text((sshd.folder / "authorized_keys").read_text())
        lines = {name: stack.enter_context(FaultyLine(sshd.port)) for name in (*FAULTS, *WELL)}
        ward = Ward(folder, sshd, impostor, lines)
        for name in FAULTS:
            ward.state(name, "ill")
        for name in WELL:
            ward.state(name, "well")
        yield ward


def sees_again(daemon: Daemon, name: str) -> bool:
    health = daemon.store.load(time.time()).health[Key(name, name)]
    return health.blind_since is None and health.status is Verdict.CRITICAL


def test_hosts_that_fail_in_every_way_close_nothing_cost_little_and_come_back_by_themselves(
    site: Site, daemon: Daemon, ward: Ward
) -> None:
    ward.write(site)
    daemon.start()
    for name in FAULTS:
        daemon.until_health(name, name, "CRITICAL")
    until(lambda: len(daemon.incidents()) == len(FAULTS), within=45, what="each has its incident")
    opened = {incident.symptoms[0].key.check: incident.id for incident in daemon.incidents()}
    for id in opened.values():
        daemon.until("escalated", about=id)
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    before = process.memory_info().rss

    ward.strike()
    for name, fault in FAULTS.items():
        daemon.until(f"noticed: {name} on {name} cannot be asked: ", about=opened[name], within=90)
        told = daemon.told(opened[name]).the(f"noticed: {name} on {name} cannot be asked")
        assert fault.words in told.text, f"{name}: {told.text}"

    # Bounded: who is well is asked on, slow or not; nothing piles up.
    status = daemon.json("status")
    assert status["schedule"]["hanging"] == []
    for name in WELL:
        (check,) = [check for check in daemon.json("checks", "list")["checks"] if check["name"] == name]
        (subject,) = check["subjects"]
        assert (subject["status"], subject["last"]) == ("OK", "OK"), f"{name}: {subject}"
        assert subject["asked_at"] > status["now"] - 20
    grown = process.memory_info().rss - before
    assert grown < MOST_GROWTH, f"{grown / 2**20:.0f} MiB more"
    assert process.num_threads() < MOST_THREADS

    # Who does not let us in is seen at a glance; the others answer, only their commands are wrong.
    def away() -> set[str]:
        return {one["name"] for one in daemon.json("status")["neighbours"] if one["state"] != "answers"}

    silent_ones = {name for name, fault in FAULTS.items() if not fault.connects}
    until(lambda: away() == silent_ones, within=60, what=f"status shows {sorted(silent_ones)}")
    shown = daemon.paramedic("status")
    assert "refuses has not answered for" in shown
    assert "connection refused" in shown

    # To be asked again is not to be well again. Nothing is closed, or opened, by not knowing.
    ward.mend()
    until(lambda: not away(), within=30, what="all neighbours answer")
    for name in FAULTS:
        until(lambda name=name: sees_again(daemon, name), within=30, what=f"{name} is asked again")
    assert "answers again after" in daemon.journal()
    assert len(daemon.incidents()) == len(FAULTS)
    for id in opened.values():
        assert daemon.incident(id).phase == "escalated"
        assert not daemon.told(id).has("recovered")
    assert "Accepted publickey" not in ward.impostor.log.read_text(), "nothing was done on the stranger's host"

    ward.heal()
    for id in opened.values():
        daemon.until("resolved: recovered, confirmed by its checks", about=id, within=60)

    # What hung or flooded was killed on the host as well.
    pids = [int(pid) for pid in (ward.folder / "pids").read_text().split()]
    assert len(pids) > 1
    until(lambda: not any(map(psutil.pid_exists, pids)), within=30, what="no command is left over on the host")
