"""Commands on this machine: the same promises as over SSH, and nothing left behind at the deadline."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.errors import CommandTimedOut, Effect, HostError
from agent.model.command_result import CommandResult
from agent.runtime.shell import LocalShell, as_root
from tests.neighbours.waiting import until


def run(command: str, timeout: float = 60, **options: Any) -> CommandResult:
    return LocalShell().run(command, timeout=timeout, **options)


def test_outputs_are_separate_and_the_status_is_read() -> None:
    result = run("echo to out; echo to err >&2; exit 3")

    assert (result.status, result.stdout, result.stderr, result.dropped) == (3, "to out\n", "to err\n", 0)


def test_a_command_killed_by_a_signal_has_the_status_a_shell_would_give() -> None:
    assert run("kill -9 $$").status == 128 + 9


def test_standard_input_reaches_the_command_and_ends() -> None:
    assert run("cat; echo end", stdin=b"one\n").stdout == "one\nend\n"
    assert run("cat; echo end", stdin=b"").stdout == "end\n"
    assert run("cat; echo end").stdout == "end\n"


def test_a_flood_both_ways_is_bounded_and_does_not_lock_up() -> None:
    result = run("cat", stdin=b"x" * 10_000_000, output_limit=1000)

    assert (result.status, result.dropped) == (0, 10_000_000 - 1000)
    assert result.stdout == "x" * 500 + "\n[9999000 bytes dropped]\n" + "x" * 500


def test_standard_input_that_nobody_reads_is_let_go() -> None:
    assert run("exit 4", stdin=b"x" * 10_000_000).status == 4


def test_what_is_not_utf8_is_escaped() -> None:
    assert run(r"printf 'gr\374n'").stdout == "gr\\xfcn"


def test_at_the_deadline_the_whole_process_group_is_killed(tmp_path: Path) -> None:
    with pytest.raises(CommandTimedOut, match=r"^localhost: .* within 1 s and was killed") as caught:
        run(f"echo before; sleep 100 & echo $! > {tmp_path}/child; wait", timeout=1)
    child = int((tmp_path / "child").read_text())

    assert (caught.value.stdout, caught.value.effect) == ("before\n", Effect.UNKNOWN)
    until(lambda: not _lives(child), within=10, what="the command's child is gone too")


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_background_process_that_holds_the_output_does_not_hold_us(tmp_path: Path) -> None:
    result = run(f"sleep 100 & echo $! > {tmp_path}/child; echo started", timeout=50)
    child = int((tmp_path / "child").read_text())

    assert (result.status, result.stdout) == (0, "started\n")
    assert _lives(child), "what a command started in the background is meant to stay"
    psutil.Process(child).kill()


def test_a_command_that_closes_its_outputs_is_waited_for_and_timed() -> None:
    assert run("exec >&- 2>&-; sleep 0.3; exit 7").status == 7
    with pytest.raises(CommandTimedOut):
        run("exec >&- 2>&-; sleep 60", timeout=0.5)


def test_what_systemd_gave_the_agent_is_not_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    monkeypatch.setenv("ORDINARY", "kept")

    assert run('echo "$NOTIFY_SOCKET$CREDENTIALS_DIRECTORY$ORDINARY"').stdout == "kept\n"


def test_as_root_survives_every_quote(tmp_path: Path) -> None:
    """A stand-in for sudo shows what it is given: the shell must hand the command over in one piece."""
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\n[ "$1 $2" = "-n --" ] || exit 99\nshift 2\nexec "$@"\n')
    sudo.chmod(0o755)
    awkward = """echo "it's $((1+1))"; printf '%s\\n' 'a "b" `c` $d'"""

    result = run(f"PATH={shlex.quote(str(tmp_path))}:$PATH; {as_root(awkward)}")

    assert result.stdout == subprocess.run(["sh", "-c", awkward], capture_output=True, text=True, check=True).stdout
    assert result.stdout == 'it\'s 2\na "b" `c` $d\n'


@pytest.mark.parametrize("command", ["x" * 200_000, "echo \0"])
def test_a_command_that_cannot_be_started_has_had_no_effect(command: str) -> None:
    with pytest.raises(HostError, match=r"^localhost: the command could not be started: ") as caught:
        run(command)

    assert caught.value.effect is Effect.NONE
