"""Drills whose process ended before everything was put back: that comes first, before anything else is done."""

import logging
import threading
import time

from agent.config.configuration import Configuration
from agent.drill import archive, rollback
from agent.drill import begun as on_disk
from agent.drill.begun import Begun, DrillRefused, OneAtATime
from agent.drill.fence import Fence
from agent.drill.record import marked
from agent.drill.simulation import OnlyItsHosts
from agent.drill.steady import SteadyState, is_steady, unsteady
from agent.drill.undoing import timers_of
from agent.drill.ways import Ways
from agent.errors import ParamedicError
from agent.model.drill_result import DrillResult
from agent.model.settings import LOCALHOST
from agent.model.timeline import Entry, EntryKind
from agent.plugin.probe import Probe
from agent.runtime.clock import Clock
from agent.runtime.control.told import default_store
from agent.runtime.store import Store

log = logging.getLogger("paramedic.drill")

_AGENT_WAITS = 20.0
"""Seconds; the unit's TimeoutStartSec= is longer."""
_TRIED_AGAIN = 60.0
_TOLD = 10_000
"""Entries of the interrupted drill that its result repeats."""


def finish_at_start(configuration: Configuration) -> None:
    """Before an agent begins its work; after 20 s it begins all the same, and this goes on until all is put back."""
    thread = threading.Thread(target=_until_finished, args=(configuration,), name="half-done drills", daemon=True)
    thread.start()
    thread.join(_AGENT_WAITS)
    if thread.is_alive():
        log.error("a drill that was interrupted is not put back yet; the agent begins its work all the same")


def _until_finished(configuration: Configuration) -> None:
    while not all(result.rolled_back for result in finish_half_done(configuration)):
        time.sleep(_TRIED_AGAIN)


def finish_half_done(configuration: Configuration) -> tuple[DrillResult, ...]:
    """Put back what drills have left whose process ended. One that is under way is left alone.

    What could not be put back stays half done, to be tried again. Raises nothing that a host or a
    file can cause: it is logged, and the agent must start.
    """
    drills = configuration.agent.state_dir / "drills"
    if not drills.is_dir():
        return ()
    try:
        one = OneAtATime(drills)
    except (DrillRefused, OSError) as error:
        log.info("drills are not looked through: %s", error)
        return ()
    try:
        return tuple(put_back(configuration, left) for left in on_disk.half_done(drills))
    except (ParamedicError, OSError) as error:
        log.error("a drill that was interrupted could not be put back: %s", error)
        return ()
    finally:
        one.close()


def put_back(configuration: Configuration, begun: Begun, patience: float = 0.0) -> DrillResult:
    """The rollback of an interrupted drill, whose result is kept once it has succeeded. Raises OSError."""
    now = Clock().now
    because = f"it was interrupted: its process ({begun.pid}) ended before everything was put back"
    told: list[Entry] = []

    def say(text: str) -> None:
        log.warning("%s: %s", begun.id, text)
        told.append(Entry(now(), "agent", EntryKind.EXERCISE, marked(text)))

    say(f"{because}; it is rolled back first")
    fence = Fence(begun.allowed, begun.most, say)
    fence.reserve(undo.host for undo in begun.undos)
    with Ways(configuration, fence) as ways:
        shell = ways.shell(back=True)
        timers = timers_of(begun.undos, [undo.host for undo in begun.undos], begun.timer, shell, ways.hosts)
        undone = rollback.play(begun.undos, timers, shell, ways.hosts, patience, lambda text: say(ways.redact(text)))
        steady = SteadyState(
            configuration.settings, _probes(configuration, begun), ways.interviewer(OnlyItsHosts(fence)), now
        )
        after = steady.wait(begun.within)
    rolled_back = all(each.ok for each in undone) and is_steady(after)
    say("rolled back" if rolled_back else f"NOT rolled back {unsteady(after)}")
    result = DrillResult(
        id=begun.id,
        drill=begun.drill,
        title=begun.title,
        form=begun.form,
        digest=begun.digest,
        actor=begun.actor,
        started_at=begun.started_at,
        ended_at=now(),
        judged=(),
        stopped_because=because,
        steady_after=after,
        undone=undone,
        rolled_back=rolled_back,
        touched=fence.touched,
        entries=(*_on_record(configuration, begun), *told),
    )
    if rolled_back:
        archive.keep(configuration.agent.state_dir, result)
    return result


def _probes(configuration: Configuration, begun: Begun) -> list[Probe]:
    """Of the steady state, as the configuration is now; none for a drill that touched nothing."""
    here = (*begun.allowed, LOCALHOST) if begun.form == "live" else ()
    return [each for each in configuration.probes if each.check in begun.checks and each.host.name in here]


def _on_record(configuration: Configuration, begun: Begun) -> tuple[Entry, ...]:
    """What the drill's own record says, as far as it can be read."""
    record = default_store(archive.folder_of(configuration.agent.state_dir, begun.id))
    try:
        with Store.open(record, read_only=True) as store:
            return tuple(each.entry for each in store.timeline(limit=_TOLD))
    except ParamedicError as error:
        log.warning("the record of %s cannot be read: %s", begun.id, error)
        return ()
