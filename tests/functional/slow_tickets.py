"""A ticket system over HTTP that takes its time with a new ticket: as long as the test wants."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class SlowTickets:
    """`filed`: external ids of the tickets, in order. `asked` is set when one is to be filed; `gate` lets it be."""

    def __init__(self) -> None:
        self.filed: list[str] = []
        self.asked = threading.Event()
        self.gate = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({"items": [{"id": number, "ext": ext} for number, ext in enumerate(site.filed, 1)]})

            def do_POST(self) -> None:
                wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                site.asked.set()
                site.gate.wait(60)
                site.filed.append(wanted["ext"])
                self._answer({"id": len(site.filed)})

            def _answer(self, content: Any) -> None:
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def description(self, **more: object) -> dict[str, object]:
        """What an author writes under `tickets:`."""
        return {
            "kind": "rest",
            "url": f"http://127.0.0.1:{self._server.server_port}",
            "find": {
                "path": "/tickets",
                "among": "items",
                "matching": {"ext": "{{ id }}"},
                "id": "id",
            },
            "create": {"path": "/tickets", "body": {"ext": "{{ id }}"}, "id": "id"},
            **more,
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
