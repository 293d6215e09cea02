"""Where a host keeps its ledger: for whom, for how long, and on a disk that is full."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import ConnectionLost, HostError
from agent.runtime.ledger import Ledgers
from tests.functional.ledger_site import HERE, SHELLS, STEP, Site, site_with
from tests.neighbours import available


@pytest.fixture(params=SHELLS)
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return site_with(request.param, tmp_path, monkeypatch)


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """With the shell that this machine has."""
    return site_with(None, tmp_path, monkeypatch)


def test_nobody_else_can_read_it(site: Site) -> None:
    os.umask(before := os.umask(0))
    os.umask(0)
    try:
        site.run("echo secret; echo secret >&2")
    finally:
        os.umask(before)
    kept = [site.home / ".paramedic", *(site.home / ".paramedic").rglob("*")]
    assert len(kept) > 5
    assert [str(path) for path in kept if path.stat().st_mode & 0o077] == []
    assert all("pipe" not in path.name for path in kept)


def test_where_no_pipe_can_be_made_is_no_place(site: Site) -> None:
    """A home folder on some network file systems: without pipes no output would be kept."""
    (site.home / ".paramedic").mkdir()
    tools = site.home.parent / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "mkfifo").unlink(missing_ok=True)
    real = "busybox mkfifo" if (tools / "ls").exists() else "/usr/bin/mkfifo"
    (tools / "mkfifo").write_text(f'#!/bin/sh\ncase $1 in {site.home}*) exit 1 ;; esac\nexec {real} "$@"\n')
    (tools / "mkfifo").chmod(0o755)
    ledger = site.ledgers.of(HERE)
    assert ledger.place.startswith("/var/tmp/paramedic-")
    assert site.run("echo out", ledger=ledger).stdout == "out\n"
    shutil.rmtree(Path(ledger.place, site.agent))


def test_a_link_that_somebody_laid_is_not_followed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (site.home / ".paramedic").symlink_to(tmp_path / "elsewhere")
    ledger = site.ledgers.of(HERE)
    assert ledger.place.startswith(("/var/tmp/paramedic-", "/dev/shm/paramedic-"))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    shutil.rmtree(Path(ledger.place, site.agent))


def test_old_entries_expire(site: Site) -> None:
    """What they hold first, and the claim itself when it is old once more."""
    site.run("true")
    site.run("true", step=replace(STEP, at=2000.0))
    os.utime(site.entry, (0, 0))
    site.ledgers.find(HERE)
    assert list(site.entry.iterdir()) == []
    site.ledgers.find(HERE)
    os.utime(site.entry, (0, 0))
    site.ledgers.find(HERE)
    assert [path.name for path in site.entry.parent.iterdir() if path.is_dir()] == ["RUN-1.web1.steps.1.1@2000000"]


def test_a_clock_that_jumps_ahead_lets_no_step_run_twice(site: Site) -> None:
    """It was just the clock that the step put right: to the host, the claim of a minute ago is years old."""
    ledger = site.ledgers.of(HERE)
    command = f"echo ran >> {site.home}/ran"
    site.run(command, ledger=ledger)
    os.utime(site.entry, (0, 0))
    site.ledgers.find(HERE)
    with pytest.raises(ConnectionLost):
        site.run(command, again=True, ledger=ledger)
    assert (site.home / "ran").read_text() == "ran\n"


def test_an_agent_that_is_never_restarted_clears_up_too(usual: Site) -> None:
    now = [0.0]
    usual.ledgers = Ledgers(usual.shell, usual.agent, now=lambda: now[0])
    usual.run("true")
    os.utime(usual.entry, (0, 0))
    usual.ledgers.of(HERE)
    assert list(usual.entry.iterdir()) != []
    now[0] = 86401.0
    usual.ledgers.of(HERE)
    assert list(usual.entry.iterdir()) == []


def test_a_second_command_does_not_move_away_from_the_first(usual: Site, full_disk: Callable[[], None]) -> None:
    """Whoever resumes the step asks for all its commands in one place: there the first would be begun again."""
    ledger = usual.ledgers.of(HERE)
    step = usual.step(ledger)
    step.run(HERE, "true", timeout=60)
    full_disk()
    with pytest.raises(HostError, match="there is no room to keep on record what the step did"):
        step.run(HERE, "true", timeout=60)
    assert usual.moves == []


def test_a_second_command_is_carried_out_where_the_first_moved_to(usual: Site, full_disk: Callable[[], None]) -> None:
    step = usual.step(usual.ledgers.of(HERE))
    full_disk()
    for _ in range(2):
        step.run(HERE, "true", timeout=60)
    (moved,) = usual.moves
    assert len(list(Path(moved.place, usual.agent).glob("RUN-*"))) == 2
    shutil.rmtree(Path(moved.place, usual.agent))


def test_a_disk_that_fills_up_moves_the_ledger_and_the_step_runs(usual: Site, full_disk: Callable[[], None]) -> None:
    """A full disk is a fault to be treated: it must not keep the treatment away."""
    ledger = usual.ledgers.of(HERE)
    full_disk()
    assert usual.run("echo treated", ledger=ledger).stdout == "treated\n"
    (moved,) = usual.moves
    assert moved.place != ledger.place
    assert usual.run("echo not again", ledger=moved, again=True).stdout == "treated\n"
    shutil.rmtree(Path(moved.place, usual.agent))


def test_a_disk_that_fills_up_meanwhile_costs_output_and_no_result(usual: Site, full_disk: Callable[[], None]) -> None:
    usual.ledgers.of(HERE)
    fill = f"cat /dev/zero > {usual.home}/big 2>/dev/null; yes | head -n 100000; exit 5"
    assert usual.run(fill).status == 5


@pytest.fixture
def full_disk(usual: Site) -> Iterator[Callable[[], None]]:
    """The home folder on a small file system of its own, and how to fill it."""
    why = None if os.geteuid() == 0 else "mounting takes root"
    available.require("a disk to fill", why, "make test as root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", usual.home], check=True)

    def fill() -> None:
        with (usual.home / "big").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"0" * 4096)
            except OSError:
                pass

    yield fill
    subprocess.run(["umount", "-l", usual.home], check=True)
