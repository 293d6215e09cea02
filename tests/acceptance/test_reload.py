"""SIGHUP: a new configuration for new incidents; a broken one changes nothing."""

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
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
