"""One command on one channel: start it, feed it, drain it, and never leave without its exit status."""

import time
from contextlib import suppress

import paramiko

from agent.errors import LoginRefused
from agent.model.command_result import CommandResult
from agent.runtime.output import BoundedOutput
from agent.runtime.ssh.deadline import Deadline
from agent.runtime.ssh.failure import Failure, Lost
from agent.runtime.ssh.wire import NOT_STARTED, READ_AHEAD, WINDOW, start_command

QUICK, SLOW = 0.005, 0.25
"""Seconds between two looks at what does not wake us: standard error, exit status, room for standard input."""

LINGER = 1.0
"""Seconds to go on reading after the command has exited. What it left running in the background may hold its
output open for days; that must not cost the step its deadline."""


class Session:
    """Runs one command on a fresh channel. Used by one thread."""

    def __init__(self, channel: paramiko.Channel, command: str, stdin: bytes | None, output_limit: int) -> None:
        self._channel = channel
        self._command = command
        self._stdin = memoryview(stdin or b"")
        self._out = BoundedOutput(output_limit)
        self._err = BoundedOutput(output_limit)
        self._began = time.monotonic()

    def run(self, deadline: Deadline) -> CommandResult:
        """Raises TimeoutError at the deadline, Lost when there is no exit status to be had, Failure if the host
        refuses to start the command. The channel is closed in any case.
        """
        try:
            start_command(self._channel, self._command)
            if not self._stdin:
                self._channel.shutdown_write()
            self._drain(deadline)
            if not self._channel.status_event.wait(deadline.left()):
                raise TimeoutError
        except (paramiko.SSHException, EOFError) as error:
            raise Lost from error
        finally:
            self._close()
        status = self._channel.exit_status
        if status == NOT_STARTED:
            raise Failure(LoginRefused, "the host accepts the login, but refuses to start a command")
        if status < 0:
            raise Lost
        return self.so_far(status)

    def so_far(self, status: int) -> CommandResult:
        return CommandResult(
            status=status,
            stdout=self._out.text(),
            stderr=self._err.text(),
            dropped=self._out.dropped + self._err.dropped,
            seconds=time.monotonic() - self._began,
        )

    def _drain(self, deadline: Deadline) -> None:
        """Until both outputs have ended, or the command has exited LINGER seconds ago."""
        pause, exited_at = QUICK, None
        while True:
            self._channel.settimeout(max(QUICK, min(pause, deadline.left())))  # 0 would be "do not wait"
            try:
                data = self._channel.recv(WINDOW)
                if not data:
                    break
                self._out.feed(data)
            except TimeoutError:
                pass
            busy = self._drain_errors() | self._feed()
            pause = QUICK if busy else min(pause * 2, SLOW)
            if self._channel.exit_status_ready():
                exited_at = exited_at or Deadline(LINGER)
                if exited_at.passed:
                    break
            elif deadline.passed:
                raise TimeoutError
        self._drain_errors()

    def _drain_errors(self) -> bool:
        """Whether there was anything."""
        before = self._channel.recv_stderr_ready()
        while self._channel.recv_stderr_ready():
            self._err.feed(self._channel.recv_stderr(WINDOW))
        return before

    def _feed(self) -> bool:
        """As much of standard input as the host takes now; whether there is more.

        A command that floods us while we write must not find us waiting for it.
        """
        while self._stdin and self._channel.send_ready():
            try:
                sent = self._channel.send(bytes(self._stdin[:READ_AHEAD]))
            except OSError:  # the channel is closed: what the command did not read, it did not want
                sent = len(self._stdin)
            self._stdin = self._stdin[sent:]
            if not self._stdin:
                self._channel.shutdown_write()
        return bool(self._stdin)

    def _close(self) -> None:
        with suppress(paramiko.SSHException, EOFError, OSError):
            self._channel.close()
