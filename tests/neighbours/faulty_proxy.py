"""A real HTTP proxy before a real server, that does on demand what networks and busy servers do."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests

HOP = frozenset({"connection", "content-length", "transfer-encoding", "content-encoding", "host", "keep-alive"})


@dataclass
class Fault:
    """What befalls the next `times` requests of `method` whose path contains `part`."""

    method: str
    part: str
    times: int
    lose_answer: bool = False
    hold_answer: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"not now"
    meanwhile: Callable[[], None] | None = None


class FaultyProxy:
    """Listens on loopback from `with` on, and hands everything to `upstream` unless told otherwise.

    `passed`: method and path of every request that arrived, in order.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self.upstream = f"{parts.scheme}://{parts.netloc}"
        self.passed: list[tuple[str, str]] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.site = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = self.site + parts.path
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def lose_answer(self, method: str, part: str, times: int = 1) -> None:
        """The request takes effect; the connection breaks before its answer."""
        self._faults.append(Fault(method, part, times, lose_answer=True))

    def answer(
        self,
        method: str,
        part: str,
        status: int,
        times: int = 1,
        headers: Mapping[str, str] = {},
        body: bytes = b"not now",
    ) -> None:
        """The request never reaches the server."""
        self._faults.append(Fault(method, part, times, status=status, headers=headers, body=body))

    def hold_answer(self, method: str, part: str, times: int = 1) -> None:
        """The request takes effect; its answer does not come as long as the proxy is there."""
        self._faults.append(Fault(method, part, times, hold_answer=True))

    def meanwhile(self, method: str, part: str, action: Callable[[], None], times: int = 1) -> None:
        """Somebody does something just before the request reaches the server."""
        self._faults.append(Fault(method, part, times, meanwhile=action))

    def count(self, method: str, part: str) -> int:
        return sum(each == method and part in path for each, path in self.passed)

    def _fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self.passed.append((method, path))
            for fault in self._faults:
                if fault.times and fault.method == method and fault.part in path:
                    fault.times -= 1
                    return fault
        return None

    def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> requests.Response:
        # The server compares Origin and Referer with its own address.
        sent = {k: v.replace(self.site, self.upstream) for k, v in headers.items() if k.lower() not in HOP}
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method, self.upstream + path, headers=sent, data=body, allow_redirects=False, timeout=20
            )

    def _handler(proxy) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.close_connection = True
                fault = proxy._fault(self.command, self.path)
                if fault and fault.status:
                    return self.say(fault.status, fault.headers, fault.body)
                if fault and fault.meanwhile:
                    fault.meanwhile()
                try:
                    answer = proxy._forward(self.command, self.path, dict(self.headers), body)
                except requests.ConnectionError:
                    return self.say(502, {}, b"the server behind is gone")
                if fault and fault.hold_answer:
                    proxy._over.wait()
                if fault and (fault.lose_answer or fault.hold_answer):
                    return None
                return self.say(answer.status_code, answer.headers, answer.content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = pass_on  # noqa: N815

            def say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                with contextlib.suppress(ConnectionError):  # whoever asked has gone, or was killed
                    self._say(status, headers, body)

            def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: `passed` is the log."""

        return Handler
