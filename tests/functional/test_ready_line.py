"""What the agent says when it is up: how much it watches, and where it can be asked."""

import os
import subprocess
from pathlib import Path

from tests.functional.control_site import PARAMEDIC

_WITHIN = 60


def test_it_names_its_socket_as_one_would_type_it_here(tmp_path: Path) -> None:
    (tmp_path / "config" / "runbooks").mkdir(parents=True)
    (tmp_path / "config" / "all.yaml").write_text("checks:\n  port: {kind: tcp, port: 1}\n")
    (tmp_path / "config" / "runbooks" / "look.yaml").write_text("runbook: look\nsteps: [{run: uptime}]\n")
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_DIRECTORY")}
    agent = subprocess.Popen([PARAMEDIC, "run"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert agent.stderr is not None
        ready = next(line for line in agent.stderr if "ready: " in line)
        assert ready.rpartition("ready: ")[2] == (
            "1 check, 1 host, 1 runbook; control socket var/control.sock (ask: paramedic status)\n"
        )
    finally:
        agent.terminate()
        agent.wait(_WITHIN)
        agent.communicate()
