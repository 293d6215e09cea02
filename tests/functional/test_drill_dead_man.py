"""The dead-man timer by itself, in every shell that a host may have."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.drill.dead_man import Undoing, timer_text
from tests.neighbours import available
from tests.neighbours.waiting import until

SOON = 30.0
Timer = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    name: str = request.param
    available.require(name, None if shutil.which(name) else f"{name} not found", f"apt-get install -y {name}")
    return [name, "sh"] if name == "busybox" else [name]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The timer's folder, as it is made on the host."""
    place = tmp_path / "timer"
    place.mkdir()
    for name in ("beat.0", "why", "ended"):
        (place / name).touch()
    return place


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """While it is there, the fault is."""
    (tmp_path / "broken").touch()
    return tmp_path / "broken"


@pytest.fixture
def timer(shell: list[str], place: Path, broken: Path) -> Iterator[Timer]:
    started: list[subprocess.Popen[bytes]] = []

    def start(silent: float, latest: float = 600.0) -> "subprocess.Popen[bytes]":
        undos = [
            Undoing("one that fails", "web1", "exit 3", False, 5.0),
            Undoing("undo", "web1", f"rm '{broken}'", False, 5.0),
        ]
        words = [*shell, "-c", timer_text(undos, silent, latest)]
        started.append(subprocess.Popen(words, env={**os.environ, "place": str(place)}))
        until((place / "pid").exists, within=SOON, what="it runs")
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_it_undoes_what_nobody_is_left_to_undo(timer: Timer, place: Path, broken: Path) -> None:
    assert timer(silent=2).wait(SOON) == 0
    assert not broken.exists()
    assert (place / "ended").read_text() == "0 3\n1 0\n"
    assert (place / "why").read_text() == "nothing was heard of the drill for 2 s\n"


def test_it_waits_for_whoever_gives_signs_of_life(timer: Timer, place: Path, broken: Path) -> None:
    process = timer(silent=4, latest=9)
    beats = [place / "beat.0", place / "beat.1"]
    while process.poll() is None:
        assert broken.exists() or (place / "claimed").exists()
        beats[0].rename(beats[1])
        beats.reverse()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            continue
    assert (place / "why").read_text() == "the drill had not ended after 9 s\n"
    assert not broken.exists()


def test_it_undoes_at_once_when_it_is_told_to_end(timer: Timer, broken: Path) -> None:
    process = timer(silent=600)
    process.terminate()
    assert process.wait(SOON) == 0
    assert not broken.exists()


def test_it_undoes_also_when_its_folder_is_gone(timer: Timer, place: Path, broken: Path) -> None:
    process = timer(silent=2)
    shutil.rmtree(place)
    assert process.wait(SOON) == 0
    assert not broken.exists()


def test_disarmed_it_does_nothing(timer: Timer, place: Path, broken: Path) -> None:
    process = timer(silent=600)
    (place / "claimed").mkdir()
    process.terminate()
    assert process.wait(SOON) == 0
    assert broken.exists()
