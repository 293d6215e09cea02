"""The systemd unit: read by systemd's own tools, and its fence measured."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.config.agent_settings import AuthoredAgent
from agent.model.quantities import parse_duration
from tests.neighbours import available
from tests.neighbours.systemd_host import SystemdHosts

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "paramedic.service"
MOST_EXPOSURE = 1.4
"""Of 10. Lower would take PrivateUsers=yes, and with it who asked what on the control socket."""

ITS_PARTS = 30
"""Seconds that all parts of the agent besides the steps may take to stop."""


@pytest.fixture(autouse=True)
def _systemd_analyze() -> None:
    lacking = None if shutil.which("systemd-analyze") else "systemd-analyze not found"
    available.require("systemd's own checks", lacking, "apt-get install -y systemd")


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


def exposure(unit: Path) -> subprocess.CompletedProcess[str]:
    return analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE * 10:.0f}", "--no-pager", unit)


def test_systemd_finds_nothing_to_say_about_the_unit() -> None:
    verified = subprocess.run(
        [ROOT / "tools" / "verify-units"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_fence_around_the_daemon_is_high() -> None:
    measured = exposure(UNIT)
    assert measured.returncode == 0, measured.stdout[-200:]


def test_a_lower_fence_would_be_noticed(tmp_path: Path) -> None:
    lower = tmp_path / "paramedic.service"
    lower.write_text(UNIT.read_text().replace("ProtectKernelModules=yes\n", ""))
    assert exposure(lower).returncode != 0


STAND_IN = """\
#!/usr/bin/python3
# Does what the daemon must be able to do inside the unit's fence, and says what came of it.
import json, os, pathlib, resource, socket, sqlite3, struct, subprocess

control = socket.socket(socket.AF_UNIX)
control.bind("/run/paramedic/control.sock")
os.chmod("/run/paramedic/control.sock", 0o660)
control.listen()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])

database = sqlite3.connect(os.environ["HOME"] + "/record.db")
journal = database.execute("pragma journal_mode=wal").fetchone()[0]
database.execute("create table incident (number)")
database.commit()

caller, _ = control.accept()
_, uid, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
greeting = socket.create_connection(("127.0.0.1", 22)).recv(4).decode()
lines = [path.read_bytes().decode() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")]
found = {
    "journal": journal,
    "caller": uid,
    "ssh": greeting,
    "sees the shop": any("http.server" in line for line in lines),
    "load": bool(pathlib.Path("/proc/stat").read_text()),
    "local command": subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip(),
    "descriptors for a thousand hosts": resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 10_000,
    "may write to /etc": os.access("/etc/paramedic", os.W_OK),
}
caller.sendall(json.dumps(found).encode())
"""

ASK = """\
import socket
daemon = socket.socket(socket.AF_UNIX)
daemon.connect("/run/paramedic/control.sock")
print(daemon.makefile().read())
"""


@pytest.mark.root
def test_inside_the_fence_a_daemon_can_do_its_work_and_knows_its_callers(systemd_hosts: SystemdHosts) -> None:
    host = systemd_hosts["web1"]
    host.write("/usr/lib/sysusers.d/paramedic.conf", (ROOT / "systemd/paramedic.sysusers").read_text())
    host.write("/usr/lib/tmpfiles.d/paramedic.conf", (ROOT / "systemd/paramedic.tmpfiles").read_text())
    host.write("/etc/systemd/system/paramedic.service", UNIT.read_text())
    host.write("/opt/paramedic/bin/paramedic", STAND_IN, mode="755")
    host.write("/root/ask.py", ASK)
    host.run("systemd-sysusers && systemd-tmpfiles --create && usermod --append --groups paramedic ops")
    host.run("systemctl daemon-reload && systemctl restart paramedic")
    answer = host.run('runuser -u ops -- python3 -c "$(cat /root/ask.py)"').stdout
    assert json.loads(answer) == {
        "journal": "wal",
        "caller": int(host.run("id -u ops").stdout),
        "ssh": "SSH-",
        "sees the shop": True,
        "load": True,
        "local command": "paramedic",
        "descriptors for a thousand hosts": True,
        "may write to /etc": False,
    }
    assert host.run("stat -c '%A %U' /var/lib/paramedic").stdout == "drwx------ paramedic\n"


def test_systemd_waits_for_the_agent_as_the_agent_says() -> None:
    """For its word that it is ready, for its sign of life, and at the end for the step under way."""
    said = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#")
    assert (said["Type"], said["NotifyAccess"], said["KillMode"]) == ("notify", "main", "mixed")
    assert 0 < parse_duration(said["WatchdogSec"]) <= 60
    steps = AuthoredAgent.model_fields["stop_within"].default
    assert parse_duration(said["TimeoutStopSec"]) >= steps + ITS_PARTS
