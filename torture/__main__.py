"""`make torture ARGS="--kills 500 --seed 1"`."""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from agent.demo import sshd
from agent.demo.interruption import interruptible
from torture.checker import judge, say
from torture.diary import Diary
from torture.plants import PLANTS
from torture.run import torture
from torture.site import STEPS, Site


def main() -> int:
    """0 if nothing was lost, doubled or otherwise wrong; 2 if it cannot run here."""
    wanted = _arguments()
    if lacking := sshd.missing():
        print(f"the torture needs an SSH server: {lacking}", file=sys.stderr)
        return 2
    seed = wanted.seed if wanted.seed is not None else random.randrange(1 << 16)
    print(f"seed {seed}: {wanted.kills} deaths", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="paramedic-torture-") as name, interruptible():
        folder = Path(name)
        evidence = wanted.keep or folder / "evidence"
        diary = _tortured(folder, evidence, seed, wanted)
        verdict = judge(evidence)
        if not verdict.is_clean and wanted.keep is None:
            kept = tempfile.mkdtemp(prefix="paramedic-torture-evidence-")
            shutil.copytree(evidence, kept, dirs_exist_ok=True)
            print(f"the evidence is kept in {kept}")
    print(f"\nsurvived in {time.monotonic() - began:.0f} s, seed {seed}:")
    for what, counted in (("killed", diary.kills), ("befell", diary.faults)):
        print(f"  {counted.total():>7,}  {what}: " + ", ".join(f"{how} {n}" for how, n in sorted(counted.items())))
    print("\n".join(say(verdict)))
    for not_done in diary.not_done:
        print(f"NOT DONE HERE: {not_done}")
    return 0 if verdict.is_clean else 1


def _tortured(folder: Path, evidence: Path, seed: int, wanted: argparse.Namespace) -> Diary:
    with Site(folder, hosts=wanted.hosts, booted=not wanted.loopback) as site:
        diary = Diary(seed, site.prefix, list(STEPS))
        diary.not_done = site.not_done
        try:
            torture(site, diary, wanted.kills, plant=wanted.plant, rest=wanted.rest, say=_progress)
        finally:
            shutil.rmtree(evidence, ignore_errors=True)
            site.keep_evidence(evidence)
            diary.save(evidence / "diary.json")
    return diary


def _progress(words: str) -> None:
    print(f"  {words}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=500, help="deaths of the agent (default 500)")
    parser.add_argument("--seed", type=int, help="what befalls it when; default: by chance, and printed")
    parser.add_argument("--hosts", type=int, default=3, help="how many hosts it treats (default 3)")
    parser.add_argument("--loopback", action="store_true", help="hosts that cannot be rebooted, but need no root")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="torture an agent with this defect: it must be found")
    parser.add_argument("--rest", type=float, default=240.0, help="seconds at the end to come to rest (default 240)")
    parser.add_argument("--keep", type=Path, help="folder for the evidence; default: thrown away")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
