"""Who may do what: roles of the control socket, tried by processes of other users over the real socket."""

import grp
import os
import pwd
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry

from agent.cli.exits import Code
from agent.model.access import Access, Role
from agent.runtime.accounts import Account, account
from agent.runtime.control.admission import Takes
from agent.runtime.control.api import control_api
from agent.runtime.control.peer import Peer
from agent.runtime.control.port import AgentBusy
from agent.runtime.control.roles import Roles
from agent.runtime.control.server import ControlServer
from tests.functional.control_request import Person, open_to_all, request, requests_as
from tests.functional.control_site import ControlSite, short_folder
from tests.functional.fake_control import FakeControl
from tests.neighbours import available
from tests.neighbours.waiting import until

_WITHIN = 30

TAKES = {
    ("GET", "/metrics"): Role.VIEWER,
    ("GET", "/v1/checks"): Role.VIEWER,
    ("GET", "/v1/incidents"): Role.VIEWER,
    ("GET", "/v1/openapi.json"): Role.VIEWER,
    ("GET", "/v1/records/verify"): Role.VIEWER,
    ("GET", "/v1/runbooks"): Role.VIEWER,
    ("GET", "/v1/status"): Role.VIEWER,
    ("GET", "/v1/stories/{about}"): Role.VIEWER,
    ("GET", "/v1/activations"): Role.VIEWER,
    ("GET", "/v1/activations/{activation}"): Role.VIEWER,
    ("GET", "/v1/activations/{activation}/review"): Role.VIEWER,
    ("GET", "/v1/plans"): Role.VIEWER,
    ("GET", "/v1/resources"): Role.VIEWER,
    ("POST", "/v1/activations/{activation}/acknowledge"): Role.RESPONDER,
    ("POST", "/v1/activations/{activation}/review"): Role.RESPONDER,
    ("POST", "/v1/activations/{activation}/tick"): Role.RESPONDER,
    ("POST", "/v1/approvals/{about}"): Role.RESPONDER,
    ("POST", "/v1/checks/{name}/ask"): Role.RESPONDER,
    ("POST", "/v1/executions"): Role.RESPONDER,
    ("POST", "/v1/incidents"): Role.RESPONDER,
    ("POST", "/v1/incidents/{incident}/acknowledge"): Role.RESPONDER,
    ("POST", "/v1/incidents/{incident}/assign"): Role.RESPONDER,
    ("POST", "/v1/incidents/{incident}/close"): Role.RESPONDER,
    ("POST", "/v1/incidents/{incident}/escalate"): Role.RESPONDER,
    ("POST", "/v1/incidents/{incident}/note"): Role.RESPONDER,
    ("POST", "/v1/incidents/{incident}/reopen"): Role.RESPONDER,
    ("POST", "/v1/incidents/{incident}/resolve"): Role.RESPONDER,
    ("POST", "/v1/activations/{activation}/stand-down"): Role.COMMANDER,
    ("GET", "/v1/drills"): Role.VIEWER,
    ("POST", "/v1/drills"): Role.COMMANDER,
    ("POST", "/v1/drills/abort"): Role.COMMANDER,
    ("POST", "/v1/exercises/{exercise}"): Role.COMMANDER,
    ("POST", "/v1/exercises/{exercise}/end"): Role.COMMANDER,
    ("POST", "/v1/freeze"): Role.COMMANDER,
    ("POST", "/v1/plans/{plan}/activate"): Role.COMMANDER,
    ("POST", "/v1/reload"): Role.COMMANDER,
    ("POST", "/v1/unfreeze"): Role.COMMANDER,
}


def taken_by(app: FastAPI) -> dict[tuple[str, str], Role]:
    """Method and path of every route, and the role that it declares. AssertionError for one that declares none."""
    taken: dict[tuple[str, str], Role] = {}
    for route in iter_route_contexts(app.routes):
        roles = {each.call.role for each in route.dependant.dependencies if isinstance(each.call, Takes)}
        assert len(roles) == 1, f"{route.path} declares no role, or several"
        for method in route.methods or ():
            taken[method, str(route.path)] = next(iter(roles))
    return taken


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return control_api(FakeControl(), Roles(Access(), tmp_path), CollectorRegistry())


def test_every_route_says_the_role_that_it_takes(app: FastAPI) -> None:
    assert taken_by(app) == TAKES


def test_a_route_that_says_none_would_be_noticed(app: FastAPI) -> None:
    @app.get("/v1/secrets")
    def secrets() -> str:
        return ""

    with pytest.raises(AssertionError, match="/v1/secrets declares no role"):
        taken_by(app)


# over the socket, by processes of other users

NOBODY = Person(65534, 54321)
STRANGER = Person(54321, 54321)
NOTE = ("POST", "/v1/incidents/INC-12/note", {"text": "hi"})
RUN = ("POST", "/v1/executions", {"runbook": "restart-web", "hosts": ["web1"]})
OVERRIDE = ("POST", "/v1/executions", {"runbook": "restart-web", "hosts": ["web1"], "override": "I know better"})
YES = ("POST", "/v1/approvals/INC-12", {"yes": True})
PLANS_YES = ("POST", "/v1/approvals/PLAN-1", {"yes": True})
FREEZE = ("POST", "/v1/freeze", {"reason": "fire"})
LOOK = ("GET", "/v1/status", None)
TRIED = (LOOK, NOTE, RUN, OVERRIDE, FREEZE, ("POST", "/v1/reload", None))


@pytest.fixture(autouse=True)
def _root(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("root"):
        why_not = None if os.geteuid() == 0 else "only root may become another user"
        available.require("callers of other users", why_not, "sudo make test")


@contextmanager
def served(access: Access | None) -> Iterator[ControlSite]:
    """A socket that all may open, so that roles alone decide."""
    with short_folder() as folder:
        site = ControlSite(FakeControl(), folder / "run" / "control.sock")
        server = ControlServer(site.control, site.socket, access)
        server.start()
        try:
            open_to_all(site.socket)
            yield site
        finally:
            assert server.stop(10.0)


@pytest.mark.root
def test_only_a_commander_answers_for_an_emergency_plan() -> None:
    """That she holds the role in the plan as well is the plan's matter."""
    with served(Access(responder=("nobody",))) as site:
        assert [status for status, _ in requests_as(NOBODY, site.socket, YES, PLANS_YES)] == [200, 403]
    with served(Access(commander=("nobody",))) as site:
        assert [status for status, _ in requests_as(NOBODY, site.socket, YES, PLANS_YES)] == [200, 200]


@pytest.mark.root
@pytest.mark.parametrize(
    ("access", "answers"),
    [
        (Access(viewer=("nobody",)), [200, 403, 403, 403, 403, 403]),
        (Access(responder=("nobody",)), [200, 200, 200, 403, 403, 403]),
        (Access(commander=("nobody",)), [200, 200, 200, 200, 200, 200]),
        (Access(viewer=("nobody",), commander=("65534",)), [200, 200, 200, 200, 200, 200]),
        (Access(viewer=("root",)), [403, 403, 403, 403, 403, 403]),
        (None, [403, 403, 403, 403, 403, 403]),
    ],
    ids=["viewer", "responder", "commander", "the highest counts", "somebody else", "by default"],
)
def test_a_role_allows_what_it_is_for_and_no_more(access: Access | None, answers: list[int]) -> None:
    with served(access) as site:
        assert [status for status, _ in requests_as(NOBODY, site.socket, *TRIED)] == answers
        acts = [who for who, _ in site.control.acts]
    assert acts == ["nobody"] * answers[1:-1].count(200)


@pytest.mark.root
def test_groups_count_be_they_written_by_name_or_by_number() -> None:
    group = grp.getgrgid(pwd.getpwnam("daemon").pw_gid).gr_name
    with served(Access(viewer=("group:54321",), responder=(f"group:{group}",))) as site:
        daemon = Person(pwd.getpwnam("daemon").pw_uid, 54399)  # by the user database, whatever his process says
        assert requests_as(daemon, site.socket, NOTE)[0][0] == 200
        assert [status for status, _ in requests_as(STRANGER, site.socket, LOOK, NOTE)] == [200, 403]


@pytest.mark.root
def test_by_default_the_group_of_the_socket_are_responders() -> None:
    with served(None) as site:
        in_group = Person(65534, site.socket.stat().st_gid)
        assert [status for status, _ in requests_as(in_group, site.socket, *TRIED)] == [200, 200, 200, 403, 403, 403]


@pytest.mark.root
def test_the_kernel_says_who_acts_and_a_claim_of_others_is_not_believed() -> None:
    with served(Access(responder=("nobody", "54321"))) as site:
        for person in (NOBODY, STRANGER):
            requests_as(person, site.socket, NOTE, claim="root")
        assert [who for who, _ in site.control.acts] == ["nobody", "uid 54321"]


@pytest.mark.root
def test_a_refusal_says_which_role_is_needed_who_has_it_and_what_yours_is() -> None:
    with served(Access(viewer=("nobody",), responder=("alice", "group:ops"))) as site:
        [(_, told)] = requests_as(NOBODY, site.socket, NOTE)
        [(_, to_a_stranger)] = requests_as(STRANGER, site.socket, LOOK)
    assert told == {
        "error": "to note INC-12 takes the role responder, and nobody is a viewer. "
        "Responder: alice, group:ops. Commander: root.",
        "user": "nobody",
        "role": "viewer",
        "needs": "responder",
    }
    assert (
        "takes the role viewer, and uid 54321 has no role. Viewer: nobody. Responder: alice" in to_a_stranger["error"]
    )
    assert to_a_stranger["role"] is None


@pytest.mark.root
def test_refused_acts_are_recorded_but_nobody_can_flood_the_record(caplog: pytest.LogCaptureFixture) -> None:
    with served(Access(viewer=("nobody",))) as site:
        notes = [("POST", f"/v1/incidents/INC-{number}/note", {"text": "hi"}) for number in range(100)]
        requests_as(NOBODY, site.socket, FREEZE, FREEZE, *notes, LOOK)
        requests_as(STRANGER, site.socket, *[LOOK] * 30)
        assert site.control.refusals[0] == (
            "nobody",
            "refused to freeze: it takes the role commander, and nobody is a viewer",
        )
        assert site.control.refusals[1][1].endswith("nobody is a viewer (and 1 more refusals before)")
        assert len(site.control.refusals) == 5
        for uid in range(54400, 54405):
            requests_as(Person(uid, uid), site.socket, FREEZE, NOTE, RUN, *notes[:5])
        assert [who for who, _ in site.control.refusals].count("uid 54400") == 5, "nobody's do not hide his"
        assert len(site.control.refusals) == 20
        looks = [line for line in caplog.messages if line.startswith("uid 54321: refused")]
        assert looks == ["uid 54321: refused to see status: it takes the role viewer, and uid 54321 has no role"]


# what does not need another user


def test_whom_all_belongs_to_is_a_commander_whatever_is_written(site: ControlSite, tmp_path: Path) -> None:
    me = Roles(Access(viewer=("alice",)), tmp_path).of(Peer(os.getpid(), os.geteuid(), os.getegid()))
    assert me.role is Role.COMMANDER
    assert Roles(Access(), tmp_path).of(Peer(1, 0, 0)).role is Role.COMMANDER
    assert request(site.socket, "GET", "/v1/status")[1]["you"] == {"user": me.user, "role": "commander"}


def test_a_user_database_that_hangs_holds_up_nobody_for_long_nor_root_at_all(tmp_path: Path) -> None:
    answers, asked = threading.Event(), []

    def hangs(uid: int, gid: int) -> Account:
        asked.append(uid)
        answers.wait(_WITHIN)
        return account(uid, gid)

    roles = Roles(Access(viewer=("65534",)), tmp_path, hangs)
    try:
        with pytest.raises(AgentBusy, match="slow to say who uid 65534 is"):
            roles.of(Peer(1, 65534, 65534))
        assert roles.of(Peer(1, 0, 0)).role is Role.COMMANDER
        waiting = [
            threading.Thread(target=_tolerant, args=(roles, 60_000 + number), daemon=True) for number in range(20)
        ]
        for each in waiting:
            each.start()
        for each in waiting:
            each.join(_WITHIN)
        assert len(asked) == 8, "so many threads may hang"
    finally:
        answers.set()
    until(lambda: _role(roles, 65534) is Role.VIEWER, within=_WITHIN, what="it answers again")
    before = len(asked)
    assert _role(roles, 65534) is Role.VIEWER
    assert len(asked) == before, "asked anew although it has just answered"


def _tolerant(roles: Roles, uid: int) -> None:
    try:
        roles.of(Peer(1, uid, uid))
    except AgentBusy:
        return


def _role(roles: Roles, uid: int) -> Role | None:
    try:
        return roles.of(Peer(1, uid, uid)).role
    except AgentBusy:
        return None


def test_the_command_has_an_exit_code_for_it() -> None:
    assert Code.NOT_ALLOWED == 5
