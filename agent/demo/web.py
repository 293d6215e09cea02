"""A small web service on loopback that breaks in three ways, and a script that starts it afresh.

No systemd is needed: the script is what a runbook calls over SSH, on any machine.
"""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.demo import shop
from agent.demo.waiting import SiteError, answers, free_port, until

START_WEB = """\
#!/bin/sh
# Start it. One that runs already is ended first, or with --unless-running left alone. Exits 0 when it answers.
exec {python} -I {shop} {folder} {port} {needs} "$@"
"""


class Web:
    """The shop in `folder`, healthy when `url` answers 200. A runbook restarts it with `restart_command`.

    `needs`: port of what must answer for it to be healthy; `script`: what starts it, in its folder.
    """

    def __init__(
        self, folder: Path, *, port: int | None = None, needs: int | None = None, script: str = "start-web"
    ) -> None:
        self.folder = folder.resolve()
        self._needs = needs
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/healthz"
        self.pid_file = self.folder / "pid"
        self.start_script = self.folder / script
        self.restart_command = f"sh {shlex.quote(str(self.start_script))}"

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return shop.shop_of(self.pid_file)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it as the runbook does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        words = {"python": sys.executable, "shop": shop.__file__, "folder": self.folder, "port": self.port}
        quoted = {name: shlex.quote(str(word)) for name, word in words.items()}
        needs = "" if self._needs is None else f"--needs {self._needs}"
        self.start_script.write_text(START_WEB.format(**quoted, needs=needs))
        self.start_script.chmod(0o755)
        try:
            done = subprocess.run(
                ["sh", self.start_script], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise SiteError(f"the shop did not start: {done.stderr}")
            until(lambda: answers("127.0.0.1", self.port), within=10, what="the shop answers")
        except BaseException:
            self.stop()  # it lets go of whoever started it, so nobody else would
            raise

    def stop(self) -> None:
        """End it, hanging or not."""
        shop.end_predecessor(self.pid_file)

    def kill(self) -> None:
        """A fault: the process is gone, its pid file stays."""
        kept = self.pid_file.read_text()
        shop.end_predecessor(self.pid_file)
        self.pid_file.write_text(kept)

    def hang(self) -> None:
        """A fault: connections are accepted and never answered."""
        if pid := self.pid:
            os.kill(pid, signal.SIGSTOP)

    def spoil(self) -> None:
        """A fault: every answer is 500 until a fresh start."""
        (self.folder / "spoiled").touch()
