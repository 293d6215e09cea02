"""The shared process snapshot: one reading for all who ask within its age."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from agent.runtime.processes import ProcessSnapshot
from tests.neighbours import available
from tests.neighbours.waiting import until


def test_knows_what_the_kernel_knows_of_this_process() -> None:
    [own] = [each for each in ProcessSnapshot(0).processes() if each.pid == os.getpid()]
    me = psutil.Process()
    assert own.name == me.name()
    assert own.command_line == tuple(me.cmdline())
    assert own.user == me.username()
    assert own.alive
    assert abs(own.started - me.create_time()) < 2  # the kernel tells when it was booted in whole seconds
    assert own.memory > 2**20
    assert 0 < own.cpu_seconds <= sum(me.cpu_times()[:2])
    assert 0 <= own.seen - own.started < 3600


def test_is_taken_once_for_all_who_ask_within_its_age() -> None:
    snapshot = ProcessSnapshot(3600)
    with ThreadPoolExecutor(8) as pool:
        readings = [each.result() for each in [pool.submit(snapshot.processes) for _ in range(8)]]
    assert all(each is readings[0] for each in readings)


def test_is_taken_anew_when_it_is_too_old() -> None:
    snapshot = ProcessSnapshot(0.05)
    first = snapshot.processes()
    until(lambda: snapshot.processes() is not first, within=10, what="a new reading")


def test_a_zombie_is_there_and_not_alive() -> None:
    process = subprocess.Popen(["sleep", "600"])
    process.kill()
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, within=10, what="a zombie")
    [found] = [each for each in ProcessSnapshot(0).processes() if each.pid == process.pid]
    process.wait()
    assert not found.alive
    assert process.pid not in [each.pid for each in ProcessSnapshot(0).processes()]


@pytest.mark.root
def test_a_pid_used_again_is_another_process() -> None:
    """Its start time tells: a remembered one would make a fresh process look old."""
    last_pid = Path("/proc/sys/kernel/ns_last_pid")
    may = os.geteuid() == 0 and os.access(last_pid, os.W_OK)
    why_not = None if may else f"{last_pid} cannot be written"
    available.require("choosing a pid", why_not, "run the tests as root on a machine of your own")
    snapshot = ProcessSnapshot(0)
    first = subprocess.Popen(["sleep", "600"])
    [before] = [each for each in snapshot.processes() if each.pid == first.pid]
    first.kill()
    first.wait()
    clock = time.clock_gettime(time.CLOCK_BOOTTIME) + 0.05  # start times are counted in hundredths of a second

    def again() -> subprocess.Popen[bytes] | None:
        if time.clock_gettime(time.CLOCK_BOOTTIME) < clock:
            return None
        last_pid.write_text(str(before.pid - 1))
        process = subprocess.Popen(["sleep", "600"])
        if process.pid == before.pid:
            return process
        process.kill()
        process.wait()
        return None

    second = until(again, within=30, what=f"a process with pid {before.pid}")
    assert second
    [after] = [each for each in snapshot.processes() if each.pid == before.pid]
    second.kill()
    second.wait()
    assert after.started > before.started


def test_processes_that_come_and_go_meanwhile_do_no_harm() -> None:
    with ThreadPoolExecutor(2) as pool:
        churn = [pool.submit(subprocess.run, ["sh", "-c", "for i in $(seq 150); do true & /bin/true; done"])]
        while not all(each.done() for each in churn):
            assert any(each.pid == os.getpid() for each in ProcessSnapshot(0).processes())


_LOOK_FROM_BEHIND = """
import os, sys
from agent.errors import CannotAsk
from agent.runtime.processes import ProcessSnapshot
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    sys.exit(f"sees {len(ProcessSnapshot(0).processes())}")
except CannotAsk as error:
    print(error)
"""


@pytest.mark.root
@pytest.mark.parametrize("hidepid", ["invisible", "noaccess"])
def test_what_is_hidden_is_not_taken_for_dead(hidepid: str) -> None:
    """As systemd's ProtectProc= hides it: a check would call every service dead that another user runs."""
    why_not = None if os.geteuid() == 0 else "mounting /proc anew needs root"
    available.require("a /proc that hides", why_not, "run the tests as root")
    script = f'mount -t proc -o hidepid={hidepid} proc /proc && exec "$0" -c "$1"'
    words = ["unshare", "--mount", "sh", "-c", script, sys.executable, _LOOK_FROM_BEHIND]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "hidden from the agent" in done.stdout
    assert "ProtectProc=default" in done.stdout
