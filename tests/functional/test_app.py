"""The parts put together: in which order they start, are exchanged and end.

Longer than 400 lines, for all of it stands on one `Place`.
"""

import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agent.app import App
from agent.cli.agent_client import AgentClient
from agent.cli.exits import Code, Failure
from agent.config.load import load
from agent.errors import ParamedicError
from agent.model.decision import Decision
from agent.model.execution import Outcome
from agent.runtime.control.told import default_store
from agent.runtime.service_manager import ServiceManager
from agent.runtime.store.store import Store
from tests.functional.control_site import paramedic, short_folder
from tests.functional.records import DIGEST, EXECUTION, STEP, opened
from tests.functional.slow_tickets import SlowTickets
from tests.functional.ssh_login import let_in, make_key
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

SOON = 30.0


@dataclass(frozen=True)
class Place:
    """A configuration without checks, and where its agent keeps things."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def socket(self) -> Path:
        return self.folder / "control.sock"

    @property
    def record(self) -> Path:
        return default_store(self.folder / "state")

    def write(self, log_level: str = "info", **sections: object) -> None:
        """JSON is YAML."""
        self.config.mkdir(exist_ok=True)
        agent = {"state_dir": str(self.folder / "state"), "socket": str(self.socket), "log_level": log_level}
        written = {"agent": agent, "teams": {"operations": {}}, "checks": {}, **sections}
        (self.config / "all.yaml").write_text(json.dumps(written))

    def app(self) -> App:
        return App(load(self.config), ServiceManager({}))

    @contextmanager
    def running(self) -> Iterator[App]:
        app = self.app()
        app.start()
        try:
            yield app
        finally:
            app.stop()

    def report(self, title: str) -> None:
        AgentClient([self.socket]).post("incidents", body={"title": title})

    def waiting_tickets(self) -> int:
        status = AgentClient([self.socket]).get("status")
        return int(status["tickets"]["waiting"])


def request_under_way() -> bool:
    """Whether the control API has begun with a request: it answers in threads that it makes for the first."""
    return any(each.name.startswith("AnyIO worker") for each in threading.enumerate())


@pytest.fixture
def place() -> Iterator[Place]:
    with short_folder() as folder:
        place = Place(folder)
        place.write()
        yield place


def test_an_agent_that_is_refused_its_socket_has_begun_nothing(place: Place) -> None:
    """systemd tries it again every two seconds, for ever."""
    with Store.open(place.record) as store:
        store.commit([opened(), Decision(commands=(STEP,), runbooks={DIGEST: "text"})], 1.0)
    place.socket.write_text("in the way")
    with pytest.raises(ParamedicError, match="in the way"):
        place.app().start()
    with Store.open(place.record) as store:
        assert [left.begun for left in store.unfinished_steps()] == [False]
        assert store.timeline() == []


def test_who_waits_for_a_check_when_the_agent_stops_is_told_why(place: Place) -> None:
    """It may hang for half a minute; nobody waits for that."""
    asked = place.folder / "asked"
    hangs = {"kind": "command", "run": f"touch {asked}; sleep 30", "every": "1h", "timeout": "25s"}
    place.write(checks={"hangs": hangs})
    told: list[Failure] = []

    def ask() -> None:
        try:
            AgentClient([place.socket]).post("checks", "hangs", "ask", body={"host": None})
        except Failure as failure:
            told.append(failure)

    with place.running():
        asking = threading.Thread(target=ask, daemon=True)
        until(asked.exists, within=SOON, what="the check is asked by its schedule")
        asking.start()
        until(request_under_way, within=SOON, what="somebody waits for it")
    asking.join(SOON)
    assert [(each.code, each.text) for each in told] == [
        (Code.NO, "the agent is stopping; what was asked may still be done")
    ]


def test_what_it_writes_is_its_own_whatever_the_umask(place: Place, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with place.running():
            place.report("the printer is on fire")
            with Store.open(place.record, read_only=True) as store:
                store.backup(tmp_path / "backups" / "copy.db")
            files = [path for path in place.record.parent.rglob("*") if path.is_file()]
            modes = {path.name: path.stat().st_mode & 0o777 for path in files}
            socket_mode = place.socket.stat().st_mode & 0o777
    finally:
        os.umask(before)
    assert {"paramedic.db", "paramedic.db-wal", "paramedic.db-shm", "paramedic.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes
    assert place.record.parent.stat().st_mode & 0o777 == 0o700
    assert socket_mode == 0o660
    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "backups" / "copy.db").stat().st_mode & 0o777 == 0o600


def test_what_others_could_read_is_closed_to_them_at_the_start(place: Place) -> None:
    """An older version, or a restore by hand, may have left it so."""
    with place.running():
        place.report("the printer is on fire")
        killed = {path.name: path.read_bytes() for path in place.record.parent.iterdir()}
    for name, content in killed.items():  # as one that was killed leaves it
        path = place.record.with_name(name)
        path.write_bytes(content)
        path.chmod(0o644)
    with place.running():
        modes = {path.name: path.stat().st_mode & 0o777 for path in place.record.parent.iterdir() if path.is_file()}
    assert set(modes.values()) == {0o600}, modes


def test_a_reload_that_is_refused_is_on_record_with_who_wanted_it(place: Place) -> None:
    with place.running() as app:
        place.write(colour="green", access={"viewer": "alice:"})
        assert not app.reload("alice").ok
        place.write(agent={"state_dir": str(place.folder / "elsewhere"), "socket": str(place.socket)})
        assert not app.reload("bob").ok
    with Store.open(place.record) as store:
        refused = [each.entry for each in store.timeline("agent") if each.entry.kind == "refused"]
    assert [each.actor for each in refused] == ["alice", "bob"]
    file = place.config / "all.yaml"
    assert refused[0].text.startswith(f"reload refused, nothing was changed: 2 problems, the first: {file}:1: ")
    assert refused[1].text == "reload refused, nothing was changed: agent.state_dir changed, which needs a restart"


def test_a_name_in_access_that_nobody_has_is_said_and_stops_nothing(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.write(access={"viewer": ["nobody-is-called-so", "root"], "commander": ["group:nor-so"]})
    with place.running():
        until(lambda: "there is no group nor-so" in caplog.text, within=SOON, what="a warning")
    warned = [each for each in caplog.messages if each.startswith("access.")]
    assert warned == [
        "access.viewer: there is no user nobody-is-called-so on this machine, so nobody has the role by that name",
        "access.commander: there is no group nor-so on this machine, so nobody has the role by that name",
    ]
    said = paramedic("check-config", str(place.config), "--json")
    assert said.code == 0
    assert json.loads(said.out)["warnings"] == warned


def test_a_ticket_filed_at_the_last_moment_is_on_record(place: Place) -> None:
    with SlowTickets() as tickets:
        place.write(tickets=tickets.description())
        with place.running():
            place.report("the printer is on fire")
            assert tickets.asked.wait(SOON)
            threading.Timer(7.0, tickets.gate.set).start()  # while the agent is stopping
        with Store.open(place.record) as store:
            incident = store.incident("INC-1")
            assert incident
            assert incident.ticket
            assert tickets.filed == ["INC-1"]


def test_a_reload_while_a_ticket_is_being_filed_does_not_file_another(place: Place) -> None:
    """The operator raises the time limit because the ticket system is slow."""
    with SlowTickets() as tickets:
        place.write(tickets=tickets.description(timeout="29s"))
        with place.running() as app:
            place.report("the printer is on fire")
            assert tickets.asked.wait(SOON)
            tickets.asked.clear()
            place.write(tickets=tickets.description(timeout="30s"))
            assert app.reload().ok
            place.report("so is the plotter")  # whose ticket is filed by the new description meanwhile
            assert tickets.asked.wait(SOON)
            tickets.gate.set()
            until(lambda: place.waiting_tickets() == 0, within=SOON, what="all tickets told")
        assert sorted(tickets.filed) == ["INC-1", "INC-2"]


def test_after_a_reload_without_tickets_one_with_them_tells_what_waits(place: Place) -> None:
    with SlowTickets() as tickets:
        tickets.gate.set()
        place.write()
        with place.running() as app:
            place.write(tickets=tickets.description())
            assert app.reload().ok
            place.report("the printer is on fire")
            until(lambda: tickets.filed == ["INC-1"], within=SOON, what="the ticket")
            place.write()
            assert app.reload().ok
            place.report("so is the plotter")
            place.write(tickets=tickets.description())
            assert app.reload().ok
            place.report("and the scanner")
            until(lambda: tickets.filed == ["INC-1", "INC-3"], within=SOON, what="the other ticket")


def test_asking_a_check_now_waits_for_every_host(place: Place) -> None:
    """One that is well at once must not pass for all."""
    hosts = {name: {"connection": "local"} for name in ("quick", "slow", "stuck")}
    gate = place.folder / "gate"
    script = (
        f"case {{{{ host.name }}}} in quick) echo fine; touch {gate};; "
        f"slow) while [ ! -e {gate} ]; do sleep 0.05; done; echo broken; exit 2;; *) sleep 20;; esac"
    )
    check = {"kind": "command", "on": [f"host:{name}" for name in hosts], "run": script, "every": "1h", "timeout": "2s"}
    place.write(hosts=hosts, checks={"service": check})
    with place.running():
        answer = AgentClient([place.socket]).post("checks", "service", "ask", body={"host": None})
    found = {one["subject"]: (one["verdict"], one["message"]) for one in answer["observations"]}
    assert found.pop("stuck")[0] == "UNKNOWN"
    assert found == {"quick": ("OK", "fine"), "slow": ("CRITICAL", "broken")}


def test_a_reload_takes_another_log_level(place: Place) -> None:
    """It is not among what the documentation says needs a restart."""
    root = logging.getLogger()
    before = root.level
    place.write(log_level="warning")
    try:
        with place.running() as app:
            place.write(log_level="debug")
            assert app.reload().ok
            assert root.level == logging.DEBUG
    finally:
        root.setLevel(before)


CRANKY = """
from agent.plugin.api import CheckType

class Cranky(CheckType):
    kind = "cranky"
    readings = None

    def model_post_init(self, context):
        raise LookupError("a defect of the plugin")

    def ask(self, target, ports):
        return []
"""

RELOADS = """
import sys
from pathlib import Path
from agent.app import App
from agent.config.load import load
from agent.runtime.service_manager import ServiceManager
config = Path(sys.argv[1])
app = App(load(config), ServiceManager({}))
app.start()
checks = config / "checks.yaml"
for kind in ("cranky", "broken"):
    checks.write_text("checks: {c: {kind: %s}}" % kind)
    reply = app.reload()
    print(reply.ok, reply.text.partition("\\n")[0])
checks.unlink()
print(app.reload().ok)
app.stop()
"""


def test_a_plugin_that_fails_while_the_configuration_is_read_ends_nothing(place: Place, tmp_path: Path) -> None:
    """SIGHUP is no reason to leave the hosts alone."""
    (tmp_path / "cranky.py").write_text(CRANKY)
    about = tmp_path / "cranky-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cranky\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[paramedic.checks]\ncranky = cranky:Cranky\nbroken = not_there:X\n")
    done = subprocess.run(
        [sys.executable, "-c", RELOADS, place.config],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cranky, broken, mended = done.stdout.splitlines()
    assert cranky.startswith("False nothing was changed: the configuration could not be read: LookupError"), cranky
    assert broken.startswith("False nothing was changed"), broken
    assert mended == "True"
    assert "a defect of the plugin" in done.stderr, "the journal has the traceback"


def test_an_act_that_was_not_begun_in_time_is_not_done_later(place: Place) -> None:
    """Whoever hears that does it once more, and it would be done twice."""
    client = AgentClient([place.socket])
    with place.running():
        other = sqlite3.connect(place.record, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        first = threading.Thread(target=lambda: _tolerant(place.report, "under way"), daemon=True)
        first.start()
        until(lambda: client.get("status")["commit_error"], within=SOON, what="the first cannot be committed")
        with pytest.raises(Failure, match="will not do it"):
            place.report("not begun")
        other.execute("ROLLBACK")
        other.close()
        until(lambda: client.get("status")["commit_error"] is None, within=SOON, what="it can be committed")
        place.report("afterwards")
        first.join(SOON)
        titles = sorted(each["title"] for each in client.get("incidents")["incidents"])
    assert titles == ["afterwards", "under way"]


def _tolerant(report: Callable[[str], None], title: str) -> None:
    with suppress(Failure):  # it may still be done, the agent says
        report(title)


def test_a_reload_without_its_socket_file_changes_what_it_should_and_ends_nothing(place: Place) -> None:
    """Somebody has cleared up in /run: those who are connected, and SIGHUP, go on."""
    with place.running() as app:
        place.socket.unlink()
        assert app.reload().ok
        assert app.reload().ok


def test_a_step_of_a_treatment_that_is_given_up_at_the_start_is_not_begun(place: Place) -> None:
    """Its runbook's text can no longer be read: the record says so and hands the incident to a person."""
    ran = place.folder / "ran"
    left = replace(STEP, host="localhost", local=True, sudo=False, params={"command": f"touch {ran}"})
    execution = replace(EXECUTION, runs=(replace(EXECUTION.runs[0], host="localhost", pending=left.id),))
    with Store.open(place.record) as store:
        store.commit(
            [opened(execution=execution), Decision(commands=(left,), runbooks={DIGEST: "nothing one can parse"})], 1.0
        )
    with place.running(), Store.open(place.record, read_only=True) as record:
        until(lambda: not record.unfinished_steps(), within=SOON, what="the step is settled")
        ended = record.execution(EXECUTION.id)
        assert ended
        assert ended.outcome is Outcome.OUTCOME_UNKNOWN
    assert not ran.exists()


def test_checks_that_look_at_processes_are_asked_in_one_pass(place: Place) -> None:
    """One reading of all processes then serves them all; by themselves they would be spread over seconds."""
    checks = {f"p{number}": {"kind": "process", "name": f"p{number}", "every": "10m"} for number in range(4)}
    place.write(checks=checks)
    with place.running():

        def asked_at() -> list[float]:
            seen = [one for check in AgentClient([place.socket]).get("checks")["checks"] for one in check["subjects"]]
            return [one["asked_at"] for one in seen if one["asked_at"] is not None]

        found = until(lambda: found if len(found := asked_at()) == 4 else [], within=SOON, what="all are asked")
    assert len(set(found)) == 1


def test_the_passphrase_of_a_key_is_a_secret_by_reference(place: Place, own_sshd: Sshd, tmp_path: Path) -> None:
    """Kept apart from the key, and read by the whole agent as by the pool alone."""
    key = make_key(tmp_path / "key", passphrase="open sesame")
    let_in(own_sshd, key)
    secret_file = tmp_path / "passphrase"
    secret_file.touch(mode=0o600)
    secret_file.write_text("open sesame\n")
    login = {"user": own_sshd.user, "port": own_sshd.port, "key_file": str(key), "passphrase": "site-key"}
    host = {"address": own_sshd.address, "login": {**login, "known_hosts": str(own_sshd.known_hosts)}}
    place.write(
        secrets={"site-key": {"file": str(tmp_path / "passphrase")}},
        hosts={"web1": host},
        checks={"up": {"kind": "command", "on": "host:web1", "run": "echo fine", "every": "1h", "timeout": "20s"}},
    )
    with place.running():
        answer = AgentClient([place.socket]).post("checks", "up", "ask", body={"host": None})
    assert [(one["verdict"], one["message"]) for one in answer["observations"]] == [("OK", "fine")]
