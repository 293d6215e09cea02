"""`paramedic demo`, as a newcomer types it: the loop closes, or says that it did not; nothing stays behind."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from agent.demo import sshd
from tests.functional.control_site import PARAMEDIC, short_folder
from tests.neighbours import available
from tests.neighbours.waiting import until

ENDS_WITHIN = 150
"""Seconds on a machine that has other things to do."""


class Demo:
    """The command, with a folder of its own for temporary files; `said` is what it has printed so far."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir(mode=0o755)
        self._out = folder / "out"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [PARAMEDIC, "demo"],
                env={**os.environ, "TMPDIR": str(self.temporary), "COLUMNS": "160"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._out.read_text(encoding="utf-8", errors="replace")

    def until_said(self, words: str) -> None:
        until(lambda: words in self.said or self._over(), within=ENDS_WITHIN, what=f"the demo says {words!r}")
        assert words in self.said, self.said

    def started(self) -> list[psutil.Process]:
        """What it has started and what that has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def left_over(self) -> list[str]:
        """Processes that know its folder, and what lies in there."""
        about = str(self.temporary)
        alive = [each for each in psutil.process_iter(["cmdline"]) if about in " ".join(each.info["cmdline"] or ())]
        return [*map(str, alive), *map(str, self.temporary.iterdir())]

    def _over(self) -> bool:
        return self.process.poll() is not None


@pytest.fixture
def demo() -> Iterator[Demo]:
    available.require("the demo", sshd.missing(), "apt-get install -y openssh-server")
    with short_folder() as folder, _running(folder) as demo:
        yield demo


@contextmanager
def _running(folder: Path) -> Iterator[Demo]:
    folder.chmod(0o755)  # the ticket system is run by an ordinary user
    demo = Demo(folder)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            for child in demo.started():
                child.kill()
            demo.process.kill()
        demo.process.wait()


def test_the_loop_closes_before_your_eyes_and_nothing_stays_behind(demo: Demo) -> None:
    assert demo.process.wait(ENDS_WITHIN) == 0, demo.said
    told = demo.said
    for part in (
        "3  The fault: kill -9",
        "noticed: web on web1 is CRITICAL",
        "restart the web server: ok",
        "resolved: recovered by restart-shop, verified",
        "4  The story",
        "5  The ticket",
        "external_id",
        "status       resolved",
        "The loop closed.",
    ):
        assert part in told, part
        told = told[told.index(part) :]
    assert demo.left_over() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: signal.Signals(number).name)
def test_stopped_in_the_middle_it_tidies_up(demo: Demo, number: signal.Signals) -> None:
    """Ctrl-C reaches all that the terminal has in its foreground, `kill` the command alone."""
    demo.until_said("2  The agent starts")
    if number == signal.SIGINT:
        os.killpg(demo.process.pid, number)
    else:
        demo.process.send_signal(number)
    assert demo.process.wait(ENDS_WITHIN) == 130, demo.said
    assert "Traceback" not in demo.said
    assert demo.left_over() == []


def test_a_loop_that_does_not_close_is_no_success(demo: Demo) -> None:
    """Here because the agent ends before its time."""
    demo.until_said("3  The fault")
    agent = next(each for each in demo.started() if {"agent", "run"} <= set(each.cmdline()))
    agent.kill()
    assert demo.process.wait(ENDS_WITHIN) == 1, demo.said
    assert "The loop did not close: the agent ended" in demo.said
    assert demo.left_over() == []
