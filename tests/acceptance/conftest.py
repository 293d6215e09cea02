"""Fixtures of the acceptance tests: a site to configure, and the daemon on it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site
from tests.neighbours.notify_socket import NotifySocket


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.open_gate()  # whatever still waits there may end
    site.ledger.unlink(missing_ok=True)


@pytest.fixture
def daemon(site: Site) -> Iterator[Daemon]:
    """Not started yet: the test writes its configuration first."""
    daemon = Daemon(site)
    yield daemon
    daemon.clean_up()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A small web server on this machine, to break and to restart by a command."""
    with Web(tmp_path / "web") as web:
        yield web


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[NotifySocket]:
    """What systemd would hear of a daemon that is given this socket."""
    with contextlib.closing(NotifySocket(tmp_path / "notify")) as listening:
        yield listening
