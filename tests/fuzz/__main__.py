"""Coverage-guided fuzzing with atheris: `python -m tests.fuzz [--seconds N] [TARGET …]`, all targets by default.

Atheris looks which bytes lead to code that was not reached before; hypothesis makes inputs of these bytes, by the same
strategies as in the tests. What was reached is kept in `.cache/fuzz/TARGET`, and what broke beside it; hypothesis also
keeps it for the tests, which try it first the next time.

Ends with 0 when nothing broke, with 1 when something did, and with 3 when atheris is not there.
"""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
FOUND = ROOT / ".cache" / "fuzz"
NOT_THERE = 3
INSTALL = ".venv/bin/pip install --require-hashes -r requirements-fuzz.txt"
LONGEST_INPUT = 4096
"""Bytes that become one input; a few of them make a text of 70,000 characters."""


SEEDS = 32
"""From a few bytes only the simplest inputs are made, and it would take long to learn that more are worth it."""


def main(words: list[str]) -> int:
    from tests.fuzz.targets import TARGETS

    names = [target.name for target in TARGETS]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names))
    told = parser.parse_args(words)
    if strange := [name for name in told.targets if name not in names]:
        parser.error(f"there is no target {strange[0]}; there is {', '.join(names)}")
    if importlib.util.find_spec("atheris") is None:
        why = "atheris is not installed (there is one for Linux on x86-64, Python 3.11 to 3.13)"
        print(f"fuzz: NOT RUN: {why}: {INSTALL}", file=sys.stderr)
        return NOT_THERE
    broken = [name for name in told.targets or names if not _is_sound(name, told.seconds)]
    print(f"fuzz: broken: {', '.join(broken)}" if broken else "fuzz: nothing broke")
    return 1 if broken else 0


def _is_sound(name: str, seconds: int) -> bool:
    """In a process of its own: libFuzzer ends the one it runs in."""
    corpus = FOUND / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in range(SEEDS):
        (corpus / f"seed-{seed}").write_bytes(Random(seed).randbytes(1024))
    limits = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-len_control=0", "-timeout=60"]
    limits += ["-rss_limit_mb=2048"]
    words = [*limits, f"-artifact_prefix={FOUND}/{name}-", "-print_final_stats=1", str(corpus)]
    print(f"fuzz: {name} for {seconds} s", flush=True)
    done = subprocess.run([sys.executable, "-m", "tests.fuzz.instrumented", name, *words], cwd=ROOT, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
