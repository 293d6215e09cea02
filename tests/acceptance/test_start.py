"""A daemon that cannot start says why, and touches nothing."""

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site
from tests.neighbours.sshd import Sshd


def test_it_does_not_start_on_a_broken_configuration_and_names_every_problem(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    site.write("more.yaml", "checks:\n  disk:\n    kind: dsk\n  queue: {kind: tcp, port: 99999}\n")
    daemon.launch()
    assert daemon.ended() == 1
    for problem in ("more.yaml:3: checks.disk.kind: there is no check kind 'dsk'", "more.yaml:4: checks.queue.port: "):
        assert problem in daemon.journal()
    assert not site.state.exists()


def test_a_second_daemon_on_the_same_record_is_refused(site: Site, daemon: Daemon, sshd: Sshd, web: Web) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    daemon.start()
    second = Daemon(site)
    second.launch()
    assert second.ended() == 1
    daemon.until_said("another agent")
    web.kill()
    daemon.until("resolved")
    assert len(daemon.executions()) == 1
