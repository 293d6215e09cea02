"""A metric in Prometheus opens an incident; Prometheus away is a fault of its own and closes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
from tests.neighbours.prometheus import NodeExporter, Prometheus
from tests.neighbours.sshd import Sshd

QUEUE = """\
checks:
  queue:
    kind: prometheus
    url: PROMETHEUS
    query: METRIC
    subject: server
    critical: value > 100
    recover: value < 50
    every: 500ms
    timeout: 2s
    unknown_after: 2s
    category: web
    service: shop
    ladder: [drain-queue]
"""

DRAIN_QUEUE = """\
runbook: drain-queue
hosts: affected
limits: {per_host: 1 per hour}
steps:
  - name: drain
    run: |
      echo "$(date +%s.%N) drain" {{ host.name }} >> LEDGER
      sed -i 's/} .*/} 0/' METRIC_FILE
verify: {within: 30s}
"""


@pytest.fixture
def own_prometheus(tmp_path: Path, node_exporter: NodeExporter) -> Iterator[Prometheus]:
    """One of this test alone, to stop and start again."""
    with Prometheus(tmp_path / "prometheus", {"here": node_exporter.target}) as server:
        yield server


def test_a_metric_opens_an_incident_on_the_host_its_label_names_and_not_knowing_closes_nothing(
    site: Site, daemon: Daemon, sshd: Sshd, node_exporter: NodeExporter, own_prometheus: Prometheus
) -> None:
    metric = f"orders_waiting_{site.prefix}"

    def orders_waiting(on_web1: float) -> None:
        node_exporter.expose(metric, {'{server="web1"}': on_web1, '{server="elsewhere"}': 3})

    orders_waiting(3)
    site.on_loopback(sshd)
    site.write("checks.yaml", QUEUE.replace("PROMETHEUS", own_prometheus.url).replace("METRIC", metric))
    site.runbook(DRAIN_QUEUE.replace("METRIC_FILE", str(node_exporter.folder / "own" / f"{metric}.prom")))
    daemon.start()
    daemon.until_health("queue", "web1", "OK")

    orders_waiting(300)
    told = daemon.until("resolved")
    told.in_order(
        "noticed: queue on web1 is CRITICAL: value 300",
        "treatment: drain-queue starts on web1 (RUN-1)",
        "step: web1: drain: ok",
        "verification: web1: recovered",
        "resolved: recovered by drain-queue, verified",
    )
    assert whats(site.done_here()) == ["drain web1"]
    assert daemon.incident().hosts == ("web1",)

    orders_waiting(300)
    daemon.until("escalated")  # the runbook may run once an hour

    own_prometheus.stop()
    blind = daemon.until("escalated", about="INC-2")
    blind.in_order("noticed: queue cannot be asked: Prometheus at", "opened: queue cannot be asked")
    assert daemon.incident("INC-2").category == "monitoring"
    assert daemon.incident("INC-2").hosts == ()
    assert daemon.incident("INC-1").phase == "escalated"
    assert len(daemon.told("INC-1").of("resolved")) == 1

    own_prometheus.start()
    daemon.until("resolved", about="INC-2")
    assert daemon.incident("INC-1").phase == "escalated"  # to be asked again is not to be well again
    orders_waiting(0)
    daemon.until("resolved: recovered, confirmed by its checks", about="INC-1")
    assert whats(site.done_here()) == ["drain web1"]
    assert [incident.id for incident in daemon.incidents()] == ["INC-1", "INC-2"]
