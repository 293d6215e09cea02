"""Somebody on duty at the demo site: gets the messages (Apprise's `json://`) and does what they ask for by name.

Every call that is to be acknowledged says `paramedic --socket PATH plan ack EMG-1`; that is what the operator types.
"""

import http.server
import json
import re
import shlex
import subprocess
import sys
import threading
import time

_ASKED = re.compile(r"paramedic (--socket \S+ plan ack [A-Z]+-[0-9]+)")
_LONGEST = 1_000_000
"""Bytes of one message."""

_TRIES = 10
_PAUSE = 1.0
"""Seconds; a busy machine may take its time."""


class Operator:
    """`awake` False: nobody answers."""

    def __init__(self) -> None:
        self.awake = True
        self.messages: list[str] = []
        operator = self

        class Desk(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("Content-Length", 0)), _LONGEST)
                said = json.loads(self.rfile.read(length))
                self.send_response(204)
                self.end_headers()
                operator.told(f"{said.get('title', '')}\n{said.get('message', '')}")

            def log_message(self, format: str, *args: object) -> None:
                """The messages themselves are what there is to see."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Desk)
        self._thread = threading.Thread(target=self._server.serve_forever, name="operator", daemon=True)

    @property
    def url(self) -> str:
        """For Apprise."""
        return f"json://127.0.0.1:{self._server.server_address[1]}/"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def told(self, message: str) -> None:
        """Acknowledge what the message wants acknowledged."""
        self.messages.append(message)
        asked = _ASKED.search(message)
        if asked is None or not self.awake:
            return
        for _ in range(_TRIES):
            if _is_done(shlex.split(asked[1])):
                return
            time.sleep(_PAUSE)


def _is_done(words: list[str]) -> bool:
    """Whether `paramedic` with these words did it."""
    typed = [sys.executable, "-m", "agent", *words]
    try:
        done = subprocess.run(typed, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
