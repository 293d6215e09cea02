"""What a Prometheus server answers to an instant query, with subjects that come and go."""

import http.server
import json
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from agent.demo.waiting import free_port

ALIVE = 40
"""Pods at any time; with every answer one ends and another begins."""

ILL = 9.0
WELL = 1.0


class Series:
    """Answers `/api/v1/query` on `url` between `start` and `stop`, as often as wanted, always on the same port.

    `ill`: how many of the youngest pods are ill; `rubbish`: whether the answers are not Prometheus's.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ill = 0
        self.rubbish = False
        self._youngest = ALIVE
        self._server: http.server.ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """From now on connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self) -> bytes:
        if self.rubbish:
            return b"<html>a proxy's page of apology</html>"
        self._youngest += 1
        result = [
            {
                "metric": {"pod": f"pod-{number}"},
                "value": [0, str(ILL if number > self._youngest - self.ill else WELL)],
            }
            for number in range(self._youngest - ALIVE + 1, self._youngest + 1)
        ]
        return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()

    def _handler(series) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = series._answer()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(BrokenPipeError, ConnectionResetError):  # who asked gave up waiting
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        return Handler
