"""A Prometheus that fails as servers do, one fault after the other, while an incident about a metric is open."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site
from tests.neighbours.faulty_line import FaultyLine
from tests.neighbours.ports import free_port
from tests.neighbours.prometheus import NodeExporter, Prometheus
from tests.neighbours.scripted_server import floods, sends
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

MOST_GROWTH = 160 * 2**20
"""Bytes of memory that all these faults together may cost the daemon: an answer of 16 MiB is read and thrown away."""

QUEUE = """\
checks:
  queue:
    kind: prometheus
    url: http://127.0.0.1:{port}
    query: orders_waiting
    subject: server
    critical: value > 100
    every: 500ms
    timeout: 2s
    unknown_after: 2s
    category: web
  cheap:
    kind: prometheus
    url: http://127.0.0.1:{port}
    query: orders_waiting > 100
    subject: server
    critical: value > 100
    no_data: ok
    every: 500ms
    timeout: 2s
    unknown_after: 5m
    category: web
"""
"""The same fault seen in two ways; the second would be over if an answer lacked it."""

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@dataclass
class Metrics:
    exporter: NodeExporter
    server: Prometheus
    line: FaultyLine

    def orders_waiting(self, on_web1: float) -> None:
        self.exporter.expose("orders_waiting", {'{server="web1"}': on_web1, '{server="web2"}': 3})

    def partial(self) -> None:
        """A store that Prometheus reads from as well is away: the rest of the answer comes with a warning."""
        self.server.remote_read(f"http://127.0.0.1:{free_port()}/read")

    def heal(self) -> None:
        self.line.restore()
        self.server.remote_read(None)


@dataclass(frozen=True)
class Fault:
    """`words`: what the record says of it."""

    begin: Callable[[Metrics], None]
    words: str


FAULTS = {
    "refuses": Fault(lambda m: m.line.refuse(), "connection refused"),
    "hangs": Fault(lambda m: m.line.freeze(), "no answer within 2s"),
    "hangs up": Fault(lambda m: m.line.answer(sends()), "connection closed without an answer"),
    "rubbish": Fault(
        lambda m: m.line.answer(sends(OK + b"Content-Length: 5\r\n\r\nhello")), "does not answer as Prometheus does"
    ),
    "no JSON of its own": Fault(
        lambda m: m.line.answer(sends(OK + b"Content-Length: 2\r\n\r\n{}")), "does not answer as Prometheus does"
    ),
    "cut": Fault(
        lambda m: m.line.answer(sends(OK + b'Content-Length: 900\r\n\r\n{"status":"success","data":{"resu')),
        "Prometheus at",
    ),
    "starting": Fault(
        lambda m: m.line.answer(sends(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 8\r\n\r\nstarting")),
        "refused the query with status 503: starting",
    ),
    "flood": Fault(lambda m: m.line.answer(floods(OK + b"\r\n")), "the answer is longer than 16MiB"),
    "partial": Fault(Metrics.partial, "the answer may be partial: remote_read:"),
}


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    with ExitStack() as stack:
        exporter = stack.enter_context(NodeExporter(tmp_path / "exporter"))
        server = stack.enter_context(Prometheus(tmp_path / "prometheus", {"here": exporter.target}))
        yield Metrics(exporter, server, stack.enter_context(FaultyLine(server.port)))


def test_prometheus_fails_in_every_way_and_closes_and_opens_nothing(
    site: Site, daemon: Daemon, sshd: Sshd, metrics: Metrics
) -> None:
    site.on_loopback(sshd)
    site.write("checks.yaml", QUEUE.format(port=metrics.line.port))
    metrics.orders_waiting(300)
    until(lambda: metrics.server.value('orders_waiting{server="web1"}') == 300, within=30, what="it is scraped")
    daemon.start()
    ill = [daemon.until("escalated", about=id) and id for id in ("INC-1", "INC-2")]
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    before = process.memory_info().rss

    for number, (name, fault) in enumerate(FAULTS.items(), start=1):
        fault.begin(metrics)
        daemon.until("noticed: queue cannot be asked: ", about="INC-3", times=number)
        said = daemon.told("INC-3").of("noticed: queue cannot be asked: ")[-1].text
        assert fault.words in said, f"{name}: {said}"
        metrics.heal()
        daemon.until("resolved: ", about="INC-3", times=number)

    assert process.memory_info().rss - before < MOST_GROWTH
    assert [incident.id for incident in daemon.incidents()] == [*ill, "INC-3"]
    for id in ill:
        assert daemon.incident(id).phase == "escalated"
        assert not daemon.told(id).has("recovered")

    metrics.orders_waiting(0)
    for id in ill:
        daemon.until("resolved: recovered, confirmed by its checks", about=id)


def test_a_scrape_that_comes_and_goes_is_neither_a_recovery_nor_a_fault(
    site: Site, daemon: Daemon, sshd: Sshd, metrics: Metrics
) -> None:
    site.on_loopback(sshd)
    queue, _, _ = QUEUE.partition("  cheap:")
    site.write("checks.yaml", queue.format(port=metrics.line.port))
    metrics.orders_waiting(300)
    daemon.start()
    daemon.until("escalated")
    for turn in (1, 2, 3):
        metrics.exporter.stop()
        daemon.until_health("queue", "web1", "blind")
        daemon.until_health("queue", "web2", "blind")
        metrics.exporter.start()
        until(lambda: metrics.server.value("orders_waiting"), within=30, what=f"it is scraped again ({turn})")
        daemon.until("resolved: ", about="INC-2", times=turn)
    told = daemon.told()
    assert daemon.incident().phase == "escalated"
    assert not told.has("recovered")
    assert not told.has("flapping")
    assert told.has("noticed: queue on web1 cannot be asked: ")

    metrics.orders_waiting(0)
    daemon.until("resolved: recovered, confirmed by its checks")
    assert [incident.id for incident in daemon.incidents()] == ["INC-1", "INC-2"]
