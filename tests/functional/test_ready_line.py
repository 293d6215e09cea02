"""What the agent says when it is up: how much it watches, and where it can be asked."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.functional.control_site import PARAMEDIC

_WITHIN = 60


@pytest.mark.parametrize(
    ("agent", "socket", "ask"),
    [
        ("", "var/control.sock", "paramedic status"),
        ("{socket: ../c.sock}", "c.sock", "paramedic --socket c.sock status"),
    ],
    ids=["usual", "named"],
)
def test_it_names_its_socket_as_one_would_type_it_here(tmp_path: Path, agent: str, socket: str, ask: str) -> None:
    (tmp_path / "config" / "runbooks").mkdir(parents=True)
    (tmp_path / "config" / "all.yaml").write_text(f"agent: {agent}\nchecks:\n  port: {{kind: tcp, port: 1}}\n")
    (tmp_path / "config" / "runbooks" / "look.yaml").write_text("runbook: look\nsteps: [{run: uptime}]\n")
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_DIRECTORY")}
    daemon = subprocess.Popen([PARAMEDIC, "run"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert daemon.stderr is not None
        ready = next(line for line in daemon.stderr if "ready: " in line)
        assert ready.rpartition("ready: ")[2] == (f"1 check, 1 host, 1 runbook; control socket {socket} (ask: {ask})\n")
    finally:
        daemon.terminate()
        daemon.wait(_WITHIN)
        daemon.communicate()
