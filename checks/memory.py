"""How much memory is left."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import psutil

from agent.model.inventory import Host
from agent.model.observation import Answer
from agent.model.threshold import Reading, Unit
from agent.plugin.api import CheckPorts, CheckType

_MIB = 2**20


class Memory(CheckType):
    """Memory and swap space of this machine.

    `used` counts what programs cannot get any more: caches that the kernel would give back are not
    used. A machine without swap space has no swap readings, so that `swap_free < 100MB` stays quiet there.

    Example:
        memory:
          kind: memory
          every: 30s
          warning: used > 90%
          critical: available < 200MB
    """

    kind: ClassVar[str] = "memory"
    needs_threshold: ClassVar[bool] = True
    remote: ClassVar[bool] = False
    readings: ClassVar[Mapping[str, Reading] | None] = {
        "used": Reading(Unit.PERCENT, "memory that is not available any more", 0.0, 100.0),
        "available": Reading(Unit.BYTES, "memory that programs can still get without swapping"),
        "swap_used": Reading(Unit.PERCENT, "swap space in use", 0.0, 100.0),
        "swap_free": Reading(Unit.BYTES, "swap space that is free"),
    }

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        memory = psutil.virtual_memory()
        readings = {
            "used": 100.0 * (memory.total - memory.available) / memory.total,
            "available": float(memory.available),
        }
        message = f"{readings['used']:.0f}% of memory used, {memory.available / _MIB:.0f} MiB available"
        swap = psutil.swap_memory()
        if swap.total:
            readings |= {"swap_used": 100.0 * (swap.total - swap.free) / swap.total, "swap_free": float(swap.free)}
            message += f", {readings['swap_used']:.0f}% of swap used"
        return [Answer(readings, message=message)]
