"""How fast commands over SSH are, beside asyncssh, stock paramiko and ansible: `python -m bench.ssh`.

All talk to one real sshd on loopback, where every 127.0.0.N is a host. The rounds of the contestants are
interleaved and medians are compared, since a shared machine is never quiet; the ratios travel, the
milliseconds do not.
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
from dataclasses import asdict, dataclass
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

OURS, ASYNCSSH, PARAMIKO, ANSIBLE = "paramedic", "asyncssh", "stock paramiko", "ansible -m raw"


class QuickShell(Sshd):
    """bash reads the account's dotfiles for every command over SSH unless it believes to be nested. Their
    cost is the same for all and would only hide the difference."""

    def _config(self) -> str:
        return "SetEnv SHLVL=2\n" + super()._config()


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


def measure(command: list[str | Path], task: Task) -> Seconds:
    ran = subprocess.run([*command, json.dumps(asdict(task))], stdout=subprocess.PIPE, check=True, cwd=HERE.parent)
    measured: Seconds = json.loads(ran.stdout)
    return measured


def contestants() -> dict[str, list[str | Path]]:
    return {
        OURS: [sys.executable, "-m", "bench.ssh_peers.ours"],
        ASYNCSSH: [environment("asyncssh") / "python", HERE / "ssh_peers" / "asyncssh_peer.py"],
        PARAMIKO: [sys.executable, HERE / "ssh_peers" / "stock_paramiko.py"],
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
    addresses = [f"127.0.0.{n}" for n in range(1, HOSTS + 1)]
    with (
        console.status("setting up peers and sshd") as status,
        tempfile.TemporaryDirectory(prefix="bench-ssh") as folder,
        QuickShell(Path(folder) / "sshd", addresses=addresses) as server,
    ):
        about = (addresses, server.port, server.user, str(server.client_key), str(server.known_hosts), WORKERS)
        steps, fan_out = Task("steps", *about, STEP_REPEAT), Task("fan-out", *about, FAN_OUT_REPEAT)
        programs = contestants()
        ansible = Ansible(Path(folder), fan_out)

        def player(name: str, task: Task) -> Callable[[], Seconds]:
            return lambda: measure(programs[name], task)

        one_host = rounds(STEP_ROUNDS, {name: player(name, steps) for name in programs}, status.update)
        many = rounds(FAN_OUT_ROUNDS, {name: player(name, fan_out) for name in (OURS, ASYNCSSH)}, status.update)
        many |= rounds(ANSIBLE_ROUNDS, {ANSIBLE: ansible.round}, status.update)
    report(console, one_host, many)


def report(console: Console, one_host: dict[str, Seconds], many: dict[str, Seconds]) -> None:
    table = Table(title="SSH: medians, and the spread from the first to the last decile")
    for heading in ("task", "by", "median ms", "10–90 % ms", "against ours", "target"):
        table.add_column(heading, justify="right" if "ms" in heading or heading == "against ours" else "left")
    for title, results, state, targets in (
        ("cold connection and five steps, one host", one_host, "cold", {ASYNCSSH: 2.0, PARAMIKO: 7.0}),
        (f"one command on {HOSTS} hosts, cold", many, "cold", {ASYNCSSH: 1 / 1.15}),
        (f"one command on {HOSTS} hosts, warm", many, "warm", {ANSIBLE: 15.0}),
    ):
        ours = statistics.median(results[OURS][state])
        for name, measured in results.items():
            ratio = statistics.median(measured[state]) / ours
            table.add_row(
                title if name == OURS else "",
                name,
                f"{statistics.median(measured[state]) * 1000:.1f}",
                spread(measured[state]),
                f"{ratio:.2f}×" if name != OURS else "",
                verdict(ratio, targets.get(name)),
            )
        table.add_section()
    console.print(table)


def spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    return f"{low * 1000:.1f}–{high * 1000:.1f}"


def verdict(ratio: float, target: float | None) -> str:
    if target is None:
        return ""
    return f"at least {target:.2f}×: " + ("[green]met[/]" if ratio >= target else "[red]missed[/]")


if __name__ == "__main__":
    main()
