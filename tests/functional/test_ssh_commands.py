"""What a command over SSH gives back, and what it may cost."""

import logging
import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agent.errors import CommandTimedOut, ConnectionLost, Effect, LoginRefused
from agent.model.command_result import CommandResult
from agent.runtime.ssh import SshPool
from tests.functional.contrary_server import ContraryServer
from tests.functional.ssh_login import login_to
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until


@pytest.fixture(scope="module")
def pool() -> Iterator[SshPool]:
    pool = SshPool()
    yield pool
    pool.close()


def run(pool: SshPool, server: Sshd, command: str, timeout: float = 60, **options: Any) -> CommandResult:
    return pool.run("web1", login_to(server), command, timeout=timeout, **options)


def test_outputs_are_separate_and_the_status_is_read(pool: SshPool, sshd: Sshd) -> None:
    result = run(pool, sshd, "echo to out; echo to err >&2; exit 3")

    assert (result.status, result.stdout, result.stderr, result.dropped) == (3, "to out\n", "to err\n", 0)
    assert result.seconds > 0


def test_a_command_killed_by_a_signal_has_the_status_a_shell_would_give(pool: SshPool, sshd: Sshd) -> None:
    assert run(pool, sshd, "kill -9 $$").status == 128 + 9
    assert run(pool, sshd, "kill -TERM $$").status == 128 + 15


def test_standard_input_reaches_the_command_and_ends(pool: SshPool, sshd: Sshd) -> None:
    assert run(pool, sshd, "cat; echo end", stdin=b"one\ntwo\n").stdout == "one\ntwo\nend\n"


def test_without_standard_input_the_command_reads_end_of_file(pool: SshPool, sshd: Sshd) -> None:
    assert run(pool, sshd, "cat; echo end").stdout == "end\n"


def test_a_command_that_floods_us_while_we_write_does_not_lock_up(pool: SshPool, sshd: Sshd) -> None:
    result = run(pool, sshd, "cat", stdin=b"x" * 10_000_000, output_limit=1000)

    assert (result.status, result.dropped) == (0, 10_000_000 - 1000)


def test_standard_input_that_nobody_reads_is_let_go(pool: SshPool, sshd: Sshd) -> None:
    assert run(pool, sshd, "exit 4", stdin=b"x" * 10_000_000).status == 4


@pytest.mark.parametrize("redirect", ["", ">&2"])
def test_a_flood_costs_no_more_memory_than_the_limit(pool: SshPool, sshd: Sshd, redirect: str) -> None:
    run(pool, sshd, "true")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = run(pool, sshd, f"(echo first; yes | head -c 50M; echo last) {redirect}")
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    kept = result.stderr if redirect else result.stdout
    sent = 50 * 1024 * 1024 + len("first\nlast\n")
    assert (result.status, result.dropped) == (0, sent - 65536)
    assert kept.startswith("first\ny\n")
    assert f"[{result.dropped} bytes dropped]" in kept
    assert kept.endswith("y\nlast\n")
    assert grown_kib < 20 * 1024


def test_what_is_not_utf8_is_escaped(pool: SshPool, sshd: Sshd) -> None:
    result = run(pool, sshd, r"printf 'gr\374n gr\303\274n'; printf '\377' >&2")

    assert (result.stdout, result.stderr) == ("gr\\xfcn grün", "\\xff")


def test_a_command_past_its_deadline_times_out_with_its_output_so_far(pool: SshPool, sshd: Sshd) -> None:
    with pytest.raises(CommandTimedOut, match=r"^web1: .* within 1.5 s") as caught:
        run(pool, sshd, "echo before; echo trouble >&2; sleep 60; echo after", timeout=1.5)

    assert (caught.value.stdout, caught.value.stderr) == ("before\n", "trouble\n")
    assert caught.value.effect is Effect.UNKNOWN
    opened = pool.stats().opened
    assert run(pool, sshd, "echo still here").stdout == "still here\n"
    assert pool.stats().opened == opened, "the connection outlives a command that was too slow"


def test_an_endless_flood_ends_at_the_deadline(pool: SshPool, sshd: Sshd) -> None:
    with pytest.raises(CommandTimedOut) as caught:
        run(pool, sshd, "yes", timeout=1)

    assert len(caught.value.stdout) < 70_000


def test_a_background_process_that_holds_the_output_does_not_hold_us(pool: SshPool, sshd: Sshd) -> None:
    result = run(pool, sshd, "sleep 50 & echo started", timeout=40)

    assert (result.status, result.stdout) == (0, "started\n")


def test_waiting_past_the_deadline_for_held_output_costs_no_processor_time(pool: SshPool, sshd: Sshd) -> None:
    """The command has ended in time; its output stays open beyond the deadline."""
    run(pool, sshd, "true")
    before = time.thread_time()
    result = run(pool, sshd, "sleep 50 & sleep 0.5", timeout=1.2)
    assert result.status == 0
    assert time.thread_time() - before < 0.25


def test_a_command_that_closes_its_outputs_is_waited_for(pool: SshPool, sshd: Sshd) -> None:
    assert run(pool, sshd, "exec >&- 2>&-; sleep 0.4; exit 7").status == 7


def test_twenty_commands_at_once_on_one_host(sshd: Sshd, tmp_path: Path) -> None:
    """They wait for each other on the host, so they end only if all of them run at the same time."""
    pool = SshPool()
    meet = f"touch {tmp_path}/$N; while [ $(ls {tmp_path} | wc -l) -lt 20 ]; do sleep 0.1; done; echo $N"
    with ThreadPoolExecutor(20) as workers:
        results = list(workers.map(lambda n: run(pool, sshd, f"N={n}; {meet}"), range(20)))
    stats = pool.stats()
    pool.close()

    assert [result.stdout for result in results] == [f"{n}\n" for n in range(20)]
    assert stats.opened == 3, "eight sessions a connection"
    assert stats.sessions == 0


def test_nothing_of_a_command_is_logged(pool: SshPool, sshd: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fresh = SshPool()
    run(fresh, sshd, "echo s3cret-in-argv; cat", stdin=b"s3cret-in-stdin")
    fresh.close()

    assert f"connected to 127.0.0.1 port {sshd.port}" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_host_that_starts_no_command_refuses_the_login(pool: SshPool, tmp_path: Path) -> None:
    with (
        ContraryServer(tmp_path, starts=False) as server,
        pytest.raises(LoginRefused, match="refuses to start a command") as no,
    ):
        pool.run("web1", server.login, "true", timeout=30)

    assert no.value.effect is Effect.NONE


def test_an_end_without_exit_status_is_no_result(pool: SshPool, tmp_path: Path) -> None:
    with ContraryServer(tmp_path, starts=True) as server, pytest.raises(ConnectionLost):
        pool.run("web1", server.login, "true", timeout=30)


def test_a_command_in_progress_is_lost_when_the_pool_closes(sshd: Sshd, tmp_path: Path) -> None:
    pool, caught = SshPool(), []

    def work() -> None:
        try:
            run(pool, sshd, f"touch {tmp_path}/begun; sleep 60")
        except ConnectionLost as lost:
            caught.append(lost)

    worker = threading.Thread(target=work)
    worker.start()
    until(lambda: (tmp_path / "begun").exists(), within=30, what="the command has begun")
    pool.close()
    worker.join(30)

    assert [lost.host for lost in caught] == ["web1"]
