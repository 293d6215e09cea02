"""Steps that go nowhere near a shell: what becomes of them in a drill, seen by the server they would have asked."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from agent.drill.fence import Fence, NoShell
from agent.drill.steps import fenced, recorded_only
from agent.model.execution import StepOutcome, StepStatus
from agent.model.inventory import Host
from agent.model.runbook import Action
from agent.plugin.api import Performed
from agent.runtime.ports import Ports
from agent.runtime.secrets import Secrets
from tests.neighbours.http_site import Answer, HttpSite

WEB1 = Host(name="web1", address="127.0.0.1")
DB1 = Host(name="db1", address="127.0.0.2")


@pytest.fixture
def server() -> Iterator[HttpSite]:
    with HttpSite() as server:
        server.answer("/restart", Answer(200), method="POST")
        yield server


def performed(kind: type[Action], **params: object) -> StepOutcome:
    action: BaseModel = kind.model_validate(params)
    assert isinstance(action, Performed)
    return action.perform(WEB1, Ports(NoShell(), Secrets({})), timeout=10, sudo=False)


def asks(server: HttpSite, address: str = "127.0.0.1") -> dict[str, object]:
    return {"url": f"http://{address}:{urlsplit(server.url).port}/restart", "method": "POST"}


def test_a_request_to_a_host_that_may_be_touched_is_sent(server: HttpSite) -> None:
    fence = Fence(("web1",), 1, lambda text: None)
    outcome = performed(fenced(fence, {"web1": WEB1, "db1": DB1})("http"), **asks(server))
    assert outcome.status is StepStatus.OK, outcome
    assert len(server.requests) == 1
    assert fence.touched == ("web1",)


def test_a_request_to_another_is_not(server: HttpSite) -> None:
    """Also where the step is one of a host that may be."""
    fence = Fence(("db1",), 1, lambda text: None)
    outcome = performed(fenced(fence, {"web1": WEB1, "db1": DB1})("http"), **asks(server))
    assert outcome.status is StepStatus.REFUSED
    assert outcome.message.startswith("no request is sent to 127.0.0.1")
    assert server.requests == []


def test_what_the_name_of_a_host_leads_to_is_not_taken_for_the_host(server: HttpSite) -> None:
    """The inventory says where the host is; a name server may say something else."""
    elsewhere = Host(name="localhost", address="192.0.2.1")
    fence = Fence(("localhost",), 1, lambda text: None)
    outcome = performed(fenced(fence, {"localhost": elsewhere})("http"), **asks(server, "localhost"))
    assert outcome.status is StepStatus.REFUSED
    assert server.requests == []


def test_nothing_is_sent_once_the_drill_is_being_rolled_back(server: HttpSite) -> None:
    fence = Fence(("web1",), 1, lambda text: None)
    assert fence.shut("the drill is over", 0.0)
    outcome = performed(fenced(fence, {"web1": WEB1})("http"), **asks(server))
    assert outcome.status is StepStatus.REFUSED
    assert server.requests == []


def test_nothing_is_sent_in_a_simulated_drill(server: HttpSite) -> None:
    outcome = performed(recorded_only("http"), **asks(server))
    assert outcome.status is StepStatus.OK
    assert "not done, because the drill is simulated" in outcome.message
    assert server.requests == []
