"""The ledger of steps on this machine, under every shell that hosts have: each step runs once, and is remembered."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.errors import CommandTimedOut, ConnectionLost, HostError, LoginRefused
from agent.model.command_result import CommandResult
from agent.model.commands import RunStep
from agent.model.inventory import Host
from agent.runtime.ledger import Ledger, Ledgers, StepShell
from agent.runtime.ledger.request import FROM_STDIN, Told, answer, request, script
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from tests.neighbours import available
from tests.neighbours.waiting import until

HERE = Host(name="localhost", connection="local")
STEP = RunStep("RUN-1.web1.steps.1.1", "RUN-1", None, "web1", True, "a step", "run", {}, False, 60.0, False, 1000.0)
ENTRY = "RUN-1.web1.steps.1.1@1000000"


class Site:
    """A home folder, and an agent that has steps carried out there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.shell = Shells({}, SshPool(), LocalShell())
        self.ledgers = Ledgers(self.shell, "agent")
        self.moves: list[Ledger] = []

    @property
    def entry(self) -> Path:
        return self.home / ".paramedic" / "agent" / ENTRY

    def run(self, command: str, *, again: bool = False, ledger: Ledger | None = None, **how: Any) -> CommandResult:
        """Ask for the same step, with what is given in `how`: timeout, output_limit, step."""
        shell = StepShell(
            self.shell,
            self.ledgers,
            how.get("step", STEP),
            ledger or self.ledgers.of(HERE),
            again=again,
            secret=True,
            output_limit=how.get("output_limit", 65536),
            moved=self.moves.append,
        )
        return shell.run(HERE, command, timeout=how.get("timeout", 60.0))

    def runner(self) -> int:
        """Process that carries the step out."""
        text = until(lambda: self._runner_file(), within=30, what="the step is under way")
        return int(text.split()[0])

    def _runner_file(self) -> str:
        file = self.entry / "runner"
        return file.read_text() if file.exists() else ""


@pytest.fixture(params=["dash", "bash", "busybox"])
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    shell = shutil.which(request.param)
    available.require(request.param, None if shell else "it is not installed", f"apt-get install -y {request.param}")
    assert shell
    names = ["sh"]
    if request.param == "busybox":  # and every tool it has: what a container or a router has instead of coreutils
        names += subprocess.run([shell, "--list"], capture_output=True, text=True, check=True).stdout.split()
    (tmp_path / "bin").mkdir()
    for name in sorted(set(names)):
        (tmp_path / "bin" / name).symlink_to(shell)
    return _site(tmp_path, monkeypatch, f"{tmp_path / 'bin'}:{os.environ['PATH']}")


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """With the shell that this machine has."""
    return _site(tmp_path, monkeypatch, os.environ["PATH"])


def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> Site:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("HOME", str(home))
    return Site(home)


# what comes of a command


def test_what_came_of_it_is_told_as_it_was(site: Site) -> None:
    result = site.run("echo out; echo err >&2; printf 'no newline'; exit 3")
    assert (result.status, result.stdout, result.stderr, result.dropped) == (3, "out\nno newline", "err\n", 0)


def test_a_command_finds_what_it_would_find_without_us(site: Site) -> None:
    """Its standard input is at its end, the umask is the user's, no signal is ignored."""
    os.umask(before := os.umask(0o027))
    os.umask(0o027)
    try:
        result = site.run("cat; umask; yes | head -n 1; grep SigIgn /proc/self/status; pwd")
    finally:
        os.umask(before)
    umask, yes, ignored, where = result.stdout.splitlines()
    assert (int(umask, 8), yes, result.stderr) == (0o027, "y", "")
    assert int(ignored.split()[1], 16) & (1 << signal.SIGHUP - 1 | 1 << signal.SIGPIPE - 1) == 0
    assert where == str(Path.cwd())


def test_several_lines_are_one_script(site: Site) -> None:
    script = "set -e\nwords='a \"b\" $c \\d'\ncat <<END\n$words\nEND\nfalse\necho not reached\n"
    result = site.run(script)
    assert (result.status, result.stdout) == (1, 'a "b" $c \\d\n')


def test_a_signal_has_the_status_a_shell_gives_it(site: Site) -> None:
    assert site.run("kill -9 $$").status == 137


def test_bytes_that_are_no_text_are_shown(site: Site) -> None:
    assert site.run("printf 'a\\377b'").stdout == "a\\xffb"


def test_a_flood_is_cut_in_the_middle_and_costs_no_room(site: Site) -> None:
    command = "echo first; i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i + 1)); done; echo last"
    result = site.run(command, output_limit=1000)
    assert result.stdout.startswith("first\n0123456789\n")
    assert result.stdout.endswith("0123456789\nlast\n")
    assert result.dropped == 6 + 3000 * 11 + 5 - 1000
    assert sum(file.stat().st_size for file in site.entry.iterdir()) < 2000


@pytest.mark.parametrize("size", [499, 500, 501, 1000, 1001])
def test_at_the_edge_of_what_is_kept(usual: Site, size: int) -> None:
    result = usual.run(f"head -c {size} /dev/zero | tr '\\0' x", output_limit=1000)
    assert result.dropped == max(0, size - 1000)
    assert result.stdout.count("x") == min(size, 1000)


def test_what_goes_on_in_the_background_does_not_hold_the_step(site: Site, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never")
    result = site.run(f"(read line < {tmp_path}/never; echo late) & echo started")
    assert (result.status, result.stdout) == (0, "started\n")
    (tmp_path / "never").write_text("\n")


def test_a_command_that_ends_well_when_it_is_told_to_end_did_not_end_in_time(site: Site) -> None:
    with pytest.raises(CommandTimedOut, match="did not end within 2 s and was killed"):
        site.run("trap 'exit 0' TERM; while :; do sleep 0.1; done", timeout=2.0)


def test_a_command_that_does_not_end_is_killed_with_all_its_children(site: Site, tmp_path: Path) -> None:
    command = f"echo so far; trap '' TERM; sleep 1000 & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(CommandTimedOut, match="did not end within 5 s and was killed") as late:
        site.run(command, timeout=5.0)
    assert late.value.stdout == "so far\n"
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not _alive(pid), within=30, what="its child is gone")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


# once


def test_a_second_request_is_told_what_came_of_the_first(site: Site) -> None:
    command = f"echo ran >> {site.home}/ran; echo out; exit 4"
    first, second = site.run(command), site.run(command, again=True)
    assert (second.status, second.stdout) == (first.status, first.stdout) == (4, "out\n")
    assert (site.home / "ran").read_text() == "ran\n"


def test_of_many_at_once_one_carries_it_out(site: Site) -> None:
    with ThreadPoolExecutor(6) as askers:
        command = f"echo ran >> {site.home}/ran; sleep 0.2; echo out"
        results = list(askers.map(lambda n: site.run(command, again=bool(n)), range(6)))
    assert [result.stdout for result in results] == ["out\n"] * 6
    assert (site.home / "ran").read_text() == "ran\n"


def test_the_step_goes_on_without_who_asked_for_it(site: Site, tmp_path: Path) -> None:
    """What a lost connection looks like from the host: the processes of the session are gone."""
    os.mkfifo(tmp_path / "gate")
    command = f"echo begun > {site.home}/begun; read line < {tmp_path}/gate; echo $line"
    ledger = site.ledgers.of(HERE)
    asked = request(script("claim.sh"), _given(site, ledger, command))
    asker = subprocess.Popen(
        ["/bin/sh", "-c", FROM_STDIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert asker.stdin
    asker.stdin.write(asked.text)
    asker.stdin.close()
    until((site.home / "begun").exists, within=30, what="the step is under way")
    os.killpg(asker.pid, signal.SIGKILL)
    asker.wait()
    with ThreadPoolExecutor(1) as askers:
        answer = askers.submit(site.run, command, again=True)
        (tmp_path / "gate").write_text("the result\n")
        assert answer.result(60).stdout == "the result\n"


def _given(site: Site, ledger: Ledger, command: str) -> dict[str, object]:
    runner = f"command='{command}'; sudo=no; secret=no\n{script('carry_out.sh')}"
    place = {"agent": "agent", "place": ledger.place, "boot": ledger.boot, "step": ENTRY}
    return {**place, "again": "no", "seconds": 60, "half": 1000, "runner": runner}


def test_a_request_that_was_cut_off_does_nothing(site: Site) -> None:
    """At end of file `eval` would run the commands it has; there must be none before the last byte."""
    ledger = site.ledgers.of(HERE)
    before = sorted(site.home.rglob("*"))
    whole = request(script("claim.sh"), _given(site, ledger, f"touch {site.home}/ran")).text
    for length in range(len(whole) - 3, 0, -max(1, len(whole) // 60)):
        LocalShell().run(FROM_STDIN, timeout=60, stdin=whole[:length])
    assert sorted(site.home.rglob("*")) == before
    LocalShell().run(FROM_STDIN, timeout=60, stdin=whole)
    assert (site.home / "ran").exists()


def test_the_same_number_of_another_time_is_another_step(usual: Site) -> None:
    """A record that was restored from a backup gives the same numbers again."""
    command = f"echo ran >> {usual.home}/ran"
    usual.run(command)
    usual.run(command, step=replace(STEP, at=2000.0))
    assert (usual.home / "ran").read_text() == "ran\nran\n"


# what is not known any more


def test_who_carries_it_out_is_killed(site: Site, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    with ThreadPoolExecutor(1) as askers:
        answer = askers.submit(site.run, f"touch {site.home}/begun; read line < {tmp_path}/gate")
        until((site.home / "begun").exists, within=30, what="the step is under way")
        os.kill(site.runner(), signal.SIGKILL)
        with pytest.raises(ConnectionLost, match="was killed on the host"):
            answer.result(60)
        (tmp_path / "gate").write_text("\n")


def test_the_host_was_restarted_in_the_middle(site: Site) -> None:
    ledger = site.ledgers.of(HERE)
    site.entry.mkdir()
    (site.entry / "runner").write_text("1 1 another-boot\n")
    with pytest.raises(ConnectionLost, match="the host was restarted while the step was under way"):
        site.run("true", again=True, ledger=ledger)


@pytest.mark.parametrize("repeatable", [True, False])
def test_nothing_is_known_of_it_since_the_host_was_restarted(site: Site, repeatable: bool) -> None:
    """The claim may have been made and not have reached the disk: what may be repeated is begun anew."""
    ledger = replace(site.ledgers.of(HERE), boot="another-boot")
    command, step = f"echo ran >> {site.home}/ran", replace(STEP, repeatable=repeatable)
    if repeatable:
        site.run(command, again=True, ledger=ledger, step=step)
        assert (site.home / "ran").read_text() == "ran\n"
        assert site.moves
    else:
        with pytest.raises(ConnectionLost, match="the host was restarted, and what the step did before"):
            site.run(command, again=True, ledger=ledger, step=step)
        assert not (site.home / "ran").exists()


def test_it_was_surely_never_begun(site: Site) -> None:
    """The agent died between its note and the request."""
    assert site.run("echo out", again=True).stdout == "out\n"


def test_the_ledger_is_gone(site: Site) -> None:
    ledger = site.ledgers.of(HERE)
    shutil.rmtree(site.home / ".paramedic")
    with pytest.raises(ConnectionLost, match=r"ledger .*\.paramedic is gone"):
        site.run("true", again=True, ledger=ledger)


def test_what_was_claimed_and_never_begun_is_not_waited_for_for_ever(usual: Site) -> None:
    ledger = usual.ledgers.of(HERE)
    usual.entry.mkdir()
    with pytest.raises(ConnectionLost, match="was killed on the host"):
        usual.run("true", again=True, ledger=ledger)


# where it is kept


def test_nobody_else_can_read_it(site: Site) -> None:
    os.umask(before := os.umask(0))
    os.umask(0)
    try:
        site.run("echo secret; echo secret >&2")
    finally:
        os.umask(before)
    kept = [site.home / ".paramedic", *(site.home / ".paramedic").rglob("*")]
    assert len(kept) > 5
    assert [str(path) for path in kept if path.stat().st_mode & 0o077] == []
    assert all("pipe" not in path.name for path in kept)


def test_a_link_that_somebody_laid_is_not_followed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (site.home / ".paramedic").symlink_to(tmp_path / "elsewhere")
    ledger = site.ledgers.of(HERE)
    assert ledger.place.startswith(("/var/tmp/paramedic-", "/dev/shm/paramedic-"))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    shutil.rmtree(ledger.place)


def test_old_entries_expire(site: Site) -> None:
    site.run("true")
    os.utime(site.entry, (0, 0))
    newer = replace(STEP, at=2000.0)
    site.run("true", step=newer)
    site.ledgers.find(HERE)
    assert not site.entry.exists()
    assert len(list(site.entry.parent.iterdir())) == 1


def test_a_disk_that_fills_up_moves_the_ledger_and_the_step_runs(usual: Site, full_disk: Callable[[], None]) -> None:
    """A full disk is a fault to be treated: it must not keep the treatment away."""
    ledger = usual.ledgers.of(HERE)
    full_disk()
    assert usual.run("echo treated", ledger=ledger).stdout == "treated\n"
    (moved,) = usual.moves
    assert moved.place != ledger.place
    assert usual.run("echo not again", ledger=moved, again=True).stdout == "treated\n"
    shutil.rmtree(moved.place)


def test_a_disk_that_fills_up_meanwhile_costs_output_and_no_result(usual: Site, full_disk: Callable[[], None]) -> None:
    usual.ledgers.of(HERE)
    fill = f"cat /dev/zero > {usual.home}/big 2>/dev/null; yes | head -n 100000; exit 5"
    assert usual.run(fill).status == 5


@pytest.fixture
def full_disk(usual: Site) -> Iterator[Callable[[], None]]:
    """The home folder on a small file system of its own, and how to fill it."""
    why = None if os.geteuid() == 0 else "mounting takes root"
    available.require("a disk to fill", why, "make test as root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", usual.home], check=True)

    def fill() -> None:
        with (usual.home / "big").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"0" * 4096)
            except OSError:
                pass

    yield fill
    subprocess.run(["umount", "-l", usual.home], check=True)


# what cannot be


def test_a_login_that_runs_nothing_says_so(usual: Site) -> None:
    class Nologin:
        def run(self, host: Host, command: str, **how: Any) -> CommandResult:
            return CommandResult(1, "This account is currently not available.\n", "")

    with pytest.raises(LoginRefused, match="no command can be run there: This account is currently not available"):
        Ledgers(Nologin(), "agent").of(HERE)


def test_a_command_with_a_nul_is_refused(usual: Site) -> None:
    with pytest.raises(HostError, match="there is a NUL in it"):
        usual.run("a\0b")


def test_a_banner_does_not_disturb(usual: Site) -> None:
    quiet = usual.shell

    class Talkative:
        def run(self, host: Host, command: str, **how: Any) -> CommandResult:
            result = quiet.run(host, command, **how)
            return replace(result, stdout="Welcome!\n" + result.stdout, stderr="hm\n" + result.stderr)

    usual.ledgers = Ledgers(Talkative(), "agent")
    usual.shell = Talkative()  # type: ignore[assignment]
    result = usual.run("echo out; echo err >&2")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")


@pytest.mark.parametrize("words", ["here", "done", "done x y", "done 0", "done 0 boot id", "what 0 boot", ""])
def test_an_answer_that_makes_no_sense_is_none(words: str) -> None:
    result = CommandResult(0, f"Welcome!\nmark here\nmark {words}\noutput", "")
    assert answer(result, "mark") == Told("")


def test_nobody_sees_the_command_in_the_list_of_processes(site: Site, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    with ThreadPoolExecutor(1) as askers:
        answer = askers.submit(site.run, f"password=tr0ub4dor; touch {site.home}/begun; read line < {tmp_path}/gate")
        until((site.home / "begun").exists, within=30, what="the step is under way")
        seen = " ".join(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"]))
        (tmp_path / "gate").write_text("\n")
        assert answer.result(60).status == 0
    assert "paramedic" in seen
    assert "tr0ub4dor" not in seen
