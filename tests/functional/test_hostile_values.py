"""Every hostile value through the parts that take it in, and the parts that give it out."""

import base64
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.core.templates import render
from agent.model.check import CheckRules
from agent.model.inventory import Host, Login
from agent.model.observation import Answer as Found
from agent.model.observation import Observation, Verdict
from agent.model.performance_data import parse_plugin_output
from agent.model.text import one_line, printable_lines
from agent.plugin.api import CheckType, TicketSystem
from agent.plugin.probe import Probe
from agent.runtime.control.body import Line, Prose
from agent.runtime.interview import Interviewer, Put
from agent.runtime.placing import HostNames
from agent.runtime.redaction import Redactor
from agent.runtime.secrets import Secrets
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from agent.tickets.rest import RestTickets
from checks.command import Command
from checks.http import Http
from checks.prometheus import Prometheus
from checks.tcp import Tcp
from tests.functional.scripted_checks import HERE, Script
from tests.hostile import CORPUS, NOT_PRINTABLE, Hostile
from tests.neighbours import available
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.scripted_server import ScriptedServer, sends
from tests.neighbours.sshd import Sshd
from tests.plugins.ticket_updates import Given, update

each_value = pytest.mark.parametrize("hostile", CORPUS, ids=str)
each_text = pytest.mark.parametrize("hostile", [each for each in CORPUS if each.is_json], ids=str)
WORDS = 'set -- {{ vars.x }}; printf \'%s \' "$#"; printf %s "$1" | base64 -w0'
"""How many words the shell made of the value, and the first of them."""


def ask(check: CheckType, shells: Shells, host: Host = HERE) -> list[Observation]:
    """As the daemon asks it."""
    secrets = Secrets({}, {})
    rules = CheckRules.model_validate({"name": "c", "kind": check.kind, "timeout": "20s"})
    interviewer = Interviewer(shells, secrets, Redactor(secrets.seen))
    return list(interviewer.ask(Probe("c", host, check), rules, Put(0.0, 0.0), HostNames([host])).observations)


def assert_harmless(found: Sequence[Observation]) -> None:
    assert found
    for each in found:
        assert each.subject.isprintable()
        assert each.message.isprintable()
        assert len(each.subject) <= 300
        assert len(each.message) <= 2000


@pytest.fixture(scope="module")
def shells(sshd: Sshd) -> Shells:
    login = Login(
        address=sshd.address,
        port=sshd.port,
        user=sshd.user,
        key_file=str(sshd.client_key),
        known_hosts=str(sshd.known_hosts),
    )
    return Shells({"web1": login}, SshPool(), LocalShell())


WEB1 = Host(name="web1", address="127.0.0.1")


# ways in


@each_value
def test_what_a_check_of_any_kind_answers(hostile: Hostile, shells: Shells) -> None:
    def do(*_: object) -> list[Found]:
        return [Found({"value": 1.0}, Verdict.CRITICAL, hostile.text, hostile.text, hostile.text)]

    assert_harmless(ask(Script(do=do), shells))


@each_value
def test_what_a_command_prints_on_a_host(hostile: Hostile, shells: Shells, tmp_path: Path) -> None:
    printed = (
        hostile.text.encode(errors="surrogateescape" if hostile.name == "no text" else "strict")[:60_000]
        if hostile.name != "no text"
        else b"\xff\xfe \xed\xa0\x80 \xc3("
    )
    file = tmp_path / "printed"
    file.write_bytes(b"%s | '%s'=1;2;3 x=2s" % (printed, printed.replace(b"'", b"''")))
    for run in (f"cat {file}; exit 2", f"cat {file} >&2; exit 1", f"cat {file}; exit 77"):
        (found,) = ask(Command(run=run), shells, WEB1)
        assert_harmless([found])
        assert found.subject == "web1"


@each_text
def test_what_prometheus_answers(hostile: Hostile, shells: Shells, http_site: HttpSite) -> None:
    metric = {"__name__": hostile.text, "instance": hostile.text, hostile.text: "x", "n": hostile.text}
    value = [1.5, hostile.text]
    for vector in ([{"metric": metric, "value": [1, "7"]}], [{"metric": metric, "value": value}], hostile.text):
        said = {"status": "success", "data": {"resultType": "vector", "result": vector}, "warnings": [hostile.text]}
        http_site.answer("/api/v1/query", Answer(body=json.dumps(said)))
        for settings in ({}, {"subject": "instance"}, {"subject": ["n", "instance"]}):
            assert_harmless(ask(Prometheus.model_validate({"url": http_site.url, "query": "q", **settings}), shells))
    http_site.answer("/api/v1/query", Answer(400, body=json.dumps({"error": hostile.text})))
    assert_harmless(ask(Prometheus(url=http_site.url, query="q"), shells))


@each_value
def test_what_a_web_server_answers(hostile: Hostile, shells: Shells) -> None:
    raw = hostile.text.encode(errors="backslashreplace")[:60_000]
    header = raw.replace(b"\n", b"").replace(b"\r", b"")
    expect = {"body": "^fine$", "header": {"X-Said": "^fine$"}, "json": {"a.b": "fine"}}
    for head in (
        b"HTTP/1.1 302 %s\r\nLocation: %s\r\nX-Said: %s\r\nContent-Type: text/plain; charset=%s\r\n\r\n",
        b"%s",
    ):
        with ScriptedServer(sends(head % ((header,) * head.count(b"%s")), raw)) as server:
            settings = {"url": f"http://127.0.0.1:{server.port}/", "expect": expect}
            assert_harmless(ask(Http.model_validate(settings), shells))
            assert_harmless(ask(Tcp(port=server.port, send="x", expect="^fine$", host="127.0.0.1"), shells))


@each_value
def test_what_an_http_check_sends_is_sent_or_refused_in_words(
    hostile: Hostile, shells: Shells, http_site: HttpSite, caplog: pytest.LogCaptureFixture
) -> None:
    """Values of the inventory that a template has filled in."""
    http_site.answer("/", Answer())
    for settings in (
        {"headers": {"X-Said": hostile.text}},
        {"headers": {hostile.text or "x": "1"}},
        {"url": hostile.text},
    ):
        url = f"{http_site.url}/{settings.pop('url', '')}"
        (found,) = ask(Http.model_validate({"url": url, "expect": {"status": [200, 404]}, **settings}), shells)
        assert_harmless([found])
        assert "failed: " not in found.message, found.message
    assert not [record for record in caplog.records if record.exc_info]


@each_value
def test_performance_data_become_names_and_numbers_alone(hostile: Hostile) -> None:
    output = parse_plugin_output(
        f"fine|'{hostile.text}'=1 {hostile.text}=2;{hostile.text} {hostile.text}\n{hostile.text}|x=3s"
    )
    for name in output.readings:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-")
        assert len(name) <= 81


@each_text
def test_what_a_ticket_system_answers(hostile: Hostile, http_site: HttpSite) -> None:
    http_site.answer("/find", Answer(body=json.dumps({"all": []})))
    http_site.answer("/new", Answer(201, json.dumps({"id": hostile.text})), method="POST")
    tickets = described(http_site.url)
    said: list[str] = []
    try:
        ticket = tickets.create(update("INC-1"), Given())
        tickets.update(ticket, update("INC-1"), Given())
    except Exception as error:  # of which kind is asked elsewhere
        said.append(str(error))
    http_site.answer("/new", Answer(500, hostile.text), method="POST")
    with pytest.raises(Exception, match="500") as raised:
        tickets.create(update("INC-1"), Given())
    for text in (*said, str(raised.value)):
        assert text.isprintable()
        assert len(text) <= 1000
    for request in http_site.requests:
        assert request.path.split("?")[0] in ("/find", "/new") or request.path.startswith("/t/")
        assert ".." not in request.path.split("?")[0].split("/")


# ways out


def described(url: str) -> TicketSystem:
    return RestTickets.model_validate(
        {
            "url": url,
            "find": {"path": "/find", "query": {"q": "{{ id }}"}, "among": "all", "id": "id"},
            "create": {
                "path": "/new",
                "body": {"title": "{{ title }}", "about": "on {{ title }}: {{ text }}"},
                "id": "id",
            },
            "requests": {"tell": {"path": "/t/{{ ticket.id }}", "body": {"text": "{{ text }}"}}},
            "milestones": {"opened": ["tell"]},
        }
    )


@each_text
def test_a_ticket_gets_the_value_as_one_value(hostile: Hostile, http_site: HttpSite) -> None:
    http_site.answer("/new", Answer(201, '{"id": 1}'), method="POST")
    described(http_site.url).create(update("INC-1", text=hostile.text, title=hostile.text), Given())
    (sent,) = http_site.requests
    assert sent.json() == {"title": hostile.text, "about": f"on {hostile.text}: {hostile.text}"}


@each_text
def test_a_template_shows_a_value_and_does_not_render_it(hostile: Hostile) -> None:
    text = hostile.text[:5000]
    said = text.replace("\U000f5ec0", "").replace("\U000f5ec1", "")  # no value may refer to a secret
    assert render("<{{ vars.x }}>", {"vars": {"x": text}}, shell=False) == f"<{said}>"
    once = render("{{ vars.x }}", {"vars": {"x": text}}, shell=True)
    assert once == shlex.quote(said)


def commands(tmp_path: Path) -> list[tuple[str, Hostile, str, bytes]]:
    """Name of the shell, value, command, and what the command must print."""
    made = []
    for hostile in CORPUS:
        if hostile.is_json and "\0" not in hostile.text:
            value = hostile.of(tmp_path / "canary")[:60_000]
            command = render(WORDS, {"vars": {"x": value}}, shell=True)
            arrived = value.replace("\U000f5ec0", "").replace("\U000f5ec1", "")
            made.append((hostile.name, hostile, command, b"1 " + base64.b64encode(arrived.encode())))
    return made


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_in_a_shell_a_value_is_one_word_and_does_nothing(shell: str, tmp_path: Path) -> None:
    words = shell.split()
    available.require(
        words[0], None if shutil.which(words[0]) else "it is not installed", f"apt-get install -y {words[0]}"
    )
    for name, _, command, expected in commands(tmp_path):
        done = subprocess.run([*words, "-c", command], capture_output=True, timeout=60, cwd=tmp_path)
        assert done.stdout == expected, name
        assert list(tmp_path.iterdir()) == [], name


def test_on_a_host_a_value_is_one_word_and_does_nothing(shells: Shells, tmp_path: Path) -> None:
    for name, _, command, expected in commands(tmp_path):
        result = shells.run(WEB1, command, timeout=60, output_limit=200_000)
        assert result.stdout.encode() == expected, name
        assert list(tmp_path.iterdir()) == [], name


SAYS = """
import json, logging, sys
from agent.runtime.journal import start_journal

start_journal("info")
log = logging.getLogger("paramedic")
for text in json.load(sys.stdin):
    log.info("it said %s", text)
    log.warning(text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("it broke: %s", text)
"""


@pytest.mark.parametrize("environment", [{}, {"JOURNAL_STREAM": "8:1"}], ids=["people", "systemd"])
def test_in_the_journal_an_event_is_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    script = tmp_path / "says.py"
    script.write_text(SAYS)
    done = subprocess.run(
        [sys.executable, script],
        input=json.dumps([each.text for each in CORPUS]).encode(),
        capture_output=True,
        timeout=120,
        check=True,
        env={"PYTHONUTF8": "1", **environment},
    )
    lines = done.stderr.decode().split("\n")
    assert lines.pop() == ""
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 5000
    further = "<3>  | " if environment else "  | "
    events = [line for line in lines if not line.startswith(further)]
    assert len(events) == 3 * len(CORPUS)


@each_value
def test_texts_made_safe(hostile: Hostile) -> None:
    assert one_line(hostile.text).isprintable()
    assert len(one_line(hostile.text)) <= 300
    assert not NOT_PRINTABLE.search(printable_lines(hostile.text))


@each_text
def test_what_people_type_cannot_paint(hostile: Hostile) -> None:
    from pydantic import TypeAdapter, ValidationError

    for kind in (Line, Prose):
        try:
            taken = TypeAdapter(kind).validate_python(hostile.text)
        except ValidationError:
            continue  # too long, or nothing
        assert not NOT_PRINTABLE.search(taken)
        assert kind is Prose or taken.isprintable()
