"""Fixtures: the real neighbours. Expensive ones are started once per test process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.neighbours import available, systemd_host
from tests.neighbours import prometheus as prometheus_neighbour
from tests.neighbours.http_site import HttpSite
from tests.neighbours.prometheus import NodeExporter, Prometheus
from tests.neighbours.roundup import Roundup
from tests.neighbours.sshd import Sshd
from tests.neighbours.systemd_host import SystemdHosts


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One sshd for all tests that only log in. Who stops it or changes its key takes `own_sshd`."""
    with Sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def own_sshd(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd of this test alone, to stop, start again and give another host key."""
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


@pytest.fixture(scope="session")
def _roundup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roundup]:
    with Roundup(tmp_path_factory.mktemp("roundup")) as tracker:
        yield tracker


@pytest.fixture
def roundup(_roundup: Roundup) -> Iterator[Roundup]:
    """A tracker, running when the test begins. It keeps the issues of earlier tests: look for your own."""
    yield _roundup
    if _roundup.pid is None:
        _roundup.start()


@pytest.fixture(scope="session")
def node_exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeExporter]:
    """This machine's figures; `expose` adds metrics of the test's own."""
    available.require("Prometheus", prometheus_neighbour.missing(), prometheus_neighbour.INSTALL)
    with NodeExporter(tmp_path_factory.mktemp("node-exporter")) as exporter:
        yield exporter


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory, node_exporter: NodeExporter) -> Iterator[Prometheus]:
    """Scrapes `node_exporter` every second, as instance "here", and what it exposes of the test's own."""
    with Prometheus(tmp_path_factory.mktemp("prometheus"), {"here": node_exporter.target}) as server:
        yield server


@pytest.fixture
def http_site() -> Iterator[HttpSite]:
    """An HTTP server that answers what the test says."""
    with HttpSite() as site:
        yield site


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on booted hosts share them, one test process with the other such tests of its group.

    A file may name a group of its own; otherwise it is the first. Each group boots three hosts.
    """
    for item in items:
        uses_hosts = "systemd_hosts" in getattr(item, "fixturenames", ())
        if uses_hosts and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group("systemd hosts 1"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the very end, where it is read, what this machine kept from running."""
    sentences = available.not_run(terminalreporter.getreports("skipped"))
    if not sentences:
        return
    terminalreporter.section("NOT RUN HERE", red=True, bold=True)
    for sentence, tests in sorted(sentences.items()):
        terminalreporter.write_line(f"{sentence} ({tests} tests)", red=True)
