"""The daemon whose record cannot be written or read: it says so, does nothing, and goes on when it can."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
from tests.neighbours.disk import Disk
from tests.neighbours.notify_socket import NotifySocket
from tests.neighbours.waiting import until

PROCESS = """\
checks:
  shop:
    kind: process
    pid_file: PID_FILE
    every: 500ms
    confirm: 2
    ladder: [restart-here]
"""

RESTART_HERE = """\
runbook: restart-here
hosts: local
steps:
  - name: restart
    run: echo "$(date +%s.%N) restart" >> LEDGER; RESTART
verify: {within: 20s}
"""

HOLDS_THE_LOCK = """
import sqlite3, sys
shell = sqlite3.connect(sys.argv[1], isolation_level=None)
shell.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""

PAGE = 4096


@pytest.fixture
def shop(site: Site, web: Web) -> Site:
    """A process of this machine, watched and started again without SSH."""
    site.write("checks.yaml", PROCESS.replace("PID_FILE", str(web.pid_file)))
    site.runbook(RESTART_HERE.replace("RESTART", web.restart_command))
    return site


@pytest.fixture
def disk(site: Site) -> Iterator[Disk]:
    """The state folder is a small disk of its own."""
    with Disk(site.state) as disk:
        yield disk


@pytest.fixture
def daemon(site: Site, disk: Disk) -> Iterator[Daemon]:
    """Ended before its disk is taken away."""
    daemon = Daemon(site)
    yield daemon
    daemon.clean_up()


def record(site: Site) -> Path:
    return site.state / "paramedic.db"


def refused(daemon: Daemon) -> str:
    """What it says when it cannot start."""
    before = len(daemon.journal())
    daemon.launch()
    assert daemon.ended() == 1
    said = daemon.journal()[before:]
    assert len(said.splitlines()) <= 2, said
    return said


@pytest.mark.root
def test_a_full_disk_is_said_and_nothing_is_done_until_there_is_space(
    shop: Site, disk: Disk, daemon: Daemon, web: Web, systemd: NotifySocket
) -> None:
    shop.environment |= {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "3000000"}
    daemon.start()
    committed = daemon.json("status")["records"]
    disk.fill()
    web.kill()

    daemon.until_said("CRITICAL decisions cannot be committed, nothing is done until they can")
    systemd.until_heard("STATUS=NOTHING CAN BE COMMITTED: ")
    status = daemon.json("status")
    assert "no space left" in status["commit_error"]
    assert status["records"] == committed
    assert "NOTHING CAN BE COMMITTED, so nothing is done" in daemon.paramedic("status")
    systemd.until_heard("WATCHDOG=1", times=systemd.times("WATCHDOG=1") + 8)  # longer than systemd would wait
    assert daemon.paramedic("freeze", "may not be recorded", status=1).count("\n") == 1
    assert not shop.ledger.exists()
    assert daemon.journal().count("cannot be committed") == 1

    disk.free()
    told = daemon.until("resolved", about="INC-1")
    told.in_order("noticed: shop on localhost is CRITICAL", "step: localhost: restart: ok", "resolved: ")
    assert whats(shop.done_here()) == ["restart"]
    systemd.until_heard("STATUS=1 check")
    assert daemon.json("status")["commit_error"] is None
    assert daemon.journal().count(" can be committed again") == 1


@pytest.mark.root
def test_a_disk_that_is_full_at_the_start_is_named_and_loses_nothing(
    shop: Site, disk: Disk, daemon: Daemon, systemd: NotifySocket
) -> None:
    shop.environment["NOTIFY_SOCKET"] = str(systemd.path)
    disk.fill()
    assert f"{record(shop)}.lock has no space left to grow" in refused(daemon)
    systemd.until_heard(f"STATUS=cannot start: {record(shop)}.lock has no space left")
    disk.free()
    daemon.start()
    daemon.paramedic("report", "kept")
    assert daemon.stop() == 0

    disk.fill()
    assert f"{record(shop)} has no space left to grow" in refused(daemon)
    disk.free()
    daemon.start()
    assert daemon.incident().title == "kept"


@pytest.mark.root
def test_a_read_only_disk_is_named(shop: Site, disk: Disk, daemon: Daemon) -> None:
    daemon.start()
    daemon.paramedic("report", "kept")
    assert daemon.stop() == 0
    disk.remount("ro")
    assert "cannot be written: Read-only file system" in refused(daemon)
    disk.remount("rw")
    daemon.start()
    assert daemon.incident().title == "kept"


@pytest.mark.root
def test_a_disk_that_fails_is_said_and_what_was_committed_is_there_when_it_is_back(
    shop: Site, disk: Disk, daemon: Daemon, web: Web
) -> None:
    daemon.start()
    daemon.paramedic("report", "committed a moment before")
    disk.cut_power()
    web.kill()
    daemon.until_said("the disk fails: ")
    assert "the disk fails: " in daemon.json("status")["commit_error"]
    assert not shop.ledger.exists()
    daemon.kill()

    disk.unmount()
    disk.mount()
    daemon.start()
    assert daemon.incident("INC-1").title == "committed a moment before"
    daemon.until("resolved", about="INC-2")
    assert whats(shop.done_here()) == ["restart"]


@pytest.mark.root
def test_a_record_locked_by_another_program_is_said_and_waited_for(shop: Site, daemon: Daemon, web: Web) -> None:
    daemon.start()
    command = [sys.executable, "-c", HOLDS_THE_LOCK, str(record(shop))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout
        assert shell.stdout.readline() == "locked\n"
        web.kill()
        daemon.until_said("is locked by another program")
        assert "is locked by another program" in daemon.json("status")["commit_error"]
        assert not shop.ledger.exists()
        shell.communicate("")
    daemon.until("resolved")
    assert whats(shop.done_here()) == ["restart"]


def damage(path: Path) -> str:
    """Garbage over every page but the first. Digest of what the file holds now."""
    content = bytearray(path.read_bytes())
    content[PAGE:] = b"\xa5" * (len(content) - PAGE)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.root
def test_a_damaged_record_is_refused_at_the_start_and_left_as_it_is(shop: Site, daemon: Daemon) -> None:
    daemon.start()
    assert daemon.stop() == 0
    damaged = damage(record(shop))
    said = refused(daemon)
    assert f"{record(shop)} is damaged" in said
    assert "paramedic records restore BACKUP" in said
    assert hashlib.sha256(record(shop).read_bytes()).hexdigest() == damaged


@pytest.mark.root
def test_damage_is_said_while_it_runs(shop: Site, daemon: Daemon, web: Web) -> None:
    daemon.start()
    daemon.paramedic("records", "backup", str(shop.folder / "copy.db"))
    assert daemon.stop() == 0  # brings the write-ahead log home
    daemon.start()
    damage(record(shop))
    web.kill()
    until(lambda: "is damaged" in str(daemon.json("status")["commit_error"]), within=45, what="damage is noticed")
    daemon.until_said("paramedic records restore BACKUP")
    daemon.kill()
    (shop.state / "paramedic.db-wal").unlink()
    shutil.copy(shop.folder / "copy.db", record(shop))


@pytest.mark.root
@pytest.mark.parametrize("left", [None, b""])
def test_a_record_that_is_gone_is_missed_and_not_begun_anew(shop: Site, daemon: Daemon, left: bytes | None) -> None:
    daemon.start()
    assert daemon.stop() == 0
    record(shop).unlink()
    if left is not None:
        record(shop).write_bytes(left)
    said = refused(daemon)
    assert f"{record(shop)} is gone or empty, though an agent has kept its record there" in said
    assert "paramedic records restore BACKUP" in said
    assert not record(shop).exists() or not record(shop).stat().st_size

    record(shop).with_name("paramedic.db.lock").unlink()
    daemon.start()
