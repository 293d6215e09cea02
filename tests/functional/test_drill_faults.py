"""The faults of a drill by themselves, on hosts that take their time."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.drill.begun import Begun
from agent.drill.dead_man import new_name
from agent.drill.faults import Faults
from agent.drill.fence import Fence
from agent.drill.simulation import Simulation
from agent.drill.undoing import undos_of
from agent.drill.ways import Ways
from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.plugin.api import Shell
from tests.functional.drill_site import DrillSite, drill_site
from tests.neighbours.waiting import until

SOON = 30.0


@pytest.fixture
def site() -> Iterator[DrillSite]:
    with drill_site() as site:
        yield site


class Slow:
    """web2 does not answer for the first time before web1 has got a sign of life."""

    def __init__(self, real: Shell, timer: str) -> None:
        self._real = real
        self._beaten = Path("/var/tmp") / f"{timer}-web1" / "beat.1"
        self._waited = False

    def run(
        self,
        host: Host,
        command: str,
        *,
        timeout: float,
        sudo: bool = False,
        stdin: bytes | None = None,
        output_limit: int | None = None,
    ) -> CommandResult:
        if host.name == "web2" and not self._waited:
            self._waited = True
            until(self._beaten.exists, within=SOON, what="a sign of life at web1 while web2 is armed")
        return self._real.run(host, command, timeout=timeout, sudo=sudo, stdin=stdin, output_limit=output_limit)


class SlowWays(Ways):
    timer = ""

    def shell(self, *, back: bool) -> Shell:
        return Slow(super().shell(back=back), self.timer)


def test_who_is_armed_first_does_not_undo_while_others_are_still_to_be_armed(site: DrillSite, tmp_path: Path) -> None:
    both = [site.breaks("web1"), site.breaks("web2")]
    configuration = site.write(down=site.drill(hosts={"allow": ["group:web"], "most": 2}, inject=both))
    drill = configuration.drills["down"]
    begun = Begun(
        id="DRILL-1",
        drill=drill.name,
        title=drill.title,
        form=drill.form,
        digest="",
        actor="alice",
        started_at=time.time(),
        pid=os.getpid(),
        allowed=drill.hosts.names,
        most=2,
        undos=undos_of(drill),
        timer=new_name(),
    )
    fence = Fence(begun.allowed, begun.most, lambda text: None)
    SlowWays.timer = begun.timer
    with SlowWays(configuration, fence) as ways:
        faults = Faults(drill, begun, tmp_path, ways, fence, Simulation(), lambda text, **data: None)
        try:
            faults.arm()
        finally:
            undone = faults.put_back()
    assert [each.ok for each in undone] == [True, True]
    assert faults.undone_by_host is None
