"""What a drill and the running agent say to each other, over the real control socket."""

import http.client
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from agent.drill.leave import Leave, given
from agent.model.observation import Verdict
from tests.functional.control_site import ControlSite, control_site
from tests.functional.fake_control import CHECKS
from tests.neighbours.waiting import until

_SOON = 30.0
_WELL = tuple(
    replace(check, subjects=tuple(replace(subject, status=Verdict.OK) for subject in check.subjects))
    for check in CHECKS
)


@pytest.fixture
def site() -> Iterator[ControlSite]:
    with control_site() as site:
        yield site


@pytest.fixture
def leave(site: ControlSite) -> Iterator[Leave]:
    """Given, for a check that is ill."""
    leave = Leave(site.socket, "DRILL-1", {"title": "down", "checks": ["web"], "hosts": ["web1"]})
    assert leave.begin()
    yield leave
    leave.end("the test is over")


def test_the_agent_is_made_to_ask_what_it_takes_for_ill(site: ControlSite, leave: Leave) -> None:
    waiting = threading.Thread(target=leave.wait_until_well, args=[_SOON], daemon=True)
    waiting.start()
    until(lambda: "web" in site.control.asked, within=_SOON / 2, what="the agent is asked to ask")
    assert waiting.is_alive()
    site.control.checks_now = _WELL
    waiting.join(_SOON / 2)
    assert not waiting.is_alive()
    assert set(site.control.asked) == {"web"}


def test_a_refusal_to_ask_is_said_once_and_waited_out(
    site: ControlSite, leave: Leave, caplog: pytest.LogCaptureFixture
) -> None:
    site.control.busy = True
    leave.wait_until_well(2.5)
    said = [record.message for record in caplog.records if "does not ask web now" in record.message]
    assert said == ["the running agent does not ask web now: the agent has not answered in time"]


def test_an_agent_that_cannot_tell_has_not_said_that_nothing_has_leave(site: ControlSite) -> None:
    assert given(site.socket) == {}
    site.control.broken = True
    with pytest.raises(http.client.HTTPException, match="it answered 500"):
        given(site.socket)
