"""How busy the processors are."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

import psutil
from pydantic import PrivateAttr

from agent.model.inventory import Host
from agent.model.observation import Answer
from agent.model.threshold import Reading, Unit
from agent.plugin.api import CheckPorts, CheckType

_FIRST_SAMPLE = 0.1
"""Seconds to watch when there is no earlier asking to compare with."""

_SHORTEST = 0.05
"""Seconds below which two samples are too close: the kernel counts in hundredths."""


def _percentage(meaning: str) -> Reading:
    return Reading(Unit.PERCENT, f"{meaning}, of the time of all processors", 0.0, 100.0)


class Cpu(CheckType):
    """How busy this machine's processors are, and how long the queue for them is.

    Percentages are averages since the last asking; the very first asking watches for 0.1s. `used` is
    everything but idle and waiting for disks. Readings the system does not know are absent.

    Example:
        busy:
          kind: cpu
          every: 30s
          warning: used > 90%
          critical: load_per_core > 4
          confirm: 5
    """

    kind: ClassVar[str] = "cpu"
    needs_threshold: ClassVar[bool] = True
    remote: ClassVar[bool] = False
    readings: ClassVar[Mapping[str, Reading] | None] = {
        "used": _percentage("busy"),
        "user": _percentage("running programs"),
        "system": _percentage("in the kernel, interrupts included"),
        "iowait": _percentage("idle while waiting for disks"),
        "steal": _percentage("taken by other guests of the hypervisor"),
        "load1": Reading(Unit.NUMBER, "load average over 1 minute"),
        "load5": Reading(Unit.NUMBER, "load average over 5 minutes"),
        "load15": Reading(Unit.NUMBER, "load average over 15 minutes"),
        "load_per_core": Reading(Unit.NUMBER, "load average over 1 minute, per processor"),
    }
    _last: dict[str, float] = PrivateAttr(default_factory=dict)

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        now = _times()
        if not self._last or _elapsed(self._last, now) < _SHORTEST:
            before, now = now, _sample()
        else:
            before = dict(self._last)
        self._last.clear()
        self._last.update(now)
        readings = shares(before, now)
        load = psutil.getloadavg()
        readings |= dict(zip(("load1", "load5", "load15"), load, strict=True))
        readings["load_per_core"] = load[0] / (os.cpu_count() or 1)
        message = f"{readings['used']:.0f}% used, load {load[0]:.2f} {load[1]:.2f} {load[2]:.2f}"
        return [Answer(readings, message=message)]


def _times() -> dict[str, float]:
    """Seconds spent so far, by what for. Guest time is left out: user time holds it already."""
    times = psutil.cpu_times()._asdict()
    return {name: float(spent) for name, spent in times.items() if not name.startswith("guest")}


def _sample() -> dict[str, float]:
    time.sleep(_FIRST_SAMPLE)
    return _times()


def _elapsed(before: Mapping[str, float], now: Mapping[str, float]) -> float:
    return sum(now.values()) - sum(before.values())


def shares(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """Percent of the time between two samples, by what for. Some counters may step back (iowait does): then 0."""
    spent = {name: max(0.0, now[name] - before.get(name, 0.0)) for name in now}
    total = sum(spent.values())
    if not total:
        return {"used": 0.0}
    percent = {name: 100.0 * seconds / total for name, seconds in spent.items()}
    figures = {
        "used": 100.0 - percent["idle"] - percent.get("iowait", 0.0),
        "user": percent["user"] + percent.get("nice", 0.0),
        "system": percent["system"] + percent.get("irq", 0.0) + percent.get("softirq", 0.0),
    }
    figures |= {name: percent[name] for name in ("iowait", "steal") if name in percent}
    return {name: min(100.0, max(0.0, value)) for name, value in figures.items()}
