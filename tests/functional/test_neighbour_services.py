"""The neighbours that are services: each is up, and does what other tests rely on."""

import itertools
import subprocess
from pathlib import Path

import pytest
import requests

from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.prometheus import NodeExporter, Prometheus
from tests.neighbours.roundup import Roundup
from tests.neighbours.sshd import Sshd, ssh_command
from tests.neighbours.waiting import until
from tests.neighbours.web import Web

_numbers = itertools.count(1)


def file_issue(tracker: Roundup, external_id: str) -> requests.Response:
    return requests.post(
        f"{tracker.rest_url}/issue",
        json={"title": "The shop is down", "external_id": external_id, "priority": "critical"},
        auth=(tracker.user, tracker.password),
        headers={"X-Requested-With": "rest", "Origin": tracker.origin, "Referer": tracker.url},
        timeout=10,
    )


def test_roundup_keeps_an_issue_over_a_restart_and_refuses_its_twin(roundup: Roundup) -> None:
    key = f"neighbour-{next(_numbers)}"
    assert file_issue(roundup, key).status_code == 201
    roundup.stop()
    with pytest.raises(requests.ConnectionError):
        file_issue(roundup, key)
    roundup.start()
    assert file_issue(roundup, key).status_code == 409
    [issue] = [issue for issue in roundup.issues() if issue["external_id"] == key]
    assert (issue["title"], issue["priority"], issue["status"]) == ("The shop is down", "critical", "unread")


def test_prometheus_sees_the_machine_and_a_metric_of_the_tests_own(
    prometheus: Prometheus, node_exporter: NodeExporter
) -> None:
    assert prometheus.value('node_memory_MemTotal_bytes{instance="here"}')
    node_exporter.expose("orders_waiting", {'{shop="a"}': 3, '{shop="b"}': 4})
    until(lambda: prometheus.value("sum(orders_waiting)") == 7, within=20, what="both shops are scraped")
    node_exporter.expose("orders_waiting", {'{shop="a"}': 30, '{shop="b"}': 4})
    until(lambda: prometheus.value('orders_waiting{shop="a"}') == 30, within=20, what="the new value is seen")


def test_an_http_site_answers_what_it_is_told(http_site: HttpSite) -> None:
    http_site.answer("/healthz", Answer(503, "no"), Answer(200, "ok", {"X-Shop": "open"}))
    assert requests.get(f"{http_site.url}/healthz?a=1", timeout=5).status_code == 503
    assert requests.get(f"{http_site.url}/healthz", timeout=5).headers["X-Shop"] == "open"
    assert requests.get(f"{http_site.url}/other", timeout=5).status_code == 404
    assert [request.path for request in http_site.requests] == ["/healthz?a=1", "/healthz", "/other"]


def test_an_http_site_can_be_slow_and_can_hang_up(http_site: HttpSite) -> None:
    http_site.answer("/slow", Answer(delay=60))
    http_site.answer("/cut", Answer(body="x" * 1000, cut=True))
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{http_site.url}/slow", timeout=0.2)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="500 more expected"):
        requests.get(f"{http_site.url}/cut", timeout=5)


@pytest.mark.parametrize("fault", [Web.kill, Web.hang, Web.spoil])
def test_a_broken_shop_is_cured_by_its_script_over_ssh(fault, sshd: Sshd, tmp_path: Path) -> None:
    with Web(tmp_path / "shop") as web:
        assert requests.get(web.url, timeout=5).text == "ok\n"
        fault(web)
        with pytest.raises(requests.RequestException):
            requests.get(web.url, timeout=0.5).raise_for_status()
        cure = subprocess.run(ssh_command(sshd, web.restart_command), capture_output=True, timeout=30, check=False)
        assert cure.returncode == 0, cure.stderr
        assert requests.get(web.url, timeout=5).text == "ok\n"
    assert web.pid is None
