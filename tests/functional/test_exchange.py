"""One request to a control socket, and what becomes of answers that are none."""

import http.client
import socket
import threading

import pytest

from agent.runtime.control.exchange import exchange

_SOON = 20.0


def test_an_answer_that_breaks_off_is_none() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{"exercises": []}')
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(http.client.IncompleteRead, match="17 bytes read, 13 more expected"):
            exchange(ours, "GET", ["status"], within=_SOON)


def test_it_waits_no_longer_than_it_is_told() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        end = threading.Timer(_SOON, theirs.shutdown, [socket.SHUT_RDWR])
        end.start()
        with pytest.raises(TimeoutError):
            exchange(ours, "GET", ["status"], within=0.2)
        end.cancel()


@pytest.mark.parametrize(("body", "sent"), [({}, b"{}"), ({"host": None}, b'{"host": null}'), (None, b"")])
def test_an_empty_body_is_a_body(body: dict[str, object] | None, sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        assert exchange(ours, "POST", ["checks", "a b", "ask"], body=body, within=_SOON) == (200, b"{}")
        head, _, content = theirs.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/checks/a%20b/ask HTTP/1.1\r\n")
    assert content == sent
