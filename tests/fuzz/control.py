"""What anybody on the machine may send to the control socket: every route of its own description, and bytes."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from agent.model.access import Access
from agent.runtime.control.api import control_api
from agent.runtime.control.roles import Roles
from tests.functional.control_request import request
from tests.functional.control_site import control_site
from tests.functional.fake_control import FakeControl
from tests.fuzz.answers import JSON
from tests.fuzz.target import Feed, Target
from tests.fuzz.words import ODD, mostly

_DESCRIBED: dict[str, Any] = control_api(FakeControl(), Roles(Access(), Path())).openapi()
_ROUTES = [(path, method.upper()) for path, methods in _DESCRIBED["paths"].items() for method in methods]
_FIELDS = sorted({name for one in _DESCRIBED["components"]["schemas"].values() for name in one.get("properties", {})})
_ROUTE_DESCRIPTIONS = [one for path in _DESCRIBED["paths"].values() for one in path.values()]
_QUERY = sorted({each["name"] for one in _ROUTE_DESCRIPTIONS for each in one.get("parameters", ())})

_WORDS = st.sampled_from(["INC-12", "RUN-7", "web", "web1", "shop", "P1", "high", "yes", "\ud800", "x" * 30_000, *ODD])
_VALUES: SearchStrategy[Any] = st.one_of(
    *(_WORDS, st.booleans(), st.floats(), st.integers(), st.just(10**400), st.lists(_WORDS, max_size=3)),
    *(st.dictionaries(_WORDS, _WORDS | st.floats(), max_size=3), JSON),
)
_BODIES = mostly(
    st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=5).map(lambda body: json.dumps(body).encode()),
    JSON.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=40) | st.just(b"[" * 100_000),
)
_TARGETS = st.builds(
    lambda route, words, query: (
        route[1],
        "/".join(quote(words.pop(0), safe="") if part.startswith("{") else part for part in route[0].split("/"))
        + ("?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items()) if query else ""),
    ),
    st.sampled_from(_ROUTES),
    st.lists(_WORDS.filter(lambda word: word.isprintable() and 0 < len(word) < 100), min_size=2, max_size=2),
    st.dictionaries(st.sampled_from(_QUERY), _WORDS.filter(str.isprintable) | st.floats() | st.integers(), max_size=3),
)
_PIECES = (
    *(b"GET ", b"POST ", b"/v1/status", b"/v1/freeze", b" HTTP/1.1", b"\r\n", b"Host: x\r\n", b"\x00", b"\xff"),
    *(b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"zz\r\n", b"0\r\n\r\n"),
    *(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Expect: 100-continue\r\n", b"paramedic-for: root\r\n"),
    *(b"{}", b"a" * 70_000),
)
_RAW = st.lists(st.sampled_from(_PIECES), max_size=10).map(b"".join)


def _sent(place: Path, content: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(place))
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        except (BrokenPipeError, ConnectionResetError):  # it has heard enough
            return
    assert b" 500 " not in answer.split(b"\r\n")[0]


@contextmanager
def _served() -> Iterator[Feed]:
    with control_site() as site:

        def feed(sent: Any) -> None:
            site.control.acts.clear()
            if isinstance(sent, bytes):
                _sent(site.socket, sent)
                return
            (method, target), body = sent
            status, answer = request(site.socket, method, target, content=body if method != "GET" else None)
            assert status < 500, (status, answer)
            assert status < 400 or set(answer) >= {"error"}, answer
            for _, act in site.control.acts:
                # All of it can be kept in the record.
                json.dumps(asdict(act), allow_nan=False, ensure_ascii=False).encode()

        yield feed


TARGETS = (Target("control", mostly(st.tuples(_TARGETS, _BODIES), _RAW), _served, examples=150),)
