"""process: real processes, a real zombie, and the figures between askings."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from agent.errors import CannotAsk
from agent.model.observation import Answer
from agent.model.threshold import parse_threshold
from agent.plugin.api import ProcessInfo
from agent.runtime.processes import ProcessSnapshot
from agent.testing import LOCAL, FakeCheckPorts
from checks.process import Process
from tests.neighbours.waiting import until

MARK = f"paramedic-test-{os.getpid()}"
"""In the command line of the processes started here, so that no other is meant."""


@contextmanager
def sleeper(*more: str) -> Iterator[subprocess.Popen[bytes]]:
    program = "import sys; print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, MARK, *more], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ask(check: Process) -> Answer:
    [answer] = check.ask(LOCAL, FakeCheckPorts(snapshot=ProcessSnapshot(0).processes()))
    return answer


def critical(answer: Answer) -> bool:
    assert Process.default_critical
    return parse_threshold(Process.default_critical).holds(answer.readings)


def test_counts_real_processes_by_command_line() -> None:
    check = Process(command_line=f"{MARK}.*web")
    with sleeper("web") as first, sleeper("web"), sleeper("db"):
        answer = ask(check)
        assert answer.readings["count"] == 2
        assert str(first.pid) in answer.message
        assert answer.readings["memory"] > 2**20
        assert 0 <= answer.readings["age"] < 60
        assert not critical(answer)
    answer = ask(check)
    assert answer.readings["count"] == 0
    assert "age" not in answer.readings
    assert critical(answer)
    assert MARK in answer.message


def test_by_name_and_user() -> None:
    with sleeper() as process:
        found = psutil.Process(process.pid)
        name, user = found.name(), found.username()
        assert ask(Process(name=name, user=user, command_line=MARK)).readings["count"] == 1
        assert ask(Process(name=name[:-1], command_line=MARK)).readings["count"] == 0
        assert ask(Process(name=name, user="nobody-else", command_line=MARK)).readings["count"] == 0


def test_a_zombie_is_dead(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with sleeper() as process:
        pid_file.write_text(f"{process.pid}\n")
        process.kill()
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, within=10, what="a zombie")
        assert psutil.pid_exists(process.pid)
        answer = ask(Process(pid_file=str(pid_file)))
    assert answer.readings["count"] == 0
    assert "zombie" in answer.message


def test_by_pid_file(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    check = Process(pid_file=str(pid_file))
    with sleeper() as process:
        pid_file.write_text(f"{process.pid}\n/var/lib/data\n")
        assert ask(check).readings["count"] == 1
        assert ask(Process(pid_file=str(pid_file), name="other")).readings["count"] == 0
    stale = ask(check)
    assert stale.readings["count"] == 0
    assert f"pid {process.pid}" in stale.message
    pid_file.unlink()
    missing = ask(check)
    assert missing.readings["count"] == 0
    assert "no pid file" in missing.message


@pytest.mark.parametrize("content", [b"", b"nginx", b"-1", b"\xff\x00" * 5000, b"12 13"])
def test_a_pid_file_without_a_pid_cannot_be_asked(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pid").write_bytes(content)
    with pytest.raises(CannotAsk, match="holds no pid"):
        ask(Process(pid_file=str(tmp_path / "pid")))


def test_never_counts_the_agent_itself() -> None:
    own = psutil.Process().name()
    snapshot = ProcessSnapshot(0).processes()
    assert os.getpid() in [each.pid for each in snapshot]
    [answer] = Process(name=own).ask(LOCAL, FakeCheckPorts(snapshot=snapshot))
    assert str(os.getpid()) not in answer.message.replace(",", " ").split()


def process(pid: int, spent: float, seen: float, started: float = 0.0) -> ProcessInfo:
    return ProcessInfo(pid, "w", ("w",), "root", True, spent, 1000, started, seen)


def cpu(snapshots: Sequence[Sequence[ProcessInfo]]) -> list[float | None]:
    check, ports = Process(name="w"), FakeCheckPorts()
    figures = []
    for snapshot in snapshots:
        ports.snapshot = snapshot
        figures.append(check.ask(LOCAL, ports)[0].readings.get("cpu"))
    return figures


@pytest.mark.parametrize(
    ("snapshots", "expected"),
    [
        ([[process(1, 5, 100)]], [None]),
        ([[process(1, 5, 100)], [process(1, 10, 110)]], [None, 50]),
        ([[process(1, 0, 100), process(2, 0, 100)], [process(1, 10, 110), process(2, 5, 110)]], [None, 150]),
        # the same shared snapshot again says the same again
        ([[process(1, 5, 100)], [process(1, 10, 110)], [process(1, 10, 110)]], [None, 50, 50]),
        # started since: counts from its start; there before but not matched: its past does not count
        ([[process(1, 5, 100)], [process(1, 5, 110), process(2, 1, 110, started=105)]], [None, 10]),
        ([[process(1, 5, 100)], [process(1, 5, 110), process(2, 900, 110, started=50)]], [None, 0]),
        # the pid was reused: another process
        ([[process(1, 500, 100)], [process(1, 1, 110, started=105)]], [None, 10]),
        ([[process(1, 5, 100)], [], [process(1, 9, 120)]], [None, None, None]),
    ],
)
def test_cpu_is_what_was_spent_since_the_last_asking(
    snapshots: Sequence[Sequence[ProcessInfo]], expected: list[float | None]
) -> None:
    assert cpu(snapshots) == expected


def test_age_is_of_the_youngest() -> None:
    snapshot = [process(1, 0, 100, started=10), process(2, 0, 100, started=70)]
    [answer] = Process(name="w").ask(LOCAL, FakeCheckPorts(snapshot=snapshot))
    assert answer.readings["age"] == 30


def test_dead_ones_are_not_added_up() -> None:
    snapshot = [process(1, 0, 100), replace(process(2, 0, 100), alive=False)]
    [answer] = Process(name="w").ask(LOCAL, FakeCheckPorts(snapshot=snapshot))
    assert (answer.readings["count"], answer.readings["memory"]) == (1, 1000)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({}, "say which process"), ({"user": "root"}, "say which process"), ({"command_line": "("}, "command_line")],
)
def test_refuses_settings_that_mean_no_process(settings: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Process.model_validate(settings)
