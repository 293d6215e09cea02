"""HTTP with a deadline and a size for the whole answer, for checks, steps and ticket systems.

requests bounds each read, not their sum: a server that drips a byte a second keeps it for hours, in
the TLS handshake and the headers too. Here a timer shuts the connection down when the time is over.
"""

import errno
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from contextvars import ContextVar
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from pydantic import BaseModel, Field, model_validator
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from agent.errors import CannotAsk
from agent.model.authored import Authored, SecretName
from agent.model.text import one_line
from agent.plugin.api import Secrets
from agent.plugin.network import connect, say_failure, say_silence, timed_out

urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # who wrote `verify_tls: false` meant it

MIB = 2**20
_PIECE = 65536


class Deadline:
    """Cuts the connections it watches when `seconds` have passed. Raises CannotAsk on a machine without threads."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self._ends = time.monotonic() + seconds
        self._watched: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError as error:
            raise CannotAsk(f"no thread is left here to keep the time of a request: {error}") from None

    @property
    def left(self) -> float:
        """Seconds, never quite 0: a socket takes 0 as "do not block"."""
        return max(0.001, self._ends - time.monotonic())

    def watch(self, connection: socket.socket) -> None:
        """Keeps a duplicate, because TLS takes the descriptor over from the plain socket."""
        with self._lock:
            self._watched.append(connection.dup())
        if self.expired:
            self._cut()

    def _cut(self) -> None:
        self.expired = True
        with self._lock:
            for connection in self._watched:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # closed by the other side: nothing is left to cut

    def close(self) -> None:
        """Stops the timer; connections stay as they are."""
        self._timer.cancel()
        with self._lock:
            while self._watched:
                self._watched.pop().close()


_deadline: ContextVar[Deadline] = ContextVar("deadline of the request under way")


def _connect_watched(host: str, port: int) -> socket.socket:
    deadline = _deadline.get()
    try:
        connection = connect(host, port, deadline.left)
    except (BrokenPipeError, ConnectionResetError) as error:
        # urllib3 passes over these two, as a server may answer before it has read all; here there is no connection.
        raise ConnectionAbortedError(errno.ECONNABORTED, say_failure(error)) from error
    deadline.watch(connection)
    return connection


class _Answer(HTTPResponse):
    """As it comes in, byte by byte."""

    def _safe_read(self, amt: int) -> bytes:
        """urllib3 takes the size of a chunk as the server writes it, and -1 means all until the connection ends."""
        if amt < 0:
            raise HTTPException("a chunk of a negative size")
        read: bytes = super()._safe_read(amt)  # type: ignore[misc]
        return read


class _Connection(HTTPConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return _connect_watched(self._dns_host, self.port or 80)


class _TlsConnection(HTTPSConnection):
    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        return _connect_watched(self._dns_host, self.port or 443)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _BoundedAdapter(HTTPAdapter):
    """One attempt; the body is read here, so that every hop of a redirect is bounded as well."""

    def __init__(self, deadline: Deadline, body_limit: int) -> None:
        super().__init__(max_retries=0)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._deadline = deadline
        self._body_limit = body_limit

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        _refuse_unsendable(request)
        options |= {"stream": True, "timeout": self._deadline.left}
        token = _deadline.set(self._deadline)
        try:
            response = super().send(request, *args, **options)
            self._read(response)
        except (requests.RequestException, OSError) as error:
            if self._deadline.expired or timed_out(error):
                raise requests.Timeout(say_silence(self._deadline.seconds)) from None
            raise
        finally:
            _deadline.reset(token)
        return response

    def _read(self, response: requests.Response) -> None:
        body = bytearray()
        try:
            for piece in response.iter_content(_PIECE):
                body += piece
                if len(body) >= self._body_limit:
                    break
        finally:
            response.raw.close()
        if self._deadline.expired:  # without a Content-Length the cut looks like a proper end
            raise requests.Timeout(say_silence(self._deadline.seconds))
        del body[self._body_limit :]
        response._content = bytes(body)
        response._content_consumed = True  # type: ignore[attr-defined]


def _refuse_unsendable(request: requests.PreparedRequest) -> None:
    """Raises requests.InvalidHeader, as requests does for a line break; http.client would fail half on the way."""
    for name, value in request.headers.items():
        try:
            name.encode("ascii")
            value.encode("latin-1")
        except UnicodeEncodeError:
            shown = one_line(name, 80)
            raise requests.exceptions.InvalidHeader(f"the header {shown} cannot carry what is not Latin-1") from None


class BoundedSession(requests.Session):
    """A session for one exchange: `seconds` in all, at most `body_limit` bytes of body are kept.

    No retries. The environment is not read: a proxy variable or a .netrc must not redirect what is
    asked or add credentials nobody wrote down. A body longer than the limit is cut to exactly it.
    Raises requests.Timeout when the time is over, and CannotAsk when the fault is on our side.
    """

    def __init__(self, seconds: float, body_limit: int = MIB) -> None:
        super().__init__()
        self.trust_env = False
        self.max_redirects = 5
        self.headers["User-Agent"] = "paramedic"
        self._deadline = Deadline(seconds)
        self._bounded = _BoundedAdapter(self._deadline, body_limit)

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        """Always the bounded one, whatever a client library mounted."""
        if not str(url).lower().startswith(("http://", "https://")):
            raise requests.exceptions.InvalidSchema(f"not an http address: {url!r}")
        return self._bounded

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None for a Location that is no address: requests parses it even where redirects are not followed."""
        try:
            target = super().get_redirect_target(resp)
            if target is not None:
                _ = urlsplit(target).port  # raises for what is none
        except ValueError:
            return None
        return target

    def close(self) -> None:
        self._deadline.close()
        self._bounded.close()
        super().close()


class BasicLogin(Authored):
    """User name, and the name of the secret that holds the password."""

    user: str = Field(description="User name.")
    password: SecretName = Field(description="Name of the secret that holds the password.")


class HttpAccess(BaseModel):
    """Keys that every kind has which speaks HTTP."""

    basic: BasicLogin | None = Field(None, description="Log in with user name and password (HTTP Basic).")
    bearer: SecretName | None = Field(None, description="Log in with a bearer token: name of the secret that holds it.")
    verify_tls: bool = Field(True, description="Whether the server's certificate must be valid.")
    ca_file: str | None = Field(
        None, description="Absolute path of the certificates to trust instead of the usual ones (PEM)."
    )

    @model_validator(mode="after")
    def _one_login(self) -> "HttpAccess":
        if self.basic and self.bearer:
            raise ValueError("write `basic` or `bearer`, not both")
        return self

    def session(self, secrets: Secrets, seconds: float, body_limit: int = MIB) -> BoundedSession:
        """A session that is logged in. Raises UnknownSecret, and CannotAsk when `ca_file` is not there."""
        login = self._login(secrets)
        if self.ca_file and not Path(self.ca_file).is_file():
            raise CannotAsk(f"ca_file {self.ca_file} is not there")
        session = BoundedSession(seconds, body_limit)
        session.headers.update(login)
        session.verify = self.ca_file if self.ca_file and self.verify_tls else self.verify_tls
        return session

    def _login(self, secrets: Secrets) -> Mapping[str, str]:
        """The header; requests would take a password for Latin-1, RFC 7617 lets a server ask for UTF-8."""
        if self.bearer:
            return {"Authorization": f"Bearer {secrets.secret(self.bearer)}"}
        if self.basic:
            pair = f"{self.basic.user}:{secrets.secret(self.basic.password)}"
            return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return {}


def http_url(url: str) -> str:
    """Validator for an authored address; one with a template in it is taken as it is. Raises ValueError."""
    if not url.startswith(("http://", "https://", "{{")):
        raise ValueError(f"{url!r} is not a web address: write one such as http://{{{{ host.address }}}}:8080/healthz")
    if "@" in url.split("://", 1)[-1].split("/", 1)[0]:
        raise ValueError("a password in an address ends up in logs: use `basic: {user, password: SECRET-NAME}`")
    return url
