"""From a login to an authenticated transport: TCP or tunnel, key exchange, host key, our key; one deadline for all."""

import contextlib
import logging
import socket
from dataclasses import dataclass
from typing import Any

import paramiko

from agent.errors import HostUnreachable, LoginRefused
from agent.model.inventory import Login
from agent.plugin.resolver import resolve
from agent.runtime.ssh.deadline import Deadline
from agent.runtime.ssh.failure import Failure
from agent.runtime.ssh.keys import KeyRing
from agent.runtime.ssh.known_hosts import KnownHostsFiles, fingerprint
from agent.runtime.ssh.wire import Transport, Wire, tune

log = logging.getLogger("paramedic.ssh")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom we believe, and what we show: shared by all connections, each file parsed once."""

    keys: KeyRing
    known_hosts: KnownHostsFiles


def connect(login: Login, trust: Trust, tunnel: paramiko.Channel | None) -> Transport:
    """An authenticated connection within login.connect_timeout, over `tunnel` where the login has a jump host.

    Raises Failure of kind HostUnreachable, HostKeyUnknown, HostKeyChanged or LoginRefused.
    """
    deadline = Deadline(login.connect_timeout)
    host_keys = trust.known_hosts.of(login)
    wire = Wire(tunnel or _tcp(login, deadline))
    transport = Transport(wire, host_keys.kinds)
    transport.name = f"ssh {login.address}:{login.port}"
    try:
        _shake_hands(transport, login, deadline)
        host_keys.verify(transport.get_remote_server_key())
        _log_in(transport, login, trust.keys, deadline)
    except BaseException:
        transport.close()
        wire.close()  # close() of a transport that has ended by itself does nothing
        raise
    log.debug("connected to %s port %d as %s", login.address, login.port, login.user)
    return transport


def _tcp(login: Login, deadline: Deadline) -> socket.socket:
    """Each address of a name gets an equal share of the time that is left."""
    where = f"{login.address} port {login.port}"
    try:
        addresses = resolve(login.address, login.port, deadline.left())
    except TimeoutError as error:
        text = f"{login.address} does not resolve within {deadline.seconds:g} s: no answer from the name server"
        raise Failure(HostUnreachable, text) from error
    except (OSError, UnicodeError) as error:
        raise Failure(HostUnreachable, f"{login.address} does not resolve: {error}") from error
    trouble: OSError | None = None
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            return _opened(family, kind, protocol, address, deadline.left() / (len(addresses) - tried))
        except OSError as error:
            trouble = error
    if trouble is None or isinstance(trouble, TimeoutError):
        raise Failure(HostUnreachable, f"{where} does not answer within {deadline.seconds:g} s") from trouble
    raise Failure(HostUnreachable, f"{where}: {(trouble.strerror or str(trouble)).lower()}") from trouble


def _opened(family: int, kind: int, protocol: int, address: Any, seconds: float) -> socket.socket:
    """Raises OSError, also when this machine has no descriptor left."""
    connection = socket.socket(family, kind, protocol)
    try:
        tune(connection)
        connection.settimeout(max(seconds, 0.001))
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _shake_hands(transport: Transport, login: Login, deadline: Deadline) -> None:
    """Greeting and key exchange. paramiko's start_client returns normally when its timeout has passed."""
    where = f"{login.address} port {login.port}"
    transport.banner_timeout = deadline.seconds
    try:
        transport.start_client(timeout=deadline.left())
    except RuntimeError as error:
        raise Failure(HostUnreachable, f"no thread is left here for a connection to {where}: {error}") from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Failure(HostUnreachable, f"{where} does not complete an SSH handshake: {_reason(error)}") from error
    if not transport.initial_kex_done:
        raise Failure(HostUnreachable, f"{where} accepts connections, but no SSH within {deadline.seconds:g} s")


def _log_in(transport: Transport, login: Login, keys: KeyRing, deadline: Deadline) -> None:
    refused: list[str] = []
    with contextlib.closing(keys.offers(login)) as offers:
        for source, key in offers:
            transport.auth_timeout = deadline.left()
            refused.append(f"{source} ({fingerprint(key)})")
            try:
                wanted = transport.auth_publickey(login.user, key)
            except paramiko.BadAuthenticationType as error:
                raise Failure(
                    LoginRefused,
                    f"the host lets nobody in by key as {login.user}, only by {', '.join(error.allowed_types)}",
                ) from error
            except (paramiko.SSHException, EOFError, OSError) as error:
                if deadline.passed:
                    text = f"{login.address} port {login.port} does not finish the login within {deadline.seconds:g} s"
                    raise Failure(HostUnreachable, text) from error
                if transport.is_active() and isinstance(error, paramiko.AuthenticationException):
                    continue
                raise _hung_up(login, refused, error) from error
            if wanted:
                raise Failure(
                    LoginRefused, f"a key is not enough for {login.user}, the host also wants {', '.join(wanted)}"
                )
            return
    raise Failure(LoginRefused, f"the host does not accept for {login.user}: {_listed(refused)}")


def _hung_up(login: Login, offered: list[str], error: Exception) -> Failure:
    """On the first key: it may be going down. On a later one: sshd allows only so many (MaxAuthTries)."""
    kind = HostUnreachable if len(offered) == 1 else LoginRefused
    text = f"the login of {login.user} at {login.address} broke off at {_listed(offered)}: {_reason(error)}"
    return Failure(kind, text)


def _listed(sources: list[str]) -> str:
    return ", ".join(sources)


def _reason(error: Exception) -> str:
    return str(error).strip().rstrip(".") or "it hung up"
