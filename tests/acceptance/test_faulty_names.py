"""A name server that fails: what is asked by name is UNKNOWN in bounded time, and is over by itself."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site
from tests.neighbours.faulty_line import FaultyLine
from tests.neighbours.name_server import Mood, NameServer
from tests.neighbours.sshd import Sshd

pytestmark = pytest.mark.root

HOSTS = """\
login: {{user: {user}, key_file: {key}, known_hosts: {known_hosts}, connect_timeout: 2s}}
hosts:
  web1: {{address: web1.shop.example, login: {{port: {line}}}}}
  here: {{address: 127.0.0.1, login: {{port: {port}}}}}
"""

CHECKS = """\
checks:
  by-ssh:
    kind: command
    on: host:web1
    run: 'true'
    every: 500ms
    timeout: 2s
    unknown_after: 2s
  by-http:
    kind: http
    on: host:web1
    url: http://{{ host.address }}:WEB_PORT/healthz
    every: 500ms
    timeout: 2s
    unknown_after: 2s
  by-tcp:
    kind: tcp
    on: host:web1
    port: WEB_PORT
    every: 500ms
    timeout: 2s
    unknown_after: 2s
  metrics:
    kind: prometheus
    url: http://prometheus.shop.example:1
    query: up
    critical: value < 1
    every: 500ms
    timeout: 2s
    unknown_after: 5m
  by-number:
    kind: command
    on: host:here
    run: 'true'
    every: 500ms
    timeout: 2s
"""

WORDS = {
    Mood.SILENT: ("does not resolve within 2 s: no answer from the name server", "no answer from the name server"),
    Mood.FAILS: ("does not resolve: [Errno -3] Temporary failure", "cannot resolve web1.shop.example: Temporary"),
    Mood.KNOWS_NO_SUCH_NAME: ("does not resolve: [Errno -2] Name or service", "cannot resolve web1.shop.example: Name"),
}
"""By SSH, and by everything else."""


class NamedBy(Daemon):
    """The daemon on a machine with that name server."""

    def __init__(self, site: Site, names: NameServer) -> None:
        super().__init__(site)
        self.names = names

    def _command(self) -> list[str]:
        return self.names.asked_by(super()._command())


@pytest.fixture
def names(tmp_path: Path) -> Iterator[NameServer]:
    with NameServer(tmp_path) as names:
        yield names


@pytest.fixture
def line(sshd: Sshd) -> Iterator[FaultyLine]:
    with FaultyLine(sshd.port) as line:
        yield line


@pytest.fixture
def daemon(site: Site, names: NameServer) -> Iterator[NamedBy]:
    daemon = NamedBy(site, names)
    yield daemon
    daemon.clean_up()


def test_a_name_server_fails_in_every_way_and_nothing_waits_for_it(
    site: Site, daemon: NamedBy, names: NameServer, sshd: Sshd, web: Web, line: FaultyLine, tmp_path: Path
) -> None:
    known_hosts = tmp_path / "known_hosts"
    key = sshd.known_hosts.read_text().split(maxsplit=1)[1]
    known_hosts.write_text(f"[web1.shop.example]:{line.port},[127.0.0.1]:{sshd.port} {key}")
    site.write(
        "hosts.yaml",
        HOSTS.format(user=sshd.user, key=sshd.client_key, known_hosts=known_hosts, port=sshd.port, line=line.port),
    )
    site.write("checks.yaml", CHECKS.replace("WEB_PORT", web.url.rsplit(":", 1)[1].partition("/")[0]))
    daemon.start()
    for check in ("by-ssh", "by-http", "by-tcp"):
        daemon.until_health(check, "web1", "OK")

    for number, (mood, (by_ssh, otherwise)) in enumerate(WORDS.items(), start=1):
        names.mood = mood
        line.restore()  # who is logged in asks nobody for an address
        # One host that cannot be asked is one incident, whichever check says so first.
        for check, words in (("by-ssh", by_ssh), ("by-http", otherwise), ("by-tcp", otherwise)):
            daemon.until_health(check, "web1", "blind")
            told = daemon.told()
            wish = f"{check} on web1 cannot be asked: "
            found = [*told.of(f"noticed: {wish}"), *told.of(f"joined: {wish}")]
            assert len(found) == number, told
            assert words in max(found, key=lambda entry: entry.at).text, told
        status = daemon.json("status")
        assert status["schedule"]["hanging"] == [], "no look-up is waited for longer than the check's time-out"
        daemon.until_health("by-number", "here", "OK")
        names.mood = Mood.ANSWERS
        daemon.until("resolved: ", times=number)

    assert daemon.process is not None
    assert psutil.Process(daemon.process.pid).num_threads() < 120
    assert [incident.id for incident in daemon.incidents()] == ["INC-1"]
    assert "has not returned" not in daemon.journal()
