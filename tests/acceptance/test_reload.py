"""A reload: a new configuration for new incidents; a broken one changes nothing."""

from agent.demo.waiting import free_port
from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
from tests.acceptance.tickets import ticket_of
from tests.neighbours.roundup import Roundup
from tests.neighbours.sshd import Sshd

LIGHT = """\
runbook: restart-shop
steps:
  - name: look first
    run: |
      echo "$(date +%s.%N) light" >> LEDGER
      AT_THE_GATE
verify: {within: 1s}
"""

STRONG = """\
runbook: restart-harder
steps:
  - name: restart
    run: echo "$(date +%s.%N) the NTH text" >> LEDGER; RESTART
verify: {within: 20s}
"""

CLOSES_SOON = "policy: {lifecycle: {close_after: 1s}}\n"


def test_an_open_incident_keeps_its_text_a_new_one_gets_the_new_and_a_broken_configuration_changes_nothing(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    def strong(nth: str) -> None:
        site.runbook(STRONG.replace("NTH", nth).replace("RESTART", web.restart_command))

    site.on_loopback(sshd)
    site.watches(web, ladder="restart-shop, restart-harder")
    site.write("policy.yaml", CLOSES_SOON)
    site.runbook(LIGHT)
    strong("first")
    daemon.start()
    web.kill()
    daemon.until("treatment: restart-shop starts")

    strong("second")
    daemon.reload()
    daemon.until("agent: configuration reloaded", about="agent")
    site.open_gate()
    daemon.until("closed")
    assert whats(site.done_here()) == ["light", "the first text"]

    web.kill()
    daemon.until("closed", about="INC-2")
    assert whats(site.done_here())[2:] == ["light", "the second text"]

    checks = (site.config / "checks.yaml").read_text()
    site.write("checks.yaml", checks.replace("every: 500ms", "every: often") + "  shop:\n    kind: htpp\n")
    strong("third")
    site.runbook(LIGHT.replace("run:", "rum:"))
    daemon.reload()
    daemon.until_said("nothing was changed, the configuration has problems")
    for problem in ("'often'", "did you mean 'http'?", "there is no key 'rum'"):
        assert problem in daemon.journal()

    web.kill()
    daemon.until("treatment: restart-harder ended", about="INC-3")
    assert whats(site.done_here())[4:] == ["light", "the second text"]


ONE_MORE_CHECK = """\
checks:
  cellar:
    kind: tcp
    on: host:web1
    port: PORT
    every: 500ms
    category: web
"""


def test_what_a_reload_adds_is_used_at_once_and_what_needs_a_restart_is_refused(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, roundup: Roundup
) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    daemon.start()
    daemon.until_health("web", "web1", "OK")

    site.tickets(roundup)
    site.write("more.yaml", ONE_MORE_CHECK.replace("PORT", str(free_port())))
    assert "2 checks" in daemon.paramedic("reload")
    daemon.until("escalated: handed to web-team: no runbook")
    daemon.until("opened: cellar on web1 is CRITICAL")
    assert ticket_of(daemon, roundup).numbers == ("INC-1/1", "INC-1/2")

    agent = (site.config / "paramedic.yaml").read_text()
    site.write("paramedic.yaml", agent.replace(str(site.state), f"{site.state}-elsewhere"))
    assert "agent.state_dir changed, which needs a restart" in daemon.paramedic("reload", status=1)
    site.write("paramedic.yaml", agent)

    # Nobody can see any more whether the cellar is well: it stays open, and no answer is waited for.
    (site.config / "more.yaml").unlink()
    assert "1 check" in daemon.paramedic("reload")
    assert [check["name"] for check in daemon.json("checks", "list")["checks"]] == ["web"]
    assert daemon.incident().phase == "escalated"
