"""What hosts and servers say: output of commands, HTTP answers, key files."""

import contextlib
import math
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from hypothesis import strategies as st

from agent.errors import CannotAsk, TicketError
from agent.model.command_result import CommandResult
from agent.model.incident import TicketRef
from agent.model.inventory import Host, Login
from agent.model.observation import Answer
from agent.model.performance_data import parse_plugin_output
from agent.model.text import one_line
from agent.plugin.api import CheckType
from agent.runtime.ledger import request
from agent.runtime.redaction import Redactor
from agent.runtime.ssh.failure import Failure
from agent.runtime.ssh.keys import KeyRing
from agent.runtime.ssh.known_hosts import KnownHostsFiles
from agent.steps.http import HttpStep
from agent.testing import LOCAL, FakeCheckPorts, FakeShell
from agent.tickets.rest import RestTickets
from checks.command import Command
from checks.http import Http
from checks.prometheus import Prometheus
from tests.fuzz import answers
from tests.fuzz.target import Feed, Target, pure
from tests.fuzz.words import PERFORMANCE_DATA, made_of, mostly
from tests.neighbours.scripted_server import ScriptedServer, sends
from tests.plugins.test_tickets_rest import DESCRIPTION
from tests.plugins.ticket_updates import Given, update


def _plugin_output(text: str) -> None:
    output = parse_plugin_output(text)
    for name, value in output.readings.items():
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.:/-]*", name), name
        assert not math.isnan(value)


def _sound(found: Answer) -> None:
    for text in (found.message, found.subject, found.host or ""):
        assert text == one_line(text)
    assert not any(math.isnan(value) for value in found.readings.values())


def _asked(check: CheckType, ports: FakeCheckPorts) -> None:
    try:
        found = check.ask(LOCAL, ports)
    except CannotAsk as error:
        assert str(error)
        return
    assert len({one.subject for one in found}) == len(found)
    for one in found:
        _sound(one)


def _command(result: CommandResult) -> None:
    shell = FakeShell({("localhost", "look"): result})
    _asked(Command(run="look"), FakeCheckPorts(shell=shell))


def _redacted(text: str) -> None:
    redactor = Redactor(lambda: {"hunter2-hunter2": "door"})
    assert "hunter2-hunter2" not in redactor.redact(text)


_OUTPUT = PERFORMANCE_DATA | made_of(
    *("password=", "token: ", "Authorization: Bearer ", "https://u:p@h/", "hunter2-", "hunter2-hunter2", "…", "'", '"'),
    *("-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----", "\n[9 bytes dropped]\n", "=", " ", "a"),
)
_MARK = "paramedic:0123456789abcdef"
_TOLD = made_of(
    *(f"\n{_MARK} ", f"\n{_MARK}\n", _MARK, "done ", "late ", "left ", "lost ", "refused ", "place ", "here\n", "\n"),
    *("0 ", "255 ", "9999 ", "boot-id", "/var/tmp/paramedic-1", "\n[12 bytes dropped]\n", "why not"),
    *("\n[" + "9" * 5000 + " bytes dropped]\n", "output"),
)


def _ledger_answer(output: tuple[str, str]) -> None:
    told = request.answer(CommandResult(0, *output), _MARK)
    assert told is None or (told.how in ("", "place", "done", "late", "left", "lost", "refused") and told.dropped >= 0)


_RESULTS = st.builds(CommandResult, st.sampled_from([0, 1, 2, 3, 4, 126, 127, 255, -9]), _OUTPUT, _OUTPUT)


@contextmanager
def _server(use: Callable[[str], None]) -> Iterator[Feed]:
    """A server that answers each request with the bytes it is fed with; `use`: asks the address it is given."""
    current = [b""]

    def script(connection: socket.socket, over: threading.Event) -> None:
        sends(current[0])(connection, over)

    with ScriptedServer(script) as server:

        def feed(content: bytes) -> None:
            current[0] = content
            use(f"http://127.0.0.1:{server.port}")

        yield feed


def _http_check(url: str) -> None:
    expect = {"status": [200, "3xx"], "body": "ok|é", "header": {"ETag": "1"}, "json": {"status.db": 1, "nodes.0": {}}}
    settings = {"url": url, "expect": expect, "json_value": "data.0.value", "follow_redirects": True}
    _asked(Http.model_validate(settings), FakeCheckPorts(timeout=5))


def _prometheus(url: str) -> None:
    for more in ({}, {"subject": ["instance"]}):
        _asked(Prometheus.model_validate({"url": url, "query": "up", **more}), FakeCheckPorts(timeout=5))


class _Ports(FakeCheckPorts):
    """What a step may use is among what a check may use."""


def _http_step(url: str) -> None:
    step = HttpStep.model_validate({"url": url, "expect": {"body": "ok"}})
    step.perform(Host(name="localhost"), _Ports(), timeout=5, sudo=False)


_SECRETS = Given(key="s3cr3t-key", password="s3cr3t-password")
_ROUNDUP = {"preset": "roundup", "basic": {"user": "agent", "password": "password"}}


@cache
def _systems(url: str) -> tuple[RestTickets, ...]:
    return tuple(RestTickets.model_validate({**description, "url": url}) for description in (DESCRIPTION, _ROUNDUP))


def _tickets(url: str) -> None:
    for system in _systems(url):
        acts: tuple[Callable[[], object], ...] = (
            lambda system=system: system.find("INC-1", _SECRETS),  # type: ignore[misc]
            lambda system=system: system.create(update("INC-1"), _SECRETS),  # type: ignore[misc]
            lambda system=system: system.update(TicketRef("1"), update("INC-1"), _SECRETS),  # type: ignore[misc]
        )
        for act in acts:
            try:
                act()
            except TicketError as error:
                assert "s3cr3t" not in str(error)
                assert error.retry_after is None or 0 <= error.retry_after <= 3600


_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIIvZkZQZkZQZkZQZkZQZkZQZkZQZkZQZkZQZkZQZkZQZ"
_KNOWN_HOSTS = made_of(
    *("web1", "[web1]:22", "*", "!web1", "?", "[", "web1,web2", "*a" * 30, "|1|", "|1|c2FsdA==|ZGlnZXN0|", "|", ","),
    *("@revoked ", "@cert-authority ", " ", "\t", "\n", "# ", "ssh-ed25519 ", "ssh-rsa ", _KEY, "====", "A"),
    most=20,
)
_KEY_FILES = made_of(
    *(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\n",
    ),
    *("-----END RSA PRIVATE KEY-----\n", "-----BEGIN EC PRIVATE KEY-----\n", "-----END EC PRIVATE KEY-----\n"),
    *(
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB\n",
        "Proc-Type: 4,ENCRYPTED\n",
        "MIIEpAIBAAKCAQEA\n",
        "AAAA\n",
    ),
    *("b3BlbnNzaC1rZXktdjEA\n", "/////\n", "=", "\n", " "),
)


@contextmanager
def _file(use: Callable[[Path], None]) -> Iterator[Feed]:
    """A file with the bytes that come; `use`: reads it."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    turn = [0]

    def feed(text: str) -> None:
        turn[0] += 1
        place = folder / str(turn[0])
        place.write_bytes(text.encode("utf-8", "surrogatepass"))
        place.chmod(0o600)
        try:
            use(place)
        finally:
            place.unlink()

    try:
        yield feed
    finally:
        shutil.rmtree(folder)


def _known_hosts(place: Path) -> None:
    login = Login(address="web1", known_hosts=str(place))
    for one in (login, replace(login, port=2222), replace(login, address="Wéb1")):
        assert isinstance(KnownHostsFiles().of(one).kinds, tuple)


def _key_file(place: Path) -> None:
    login = Login(address="web1", known_hosts="", key_file=str(place))
    for one in (login, replace(login, passphrase="word")):
        with contextlib.suppress(Failure):
            list(KeyRing(lambda name: name).offers(one))


TARGETS = (
    pure("plugin_output", PERFORMANCE_DATA, _plugin_output),
    pure("commands", _RESULTS, _command, examples=150),
    pure(
        "ledger_answers", st.tuples(mostly(_TOLD.map(f"\n{_MARK} done 0 boot\n".__add__), _TOLD), _TOLD), _ledger_answer
    ),
    pure("redaction", _OUTPUT, _redacted, examples=150),
    Target("http_checks", answers.HTTP, lambda: _server(_http_check), examples=150),
    Target("http_steps", answers.HTTP, lambda: _server(_http_step), examples=150),
    Target("prometheus", answers.FROM_PROMETHEUS, lambda: _server(_prometheus), examples=150),
    Target("tickets", answers.FROM_TICKETS, lambda: _server(_tickets), examples=100),
    Target("known_hosts", _KNOWN_HOSTS, lambda: _file(_known_hosts)),
    Target("key_files", _KEY_FILES, lambda: _file(_key_file), examples=150),
)
