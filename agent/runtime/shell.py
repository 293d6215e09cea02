"""Commands on the machine the agent runs on, with the same promises as those over SSH."""

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from typing import IO

from agent.errors import CommandTimedOut, HostError
from agent.model.command_result import CommandResult
from agent.runtime.output import BoundedOutput

LOCALHOST = "localhost"

LINGER = 1.0
"""Seconds to go on reading after the command has exited: what it left running may hold its output open."""

LOOK = 0.05
"""Seconds between two looks whether a command that keeps its output open has exited."""

DYING = 1.0
"""Seconds a killed process has to be gone."""

CHUNK = 65536

OURS = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY", "LISTEN_FDS", "LISTEN_PID")
"""What systemd gave to the agent and no command of it should see."""


def as_root(command: str) -> str:
    """`command` as root, by sudo without asking for a password: sudo fails at once where it would have to ask."""
    return f"sudo -n -- sh -c {shlex.quote(command)}"


class LocalShell:
    """Runs commands by /bin/sh on this machine. Thread-safe."""

    def run(
        self, command: str, *, timeout: float, stdin: bytes | None = None, output_limit: int = 65536
    ) -> CommandResult:
        """`timeout`: seconds, after which the command and all of its process group are killed; `output_limit`:
        bytes kept of each of the two outputs. A command killed by signal n has status 128 + n; one that exits
        and leaves a background process holding its output is over a second after it exits.

        Raises CommandTimedOut for host "localhost", and HostError when the command could not even be started.
        """
        began = time.monotonic()
        environment = {name: value for name, value in os.environ.items() if name not in OURS}
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # too long, a NUL in it, no process or descriptor left
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise HostError(LOCALHOST, f"the command could not be started: {why.lower()}") from error
        running = _Running(process, stdin, output_limit)
        try:
            in_time = running.follow(began + timeout)
        except BaseException:
            running.kill()
            raise
        finally:
            running.close()
        out, err = running.out, running.err
        if not in_time:
            end = "was killed" if process.returncode is not None else "could not be killed"
            text = f"the command did not end within {timeout:g} s and {end}"
            raise CommandTimedOut(LOCALHOST, text, out.text(), err.text())
        return CommandResult(
            status=process.returncode if process.returncode >= 0 else 128 - process.returncode,
            stdout=out.text(),
            stderr=err.text(),
            dropped=out.dropped + err.dropped,
            seconds=time.monotonic() - began,
        )


class _Running:
    """One process, its pipes, and what came out of them."""

    def __init__(self, process: "subprocess.Popen[bytes]", stdin: bytes | None, output_limit: int) -> None:
        self.out = BoundedOutput(output_limit)
        self.err = BoundedOutput(output_limit)
        self._process = process
        self._stdin = memoryview(stdin or b"")
        self._pipes = selectors.DefaultSelector()
        for pipe, kept in ((process.stdout, self.out), (process.stderr, self.err)):
            self._register(pipe, selectors.EVENT_READ, kept)
        if process.stdin is not None:
            self._register(process.stdin, selectors.EVENT_WRITE, None)

    def _register(self, pipe: IO[bytes] | None, event: int, kept: BoundedOutput | None) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._pipes.register(pipe, event, kept)

    def follow(self, end: float) -> bool:
        """Feed and drain until the process has exited and its output has ended; at `end` kill it and say False."""
        exited: float | None = None
        while self._pipes.get_map() and (exited is None or time.monotonic() < exited + LINGER):
            left = end - time.monotonic()
            if exited is None and left <= 0:
                self.kill()
                return False
            for key, _ in self._pipes.select(LOOK if exited else min(LOOK, left)):
                self._move(key)
            if exited is None and self._process.poll() is not None:
                exited = time.monotonic()
        try:
            self._process.wait(max(end - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def _move(self, key: selectors.SelectorKey) -> None:
        try:
            if key.data is None:
                self._stdin = self._stdin[os.write(key.fd, self._stdin[:CHUNK]) :]
                over = not self._stdin
            else:
                data = os.read(key.fd, CHUNK)
                key.data.feed(data)
                over = not data
        except BrokenPipeError:  # it closed its standard input: what it did not read, it did not want
            over = True
        if over:
            self._pipes.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]

    def kill(self) -> None:
        """The whole process group. What runs as root by sudo is not an ordinary user's to kill: it is left alone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(DYING)

    def close(self) -> None:
        self._pipes.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
