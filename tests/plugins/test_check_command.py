"""command: real scripts on this machine, and what comes back from others."""

import subprocess
from pathlib import Path

import pytest

from agent.errors import CannotAsk, CommandTimedOut, HostUnreachable
from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.testing import LOCAL, FakeCheckPorts, FakeShell
from checks.command import Command

WEB1 = Host(name="web1")


class ScriptShell:
    """Runs the command by the machine's own shell."""

    def run(self, host: Host, command: str, **_: object) -> CommandResult:
        done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=30)
        return CommandResult(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode())


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    path = folder / "check_it"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


def ask(command: str) -> Answer:
    [answer] = Command(run=command).ask(LOCAL, FakeCheckPorts(shell=ScriptShell()))
    return answer


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_exit_status_is_the_verdict(tmp_path: Path, verdict: Verdict) -> None:
    answer = ask(script(tmp_path, f"echo 'DISK - it is so'; exit {int(verdict)}"))
    assert (answer.verdict, answer.message) == (verdict, "DISK - it is so")


@pytest.mark.parametrize("status", [4, 77, 255])
def test_any_other_status_is_unknown(tmp_path: Path, status: int) -> None:
    answer = ask(script(tmp_path, f"echo oops; exit {status}"))
    assert answer.verdict is Verdict.UNKNOWN
    assert f"exit status {status}" in answer.message
    assert "oops" in answer.message


def test_a_command_that_is_not_there_or_cannot_be_executed_is_unknown(tmp_path: Path) -> None:
    missing = ask(f"{tmp_path}/gone")
    assert missing.verdict is Verdict.UNKNOWN
    assert "127: the command is not there" in missing.message
    (tmp_path / "folder").mkdir()
    refused = ask(f"{tmp_path}/folder")
    assert refused.verdict is Verdict.UNKNOWN
    assert "126: the command cannot be executed" in refused.message


def test_performance_data_become_readings(tmp_path: Path) -> None:
    answer = ask(
        script(
            tmp_path,
            """cat <<'END'
PING OK - fine | rta=12.5ms;100;200;0 pl=0%
long text
more text | 'used space'=2KB;;;0;9 total=7
last=1s
END""",
        )
    )
    assert answer.message == "PING OK - fine"
    assert answer.readings == pytest.approx({"rta": 0.0125, "pl": 0, "used_space": 2000, "total": 7, "last": 1})


def test_without_output_the_error_output_or_the_status_is_the_message(tmp_path: Path) -> None:
    assert ask(script(tmp_path, "echo 'no such volume' >&2; exit 2")).message == "no such volume"
    assert ask(script(tmp_path, "exit 1")).message == "exit status 1, no output"


def test_hostile_output_stays_one_printable_line(tmp_path: Path) -> None:
    answer = ask(script(tmp_path, r"printf '\033[2Jgone\r\377 %01000d\n' 1; exit 2"))
    assert answer.verdict is Verdict.CRITICAL
    assert answer.message.startswith(r"\x1b[2Jgone")
    assert answer.message.isprintable()
    assert len(answer.message) == 300


def test_runs_on_the_target_as_it_is_told() -> None:
    shell = FakeShell({("web1", "check_raid"): CommandResult(2, "RAID degraded | missing=1", "")})
    [answer] = Command(run="check_raid", sudo=True).ask(WEB1, FakeCheckPorts(shell=shell, timeout=7))
    [ran] = shell.ran
    assert (ran.host, ran.sudo, ran.timeout) == ("web1", True, 7)
    assert answer == Answer({"missing": 1.0}, Verdict.CRITICAL, "RAID degraded")


@pytest.mark.parametrize("error", [HostUnreachable("web1", "refused"), CommandTimedOut("web1", "not within 7s")])
def test_a_host_that_cannot_be_reached_was_not_asked(error: HostUnreachable | CommandTimedOut) -> None:
    shell = FakeShell({("web1", "check_raid"): error})
    with pytest.raises(CannotAsk, match="web1"):
        Command(run="check_raid").ask(WEB1, FakeCheckPorts(shell=shell))
