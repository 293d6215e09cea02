"""What the tests of the command line and of the control API share."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from tests.functional.control_site import ControlSite, control_site


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What steps on this machine leave behind is left there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def _served() -> Iterator[ControlSite]:
    registry = CollectorRegistry()
    Counter("paramedic_decisions", "Decisions made.", registry=registry).inc(3)
    with control_site(registry) as site:
        yield site


@pytest.fixture
def site(_served: ControlSite) -> ControlSite:
    _served.control.__init__()  # type: ignore[misc]
    return _served
