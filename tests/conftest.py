"""Fixtures: the real neighbours. Expensive ones are started once per test process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.neighbours import available, systemd_host
from tests.neighbours import sshd as sshd_neighbour
from tests.neighbours.sshd import Sshd
from tests.neighbours.systemd_host import SystemdHosts

INSTALL_SSHD = "apt-get install -y openssh-server openssh-client"


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One sshd for all tests that only log in. Who stops it or changes its key takes `own_sshd`."""
    available.require("sshd", sshd_neighbour.missing(), INSTALL_SSHD)
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd of this test alone, to stop, start again and give another host key."""
    available.require("sshd", sshd_neighbour.missing(), INSTALL_SSHD)
    with Sshd(tmp_path / "own-sshd") as server:
        yield server


@pytest.fixture(scope="session")
def _booted_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHosts]:
    available.require("hosts with a real systemd", systemd_host.missing(), systemd_host.INSTALL)
    with SystemdHosts(tmp_path_factory.mktemp("hosts"), ["web1", "web2", "db1"]) as hosts:
        yield hosts


@pytest.fixture
def systemd_hosts(_booted_hosts: SystemdHosts) -> Iterator[SystemdHosts]:
    """Three hosts, web1, web2 and db1, each found whole. Break them as you like: they heal afterwards.

    What a test writes to their disks stays until the test process ends.
    """
    yield _booted_hosts
    for host in _booted_hosts:
        host.heal()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the very end, where it is read, what this machine kept from running."""
    sentences = available.not_run(terminalreporter.getreports("skipped"))
    if not sentences:
        return
    terminalreporter.section("NOT RUN HERE", red=True, bold=True)
    for sentence, tests in sorted(sentences.items()):
        terminalreporter.write_line(f"{sentence} ({tests} tests)", red=True)
