"""What the daemon costs when nothing happens: CPU, memory and lag with 100, 1,000 and 10,000 checks each 10 s."""

import json
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.daemon import Daemon

EVERY = 10
SETTLE = 15.0
MEASURE = 40.0
TARGET_CPU, TARGET_MB = 1.5, 110.0


def main() -> None:
    """A mix as people have it: TCP ports mostly, and this machine's own figures."""
    console = Console()
    table = Table(title=f"The daemon idle, every check each {EVERY} s, measured for {MEASURE:.0f} s")
    for heading in ("checks", "% of one core", "MB", "lag: average ms", "lag: worst ms", "target"):
        table.add_column(heading, justify="right")
    for count in (100, 1_000, 10_000):
        with console.status(f"{count:,} checks"), _listener() as port:
            cpu, memory, average, worst = _measure(count, port)
        target = ""
        if count == 100:
            met = cpu < TARGET_CPU and memory < TARGET_MB
            target = f"< {TARGET_CPU} %, < {TARGET_MB:.0f} MB: {'met' if met else 'MISSED'}"
        table.add_row(
            f"{count:,}", f"{cpu:.2f}", f"{memory:.0f}", f"{average * 1000:.1f}", f"{worst * 1000:.1f}", target
        )
    console.print(table)


def _measure(count: int, port: int) -> tuple[float, float, float, float]:
    with tempfile.TemporaryDirectory(prefix="bench-idle-") as name:
        folder = Path(name)
        config = folder / "config"
        (config / "runbooks").mkdir(parents=True)
        (config / "paramedic.yaml").write_text(_config(count, port, folder))
        with Daemon(config) as daemon:
            time.sleep(SETTLE)
            spent, began = daemon.cpu_seconds(), time.monotonic()
            time.sleep(MEASURE)
            cpu = (daemon.cpu_seconds() - spent) / (time.monotonic() - began) * 100
            memory = daemon.megabytes()
            lag = _status(folder / "control.sock")["schedule"]
        return cpu, memory, lag["lag_average"], lag["lag_worst"]


def _config(count: int, port: int, folder: Path) -> str:
    kinds = (
        f"{{kind: tcp, port: {port}",
        "{kind: memory, warning: used > 99%",
        "{kind: cpu, warning: load_per_core > 1000",
        "{kind: disk, path: /, warning: used > 99.9%",
        "{kind: process, name: paramedic",
    )
    # seven of ten are TCP
    lines = [
        f"agent: {{state_dir: {folder}/state, socket: {folder}/control.sock, runbooks: [runbooks]}}",
        "teams: {operations: {title: On duty}}",
        "checks:",
    ]
    for number in range(count):
        kind = kinds[max(0, number % 10 - 5)]
        lines.append(f"  check-{number}: {kind}, every: {EVERY}s}}")
    return "\n".join(lines) + "\n"


def _status(path: Path) -> dict[str, dict[str, float]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    status: dict[str, dict[str, float]] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return status


@contextmanager
def _listener() -> Iterator[int]:
    """A port that accepts and closes, whose cost is another process's in real life but small."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:

        def serve() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


if __name__ == "__main__":
    main()
