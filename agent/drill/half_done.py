"""Drills whose process ended before everything was put back: that comes first, before anything else is done."""

import http.client
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

from agent.config.configuration import Configuration
from agent.config.load import load
from agent.drill import archive, leave, rollback
from agent.drill import begun as on_disk
from agent.drill.begun import Begun, DrillRefused, OneAtATime
from agent.drill.fence import Fence
from agent.drill.record import marked
from agent.drill.simulation import OnlyItsHosts
from agent.drill.steady import SteadyState, is_steady, unsteady
from agent.drill.undoing import timers_of
from agent.drill.ways import Ways
from agent.errors import ParamedicError, StoreCorrupt
from agent.model.drill_result import DrillResult
from agent.model.settings import LOCALHOST
from agent.model.text import one_line
from agent.model.timeline import Entry, EntryKind
from agent.plugin.probe import Probe
from agent.runtime.clock import Clock
from agent.runtime.control.told import default_store
from agent.runtime.store import Store

log = logging.getLogger("paramedic.drill")

_AGENT_WAITS = 20.0
"""Seconds; the unit's TimeoutStartSec= is longer."""
_LOOKED_FOR_EVERY = 30.0
_ANSWERS_SOON = 1.0
_TOLD = 10_000
"""Entries of the interrupted drill that its result repeats."""


def finish_at_start(configuration: Configuration, socket: Path | None = None) -> None:
    """Before an agent begins its work; after 20 s it begins all the same. From then on it is looked for again and
    again: a drill beside the agent, or inside it, may be interrupted while the agent goes on. `socket`: where the agent
    will answer, whose leave ends with the drill; default: the configured one.
    """
    looked = threading.Event()
    words = (configuration, socket or configuration.agent.socket, looked)
    threading.Thread(target=_keep_finishing, args=words, name="half-done drills", daemon=True).start()
    if not looked.wait(_AGENT_WAITS):
        log.error("a drill that was interrupted is not put back yet; the agent begins its work all the same")


def _keep_finishing(configuration: Configuration, socket: Path, looked: threading.Event) -> None:
    drills, never = configuration.agent.state_dir / "drills", threading.Event()
    while True:
        if _is_any_left(drills):
            configuration = _as_it_is_now(configuration)
            finish_half_done(configuration)
        looked.set()
        again = time.monotonic() + _LOOKED_FOR_EVERY
        while not end_leave(configuration.agent.state_dir, socket) and time.monotonic() < again:
            never.wait(_ANSWERS_SOON)  # it has not begun its work yet
        never.wait(max(0.0, again - time.monotonic()))


def end_leave(state_dir: Path, socket: Path) -> bool:
    """Of the drills that are over and could not give it back themselves. False where no agent answers."""
    try:
        for id, since in leave.given(socket).items():
            if (over := _over(state_dir, id, since)) is not None:
                why = "put back after it was interrupted" if over.interrupted else "it had ended"
                leave.give_back(socket, id, why)
    except (OSError, http.client.HTTPException) as error:
        log.debug("the agent's leave cannot be looked through on %s: %s", socket, error)
        return False
    return True


def _over(state_dir: Path, id: str, since: float) -> DrillResult | None:
    """The result of the drill that has leave since then: one of another state folder may have the same id."""
    if on_disk.holder(state_dir / "drills") == id:
        return None
    try:
        result = archive.read(state_dir, id)
    except (OSError, StoreCorrupt):
        return None
    return result if result.ended_at >= since else None


def _is_any_left(drills: Path) -> bool:
    """Beside one that is under way."""
    try:
        return bool(on_disk.half_done(drills)) and on_disk.holder(drills) is None
    except OSError as error:
        log.error("drills cannot be looked through: %s", error)
        return False


def _as_it_is_now(configuration: Configuration) -> Configuration:
    """Read anew; as it was, where that has problems now."""
    try:
        return load(configuration.folder)
    except ParamedicError as error:
        log.warning("an interrupted drill is put back with the configuration as it was: %s", one_line(str(error), 300))
        return configuration


def finish_half_done(configuration: Configuration) -> tuple[DrillResult, ...]:
    """Put back what drills have left whose process ended. One that is under way is left alone.

    What could not be undone stays half done, to be tried again. Raises nothing that a host or a
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
    results: list[DrillResult] = []
    try:
        for folder in on_disk.half_done(drills):
            try:
                results.append(put_back(configuration, on_disk.read(folder)))
            except (ParamedicError, OSError) as error:  # the others are put back all the same
                log.error("%s was interrupted and could not be put back: %s", folder.name, error)
    except OSError as error:
        log.error("drills cannot be looked through: %s", error)
    finally:
        one.close()
    return tuple(results)


def put_back(configuration: Configuration, begun: Begun, patience: float = 0.0) -> DrillResult:
    """The rollback of an interrupted drill. Its result is kept once every undo has succeeded: if the steady state does
    not hold then, something else is wrong, which no undo would mend, and what was undone may be changed by people.

    Raises OSError.
    """
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
        checks = begun.checks if begun.form == "live" else ()
        interviewer = ways.interviewer(OnlyItsHosts(fence))
        steady = SteadyState(checks, configuration.settings, _probes(configuration, begun), interviewer, now)
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
        judged=tuple(replace(each, met=None, actual="not reached") for each in begun.expected),
        objectives=begun.objectives,
        stopped_because=because,
        steady_after=after,
        undone=undone,
        rolled_back=rolled_back,
        touched=fence.touched,
        entries=(*_on_record(configuration, begun), *told),
        interrupted=True,
    )
    if is_undone(result):
        archive.keep(configuration.agent.state_dir, result)
    else:  # and where all was undone it is not undone again: people may work there
        failed = {each.host for each in undone if not each.ok}
        left = replace(begun, undos=tuple(undo for undo in begun.undos if undo.host in failed))
        on_disk.write(archive.folder_of(configuration.agent.state_dir, begun.id), left)
    return result


def is_undone(result: DrillResult) -> bool:
    return all(each.ok for each in result.undone)


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
