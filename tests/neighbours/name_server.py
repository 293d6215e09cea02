"""A DNS server that a test tells what to answer, and programs that ask it instead of the machine's own.

The messages are those of RFC 1035, 4.1; only questions for addresses are understood.
"""

import os
import socket
import struct
import threading
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.neighbours import available

ADDRESS_RECORD = 1
LOOK = 0.2


class Mood(Enum):
    """What it does with every question; the value is the RCODE."""

    ANSWERS = 0
    FAILS = 2
    KNOWS_NO_SUCH_NAME = 3
    SILENT = None


class NameServer:
    """Answers every question for an IPv4 address with 127.0.0.1, until told otherwise. Needs root for its port."""

    def __init__(self, folder: Path) -> None:
        why_not = None if os.geteuid() == 0 else "port 53 and mounting are root's"
        available.require("a name server of the test's own", why_not, "run the tests as root")
        self.mood = Mood.ANSWERS
        self._resolv_conf = folder / "resolv.conf"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(LOOK)

    def __enter__(self) -> Self:
        address = f"127.77.{os.getpid() % 250}.53"
        self._socket.bind((address, 53))
        # As patient as resolv.conf(5) allows: a look-up then takes two minutes and a half.
        self._resolv_conf.write_text(f"nameserver {address}\noptions timeout:30 attempts:5\n")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def asked_by(self, command: list[str]) -> list[str]:
        """The command, in a mount namespace of its own in which this is the name server; its pid stays the same."""
        script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
        unshare = ["unshare", "--mount", "--propagation", "private"]
        return [*unshare, "sh", "-c", script, "sh", str(self._resolv_conf), *command]

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                question, asker = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            if self.mood.value is not None:
                self._socket.sendto(_reply(question, self.mood), asker)


def _reply(question: bytes, mood: Mood) -> bytes:
    """Header, the question again, and at most one answer."""
    end = question.index(b"\0", 12) + 5
    (kind,) = struct.unpack("!H", question[end - 4 : end - 2])
    found = mood is Mood.ANSWERS and kind == ADDRESS_RECORD
    header = question[:2] + struct.pack("!HHHHH", 0x8180 | (mood.value or 0), 1, int(found), 0, 0)
    # The name as a pointer to the question's, class IN, no time to live.
    record = b"\xc0\x0c" + struct.pack("!HHIH", ADDRESS_RECORD, 1, 0, 4) + bytes([127, 0, 0, 1]) if found else b""
    return header + question[12:end] + record
