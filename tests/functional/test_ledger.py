"""The ledger of steps on this machine, under every shell that hosts have: each step runs once, and is remembered."""

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.errors import CommandTimedOut, ConnectionLost, HostError, LoginRefused
from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.runtime.ledger import Ledger, Ledgers
from agent.runtime.ledger.request import FROM_STDIN, Told, answer, request, script
from agent.runtime.shell import LocalShell
from tests.functional.ledger_site import ENTRY, HERE, SHELLS, STEP, Site, site_with
from tests.neighbours.waiting import until


@pytest.fixture(params=SHELLS)
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return site_with(request.param, tmp_path, monkeypatch)


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """With the shell that this machine has."""
    return site_with(None, tmp_path, monkeypatch)


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


def test_nothing_of_a_step_that_has_ended_goes_on(site: Site) -> None:
    """Who was to kill it at the end of its time, above all: it sleeps until then."""
    for number in range(5):
        site.run("true", step=replace(STEP, at=float(number)), timeout=86321.0)
    until(lambda: not _with("86321"), within=30, what="nothing of them is left")


def _with(word: str) -> list[int]:
    return [process.pid for process in psutil.process_iter(["cmdline"]) if word in (process.info["cmdline"] or ())]


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
    assert first.seconds >= second.seconds  # as long as the command took, not as the answer did


def test_what_is_asked_for_again_took_as_long_as_the_host_says(site: Site) -> None:
    site.run("sleep 1.1")
    assert site.run("sleep 1.1", again=True).seconds >= 1.1


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
    place = {"agent": site.agent, "place": ledger.place, "boot": ledger.boot, "step": ENTRY}
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


def test_nothing_is_begun_where_we_are_not_heard(site: Site) -> None:
    """An answer without its first line says that nothing has been begun."""
    asked = request(script("claim.sh"), _given(site, site.ledgers.of(HERE), f"touch {site.home}/ran"))
    with Path("/dev/full").open("wb") as full:
        subprocess.run(["/bin/sh", "-c", FROM_STDIN], input=asked.text, stdout=full, stderr=full, check=False)
    assert not (site.home / "ran").exists()


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


def test_a_ledger_that_was_begun_anew_does_not_know(site: Site) -> None:
    """Somebody cleaned up, and another step has made the folder again: no claim is there, and yet it was begun."""
    ledger = site.ledgers.of(HERE)
    command = f"echo ran >> {site.home}/ran"
    site.run(command, ledger=ledger)
    shutil.rmtree(site.home / ".paramedic")
    site.ledgers.find(HERE)
    with pytest.raises(ConnectionLost, match=r"ledger .*\.paramedic was lost and begun anew"):
        site.run(command, again=True, ledger=ledger)
    assert (site.home / "ran").read_text() == "ran\n"


def test_a_result_that_did_not_reach_the_disk_is_not_waited_for(site: Site) -> None:
    """After a power failure a file may be there without what was written to it."""
    ledger = site.ledgers.of(HERE)
    site.entry.mkdir()
    (site.entry / "result").write_text(" " * 40 + "\n")
    with pytest.raises(ConnectionLost, match="what came of the step did not reach the host's disk"):
        site.run("true", again=True, ledger=ledger)


def test_what_was_claimed_and_never_begun_is_not_waited_for_for_ever(usual: Site) -> None:
    ledger = usual.ledgers.of(HERE)
    usual.entry.mkdir()
    with pytest.raises(ConnectionLost, match="was killed on the host"):
        usual.run("true", again=True, ledger=ledger)


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

    usual.ledgers = Ledgers(Talkative(), usual.agent)
    usual.shell = Talkative()  # type: ignore[assignment]
    result = usual.run("echo out; echo err >&2")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")


@pytest.mark.parametrize(
    "words",
    ["here", "done", "done x y", "done 0", "done 0 boot id", "done 0 boot 1.00", "done 0 boot 1 2", "what 0 b", ""],
)
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
