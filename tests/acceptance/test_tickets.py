"""The ticket system is away, or the daemon dies while it tells it something."""

import os
import signal

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site
from tests.acceptance.tickets import ticket_of
from tests.neighbours.faulty_proxy import FaultyProxy
from tests.neighbours.roundup import Roundup
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until


def test_an_outage_of_the_ticket_system_delays_and_loses_nothing(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, roundup: Roundup
) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    site.tickets(roundup)
    roundup.stop()
    daemon.start()
    web.kill()
    daemon.until("resolved")
    web.kill()
    daemon.until("resolved", times=2)
    assert daemon.incident().ticket is None

    until(lambda: daemon.json("status")["tickets"]["available"] is False, within=45, what="status says it is away")
    shown = daemon.json("status")["tickets"]
    assert shown["waiting"] == 6
    assert "connection refused" in shown["last_error"]
    (away,) = [one for one in daemon.json("status")["neighbours"] if one["name"] == "tickets"]
    assert away["state"] != "answers"
    assert "connection refused" in away["why"]
    said = daemon.paramedic("status")
    assert "6" in said
    assert "connection refused" in said

    # What waits, waits on disk.
    assert daemon.stop() == 0
    daemon.start()
    roundup.start()
    ticket = ticket_of(daemon, roundup, within=90)
    assert ticket.status == "resolved"
    assert ticket.numbers == tuple(f"INC-1/{number}" for number in range(1, 7))
    assert [line.partition(":")[0] for line in ticket.told[1:]] == [
        "Treatment",
        "recovered by restart-shop, verified",
        "The fault is back",
        "Treatment",
        "recovered by restart-shop, verified",
    ]
    daemon.until(f"ticket: ticket {ticket.id}")
    until(lambda: daemon.json("status")["tickets"]["available"], within=45, what="status says it is back")
    assert daemon.json("status")["tickets"]["waiting"] == 0


def test_killed_while_it_files_a_ticket_it_files_no_second_one(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, roundup: Roundup
) -> None:
    def die() -> None:
        """The request has left; no answer will be read."""
        assert daemon.process is not None
        os.kill(daemon.process.pid, signal.SIGKILL)

    site.on_loopback(sshd)
    site.watches(web, ladder="")
    with FaultyProxy(roundup.url) as proxy:
        site.tickets(roundup, url=proxy.url)
        daemon.start()
        proxy.meanwhile("POST", "/rest/data/issue", die)
        web.kill()
        assert daemon.ended() == -signal.SIGKILL
        proxy.meanwhile("POST", "/rest/data/msg", die)
        daemon.launch()
        assert daemon.ended() == -signal.SIGKILL
        daemon.start()
        web.start()
        daemon.until("resolved")

        ticket = ticket_of(daemon, roundup)
        assert proxy.count("POST", "/rest/data/issue") == 1
        assert proxy.count("POST", "/rest/data/msg") == 3
    assert ticket.numbers == ("INC-1/1", "INC-1/2", "INC-1/3")
    assert ticket.told[1].startswith("Handed to web-team: no runbook")
    assert ticket.status == "resolved"
