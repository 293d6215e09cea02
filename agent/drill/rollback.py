"""Putting everything back: always played, whole, whatever fails in it or whoever wants to stop it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from agent.drill.dead_man import DeadMan, Told, Undoing
from agent.errors import ParamedicError
from agent.model.drill_result import Undone
from agent.model.inventory import Host
from agent.model.text import one_line
from agent.plugin.api import Shell

log = logging.getLogger("paramedic.drill")

_PAUSE = 2.0
"""Seconds between two rounds over what has not succeeded."""


def play(
    undos: Sequence[Undoing],
    timers: Sequence[DeadMan],
    shell: Shell,
    hosts: Mapping[str, Host],
    patience: float,
    said: Callable[[str], None],
) -> tuple[Undone, ...]:
    """Every undo, in order; what fails is tried again for `patience` seconds, because the fault itself may have cut
    the host off. Then the timers are taken away. `shell` must get through to every host of these. Never raises what
    a host or a command can cause.
    """
    results: dict[int, Undone] = {}
    end = time.monotonic() + patience
    while True:
        for number, undo in enumerate(undos):
            if number not in results or not results[number].ok:
                results[number] = _undone(undo, shell, hosts)
                said(_sentence(results[number]))
        if all(each.ok for each in results.values()) or time.monotonic() >= end:
            break
        time.sleep(_PAUSE)
    for timer in timers:
        told = _disarmed(timer, said)
        results |= _by_host(undos, timer, told, results)
    return tuple(results[number] for number in sorted(results))


def _undone(undo: Undoing, shell: Shell, hosts: Mapping[str, Host]) -> Undone:
    host = hosts.get(undo.host)
    if host is None:
        return Undone(undo.name, undo.host, False, "the host is no longer in the inventory")
    try:
        result = shell.run(host, undo.run, timeout=undo.timeout, sudo=undo.sudo)
    except ParamedicError as error:
        return Undone(undo.name, undo.host, False, one_line(str(error), 500))
    except Exception as error:  # whatever it is, the other undos are played
        log.exception("a defect in undoing %s", undo.name)
        return Undone(undo.name, undo.host, False, f"a defect: {type(error).__name__}: {error}")
    if result.status == 0:
        return Undone(undo.name, undo.host, True, "exit status 0")
    said = one_line(result.stderr.strip() or result.stdout.strip(), 300)
    return Undone(undo.name, undo.host, False, f"exit status {result.status}: {said}")


def _sentence(undone: Undone) -> str:
    how = "undone" if undone.ok else "could NOT be undone"
    return f"rollback: {undone.name} on {undone.host} {how}: {undone.text}"


def _disarmed(timer: DeadMan, said: Callable[[str], None]) -> Told:
    try:
        told = timer.disarm()
    except Exception as error:  # whatever it is, the other timers are taken away
        if not isinstance(error, ParamedicError):
            log.exception("a defect in taking away the dead-man timer on %s", timer.host.name)
        said(f"the dead-man timer on {timer.host.name} could not be taken away: {error}")
        return Told("unknown")
    if told.how == "fired":
        said(f"{timer.host.name} had undone the fault by itself: {told.why}")
    else:
        said(f"dead-man timer on {timer.host.name}: {told.how}")
    return told


def _by_host(
    undos: Sequence[Undoing], timer: DeadMan, told: Told, results: Mapping[int, Undone]
) -> Mapping[int, Undone]:
    """What the host played by itself counts as well as what we did: undoing twice is harmless."""
    found: dict[int, Undone] = {}
    for index, status in told.statuses:
        played = timer.undos[index] if index < len(timer.undos) else None
        for number, undo in enumerate(undos):
            if undo == played:
                ok = results[number].ok or status == 0
                text = f"by the host itself, exit status {status}; then by the drill: {results[number].text}"
                found[number] = Undone(undo.name, undo.host, ok, text, by_host=True)
    return found
