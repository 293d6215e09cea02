"""A switch dies: a thousand hosts fail within a second, before the real daemon, a real sshd and a real tracker."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.model.incident import Phase
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Line, Site
from tests.acceptance.tickets import ticket_of
from tests.functional.control_request import request
from tests.neighbours.faulty_proxy import FaultyProxy
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.roundup import Roundup
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

HOSTS = {f"h{number}": f"127.1.{number // 250}.{1 + number % 250}" for number in range(1000)}
AT_ONCE = 20
TREATED = 60
"""So many hosts are treated before the switch is back; the rest is well then."""

CHECK = """\
checks:
  switch:
    kind: prometheus
    url: {url}
    query: up
    subject: instance
    critical: value < 1
    every: 1s
    confirm: 1
    service: shop
    category: web
    ladder: [restart]
"""

RUNBOOK = """\
runbook: restart
limits: {per_host: 3 per hour}
steps:
  - name: restart
    run: |
      echo "$(date +%s.%N) begins "{{ host.name }} >> LEDGER
      sleep 0.3
      echo "$(date +%s.%N) ends "{{ host.name }} >> LEDGER
verify: {within: 60s}
"""

LAG = 1.0
"""Seconds, as promised, on a machine that has a processor to spare."""

LAG_ON_A_BUSY_MACHINE = 20.0
"""Where more programs want to run than there are processors, waiting is the rule: there the processor time that the
decisions took is what can be held against them."""


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "sshd", addresses=tuple(HOSTS.values())) as server:
        yield server


def write(site: Site, sshd: Sshd, prometheus: HttpSite) -> None:
    hosts = "\n".join(f"  {name}: {{address: {address}}}" for name, address in HOSTS.items())
    names = ", ".join(HOSTS)
    site.write(
        "hosts.yaml",
        f"login: {{user: {sshd.user}, port: {sshd.port}, key_file: {sshd.client_key}, "
        f"known_hosts: {sshd.known_hosts}, connect_timeout: 30s}}\n"
        f"hosts:\n{hosts}\n"
        f"groups:\n  web: {{hosts: [{names}], treat_at_once: {AT_ONCE}}}\n"
        'services:\n  shop: {on: "group:web", criticality: vital, users: 5000, owner: web-team}\n'
        "teams:\n  web-team: {categories: [web]}\n  operations: {}\n",
    )
    site.write("checks.yaml", CHECK.format(url=prometheus.url))
    site.runbook(RUNBOOK)


def answer(prometheus: HttpSite, well: Sequence[str] | set[str]) -> None:
    up = set(well)
    result = [{"metric": {"instance": f"{n}:9100"}, "value": [0, "1" if n in up else "0"]} for n in HOSTS]
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})
    for method in ("GET", "POST"):
        prometheus.answer("/api/v1/query", Answer(body=body), method=method)


def status_of(site: Site) -> dict[str, Any]:
    code, status = request(site.socket, "GET", "/v1/status")
    assert code == 200, status
    return dict(status)


def most_at_once(lines: Sequence[Line]) -> int:
    under_way = most = 0
    for line in sorted(lines, key=lambda line: line.at):
        under_way += 1 if line.what.startswith("begins") else -1
        most = max(most, under_way)
    return most


def hosts_that(did: str, lines: Sequence[Line]) -> set[str]:
    return {line.what.split()[1] for line in lines if line.what.startswith(did)}


@pytest.mark.timeout(600)
def test_a_thousand_hosts_fail_within_a_second(
    site: Site, daemon: Daemon, sshd: Sshd, http_site: HttpSite, roundup: Roundup
) -> None:
    with FaultyProxy(roundup.url) as proxy:
        write(site, sshd, http_site)
        site.tickets(roundup, url=proxy.url)
        answer(http_site, list(HOSTS))
        daemon.start()
        assert daemon.process is not None
        process = psutil.Process(daemon.process.pid)
        until(lambda: status_of(site)["verdicts"] == {"OK": 1000}, within=60, what="all are well")
        before = process.memory_info().rss
        answer(http_site, [])

        def enough() -> bool:
            done = hosts_that("ends", site.done_here())
            answer(http_site, done)
            return len(done) >= TREATED

        until(enough, within=240, what=f"{TREATED} hosts are treated")
        answer(http_site, list(HOSTS))
        daemon.until("resolved", within=120)
        ticket = ticket_of(daemon, roundup, within=120)
        decisions = status_of(site)["decisions"]
        grown = process.memory_info().rss - before
        requests = [(method, path) for method, path in proxy.passed if method != "GET"]

    lines = site.done_here()
    assert [incident.id for incident in daemon.store.incidents()] == ["INC-1"]
    assert len(daemon.incident().symptoms) == 1000
    assert daemon.incident().phase is Phase.RESOLVED
    assert most_at_once(lines) <= AT_ONCE
    assert len(lines) == 2 * len(hosts_that("begins", lines)), "a host was treated twice"
    assert len(lines) < 2 * 400, "hosts that were well by then were treated"

    assert ticket.status == "resolved"
    assert len(requests) < 40, requests
    assert max(map(len, ticket.messages)) < 10_000
    journal = daemon.journal()
    assert len(journal.splitlines()) < 100 + 5 * len(lines)
    assert max(map(len, journal.splitlines())) < 2000

    assert grown < 100e6, f"{grown / 1e6:.0f} MB more than before"
    assert sum(file.stat().st_size for file in site.state.glob("paramedic.db*")) < 100e6
    assert decisions["costliest"] < LAG / 2, decisions
    is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert decisions["worst"] < (LAG_ON_A_BUSY_MACHINE if is_busy else LAG), decisions
