"""The machine the daemon runs on: its own processes, treated without SSH."""

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats

PROCESS = """\
checks:
  shop:
    kind: process
    pid_file: PID_FILE
    every: 500ms
    confirm: 2
    ladder: [restart-here]
"""

RESTART_HERE = """\
runbook: restart-here
hosts: local
evidence:
  - name: last words
    run: cat LOG
steps:
  - name: restart
    run: echo "$(date +%s.%N) restart" >> LEDGER; RESTART
verify: {within: 20s}
"""


def test_a_killed_process_of_this_machine_is_started_again(site: Site, daemon: Daemon, web: Web) -> None:
    site.write("checks.yaml", PROCESS.replace("PID_FILE", str(web.pid_file)))
    runbook = RESTART_HERE.replace("RESTART", web.restart_command)
    site.runbook(runbook.replace("LOG", str(web.folder / "log")))
    daemon.start()
    killed = web.pid

    web.kill()
    told = daemon.until("resolved")

    told.in_order(
        "noticed: shop on localhost is CRITICAL: ",
        "assigned: assigned to operations",
        "treatment: restart-here starts on localhost (RUN-1)",
        "step: localhost: last words: ok",
        "step: localhost: restart: ok",
        f"recovered: shop on localhost is well again: 1 running: pid {web.pid}",
        "verification: localhost: recovered: shop on localhost answered well",
        "resolved: recovered by restart-here, verified",
    )
    assert f"pid {killed}" in told[0].text  # gone, or a zombie where nobody has collected it yet
    assert web.pid != killed
    assert whats(site.done_here()) == ["restart"]
    assert daemon.json("status")["ssh_connections"] == 0
