"""The real control server with a fake agent behind it, and the real command in front."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from agent.runtime.control.server import ControlServer
from tests.functional.fake_control import FakeControl

PARAMEDIC = Path(sys.executable).with_name("paramedic")
_WITHIN = 60


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


def paramedic(*words: str, socket: Path | None = None, folder: Path | None = None, **environment: str) -> Said:
    """Run the console script. `folder`: where it runs."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PARAMEDIC_")}
    for name in ("SUDO_USER", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        env.pop(name, None)
    env |= {"TZ": "UTC", "LANG": "C.UTF-8"} | environment
    before = ["--socket", str(socket)] if socket else []
    done = subprocess.run(
        [PARAMEDIC, *before, *words],
        env=env,
        cwd=folder or "/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_WITHIN,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


@dataclass(frozen=True)
class ControlSite:
    """A served control socket. `control`: the fake agent."""

    control: FakeControl
    socket: Path

    def paramedic(self, *words: str, **environment: str) -> Said:
        """As in a shell where PARAMEDIC_SOCKET is set: what it says to type names no socket."""
        return paramedic(*words, PARAMEDIC_SOCKET=str(self.socket), **environment)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short name: the path of a socket may not be long."""
    folder = Path(tempfile.mkdtemp(prefix="pm-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def control_site(metrics: CollectorRegistry | None = None) -> Iterator[ControlSite]:
    with short_folder() as folder:
        site = ControlSite(FakeControl(), folder / "run" / "control.sock")
        server = ControlServer(site.control, site.socket, metrics=metrics)
        server.start()
        try:
            yield site
        finally:
            assert server.stop(10.0)
