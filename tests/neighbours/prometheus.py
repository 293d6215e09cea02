"""A real Prometheus, asking every second, and a real node-exporter for it to ask."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from agent.demo.program import Program, find
from agent.demo.waiting import answers, free_port
from tests.neighbours.waiting import until

INSTALL = "apt-get install -y prometheus prometheus-node-exporter"


class NodeExporter:
    """This machine's figures, and metrics of the test's own. `target` is what Prometheus scrapes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.target = f"127.0.0.1:{free_port()}"
        own = self.folder / "own"
        own.mkdir(parents=True)
        words = [_program("prometheus-node-exporter"), f"--web.listen-address={self.target}"]
        words += ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={own}"]
        words += [f"--collector.{name}" for name in ("cpu", "filesystem", "loadavg", "meminfo", "time")]
        self._program = Program("node-exporter", words, self.folder / "log")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        address, port = self.target.split(":")
        self._program.start(lambda: answers(address, int(port)))

    def stop(self) -> None:
        self._program.stop()

    def expose(self, name: str, samples: Mapping[str, float]) -> None:
        """A gauge of the test's own: `expose("orders_waiting", {'{shop="a"}': 3})`."""
        lines = [f"# TYPE {name} gauge", *(f"{name}{labels} {value}" for labels, value in samples.items())]
        unfinished = self.folder / f"{name}.unfinished"
        unfinished.write_text("\n".join(lines) + "\n")
        unfinished.rename(self.folder / "own" / f"{name}.prom")


class Prometheus:
    """Scrapes `targets`, name → host:port, every second; the name becomes the `instance` label."""

    def __init__(self, folder: Path, targets: Mapping[str, str]) -> None:
        self.folder = folder.resolve()
        self.targets = dict(targets)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._remote: str | None = None
        words = [_program("prometheus"), f"--config.file={self.folder}/prometheus.yml"]
        words += [f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"]
        self._program = Program("prometheus", words, self.folder / "log")

    def __enter__(self) -> Self:
        self.start()
        for name in self.targets:
            until(lambda name=name: self.value(f'up{{instance="{name}"}}') == 1, within=30, what=f"{name} is up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, or start again on the same port with the data it had."""
        self._configure()
        self._program.start(self._is_ready)

    def stop(self) -> None:
        self._program.stop()

    def remote_read(self, url: str | None) -> None:
        """From now on it also asks another server for series. One that does not answer makes answers partial."""
        self._remote = url
        self._configure()
        assert self._program.pid is not None, "it does not run"
        os.kill(self._program.pid, signal.SIGHUP)

    def _configure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        jobs = [{"targets": [target], "labels": {"instance": name}} for name, target in self.targets.items()]
        scrape = {"job_name": "tests", "static_configs": jobs}
        settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        settings["remote_read"] = [{"url": self._remote, "read_recent": True}] if self._remote else []
        (self.folder / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The result vector of an instant query, as the HTTP API gives it."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10)
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def value(self, query: str) -> float | None:
        """The value of the first series; None if there is none."""
        series = self.ask(query)
        return float(series[0]["value"][1]) if series else None

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False


def missing() -> str | None:
    """Why Prometheus cannot run here; None if it can."""
    lacking = [name for name in ("prometheus", "prometheus-node-exporter") if find(name) is None]
    return f"{' and '.join(lacking)} not found" if lacking else None


def _program(name: str) -> str:
    path = find(name)
    assert path, f"{name} not found"
    return path
