"""How fast commands over SSH are, beside asyncssh, stock paramiko and ansible: `python -m bench.ssh`.

All talk to one real sshd on loopback, where every 127.0.0.N is a host. The rounds of the contestants are
interleaved and medians are compared, since a shared machine is never quiet. Load weighs on ours and asyncssh
more than on stock paramiko, most of whose time is spent waiting for delayed acknowledgements.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from agent.demo.sshd import Sshd

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / ".cache" / "bench"
PEERS = {"asyncssh": "asyncssh==2.24.1", "ansible": "ansible-core==2.19.14"}
HOSTS = 100
WORKERS = 50
STEP_ROUNDS, STEP_REPEAT = 9, 5
FAN_OUT_ROUNDS, FAN_OUT_REPEAT = 5, 5
ANSIBLE_ROUNDS = 3

OURS, PARAMIKO, ANSIBLE = "paramedic", "stock paramiko", "ansible -m raw"
ASYNCSSH, TUNED = "asyncssh", "asyncssh, tuned"


@dataclass(frozen=True, slots=True)
class Task:
    """What `bench.ssh_peers` describes."""

    what: str
    hosts: list[str]
    port: int
    user: str
    key: str
    known_hosts: str
    workers: int
    repeat: int
    tuned: bool = False


Seconds = dict[str, list[float]]
"""Measured "cold" and "warm"."""


def environment(name: str) -> Path:
    """The bin folder of a virtual environment with the peer in it, made if it is not there."""
    folder = ENVIRONMENTS / name
    done = folder / PEERS[name]
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", PEERS[name]], check=True)
        done.touch()
    return folder / "bin"


def measure(name: str, task: Task) -> Seconds:
    words = json.dumps(asdict(replace(task, tuned=name == TUNED)))
    ran = subprocess.run([*PROGRAMS[name](), words], stdout=subprocess.PIPE, check=True, cwd=HERE.parent)
    measured: Seconds = json.loads(ran.stdout)
    return measured


def asyncssh_peer() -> list[str | Path]:
    return [environment("asyncssh") / "python", HERE / "ssh_peers" / "asyncssh_peer.py"]


PROGRAMS: dict[str, Callable[[], list[str | Path]]] = {
    OURS: lambda: [sys.executable, "-m", "bench.ssh_peers.ours"],
    ASYNCSSH: asyncssh_peer,
    TUNED: asyncssh_peer,
    PARAMIKO: lambda: [sys.executable, HERE / "ssh_peers" / "stock_paramiko.py"],
}


class Ansible:
    """`ansible -m raw` with its best settings: as many forks as we have workers, persistent connections."""

    def __init__(self, folder: Path, task: Task) -> None:
        self._program = environment("ansible") / "ansible"
        self._folder = folder
        self._inventory = folder / "inventory"
        self._workers = task.workers
        self._config = folder / "ansible.cfg"
        self._config.touch()
        self._inventory.write_text(
            "".join(f"{host} ansible_port={task.port} ansible_user={task.user}\n" for host in task.hosts)
            + f"[all:vars]\nansible_ssh_private_key_file={task.key}\n"
            f"ansible_ssh_common_args=-F none -o UserKnownHostsFile={task.known_hosts} -o IdentitiesOnly=yes\n"
        )

    def round(self) -> Seconds:
        """One cold run, one warm run over the connections the first has left open."""
        with tempfile.TemporaryDirectory(prefix="cp") as sockets:
            try:
                return {"cold": [self._run(sockets)], "warm": [self._run(sockets)]}
            finally:
                for socket in Path(sockets).iterdir():
                    subprocess.run(["ssh", "-O", "exit", "-S", socket, "-", "-q"], capture_output=True, check=False)

    def _run(self, sockets: str) -> float:
        settings = {
            "ANSIBLE_CONFIG": str(self._config),
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
            "ANSIBLE_TIMEOUT": "60",
        }
        words = [self._program, "all", "-i", self._inventory, "-f", str(self._workers), "-m", "raw", "-a", "true"]
        began = time.perf_counter()
        ran = subprocess.run(
            [str(word) for word in words],
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        seconds = time.perf_counter() - began
        if ran.returncode != 0:
            raise SystemExit(f"ansible failed:\n{ran.stdout.decode()[-3000:]}")
        return seconds


def rounds(count: int, players: dict[str, Callable[[], Seconds]], say: Callable[[str], None]) -> dict[str, Seconds]:
    """All players once per round, so that what disturbs the machine disturbs all of them."""
    results: dict[str, Seconds] = {name: defaultdict(list) for name in players}
    for number in range(count):
        for name, play in players.items():
            say(f"round {number + 1} of {count}: {name}")
            for state, seconds in play().items():
                results[name][state] += seconds
    return results


def main() -> None:
    console = Console()
    load_before = os.getloadavg()[0]
    addresses = [f"127.0.0.{n}" for n in range(1, HOSTS + 1)]
    with (
        console.status("setting up peers and sshd") as status,
        tempfile.TemporaryDirectory(prefix="bench-ssh") as folder,
        Sshd(Path(folder) / "sshd", addresses=addresses) as server,
    ):
        about = (addresses, server.port, server.user, str(server.client_key), str(server.known_hosts), WORKERS)
        steps, fan_out = Task("steps", *about, STEP_REPEAT), Task("fan-out", *about, FAN_OUT_REPEAT)
        ansible = Ansible(Path(folder), fan_out)
        one_host = rounds(STEP_ROUNDS, {name: partial(measure, name, steps) for name in PROGRAMS}, status.update)
        fanned = (OURS, ASYNCSSH, TUNED)
        many = rounds(FAN_OUT_ROUNDS, {name: partial(measure, name, fan_out) for name in fanned}, status.update)
        many |= rounds(ANSIBLE_ROUNDS, {ANSIBLE: ansible.round}, status.update)
    report(console, one_host, many, load_before)


def report(console: Console, one_host: dict[str, Seconds], many: dict[str, Seconds], load_before: float) -> None:
    for title, results, state, targets in (
        ("A cold connection and five steps, one host", one_host, "cold", {ASYNCSSH: 2.0, PARAMIKO: 7.0}),
        (f"One command on {HOSTS} hosts, cold", many, "cold", {TUNED: 1 / 1.15}),
        (f"One command on {HOSTS} hosts, warm", many, "warm", {ANSIBLE: 15.0}),
    ):
        measured = {name: seconds[state] for name, seconds in results.items()}
        console.print(comparison(title, measured, targets))
    console.print(
        f"Milliseconds; {os.cpu_count()} cores, load {load_before:.1f} before and {os.getloadavg()[0]:.1f} after, "
        "this bench included. Only a quiet machine shows the ratios undisturbed."
    )


def comparison(title: str, measured: dict[str, list[float]], targets: dict[str, float]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("by")
    for heading in ("fastest", "median", "90 %", "ratio of fastest", "ratio of medians"):
        table.add_column(heading, justify="right")
    table.add_column("target")
    for name, seconds in measured.items():
        fastest = min(seconds) / min(measured[OURS])
        median = statistics.median(seconds) / statistics.median(measured[OURS])
        table.add_row(
            name,
            *(f"{value * 1000:.1f}" for value in (min(seconds), statistics.median(seconds), last_decile(seconds))),
            f"{fastest:.2f}",
            f"{median:.2f}",
            verdict(median, targets.get(name)),
        )
    return table


def last_decile(seconds: list[float]) -> float:
    return sorted(seconds)[-1 - len(seconds) // 10]


def verdict(ratio: float, target: float | None) -> str:
    if target is None:
        return ""
    return f"≥ {target:.2f} " + ("[green]met[/]" if ratio >= target else "[red]missed[/]")


if __name__ == "__main__":
    main()
