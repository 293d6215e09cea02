"""Kill the real agent at every bad moment, and see whether anything is lost or done twice."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.demo import sshd
from agent.demo.interruption import interruptible
from torture.checker import judge, say
from torture.findings import Verdict
from torture.plants import PLANTS
from torture.sites import Wanted, tortured

_LIVES_OF_A_SITE = 100
"""Kills that are worth a site of their own; much of a life is waiting, which several do at once."""
_SITES_AT_MOST = 3


def main() -> int:
    """0 if nothing was lost, doubled or otherwise wrong; 2 if it cannot run here."""
    wanted = _arguments()
    if lacking := sshd.missing():
        print(f"the torture needs an SSH server: {lacking}", file=sys.stderr)
        return 2
    wanted.seed = wanted.seed if wanted.seed is not None else random.randrange(1 << 16)
    wanted.sites = wanted.sites or min(_SITES_AT_MOST, 1 + wanted.kills // _LIVES_OF_A_SITE)
    print(f"seed {wanted.seed}: {wanted.kills} deaths, sites: {wanted.sites}", flush=True)
    more = (wanted.loopback, wanted.plant, wanted.rest)
    began = time.monotonic()
    with _folder(wanted.keep) as evidence, interruptible():
        places = [evidence / f"site{number}" for number in range(1, wanted.sites + 1)]
        tortured(places, Wanted(-(-wanted.kills // wanted.sites), wanted.seed, wanted.hosts, *more))
        verdicts = [judge(place) for place in places]
        verdict = _together(verdicts)
        diaries = [json.loads((place / "diary.json").read_text()) for place in places]
        if not verdict.is_clean and wanted.keep is None:
            kept = tempfile.mkdtemp(prefix="paramedic-torture-evidence-")
            print(f"the evidence is kept in {shutil.copytree(evidence, kept, dirs_exist_ok=True)}")
    print(f"\nsurvived in {time.monotonic() - began:.0f} s, seed {wanted.seed}:")
    print("\n".join([*_survived(diaries), *say(verdict)]))
    return 0 if verdict.is_clean else 1


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted
    else:
        with tempfile.TemporaryDirectory(prefix="paramedic-torture-evidence-") as folder:
            yield Path(folder)


def _together(verdicts: list[Verdict]) -> Verdict:
    findings = tuple(finding for verdict in verdicts for finding in verdict.findings)
    names = verdicts[0].figures
    return Verdict(findings, {name: sum(verdict.figures[name] for verdict in verdicts) for name in names})


def _survived(diaries: list[dict[str, Any]]) -> Iterator[str]:
    for what, name in (("killed", "kills"), ("befell", "faults")):
        counted = sum((Counter(diary[name]) for diary in diaries), Counter[str]())
        yield f"  {counted.total():>7,}  {what}: " + ", ".join(f"{how} {n}" for how, n in sorted(counted.items()))
    for not_done in dict.fromkeys(each for diary in diaries for each in diary["not_done"]):
        yield f"NOT DONE HERE: {not_done}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="deaths of the agent (default 500)")
    parser.add_argument("--seed", type=int, help="what befalls it when; default: by chance, and printed")
    parser.add_argument("--sites", type=int, help="so many agents at once, each with hosts and a tracker of its own")
    parser.add_argument("--hosts", type=int, default=3, help="how many hosts each of them treats (default 3)")
    parser.add_argument("--loopback", action="store_true", help="hosts that cannot be rebooted, but need no root")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="torture an agent with this defect: it must be found")
    parser.add_argument("--rest", type=float, default=400.0, help="seconds at the end to come to rest (default 400)")
    parser.add_argument("--keep", type=Path, help="folder for the evidence; default: kept if anything is wrong")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
