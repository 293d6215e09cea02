"""The soak itself: faults in turn for as long as wanted, and a look at the daemon every few seconds."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agent.demo.waiting import SiteError, until
from soak.daemon import Daemon, Sample
from soak.faults import FAULTS
from soak.site import SoakSite

_QUIET_WITHIN = 180.0
"""Seconds; a machine that is busy with other things may need longer, and is not looked at then."""


@dataclass
class Figures:
    """All that was measured. `quiet`: when nothing was wrong and nothing under way, and `sizes`: what the status
    counted then. `restless`: after how many faults there was no such moment in time."""

    samples: list[Sample] = field(default_factory=list)
    quiet: list[Sample] = field(default_factory=list)
    sizes: list[dict[str, int]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    restless: int = 0


def soak(
    site: SoakSite, seconds: float, *, look_every: float, rest: float, say: Callable[[str], None] = lambda _: None
) -> Figures:
    """Raises SiteError when the daemon ends, or does not get over a fault.

    `look_every`: seconds between two samples; `rest`: seconds between two faults.
    """
    figures = Figures()
    with Daemon(site) as daemon:
        ended = threading.Event()
        looking = threading.Thread(target=_look, args=(daemon, figures, look_every, ended))
        looking.start()
        try:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                for name, befalls in FAULTS.items():
                    befalls(site, daemon)
                    figures.faults[name] += 1
                    _settle(site, daemon, figures)
                    if time.monotonic() + rest >= deadline:
                        break
                    time.sleep(rest)
                latest = daemon.sample()
                say(
                    f"{latest.at / 60:5.1f} min: {latest.own / 1e6:.1f} MB, {latest.threads} threads, "
                    f"{latest.descriptors} descriptors, {figures.sizes[-1:]}"
                )
        except SiteError as error:
            raise SiteError(f"{error}\nThe end of its journal:\n{daemon.said()[-5000:]}") from error
        finally:
            ended.set()
            looking.join()
        journal = daemon.said()
    for unwanted in ("Traceback", "defect"):
        if unwanted in journal:
            raise SiteError(f"the journal has a {unwanted!r}, in {daemon.journal}")
    return figures


def _look(daemon: Daemon, figures: Figures, every: float, ended: threading.Event) -> None:
    while not ended.wait(every):
        try:
            figures.samples.append(daemon.sample())
        except SiteError:
            return  # whoever asks it next says so


def _settle(site: SoakSite, daemon: Daemon, figures: Figures) -> None:
    """Wait until the daemon is over it, and look."""

    def is_over() -> bool:
        found.update(daemon.ask("/v1/status"))
        return (
            not found["incidents"]
            and not found["executions"]
            and not found["tickets"]["waiting"]
            and not found["blind"]
            and set(found["verdicts"]) <= {"OK", "unconfirmed"}
            and found["ssh_connections"] >= site.connections
        )

    found: dict[str, Any] = {}
    try:
        until(is_over, within=_QUIET_WITHIN, what="it is over")
    except SiteError:
        figures.restless += 1
        return
    figures.quiet.append(daemon.sample())
    figures.sizes.append({"subjects": sum(found["verdicts"].values()), "records": found["records"]})
