"""Output of a monitoring plugin: message, and performance data as readings.

The format is that of the Monitoring Plugins Development Guidelines,
https://www.monitoring-plugins.org/doc/guidelines.html, "Performance data" and "Plugin output":
`'label'=value[UOM];[warn];[crit];[min];[max]`, separated by spaces; a quote inside a quoted label is
written twice; the value `U` means that it could not be determined.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent.model.quantities import parse_size

_ENTRY = re.compile(
    r"""(?<!\S) (?: '(?P<quoted> (?: [^'] | '' ){1,200}+ )' | (?P<plain> [^\s='|]{1,200}+ ) )
        = (?P<value> -? (?: \d++ \.?+ \d*+ | \.\d++ ) (?: [eE][+-]?\d{1,3} )?+ ) (?P<unit> [A-Za-zµ%]{0,5}+ )
        (?: ;[^\s;]*+ ){0,4}+ (?= \s | $ )""",
    re.VERBOSE,
)
"""Bounded labels, and no going back (`+` behind a quantifier): a host's output must not be able to stop the agent."""

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class PluginOutput:
    """What a plugin printed. `readings` are in base units: seconds, bytes, percent, counts."""

    message: str
    readings: Mapping[str, float]


def parse_plugin_output(output: str) -> PluginOutput:
    """First line up to `|` is the message; performance data follow it, and a second `|` in later lines."""
    first, _, rest = output.partition("\n")
    message, _, data = first.partition("|")
    _, _, more = rest.partition("|")
    return PluginOutput(message.strip(), parse_performance_data(f"{data}\n{more}"))


def parse_performance_data(text: str) -> dict[str, float]:
    """Reading name -> value in its base unit; what does not follow the format is left out.

    Names are the labels with everything a threshold cannot say replaced by `_`; of two equal ones the
    first counts. KB, MB, GB and TB are powers of 1000 and KiB … of 1024, as everywhere in the configuration.
    """
    readings: dict[str, float] = {}
    for entry in _ENTRY.finditer(text):
        label = entry["quoted"] or entry["plain"]  # a quote written twice becomes `_` as one would
        value = _in_base_unit(float(entry["value"]), entry["unit"])
        if value is not None:
            readings.setdefault(reading_name(label), value)
    return readings


def reading_name(label: str) -> str:
    """A name that a threshold can speak of: letters, digits and `_ . : / -`, no digit in front."""
    name = re.sub(r"[^A-Za-z0-9_.:/-]+", "_", label.strip())[:80]
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def _in_base_unit(value: float, unit: str) -> float | None:
    if unit in ("", "%", "c"):
        return value
    if unit in _SECONDS:
        return value * _SECONDS[unit]
    try:
        return value * parse_size(f"1{unit}")
    except ValueError:
        return None
