"""The dead-man timer as a drill asks for it: over the shell of this machine, which stands for the host."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from agent.drill.dead_man import DeadMan, Undoing, new_name
from agent.model.inventory import Host
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from tests.neighbours.waiting import until

SOON = 30.0
HERE = Host(name="localhost", connection="local")
Made = Callable[[str], DeadMan]


@pytest.fixture
def timer() -> Iterator[Made]:
    made: list[DeadMan] = []
    pool = SshPool()

    def make(undo: str) -> DeadMan:
        shells = Shells({}, pool, LocalShell())
        made.append(DeadMan(shells, HERE, new_name(), (Undoing("undo", HERE.name, undo, False, 10.0),)))
        return made[-1]

    yield make
    for each in made:
        each.disarm()
        shutil.rmtree(place(each), ignore_errors=True)
    pool.close()


def place(timer: DeadMan) -> Path:
    return Path("/var/tmp") / timer.name


def pid(timer: DeadMan) -> int:
    return int((place(timer) / "pid").read_text())


def test_the_host_undoes_with_the_umask_and_in_the_folder_that_the_drill_would(timer: Made, tmp_path: Path) -> None:
    """What is put back with other modes, or elsewhere, is not put back."""
    undo = f"(umask; pwd) > {tmp_path}/new && mv {tmp_path}/new {tmp_path}/undone"
    one = timer(undo)
    asked = one.shell.run(HERE, "umask; pwd", timeout=10)
    one.arm(silent=1, latest=60)
    until((tmp_path / "undone").exists, within=SOON, what="the host undoes it")
    assert (tmp_path / "undone").read_text() == asked.stdout


def test_nobody_else_on_the_host_can_look_into_it(timer: Made) -> None:
    one = timer("true")
    one.arm(silent=600, latest=600)
    assert place(one).stat().st_mode & 0o777 == 0o700


def test_when_it_is_disarmed_nothing_of_it_is_left(timer: Made, tmp_path: Path) -> None:
    """Also not when its process is slow: it would find its folder gone, and undo."""
    one = timer(f"touch {tmp_path}/undone")
    one.arm(silent=600, latest=600)
    process = psutil.Process(pid(one))
    process.suspend()
    told: list[str] = []
    try:
        waiting = _in_a_thread(lambda: told.append(one.disarm().how))
        until((place(one) / "disarmed").exists, within=SOON, what="it is told to end")
        assert place(one).exists()
    finally:
        process.resume()
    waiting()
    assert told == ["disarmed"]
    assert not place(one).exists()
    until(lambda: not process.is_running(), within=SOON, what="it ends")
    assert not (tmp_path / "undone").exists()


def test_what_has_its_number_after_a_reboot_is_left_alone(timer: Made) -> None:
    one = timer("true")
    one.arm(silent=600, latest=600)
    psutil.Process(pid(one)).kill()
    other = psutil.Popen(["sleep", "600"])
    try:
        (place(one) / "pid").write_text(f"{other.pid}\n")
        assert one.beat().how == "gone"
        assert one.disarm().how == "disarmed"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    assert not place(one).exists()


def _in_a_thread(act: Callable[[], object]) -> Callable[[], None]:
    thread = threading.Thread(target=act)
    thread.start()
    return lambda: thread.join(SOON)
