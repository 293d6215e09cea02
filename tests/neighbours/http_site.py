"""A real HTTP server whose answers a test sets: what an `http` check or a ticket adapter talks to."""

import contextlib
import http.server
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """`delay`: seconds before the status line. `cut`: hang up in the middle of the body."""

    status: int = 200
    body: str | bytes = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False

    @property
    def content(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else self.body


@dataclass(frozen=True)
class Request:
    """One that arrived; `path` has its query string."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class HttpSite:
    """Listens on loopback from `with` on. `requests` are all that arrived, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self._closing = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, *answers: Answer, method: str = "GET") -> None:
        """What `path` (without its query) answers: each once, the last for ever. Others get 404."""
        self._answers[method, path] = list(answers)

    def _next(self, method: str, path: str) -> Answer:
        waiting = self._answers.get((method, path.partition("?")[0]))
        if not waiting:
            return Answer(404, "no such page")
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def _handler(site) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                arrived = Request(self.command, self.path, dict(self.headers), self.rfile.read(length))
                site.requests.append(arrived)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # who asked gave up waiting
                    self.say(site._next(self.command, self.path))

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815

            def say(self, answer: Answer) -> None:
                site._closing.wait(answer.delay)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.content[: len(answer.content) // 2] if answer.cut else answer.content)
                self.close_connection = self.close_connection or answer.cut

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: `requests` is the log."""

        return Handler
