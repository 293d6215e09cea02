"""Ask the vulnerability database about every locked package: `python -m tools.audit [more for pip-audit]`.

Ends with 0 when all were asked about and nothing is known, with 1 when something is, and with 3 when not all
could be asked about: pip-audit itself ends with a traceback or, worse, with 0 then.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from agent.model.text import one_line
from tools.locked import DEVELOPMENT, FUZZING

NOT_ASKED = 3
PIP_AUDIT = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
PIP_AUDIT += ["--vulnerability-service", "osv", "--format", "json"]


def main(more: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        locks = [word for lock in (DEVELOPMENT, FUZZING) for word in ("--requirement", str(lock))]
        done = subprocess.run(
            [*PIP_AUDIT, *locks, "--output", answer, *more], stderr=subprocess.PIPE, text=True, check=False
        )
        if not answer.exists():
            last = (done.stderr.strip().splitlines() or [f"pip-audit ended with {done.returncode}"])[-1]
            return _not_asked(last)
        packages = json.loads(answer.read_text(encoding="utf-8"))["dependencies"]
    return judge(packages)


def judge(packages: list[dict[str, Any]]) -> int:
    """`packages`: as pip-audit lists them, each with `vulns`, or with the reason why it was passed over."""
    known = [(package, found) for package in packages for found in package.get("vulns", ())]
    for package, found in known:
        better = f"; mended in {', '.join(found['fix_versions'])}" if found["fix_versions"] else ""
        names = ", ".join([found["id"], *found["aliases"]])
        print(f"{package['name']} {package['version']}: {names}{better}: {one_line(found['description'])}")
    passed_over = [package["skip_reason"] for package in packages if "skip_reason" in package]
    if passed_over or not packages:
        _not_asked(f"{len(passed_over)} packages passed over: {', '.join(passed_over[:1])}")
        return 1 if known else NOT_ASKED
    if not known:
        print(f"audit: nothing is known against the {len(packages)} locked packages")
    return 1 if known else 0


def _not_asked(why: str) -> int:
    print(f"audit: NOT DONE: the vulnerability database could not be asked: {one_line(why)}", file=sys.stderr)
    return NOT_ASKED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
