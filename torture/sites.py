"""Several sites at once, each with an agent, hosts and a tracker of its own, and in a process of its own."""

import multiprocessing
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.demo.interruption import interruptible
from torture.diary import Diary
from torture.run import torture
from torture.site import STEPS, Site


@dataclass(frozen=True)
class Wanted:
    """Of each site. `rest`: seconds it has at the end to come to rest; more than the 300 that a ticket update may wait
    for another attempt.
    """

    kills: int
    seed: int
    hosts: int
    loopback: bool
    plant: str | None
    rest: float


def tortured(places: Sequence[Path], wanted: Wanted) -> None:
    """A site for each place, where its evidence is afterwards. Raises SystemExit if one broke down."""
    spawn = multiprocessing.get_context("spawn")
    sites = [spawn.Process(target=_site, args=(place, number, wanted)) for number, place in enumerate(places)]
    for site in sites:
        site.start()
    try:
        for site in sites:
            site.join()
    except BaseException:
        for site in sites:
            site.terminate()  # it undoes what it has set up
            site.join()
        raise
    if any(site.exitcode != 0 for site in sites):
        raise SystemExit("a site did not stand to the end; what it said is above")


def _site(evidence: Path, number: int, wanted: Wanted) -> None:
    def progress(words: str) -> None:
        print(f"  {evidence.name}: {words}", flush=True)

    with (
        interruptible(),
        tempfile.TemporaryDirectory(prefix="paramedic-torture-") as folder,
        Site(Path(folder), hosts=wanted.hosts, booted=not wanted.loopback) as site,
    ):
        diary = Diary(wanted.seed * 100 + number, site.prefix, list(STEPS))
        diary.not_done = site.not_done
        try:
            torture(site, diary, wanted.kills, plant=wanted.plant, rest=wanted.rest, say=progress)
        finally:
            shutil.rmtree(evidence, ignore_errors=True)
            site.keep_evidence(evidence)
            diary.save(evidence / "diary.json")
