"""`python -m soak --minutes 60`: prints what was measured and a verdict; exit code 1 when something grew."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.demo.waiting import SiteError
from soak.site import SoakSite
from soak.soak import Figures, soak
from soak.verdict import Growth, judge

_SHORT = 10 * 60.0
"""Seconds; a shorter soak warms up, looks and rests in proportion."""


def main() -> int:
    """0: nothing grew; 1: something did; 2: the daemon ended or did not get over a fault."""
    told = _arguments()
    seconds = told.minutes * 60
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        try:
            with SoakSite(Path(folder), told.extra.read_text() if told.extra else "") as site:
                is_short = seconds < _SHORT
                figures = soak(
                    site,
                    seconds,
                    look_every=1.0 if is_short else 5.0,
                    rest=0.5 if is_short else 5.0,
                    say=lambda line: console.print(line, soft_wrap=True),
                )
            growths = judge(figures.samples, figures.quiet, seconds / 4, told.percent)
        except (SiteError, ValueError) as error:
            console.print(f"The soak came to no end: {error}", style="red", markup=False)
            return 2
    _report(console, figures, growths)
    leaks = [growth.figure for growth in growths if growth.is_leak]
    console.print(f"LEAK: {', '.join(leaks)}" if leaks else "Nothing leaks.", style="bold red" if leaks else "green")
    return 1 if leaks else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long; default 60")
    parser.add_argument("--percent", type=float, default=5.0, help="growth of memory that is no leak; default 5")
    parser.add_argument("--extra", type=Path, help="file with more checks, as lines of YAML below `checks:`")
    return parser.parse_args()


def _report(console: Console, figures: Figures, growths: Sequence[Growth]) -> None:
    minutes = figures.samples[-1].at / 60
    table = Table(title=f"{minutes:.1f} minutes, {sum(figures.faults.values())} faults, {os.uname().nodename}")
    for heading in ("figure", "early on", "at the end", "growth", "allowed"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for each in growths:
        change = 100 * (each.after / each.before - 1)
        table.add_row(
            each.figure, f"{each.before:,.0f}", f"{each.after:,.0f}", f"{change:+.1f} %", f"{each.allowed:,.0f}"
        )
    first, last = figures.quiet[0], figures.quiet[-1]
    table.add_row("resident memory, bytes", f"{first.resident:,}", f"{last.resident:,}", "", "")
    table.add_row("database, bytes", f"{first.database:,}", f"{last.database:,}", "", "keeps everything")
    for name, size in figures.sizes[0].items():
        table.add_row(name, f"{size:,}", f"{figures.sizes[-1][name]:,}", "", "")
    console.print(table)
    if figures.restless:
        console.print(f"after {figures.restless} of the faults it was not quiet in time for a look")
    console.print("faults: " + ", ".join(f"{count} × {name}" for name, count in figures.faults.items()))


sys.exit(main())
