"""Connections: kept, reused, replaced when broken, closed when idle; and hosts that do not answer."""

import contextlib
import dataclasses
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from agent.errors import ConnectionLost, Effect, HostError, HostKeyUnknown, HostUnreachable
from agent.model.inventory import Login
from agent.runtime.ssh import SshPool
from agent.runtime.ssh.connection import USES
from tests.functional.ssh_login import login_to
from tests.neighbours.ports import free_port
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> Iterator[SshPool]:
    pool = SshPool(clock=clock)
    yield pool
    pool.close()


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Accepts connections (the kernel does) and never says a word, like a host that hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener


@pytest.fixture
def filtered() -> Iterator[tuple[str, int]]:
    """Where connecting gets no answer at all, as behind a firewall: a listener whose queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as queue:
        address = listener.getsockname()
        for _ in range(3):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address


def silent_login(silent: socket.socket, server: Sshd, connect_timeout: float) -> Login:
    return login_to(server, port=silent.getsockname()[1], connect_timeout=connect_timeout)


def echo(pool: SshPool, login: Login) -> str:
    return pool.run("web1", login, "echo hello", timeout=60).stdout


def sessions_of(server: Sshd) -> list[psutil.Process]:
    """The processes of sshd that serve those who are logged in, and all they started."""
    return psutil.Process(server.pid).children(recursive=True)


def begin(pool: SshPool, login: Login, marker: Path) -> "Future[HostError]":
    """A command that goes on until something breaks it; the future holds the error."""
    broken: Future[HostError] = Future()

    def work() -> None:
        try:
            pool.run("web1", login, f"touch {marker}; exec sleep 100", timeout=100)
        except HostError as error:
            broken.set_result(error)

    threading.Thread(target=work, daemon=True).start()
    until(marker.exists, within=30, what="the command has begun")
    return broken


def test_a_connection_is_reused(pool: SshPool, sshd: Sshd) -> None:
    login = login_to(sshd)

    assert [echo(pool, login) for _ in range(3)] == ["hello\n"] * 3
    assert (pool.stats().connections, pool.stats().opened) == (1, 1)


def test_the_same_login_shares_connections_whatever_the_host_is_called(pool: SshPool, sshd: Sshd) -> None:
    pool.run("web1", login_to(sshd), "true", timeout=60)
    pool.run("also-web1", login_to(sshd), "true", timeout=60)

    assert pool.stats().opened == 1


def test_a_restarted_server_is_connected_to_again(pool: SshPool, own_sshd: Sshd) -> None:
    echo(pool, login_to(own_sshd))
    own_sshd.stop()
    own_sshd.start()

    assert echo(pool, login_to(own_sshd)) == "hello\n"
    assert (pool.stats().connections, pool.stats().opened) == (1, 2)


def test_a_pooled_connection_that_hangs_is_replaced(pool: SshPool, own_sshd: Sshd) -> None:
    login = login_to(own_sshd, connect_timeout=6)
    echo(pool, login)
    for process in sessions_of(own_sshd):
        process.suspend()

    assert echo(pool, login) == "hello\n"
    assert (pool.stats().connections, pool.stats().opened) == (1, 2)


def test_a_host_gone_for_good_is_unreachable_not_lost(pool: SshPool, own_sshd: Sshd) -> None:
    echo(pool, login_to(own_sshd))
    own_sshd.stop()

    with pytest.raises(HostUnreachable) as caught:
        echo(pool, login_to(own_sshd))
    assert caught.value.effect is Effect.NONE


def test_a_connection_that_breaks_under_a_command_is_lost(pool: SshPool, own_sshd: Sshd, tmp_path: Path) -> None:
    broken = begin(pool, login_to(own_sshd), tmp_path / "begun")
    own_sshd.stop()

    error = broken.result(30)
    assert isinstance(error, ConnectionLost)
    assert (error.host, error.effect, error.retryable) == ("web1", Effect.UNKNOWN, False)


def test_dropping_a_host_ends_what_runs_there_and_only_there(pool: SshPool, sshd: Sshd, tmp_path: Path) -> None:
    broken = begin(pool, login_to(sshd), tmp_path / "begun")
    other = dataclasses.replace(login_to(sshd), idle_timeout=299)
    pool.run("web2", other, "true", timeout=60)
    pool.drop("web1")

    assert isinstance(broken.result(30), ConnectionLost)
    assert pool.stats().connections == 1
    assert echo(pool, login_to(sshd)) == "hello\n"


def test_an_idle_connection_is_closed_when_its_time_is_up(pool: SshPool, clock: Clock, sshd: Sshd) -> None:
    login = login_to(sshd, idle_timeout=300)
    echo(pool, login)
    clock.now += 299
    pool.close_idle()
    assert pool.stats().connections == 1

    clock.now += 2
    pool.close_idle()
    assert pool.stats().connections == 0
    assert echo(pool, login) == "hello\n"


def test_a_busy_connection_is_not_idle(pool: SshPool, clock: Clock, sshd: Sshd, tmp_path: Path) -> None:
    broken = begin(pool, login_to(sshd), tmp_path / "begun")
    clock.now += 10_000
    pool.close_idle()

    assert (pool.stats().connections, pool.stats().sessions) == (1, 1)
    assert not broken.done()


def test_nothing_is_started_once_the_pool_is_closed(pool: SshPool, own_sshd: Sshd, tmp_path: Path) -> None:
    server, us = psutil.Process(own_sshd.pid), psutil.Process()
    server.suspend()
    with ThreadPoolExecutor(1) as worker:
        command = f"touch {tmp_path}/begun"
        late = worker.submit(pool.run, "web1", login_to(own_sshd), command, timeout=60)
        until(
            lambda: any(c.raddr and c.raddr.port == own_sshd.port for c in us.net_connections("tcp")),
            within=20,
            what="the pool is connecting",
        )
        pool.close()
        server.resume()
        error = late.exception(30)

    assert isinstance(error, HostUnreachable)
    assert str(error) == "web1: the agent is stopping"
    assert not (tmp_path / "begun").exists()
    assert pool.stats().connections == 0


class FewSessions(Sshd):
    """Allows two sessions over one connection."""

    def _config(self) -> str:
        return "MaxSessions 2\n" + super()._config()


def test_a_host_that_allows_few_sessions_gets_more_connections(pool: SshPool, tmp_path: Path) -> None:
    met = f"[ $(ls -d {tmp_path}/at-* | wc -l) -ge 6 ]"
    meet = f"touch {tmp_path}/at-$$; n=0; until {met} || [ $((n += 1)) -gt 300 ]; do sleep 0.1; done; {met} && echo met"
    with FewSessions(tmp_path / "sshd") as server, ThreadPoolExecutor(6) as workers:
        login = login_to(server)
        ran = list(workers.map(lambda _: pool.run("web1", login, meet, timeout=60).stdout, range(6)))

        assert pool.stats().connections == pool.stats().opened, "a connection that is full is not broken"

    assert ran == ["met\n"] * 6
    assert pool.stats().opened >= 3


def test_a_connection_is_replaced_after_many_uses(pool: SshPool, tmp_path: Path) -> None:
    with FewSessions(tmp_path / "sshd") as server:
        login = login_to(server)
        for _ in range(USES):
            pool.run("web1", login, ":", timeout=60)
        assert pool.stats().opened == 1
        pool.run("web1", login, ":", timeout=60)
        stats = pool.stats()

    assert (stats.connections, stats.opened) == (1, 2)


def test_a_closed_port_is_unreachable_at_once(pool: SshPool, sshd: Sshd, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(HostUnreachable, match=r"^web1: 127\.0\.0\.1 port \d+: connection refused$") as caught:
        echo(pool, login_to(sshd, port=free_port()))

    assert caught.value.retryable
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_name_that_does_not_resolve_is_unreachable(pool: SshPool, sshd: Sshd) -> None:
    with pytest.raises(HostUnreachable, match=r"no-such-host\.invalid does not resolve"):
        echo(pool, login_to(sshd, address="no-such-host.invalid"))


def test_a_host_that_never_greets_is_unreachable_after_its_connect_timeout(
    pool: SshPool, sshd: Sshd, silent: socket.socket
) -> None:
    began = time.monotonic()
    with pytest.raises(HostUnreachable, match=r"no SSH within 0\.5 s"):
        echo(pool, silent_login(silent, sshd, 0.5))
    assert time.monotonic() - began < 10


def test_a_host_behind_a_firewall_is_unreachable_after_its_connect_timeout(
    pool: SshPool, sshd: Sshd, filtered: tuple[str, int]
) -> None:
    began = time.monotonic()
    with pytest.raises(HostUnreachable, match=r"does not answer within 0\.5 s"):
        echo(pool, login_to(sshd, port=filtered[1], connect_timeout=0.5))
    assert time.monotonic() - began < 10


def test_something_else_than_ssh_is_unreachable_and_not_worth_a_traceback(
    pool: SshPool, sshd: Sshd, silent: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    def greet() -> None:
        connection, _ = silent.accept()
        with connection:
            connection.sendall(b"220 mail.example.org ESMTP\r\n")

    threading.Thread(target=greet, daemon=True).start()
    with pytest.raises(HostUnreachable, match="does not complete an SSH handshake"):
        echo(pool, silent_login(silent, sshd, 30))
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_host_that_hangs_delays_no_other(pool: SshPool, sshd: Sshd, silent: socket.socket) -> None:
    with ThreadPoolExecutor(1) as worker:
        hanging = worker.submit(echo, pool, silent_login(silent, sshd, 20))
        connection, _ = silent.accept()
        assert echo(pool, login_to(sshd)) == "hello\n"
        pool.drop("nobody")
        pool.close_idle()
        assert pool.stats().connections == 1
        assert not hanging.done(), "the other host was served while this one hangs"
        connection.close()
        assert isinstance(hanging.exception(30), HostUnreachable)


def test_commands_for_a_dead_host_share_one_connect_timeout(pool: SshPool, sshd: Sshd, silent: socket.socket) -> None:
    login = silent_login(silent, sshd, 3)
    together = threading.Barrier(10)

    def attempt(number: int) -> str:
        together.wait(30)
        with pytest.raises(HostUnreachable) as caught:
            pool.run(f"web{number}", login, "true", timeout=60)
        return caught.value.host

    with ThreadPoolExecutor(10) as workers:
        hosts = set(workers.map(attempt, range(10)))
    silent.setblocking(False)
    accepted = _count(lambda: silent.accept()[0].close())

    assert hosts == {f"web{number}" for number in range(10)}
    assert accepted == 1


def _count(action: Callable[[], None]) -> int:
    """How often it can be done before there is nothing left to do it to."""
    done = 0
    while True:
        try:
            action()
        except BlockingIOError:
            return done
        done += 1


class NoForwarding(Sshd):
    def _config(self) -> str:
        return "AllowTcpForwarding no\n" + super()._config()


@pytest.fixture
def inner(tmp_path: Path) -> Iterator[Sshd]:
    """A host behind another."""
    with Sshd(tmp_path / "inner", addresses=("127.0.0.2",)) as server:
        yield server


def test_through_a_chain_of_jump_hosts(pool: SshPool, clock: Clock, sshd: Sshd, inner: Sshd, own_sshd: Sshd) -> None:
    second = login_to(own_sshd, jump=login_to(sshd))
    login = login_to(inner, jump=second)

    assert echo(pool, login) == "hello\n"
    assert echo(pool, login) == "hello\n"
    assert (pool.stats().connections, pool.stats().opened) == (3, 3)
    assert echo(pool, second) == "hello\n", "a jump host is a host like others"
    assert pool.stats().opened == 3


def test_a_jump_host_is_kept_as_long_as_somebody_goes_through_it(
    pool: SshPool, clock: Clock, sshd: Sshd, inner: Sshd
) -> None:
    jump = login_to(sshd, idle_timeout=10)
    login = login_to(inner, jump=jump, idle_timeout=1000)
    echo(pool, login)
    clock.now += 500
    pool.close_idle()
    assert pool.stats().connections == 2

    clock.now += 600
    pool.close_idle()
    clock.now += 11
    pool.close_idle()
    assert pool.stats().connections == 0


def test_a_broken_jump_host_is_connected_to_again(pool: SshPool, inner: Sshd, own_sshd: Sshd) -> None:
    login = login_to(inner, jump=login_to(own_sshd))
    echo(pool, login)
    own_sshd.stop()
    own_sshd.start()

    assert echo(pool, login) == "hello\n"


def test_troubles_on_the_way_name_the_jump_host(
    pool: SshPool, sshd: Sshd, inner: Sshd, own_sshd: Sshd, tmp_path: Path
) -> None:
    own_sshd.stop()
    with pytest.raises(HostUnreachable, match=r"^web1: jump host 127\.0\.0\.1: .* connection refused"):
        echo(pool, login_to(inner, jump=login_to(own_sshd)))
    with pytest.raises(HostKeyUnknown, match=rf"jump host 127\.0\.0\.1: the key of 127\.0\.0\.1 port {sshd.port}"):
        echo(pool, login_to(inner, jump=login_to(sshd, known_hosts=str(tmp_path / "none"))))
    with pytest.raises(
        HostUnreachable, match=r"jump host 127\.0\.0\.1: it opens no way to 127\.0\.0\.2 port 1: connect failed"
    ):
        echo(pool, login_to(inner, port=1, jump=login_to(sshd)))
    with NoForwarding(tmp_path / "strict") as strict, pytest.raises(HostUnreachable, match="prohibited"):
        echo(pool, login_to(inner, jump=login_to(strict)))


@pytest.mark.parametrize("kind", ["silent", "filtered"])
def test_a_host_that_hangs_behind_a_jump_host_does_not_cost_the_way_there(
    pool: SshPool, sshd: Sshd, silent: socket.socket, filtered: tuple[str, int], kind: str
) -> None:
    jump = login_to(sshd)
    echo(pool, jump)
    port = filtered[1] if kind == "filtered" else silent.getsockname()[1]

    with pytest.raises(HostUnreachable, match=r"no SSH within 1 s|does not answer it within 1 s"):
        echo(pool, login_to(sshd, port=port, connect_timeout=1, jump=jump))
    assert echo(pool, jump) == "hello\n"
    assert pool.stats().opened == 1
