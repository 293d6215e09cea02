"""What keeps SSH cheap: files parsed once, a socket tuned for short commands, idle connections let go."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from agent.errors import HostKeyUnknown, LoginRefused
from agent.runtime.ssh import SshPool
from agent.runtime.ssh.connect import Trust, connect
from agent.runtime.ssh.keys import KeyRing
from agent.runtime.ssh.known_hosts import KnownHostsFiles
from agent.runtime.ssh.wire import EAGER_READS, Wire
from tests.functional.ssh_login import login_to
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

SOON = 30.0


@pytest.fixture
def pool() -> Iterator[SshPool]:
    pool = SshPool()
    yield pool
    pool.close()


@contextmanager
def connected_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as ours:
        theirs, _ = listener.accept()
        with theirs:
            yield ours, theirs


def scramble(path: Path) -> None:
    """Other content under the same time, size and inode: only who reads it again can tell."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"#" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_keys_and_known_hosts_are_parsed_once_for_all_connections(pool: SshPool, own_sshd: Sshd) -> None:
    login = login_to(own_sshd)
    pool.run("web1", login, "true", timeout=SOON)
    for path in (own_sshd.client_key, own_sshd.known_hosts):
        scramble(path)
    pool.drop("web1")

    assert pool.run("web1", login, "echo hello", timeout=SOON).stdout == "hello\n"
    assert pool.stats().opened == 2


@pytest.mark.parametrize(("file", "error"), [("client_key", LoginRefused), ("known_hosts", HostKeyUnknown)])
def test_who_reads_a_scrambled_file_notices(own_sshd: Sshd, file: str, error: type[Exception]) -> None:
    """Or the test above would show nothing."""
    scramble(getattr(own_sshd, file))
    fresh = SshPool()
    try:
        with pytest.raises(error):
            fresh.run("web1", login_to(own_sshd), "true", timeout=SOON)
    finally:
        fresh.close()


def test_the_socket_is_set_up_for_short_commands_and_vanished_peers(pool: SshPool, own_sshd: Sshd) -> None:
    pool.run("web1", login_to(own_sshd), "true", timeout=SOON)
    descriptors = [
        each.fd for each in psutil.Process().net_connections() if each.raddr and each.raddr.port == own_sshd.port
    ]
    assert len(descriptors) == 1
    with socket.socket(fileno=os.dup(descriptors[0])) as ours:
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        probes = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        interval = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) + probes * interval <= 60
        assert 0 < ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000


def test_while_a_connection_is_young_every_read_is_acknowledged_at_once() -> None:
    """The kernel takes TCP_QUICKACK back by itself; here the test does."""

    def quick_after_a_read() -> int:
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        theirs.sendall(b"x")
        assert wire.recv(1) == b"x"
        return ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)

    with connected_pair() as (ours, theirs):
        wire = Wire(ours)
        quick = [quick_after_a_read() for _ in range(EAGER_READS + 1)]
    assert quick == [1] * EAGER_READS + [0]


def test_the_reader_sleeps_long_and_is_woken_by_closing() -> None:
    """paramiko sets 0.1 s: ten wake-ups a second for each idle connection."""
    with connected_pair() as (ours, _):
        wire = Wire(ours)
        wire.settimeout(0.1)
        assert (ours.gettimeout() or 0) > 10
        reader = threading.Thread(target=wire.recv, args=(1,), daemon=True)
        reader.start()
        until(lambda: _sleeps_in_the_kernel(reader), within=SOON, what="the reader waits")
        wire.close()
        reader.join(5)
        assert not reader.is_alive()


def _sleeps_in_the_kernel(thread: threading.Thread) -> bool:
    status = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "S"


def test_the_cheap_key_exchange_and_the_quick_cipher_are_chosen(own_sshd: Sshd) -> None:
    transport = connect(login_to(own_sshd), Trust(KeyRing(), KnownHostsFiles()), None)
    try:
        assert transport.local_cipher == transport.remote_cipher == "aes128-gcm@openssh.com"
        assert "curve25519" in transport.get_security_options().kex[0]
    finally:
        transport.close()


def test_idle_connections_are_closed_without_anybody_asking(pool: SshPool, own_sshd: Sshd) -> None:
    pool.run("web1", login_to(own_sshd, idle_timeout=0.1), "true", timeout=SOON)
    until(lambda: pool.stats().connections == 0, within=SOON, what="the idle connection is closed")
