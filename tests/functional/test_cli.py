"""The `paramedic` command as a process, in front of a served agent: what it says, and what it ends with."""

import json
import os
import re
import socket
import subprocess
import threading

import pytest

from agent.model.events import (
    Acknowledge,
    AddNote,
    Approve,
    Assign,
    Close,
    Escalate,
    Freeze,
    Reopen,
    Report,
    Resolve,
    RunByHand,
    Unfreeze,
)
from agent.model.priority import Urgency
from tests.functional.control_site import PARAMEDIC, ControlSite, paramedic, short_folder

_WITHIN = 60


@pytest.mark.parametrize(
    ("words", "act"),
    [
        (["ack", "INC-12"], Acknowledge("INC-12")),
        (["ack", "12"], Acknowledge("INC-12")),
        (["note", "inc-12", "the", "pool", "was full"], AddNote("INC-12", "the pool was full")),
        (["assign", "INC-12", "db-team"], Assign("INC-12", "db-team")),
        (["escalate", "INC-12", "needs the vendor"], Escalate("INC-12", "needs the vendor")),
        (["escalate", "INC-12"], Escalate("INC-12", "")),
        (["resolve", "INC-12", "cable"], Resolve("INC-12", "cable")),
        (["close", "INC-12"], Close("INC-12", "")),
        (["reopen", "INC-12", "again"], Reopen("INC-12", "again")),
        (["approve", "RUN-7"], Approve("RUN-7", True, "")),
        (["deny", "INC-12", "not now"], Approve("INC-12", False, "not now")),
        (["freeze", "fire in the", "server room"], Freeze("fire in the server room")),
        (["unfreeze"], Unfreeze("")),
        (
            [
                "report",
                "shop",
                "is slow",
                "-d",
                "since noon",
                "--service",
                "shop",
                "--host",
                "web1",
                "--host",
                "web2",
                "--category",
                "web",
                "--urgency",
                "high",
                "--reporter",
                "Frau Müller",
            ],
            Report("shop is slow", "since noon", "shop", ("web1", "web2"), "web", Urgency.HIGH, "Frau Müller"),
        ),
        (
            [
                "runbook",
                "run",
                "restart-web",
                "--host",
                "web1",
                "--var",
                "unit=a=b",
                "--incident",
                "12",
                "--override",
                "the vendor asked",
            ],
            RunByHand("restart-web", ("web1",), {"unit": "a=b"}, "INC-12", "the vendor asked"),
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_an_act_is_done_and_answered(site: ControlSite, words: list[str], act: object) -> None:
    said = site.paramedic(*words)
    assert said.code == 0, said.err
    assert [done for _, done in site.control.acts] == [act]
    assert len(said.out.splitlines()) == 1


def test_json_of_an_act_is_the_reply(site: ControlSite) -> None:
    said = site.paramedic("ack", "INC-12", "--json")
    reply = json.loads(said.out)
    assert (reply["ok"], reply["about"]) == (True, "INC-12")


def test_what_is_refused_ends_with_1_and_the_reason(site: ControlSite) -> None:
    site.control.refuse = "cannot close an incident that is new: resolve it first\x1b[2J"
    said = site.paramedic("close", "INC-12")
    assert (said.code, said.out) == (1, "")
    assert said.err == "cannot close an incident that is new: resolve it first\\x1b[2J\n"
    said = site.paramedic("close", "INC-12", "--json")
    assert said.code == 1
    assert json.loads(said.out) == {"error": site.control.refuse, "about": "INC-12"}


def test_a_reload_with_problems_lists_them_line_by_line(site: ControlSite) -> None:
    site.control.refuse = "nothing was changed, the configuration has problems:\nchecks.yaml:3: a\nchecks.yaml:9: b"
    said = site.paramedic("reload")
    assert said.code == 1
    assert said.err.splitlines()[1:] == ["checks.yaml:3: a", "checks.yaml:9: b"]


def test_a_busy_agent_is_no_traceback(site: ControlSite) -> None:
    site.control.busy = True
    said = site.paramedic("ack", "INC-12")
    assert (said.code, said.err) == (1, "the agent has not answered in time\n")


def test_a_defect_of_the_agent_ends_with_4(site: ControlSite) -> None:
    site.control.broken = True
    said = site.paramedic("status")
    assert said.code == 4
    assert "defect" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["ack"],
        ["ack", "banana"],
        ["ack", "INC-12; rm -rf /"],
        ["nonsense"],
        ["report", "x", "--urgency", "now"],
        ["incidents", "--priority", "P9"],
        ["incidents", "--since", "yesterday-ish"],
        ["incidents", "--limit", "0"],
        ["runbook", "run", "restart-web", "--var", "novalue"],
        ["run", "--log-level", "loud"],
        ["note", "INC-12"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_makes_no_sense_ends_with_2(site: ControlSite, words: list[str]) -> None:
    said = site.paramedic(*words)
    assert said.code == 2
    assert "Traceback" not in said.err
    assert site.control.acts == []


@pytest.mark.parametrize(
    "words",
    [["status"], ["ack", "INC-1"], ["show", "INC-1"], ["incidents"], ["records", "verify"], ["checks", "list"]],
    ids=" ".join,
)
def test_without_an_agent_it_ends_with_3_and_says_what_was_tried_and_what_to_type(words: list[str]) -> None:
    with short_folder() as folder:
        said = paramedic(*words, socket=folder / "c.sock")
        assert said.code == 3
        assert str(folder / "c.sock") in said.err
        assert "paramedic run --config" in said.err
        said = paramedic(*words, "--json", socket=folder / "c.sock")
        assert said.code == 3
        assert "c.sock" in json.loads(said.out)["error"]


def test_the_socket_is_found_by_variable_and_in_a_checkout(site: ControlSite) -> None:
    assert paramedic("status", PARAMEDIC_SOCKET=str(site.socket)).code == 0
    with short_folder() as folder:
        (folder / "var").symlink_to(site.socket.parent)
        assert paramedic("status", folder=folder).code == 0


def test_the_configuration_that_a_variable_names_says_where_the_agent_is(site: ControlSite) -> None:
    with short_folder() as folder:
        config = folder / "config"
        config.mkdir()
        (config / "agent.yaml").write_text("agent: {log_level: info}\n")
        (folder / "var").symlink_to(site.socket.parent)
        assert paramedic("status", PARAMEDIC_CONFIG=str(config)).code == 0
        (folder / "var").unlink()
        assert paramedic("status", PARAMEDIC_CONFIG=str(config)).code == 3
        (config / "agent.yaml").write_text(f"agent: {{socket: {site.socket}}}\nchecks: [nonsense]\n")
        assert paramedic("status", PARAMEDIC_CONFIG=str(config)).code == 0
        # It says which agent is asked, not that none is.
        assert "Restart nginx." in paramedic("runbook", "list", PARAMEDIC_CONFIG=str(config)).out
        assert (
            paramedic("checks", "run", "web", PARAMEDIC_CONFIG=str(config)).out
            == site.paramedic("checks", "run", "web").out
        )


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN HERE: a socket of another user, because that needs root")
def test_a_socket_that_somebody_laid_into_a_shared_folder_is_not_used(site: ControlSite) -> None:
    with short_folder() as folder:
        (folder / "var").symlink_to(site.socket.parent)
        os.chown(site.socket, 65534, 65534)
        try:
            said = paramedic("status", folder=folder)
        finally:
            os.chown(site.socket, 0, 0)
    assert said.code == 3
    assert "belongs neither to you nor to root" in said.err


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN HERE: acting behind sudo, because that needs root")
def test_behind_sudo_the_person_is_named(site: ControlSite) -> None:
    assert site.paramedic("ack", "INC-12", SUDO_USER="alice").code == 0
    assert [who for who, _ in site.control.acts] == ["root (for alice)"]


def test_an_answer_that_comes_before_all_was_heard_counts() -> None:
    """An agent that refuses early closes the connection while the command still sends."""
    answer = b'{"error": "too long"}'
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "c.sock"))
        listening.listen()
        listening.settimeout(_WITHIN)

        def refuse() -> None:
            connection, _ = listening.accept()
            connection.sendall(
                b"HTTP/1.1 413 Content Too Large\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
            )
            connection.close()

        agent = threading.Thread(target=refuse, daemon=True)
        agent.start()
        said = paramedic("note", "INC-12", *["x" * 100_000] * 10, socket=folder / "c.sock")
        agent.join(_WITHIN)
    assert (said.code, said.err) == (1, "too long\n")


# what is shown


@pytest.mark.parametrize("reader", ["head -n 1", "true"])
def test_a_reader_that_has_seen_enough_is_no_error(site: ControlSite, reader: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PARAMEDIC} --socket {site.socket} show INC-12 --json | {reader}"],
        capture_output=True,
        text=True,
        timeout=_WITHIN,
        check=True,
    )
    assert done.stdout == ("{\n" if reader.startswith("head") else "")
    assert done.stderr == ""


def test_a_terminal_that_cannot_show_a_sign_shows_another(site: ControlSite) -> None:
    said = site.paramedic("show", "INC-12", PYTHONIOENCODING="ascii")
    assert said.code == 0
    assert "? last messages of nginx" in said.out


# completion and help


def _completed(site: ControlSite, words: str) -> str:
    return site.paramedic(
        _PARAMEDIC_COMPLETE="complete_bash",
        COMP_WORDS=f"paramedic --socket {site.socket} {words}",
        COMP_CWORD=str(len(words.split()) + 3),
    ).out


def test_a_shell_is_offered_incidents_runbooks_and_checks(site: ControlSite) -> None:
    assert _completed(site, "show ").split() == ["INC-12"]
    assert "restart-web" in _completed(site, "runbook show ")
    assert _completed(site, "checks run ").split() == ["web", "root-disk"]


def test_completion_without_an_agent_offers_nothing_and_says_nothing() -> None:
    with short_folder() as folder:
        said = paramedic(
            _PARAMEDIC_COMPLETE="complete_bash",
            COMP_WORDS=f"paramedic --socket {folder}/c.sock show ",
            COMP_CWORD="4",
        )
    assert (said.out.strip(), said.err) == ("", "")


def test_help_is_given_in_the_words_people_try() -> None:
    assert paramedic("help").out == paramedic("--help").out
    said = paramedic("help", "checks", "run")
    assert (said.code, said.out) == (0, paramedic("checks", "run", "--help").out)
    assert "kinds" in paramedic("checks", "--help").out


def test_help_names_the_exit_codes_and_version_the_version() -> None:
    assert "3 no running agent reachable" in " ".join(paramedic("--help").out.split())
    assert re.fullmatch(r"paramedic \d+\.\d+\.\d+\n", paramedic("--version").out)
