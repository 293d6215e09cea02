"""The installation page: its commands leave what it says; upgrade and removal cover what it installs."""

import os
import re
import subprocess
from pathlib import Path

from agent.cli.config_summary import summary
from agent.config.load import load
from agent.core.guard import Reason
from agent.model.settings import LOCALHOST
from tests.packaging.documents import ROOT, code_in, labelled, page, section, table, typed


def test_the_agent_can_read_its_configuration_whatever_the_umask(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    ours = [
        line
        for line in typed("installation.md", "As a systemd service")
        if "/etc/paramedic" in line and "check-config" not in line
    ]
    group, user = str(os.getgid()), str(os.getuid())
    for line in ours:
        here = (
            line.replace("/etc/paramedic", str(etc))
            .replace("-g paramedic", f"-g {group}")
            .replace("-o root", f"-o {user}")
        )
        subprocess.run(["sh", "-euc", f"umask 077; {here}"], cwd=ROOT, check=True, timeout=60)
    assert (etc / "runbooks").stat().st_mode & 0o777 == 0o750
    files = [file for file in etc.rglob("*") if file.is_file()]
    assert {"checks.yaml", "restart-web.yaml", "known_hosts"} <= {file.name for file in files}
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o640"}


def test_a_site_on_this_machine_alone_needs_no_way_to_log_in(tmp_path: Path) -> None:
    for label in ("config/local.yaml", "runbooks/restart-cron.yaml"):
        file = tmp_path / label
        file.parent.mkdir()
        file.write_text(labelled("installation.md", label).text, encoding="utf-8")
    found = load(tmp_path / "config")
    assert [(rules.name, rules.runbooks) for rules in found.settings.checks.values()] == [("cron", ("restart-cron",))]
    assert [probe.host.name for probe in found.probes] == [LOCALHOST]
    assert not found.logins
    assert "hosts     1 (0 over SSH)" in summary(found)


def test_an_upgrade_renews_all_that_was_installed() -> None:
    renewed = typed("installation.md", "Upgrade")
    assert "git pull" in renewed
    assert [
        line for line in typed("installation.md", "As a systemd service") if " systemd/" in line if line not in renewed
    ] == []
    assert renewed.index("systemctl daemon-reload") < renewed.index("systemctl restart paramedic")


def test_nothing_stays_after_the_removal() -> None:
    removed = " ".join(typed("installation.md", "Uninstall")).split()
    installed = [line.split()[-1] for line in typed("installation.md", "As a systemd service") if " systemd/" in line]
    assert len(installed) == 3
    assert [path for path in installed if path not in removed] == []
    assert "/etc/systemd/system/paramedic.service.d" in removed, "what systemctl edit writes"


def test_no_database_shell_is_needed() -> None:
    assert "sqlite3" not in page("installation.md")


def test_a_newcomer_is_told_how_the_command_is_called_in_a_checkout() -> None:
    for text in ((ROOT / "README.md").read_text(encoding="utf-8"), section("installation.md", "From a checkout")):
        assert ".venv/bin/paramedic status" in text
        assert "activate" in text


def test_readme_names_no_folder_that_nobody_makes() -> None:
    named = re.findall(r"/etc/paramedic/\S+", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert [path for path in named if path not in page("installation.md")] == []


def test_by_hand_it_is_said_which_guards_are_asked() -> None:
    named = {
        word for row in table("runbooks.md", "By hand", "[guards](incidents.md#guards)") for word in code_in(row[0])
    }
    assert named <= {str(reason) for reason in Reason}
    assert named == {"frozen", "rate limit", "cooling down", "group budget spent", "host busy", "ineffective before"}
