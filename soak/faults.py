"""What befalls the site, one after the other, again and again."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil

from agent.demo.program import kill
from agent.demo.waiting import SiteError, until
from soak.daemon import Daemon
from soak.site import SoakSite

_HOLD = 3.0
"""Seconds that a fault lasts which nobody treats."""

_TREATED_WITHIN = 90.0
"""Seconds; then a person does what the runbook should have done. On a machine that is busy with other things a step
may run out of its time, and that is no leak."""


def web_dies(site: SoakSite, daemon: Daemon) -> None:
    """Treated: evidence, restart, verification, ticket."""
    site.web.kill()
    with suppress(SiteError):
        until(lambda: site.web.pid is not None, within=_TREATED_WITHIN, what="the shop is restarted")
        return
    site.web.start()


def nodes_are_stuck(site: SoakSite, daemon: Daemon) -> None:
    """Four hosts at once, in batches, with a step that fails and one that is loud."""
    site.stuck.touch()
    with suppress(SiteError):
        until(lambda: not site.stuck.exists(), within=_TREATED_WITHIN, what="the nodes are treated")
    site.stuck.unlink(missing_ok=True)


def hosts_go_away(site: SoakSite, daemon: Daemon) -> None:
    """Every connection is gone and none can be made."""
    site.sshd.stop()
    time.sleep(_HOLD)
    site.sshd.start()


def connections_are_cut(site: SoakSite, daemon: Daemon) -> None:
    """The server goes on; who is logged in is not any more."""
    assert site.sshd.pid is not None
    for session in psutil.Process(site.sshd.pid).children():
        kill(session)


def ticket_system_goes_away(site: SoakSite, daemon: Daemon) -> None:
    """While there is much to tell it."""
    site.tracker.stop()
    web_dies(site, daemon)
    site.tracker.start()


def metrics_go_away(site: SoakSite, daemon: Daemon) -> None:
    site.series.stop()
    time.sleep(_HOLD)
    site.series.start()


def metrics_are_rubbish(site: SoakSite, daemon: Daemon) -> None:
    site.series.rubbish = True
    time.sleep(_HOLD)
    site.series.rubbish = False


def pods_fall_ill(site: SoakSite, daemon: Daemon) -> None:
    """A dozen, and they are gone before anybody is done with them."""
    site.series.ill = 12
    time.sleep(2 * _HOLD)
    site.series.ill = 0


def people_come_and_go(site: SoakSite, daemon: Daemon) -> None:
    """Questions answered, questions given up half-way, answers not waited for, connections that say nothing."""
    for path in ("/v1/status", "/v1/incidents?all=true", "/v1/checks", "/v1/stories/INC-1", "/metrics") * 2:
        with daemon.connected() as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: paramedic\r\nConnection: close\r\n\r\n".encode())
            while client.recv(65536):
                pass
    half = b"POST /v1/incidents HTTP/1.1\r\nHost: paramedic\r\nContent-Length: 1000\r\n\r\n{"
    whole = b"GET /v1/status HTTP/1.1\r\nHost: paramedic\r\n\r\n"
    for said in (half, whole, b"", b"GET /v1/st") * 5:
        with daemon.connected() as client:
            client.sendall(said)


def configuration_is_reloaded(site: SoakSite, daemon: Daemon) -> None:
    daemon.reload()
    daemon.reload()


FAULTS: Mapping[str, Callable[[SoakSite, Daemon], None]] = {
    each.__name__.replace("_", " "): each
    for each in (
        web_dies,
        connections_are_cut,
        pods_fall_ill,
        people_come_and_go,
        nodes_are_stuck,
        metrics_go_away,
        hosts_go_away,
        configuration_is_reloaded,
        ticket_system_goes_away,
        metrics_are_rubbish,
    )
}
