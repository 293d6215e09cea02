"""From the death of a process to verified recovery, over and above the check interval and the command itself."""

import os
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.demo.sshd import Sshd
from agent.demo.waiting import until
from agent.runtime.store import Store
from bench.daemon import Daemon

ROUNDS = 15
EVERY = 0.5
TARGET_MS = 100.0

_CONFIG = """\
agent: {{state_dir: {state}, runbooks: [runbooks]}}
login: {{user: {user}, port: {port}, key_file: {key}, known_hosts: {known}}}
hosts: {{near: {{address: 127.0.0.1}}}}
teams: {{operations: {{title: On duty}}}}
checks:
  victim:
    kind: process
    pid_file: {pid}
    every: {every}s
    confirm: 1
    flapping: {{changes: 1000}}
    ladder: [start-victim]
"""
_RUNBOOK = """\
runbook: start-victim
hosts: host:near
steps:
  - name: start
    run: sh {script}
"""
_SCRIPT = """\
#!/bin/sh
date +%s.%N > {folder}/began
setsid sleep 1000 </dev/null >/dev/null 2>&1 &
echo $! > {folder}/pid
date +%s.%N > {folder}/ended
"""


def main() -> None:
    """Prints a table; the parts come from the record's own times and the command's own notes of its time."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bench-reaction-") as name:
        folder = Path(name)
        victim = folder / "victim"
        victim.mkdir()
        script = victim / "start"
        script.write_text(_SCRIPT.format(folder=victim))
        with Sshd(folder / "sshd") as sshd, console.status("killing and waiting"):
            config = folder / "config"
            (config / "runbooks").mkdir(parents=True)
            (config / "paramedic.yaml").write_text(
                _CONFIG.format(
                    state=folder / "state",
                    user=sshd.user,
                    port=sshd.port,
                    key=sshd.client_key,
                    known=sshd.known_hosts,
                    pid=victim / "pid",
                    every=EVERY,
                )
            )
            (config / "runbooks" / "start-victim.yaml").write_text(_RUNBOOK.format(script=script))
            subprocess.run(["sh", script], check=True)
            try:
                samples = _measure(config, folder, victim)
            finally:
                _kill(victim)
    report(console, samples)


def _measure(config: Path, folder: Path, victim: Path) -> list[dict[str, float]]:
    samples = []
    with Daemon(config) as daemon:
        time.sleep(2 * EVERY)  # the first answers come in; nothing is measured yet
        for number in range(1, ROUNDS + 1):
            killed = time.time()
            _kill(victim)
            daemon.wait_for("resolved:", 30, times=number)
            until(lambda: (victim / "ended").exists(), within=5, what="the command has ended")
            command = float((victim / "ended").read_text()) - float((victim / "began").read_text())
            samples.append({"killed": killed, "command": command})
            time.sleep(EVERY * 1.3)
    with Store.open(folder / "state" / "paramedic.db", read_only=True) as store:
        entries = [record.entry for record in store.timeline("INC-1")]
    resolved = [e.at for e in entries if e.kind == "resolved"]
    for sample, end in zip(samples, resolved, strict=True):
        seen = min(e.at for e in entries if e.at > sample["killed"] and "is CRITICAL" in e.text)
        sample |= {"wait": seen - sample["killed"], "loop": end - seen}
        sample["over"] = sample["loop"] - sample["command"]
    return samples


def _kill(victim: Path) -> None:
    try:
        os.kill(int((victim / "pid").read_text()), signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        return


def report(console: Console, samples: list[dict[str, float]]) -> None:
    table = Table(title=f"Killed process to verified recovery, {len(samples)} rounds, check every {EVERY:g} s")
    for heading in ("part", "median ms", "10–90 % ms", "target"):
        table.add_column(heading, justify="right" if "ms" in heading else "left")
    for part, what in (
        ("wait", "kill until the check's answer is believed (the interval)"),
        ("command", "the restart command itself"),
        ("over", "everything else: decide, commit, SSH, verify"),
    ):
        ordered = sorted(sample[part] * 1000 for sample in samples)
        low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
        median = statistics.median(ordered)
        target = f"< {TARGET_MS:.0f}: {'met' if median < TARGET_MS else 'MISSED'}" if part == "over" else ""
        table.add_row(what, f"{median:.1f}", f"{low:.1f}–{high:.1f}", target)
    console.print(table)


if __name__ == "__main__":
    main()
