"""What the command shows: stories, tables, status; nothing hostile reaches the terminal."""

import json
import os
import pty
import re
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model.views import ChainView, TicketsView
from tests.functional.control_request import me
from tests.functional.control_site import PARAMEDIC, ControlSite, paramedic
from tests.functional.fake_control import STATUS

_WITHIN = 60
_NOT_FOR_TERMINALS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def test_show_tells_the_story(site: ControlSite) -> None:
    said = site.paramedic("show", "INC-12")
    assert said.code == 0
    shown = re.sub(r"\d+ d( \d+ h)?( after it was opened)", "N d\\2", said.out)
    assert shown == (Path(__file__).parent / "data" / "show-inc-12.txt").read_text()


def test_show_fits_a_narrow_terminal(site: ControlSite) -> None:
    said = site.paramedic("show", "INC-12", COLUMNS="46")
    assert max(len(line) for line in said.out.splitlines()) <= 46


def test_show_full_folds_nothing(site: ControlSite) -> None:
    brief, full = site.paramedic("show", "INC-12").out, site.paramedic("show", "INC-12", "--full").out
    assert "worker 100 exited" in full
    assert "worker 100 exited" not in brief
    assert "syntax is ok" in full
    assert "(--full)" not in full


def test_show_of_a_run_by_hand_says_what_it_waits_for(site: ControlSite) -> None:
    said = site.paramedic("show", "run-3")
    assert said.code == 0
    assert "overruled: the vendor asked for it" in said.out
    assert "unit = nginx.service" in said.out
    assert "paramedic approve RUN-3" in said.out


def test_show_for_programs_is_the_whole_story(site: ControlSite) -> None:
    story = json.loads(site.paramedic("show", "INC-12", "--json").out)
    assert story["incident"]["classification"]["priority"] == "P1"
    assert story["entries"][5]["entry"]["data"]["stdout"].count("\n") == 199
    assert [run["id"] for run in story["executions"]] == ["RUN-6", "RUN-7"]


def test_show_of_what_is_not_there_is_no(site: ControlSite) -> None:
    said = site.paramedic("show", "INC-99")
    assert (said.code, said.err) == (1, "there is no incident, run or emergency called INC-99\n")


def test_a_word_that_is_nothing_to_show_is_told_what_there_is() -> None:
    said = " ".join(paramedic("show", "RUNN-1").err.replace("│", " ").split())
    assert "is no incident, run or emergency (INC-12, RUN-7, PLAN-1), nor agent" in said


def test_incidents_are_listed_or_said_to_be_none(site: ControlSite) -> None:
    said = site.paramedic("incidents", "--all", "--service", "shop", "--priority", "p2", "--since", "2025-11-20")
    assert "INC-12  P1  escalated" in said.out
    query = site.control.queries[-1]
    assert (query.all, query.service, query.priority, query.since) == (True, "shop", "P2", 1763596800.0)
    site.control.known = ()
    assert site.paramedic("incidents").out == "no open incidents\n"
    assert site.paramedic("incidents", "--service", "shop").out == "no open incidents of shop\n"
    assert json.loads(site.paramedic("incidents", "--json").out) == {"incidents": []}


def test_status_says_what_troubles_the_agent(site: ControlSite) -> None:
    assert site.paramedic("freeze", "fire").code == 0
    site.control.status_now = replace(site.control.status_now, commit_error="no space left")
    said = site.paramedic("status").out
    unfolded = " ".join(said.split())
    for sentence in (
        "FROZEN",
        "fire",
        "RUN-7 restart-web for INC-12",
        "1 open: 1 escalated",
        "30 OK, 1 CRITICAL, 2 unconfirmed; 1 cannot be asked",
        "3 updates wait",
        "1 of 2 answer",
        "web1 has not answered for 40 s; tried again in 5 s",
        "connection refused",
        "NOTHING CAN BE COMMITTED, so nothing is done: no space left",
        "changed on disk since loaded, not used before paramedic reload: restart-unit,",
    ):
        assert sentence in unfolded
    assert re.search(rf"^you +{me()}, commander$", said, re.MULTILINE)
    assert json.loads(site.paramedic("status", "--json").out)["schedule"]["probes"] == STATUS.schedule.probes


@pytest.mark.parametrize(
    ("tickets", "says"),
    [
        (TicketsView(True), "nothing to tell so far"),
        (TicketsView(True, None, 1, None, 0, "gone"), "no answer so far; 1 update waits gone"),
        (TicketsView(True, True, 1, None, 0, "busy"), "the ticket system answers; 1 update waits busy"),
        (TicketsView(True, False, 1, None, 0, "gone"), "the ticket system does not answer; 1 update waits gone"),
        (
            TicketsView(True, False, 1, None, 0, "secret 'x' cannot be had", asked=False),
            "the ticket system cannot be asked; 1 update waits secret 'x' cannot be had",
        ),
    ],
)
def test_status_says_of_the_ticket_system_what_is_known(site: ControlSite, tickets: TicketsView, says: str) -> None:
    site.control.status_now = replace(site.control.status_now, tickets=tickets)
    assert says in " ".join(site.paramedic("status").out.split())


def test_checks_are_listed(site: ControlSite) -> None:
    said = site.paramedic("checks", "list").out
    assert re.search(r"web +web1 +CRITICAL", said)
    assert re.search(r"root-disk +not asked yet", said)
    assert "root-disk" not in site.paramedic("checks", "list", "--bad").out
    assert site.paramedic("checks").out == said
    assert "root-disk" not in site.paramedic("checks", "--bad").out
    unknown = site.paramedic("checks", "list", "root-dsk")
    assert (unknown.code, unknown.err) == (1, "there is no check root-dsk: did you mean 'root-disk'?\n")
    assert re.search(r"web2 +OK flapping", said)
    only = json.loads(site.paramedic("checks", "list", "web", "--json").out)
    assert [check["name"] for check in only["checks"]] == ["web"]


def test_a_check_is_asked_now_and_the_exit_code_says_whether_all_is_well(site: ControlSite) -> None:
    said = site.paramedic("checks", "run", "web")
    assert said.code == 1
    assert said.out.splitlines()[1] == "OK       web2  status 200"
    assert site.paramedic("checks", "run", "web", "--host", "web2").code == 0
    assert site.paramedic("checks", "run", "nope").err == "there is no check nope\n"


def test_runbooks_are_listed_and_shown(site: ControlSite) -> None:
    assert re.search(r"restart-web +Restart nginx\. +web", site.paramedic("runbook", "list").out)
    said = site.paramedic("runbook", "show", "restart-web")
    assert (said.out, said.err) == ("runbook: restart-web\nsteps: []\n", f"(text {'d1' * 6})\n")
    assert site.paramedic("runbook", "show", "nope").code == 1


def test_a_runbook_whose_file_changed_is_marked_and_who_signed_the_text_is_said(site: ControlSite) -> None:
    changed = "changed on disk since it was loaded; not used before: paramedic reload"
    assert site.paramedic("runbook", "list").out.count(changed) == 1
    said = site.paramedic("runbook", "show", "restart-unit").err.splitlines()
    assert said[0].startswith(f"(text {'d2' * 6}, signed by ")
    assert said[1] == f"({changed})"
    found = json.loads(site.paramedic("runbook", "show", "restart-unit", "--json").out)
    assert found["changed_on_disk"] is True


def test_records_verify_says_whether_the_chain_holds(site: ControlSite) -> None:
    said = site.paramedic("records", "verify")
    assert said.code == 0
    assert "1234 records, each as it was written" in said.out
    site.control.chain = ChainView(False, 41, "ab" * 32, 42, "record 42 is not as it was written")
    said = site.paramedic("records", "verify")
    assert said.code == 1
    assert "record 42 is not as it was written" in said.out
    said = site.paramedic("records", "verify", "--json")
    assert (said.code, json.loads(said.out)["broken_at"]) == (1, 42)
    site.control.chain = ChainView(True, 1, "ab" * 32)
    assert "1 record, each as it was written" in site.paramedic("records", "verify").out


# the terminal


@pytest.mark.parametrize(
    "words",
    [
        ["show", "INC-12"],
        ["show", "INC-12", "--full"],
        ["show", "INC-12", "--json"],
        ["checks", "list"],
        ["checks", "list", "--json"],
        ["checks", "run", "web"],
        ["runbook", "list"],
        ["runbook", "show", "restart-unit"],
    ],
    ids=" ".join,
)
def test_nothing_hostile_reaches_the_terminal_as_it_came(site: ControlSite, words: list[str]) -> None:
    said = site.paramedic(*words)
    assert said.code in (0, 1)
    assert not _NOT_FOR_TERMINALS.findall(said.out + said.err)
    assert "[red]all is well[/red]" in said.out or words[0] == "show"


def test_on_a_terminal_only_our_own_colours_are_sent(site: ControlSite) -> None:
    sent = _on_a_terminal(site, "checks", "list")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", sent)
    assert sent != plain, "no colours on a terminal"
    assert not _NOT_FOR_TERMINALS.findall(plain.replace("\r\n", "\n"))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", _on_a_terminal(site, "checks", "list", NO_COLOR="1"))


def _on_a_terminal(site: ControlSite, *words: str, **environment: str) -> str:
    """What a terminal of 100 columns is sent."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LANG": "C.UTF-8", **environment}
    process = subprocess.Popen(
        [PARAMEDIC, "--socket", site.socket, *words], env=env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    sent: list[bytes] = []

    def collect() -> None:
        try:
            while data := os.read(ours, 65536):
                sent.append(data)
        except OSError:
            return  # EIO: nobody holds the other end any more

    reader = threading.Thread(target=collect, daemon=True)
    reader.start()
    process.wait(_WITHIN)
    reader.join(_WITHIN)
    os.close(ours)
    return b"".join(sent).decode()
