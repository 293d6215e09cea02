"""disk: as df shows it, on real file systems."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from agent.errors import CannotAsk
from agent.model.inventory import Host
from agent.model.observation import Verdict
from agent.testing import LOCAL, FakeCheckPorts
from checks.disk import Disk
from tests.neighbours import available

PORTS = FakeCheckPorts()
NEED_ROOT = "run the tests as root"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 1 MiB with 64 inodes."""
    available.require("a small file system of its own", None if os.geteuid() == 0 else "mount needs root", NEED_ROOT)
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def df(path: str, *columns: str) -> list[float]:
    command = ["df", f"--output={','.join(columns)}", "-B1", path]
    return [
        float(each.rstrip("%"))
        for each in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[1].split()
    ]


def test_agrees_with_df() -> None:
    [answer] = Disk(path="/").ask(LOCAL, PORTS)
    percent, free = df("/", "pcent", "avail")
    # df rounds up to whole percents, and other programs write meanwhile
    assert percent - 1.5 <= answer.readings["used"] <= percent + 0.5
    assert answer.readings["free"] == pytest.approx(free, rel=0.02)
    assert answer.subject == "localhost /"


@pytest.mark.root
def test_a_file_system_that_fills_up(small_disk: Path) -> None:
    check = Disk(path=str(small_disk))
    [before] = check.ask(LOCAL, PORTS)
    assert before.readings["used"] < 5
    (small_disk / "log").write_bytes(bytes(3 * 2**18))
    [after] = check.ask(LOCAL, PORTS)
    assert after.readings["used"] == pytest.approx(75, abs=1)
    assert after.readings["free"] == 2**18
    assert after.message.startswith("75% used")


@pytest.mark.root
def test_a_file_system_that_runs_out_of_inodes(small_disk: Path) -> None:
    check = Disk(path=str(small_disk))
    free = int(check.ask(LOCAL, PORTS)[0].readings["inodes_free"])
    for number in range(free):
        (small_disk / str(number)).touch()
    [answer] = check.ask(LOCAL, PORTS)
    assert answer.readings["inodes_used"] == 100
    assert answer.readings["inodes_free"] == 0
    assert answer.readings["used"] < 50


def test_a_file_system_without_inodes_has_no_inode_readings() -> None:
    assert os.statvfs("/proc").f_files == 0
    [answer] = Disk(path="/proc").ask(LOCAL, PORTS)
    assert set(answer.readings) == {"used", "free"}


def test_several_paths_are_several_subjects(tmp_path: Path) -> None:
    answers = Disk(path=("/", str(tmp_path))).ask(Host(name="h1"), PORTS)
    assert [answer.subject for answer in answers] == ["h1 /", f"h1 {tmp_path}"]


def test_a_missing_path_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(CannotAsk, match=r"/gone: no such file or directory"):
        Disk(path=f"{tmp_path}/gone").ask(LOCAL, PORTS)


def test_a_missing_path_among_others_is_unknown_by_itself(tmp_path: Path) -> None:
    there, gone = Disk(path=("/", f"{tmp_path}/gone")).ask(LOCAL, PORTS)
    assert (there.verdict, gone.verdict) == (Verdict.OK, Verdict.UNKNOWN)
    assert not gone.readings


def test_all_names_each_real_file_system_once() -> None:
    subjects = [answer.subject for answer in Disk(path="all").ask(LOCAL, PORTS)]
    paths = [subject.removeprefix("localhost ") for subject in subjects]
    assert "/" in paths
    assert not {"/proc", "/sys", "/dev", "/run"} & set(paths)
    devices = [Path(path).stat().st_dev for path in paths]
    assert len(set(devices)) == len(devices)


@pytest.mark.root
def test_all_leaves_a_tmpfs_out(small_disk: Path) -> None:
    assert f"localhost {small_disk}" not in [answer.subject for answer in Disk(path="all").ask(LOCAL, PORTS)]


@pytest.mark.parametrize("path", ["var", ["/", "all"], []])
def test_refuses_what_is_no_path(path: object) -> None:
    with pytest.raises(ValidationError, match="write"):
        Disk.model_validate({"path": path})


@pytest.mark.root
def test_all_names_a_file_system_once_however_often_it_is_mounted(tmp_path: Path) -> None:
    available.require("a bind mount", None if os.geteuid() == 0 else "mount needs root", NEED_ROOT)
    again = tmp_path / "again"
    again.mkdir()
    real = next(each.mountpoint for each in psutil.disk_partitions() if Path(each.mountpoint).is_dir())
    subprocess.run(["mount", "--bind", real, again], check=True)
    try:
        subjects = [answer.subject for answer in Disk(path="all").ask(LOCAL, PORTS)]
    finally:
        subprocess.run(["umount", again], check=True)
    assert f"localhost {again}" not in subjects
