"""`paramedic hosts` and what `check-config` says about logging in, with a real sshd."""

import json
import re
from pathlib import Path

import pytest

from tests.functional.control_site import Said, paramedic
from tests.functional.ssh_login import make_key
from tests.neighbours.ports import free_port
from tests.neighbours.sshd import Sshd
from tests.neighbours.systemd_host import SystemdHosts

CHECKS = "checks:\n  here: {kind: command, run: 'true'}\n"


@pytest.fixture
def site(tmp_path: Path, sshd: Sshd) -> Path:
    """A configuration folder: one host that lets us in, and one for each way in which it may not."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "checks.yaml").write_text(CHECKS)
    stranger = make_key(tmp_path / "stranger")
    (tmp_path / "nobody_known").touch()
    (config / "hosts.yaml").write_text(
        f"login: {{user: {sshd.user}, key_file: {sshd.client_key}, port: {sshd.port}, known_hosts: {sshd.known_hosts}}}"
        "\n"
        "hosts:\n"
        "  good: {address: 127.0.0.1}\n"
        f"  unknown: {{address: 127.0.0.1, login: {{known_hosts: {tmp_path / 'nobody_known'}}}}}\n"
        f"  refused: {{address: 127.0.0.1, login: {{key_file: {stranger}}}}}\n"
        f"  down: {{address: 127.0.0.1, login: {{port: {free_port()}}}}}\n"
        "groups:\n"
        "  web: {hosts: [good, down]}\n"
    )
    return tmp_path


def line_of(said: Said, name: str) -> str:
    [line] = [line for line in said.out.splitlines() if line.split()[1] == name]
    return line


def test_hosts_are_listed_with_their_groups(site: Path) -> None:
    said = paramedic("hosts", folder=site)
    assert said.code == 0, said.err
    assert re.search(r"good +127\.0\.0\.1 +ssh +web\n", said.out)
    assert re.search(r"localhost +127\.0\.0\.1 +local\n", said.out)
    found = json.loads(paramedic("hosts", "--json", "--config", "config", folder=site).out)["hosts"]
    assert found[0] == {"name": "good", "address": "127.0.0.1", "connection": "ssh", "groups": ["web"]}


def test_each_host_is_logged_in_to_and_what_fails_names_the_command_that_mends_it(site: Path, sshd: Sshd) -> None:
    said = paramedic("hosts", "check", folder=site)
    assert said.code == 1
    assert said.err == ""
    assert [line.split()[1] for line in said.out.splitlines()] == ["good", "unknown", "refused", "down"]
    assert re.search(r"✓ good +ok in \d+ ms$", line_of(said, "good"))
    unknown = line_of(said, "unknown")
    assert f"ssh-keyscan -p {sshd.port}" in unknown
    assert str(site / "nobody_known") in unknown
    assert f"ssh-copy-id -p {sshd.port} -i {site / 'stranger'}" in line_of(said, "refused")
    assert "connection refused" in line_of(said, "down")


def test_the_command_it_names_mends_it(site: Path) -> None:
    import subprocess

    command = line_of(paramedic("hosts", "check", "unknown", folder=site), "unknown").rpartition("add the key: ")[2]
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=60)
    assert paramedic("hosts", "check", "unknown", folder=site).code == 0


def test_hosts_are_checked_for_programs_and_by_name(site: Path) -> None:
    said = paramedic("hosts", "check", "good", "down", "--json", folder=site)
    found = json.loads(said.out)
    assert (said.code, found["ok"]) == (1, False)
    assert [(one["name"], one["ok"]) for one in found["hosts"]] == [("good", True), ("down", False)]
    assert found["hosts"][0]["problem"] is None
    assert found["hosts"][0]["seconds"] > 0
    assert paramedic("hosts", "check", "good", folder=site).code == 0
    said = paramedic("hosts", "check", "god", folder=site)
    assert (said.code, said.err) == (1, "there is no host god: did you mean 'good'?\n")
    assert "nobody logs in to it" in paramedic("hosts", "check", "localhost", folder=site).err


@pytest.mark.root
def test_sudo_is_tried_on_demand(tmp_path: Path, systemd_hosts: SystemdHosts) -> None:
    host = systemd_hosts["web1"]
    host.run(
        "id plain || useradd --create-home --password '*' plain; cp -r ~ops/.ssh ~plain/; chown -R plain ~plain/.ssh"
    )
    (tmp_path / "checks.yaml").write_text(CHECKS)
    (tmp_path / "hosts.yaml").write_text(
        f"login: {{key_file: {systemd_hosts.client_key}, known_hosts: {systemd_hosts.known_hosts}}}\n"
        "hosts:\n"
        f"  may: {{address: {host.address}, login: {{user: ops}}}}\n"
        f"  may-not: {{address: {host.address}, login: {{user: plain}}}}\n"
    )
    words = ["hosts", "check", "--config", str(tmp_path)]
    assert paramedic(*words).code == 0
    said = paramedic(*words, "--sudo")
    assert said.code == 1
    assert line_of(said, "may").startswith("✓")
    assert re.search(r"sudo does not: .*; which commands it allows: ssh .* sudo -n -l$", line_of(said, "may-not"))


# what check-config says about it


def test_files_that_logging_in_needs_and_that_are_not_there_are_warned_of(site: Path, sshd: Sshd) -> None:
    said = paramedic("check-config", folder=site)
    assert said.code == 0
    assert "does not exist" not in said.out
    assert f"known_hosts {site / 'nobody_known'} has no key of unknown, which" in said.out
    (site / "config" / "more.yaml").write_text(
        "hosts:\n"
        "  keyless: {address: 127.0.0.1, login: {key_file: gone}}\n"
        "  fileless: {address: 127.0.0.1, login: {known_hosts: gone-too}}\n"
    )
    said = paramedic("check-config", folder=site)
    assert said.code == 0
    assert f"warning: key_file {site / 'config' / 'gone'} does not exist, so nobody can log in to keyless\n" in said.out
    assert f"warning: known_hosts {site / 'config' / 'gone-too'} does not exist: fileless will be refused" in said.out
    found = json.loads(paramedic("check-config", "--json", folder=site).out)
    assert found["ok"]
    assert len(found["warnings"]) == 4  # and `down`, whose port nobody knows


def test_a_host_that_is_only_asked_over_the_network_needs_no_key(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(
        "checks:\n  port: {kind: tcp, port: 80, on: host:web1}\nhosts:\n  web1: {address: 192.0.2.1}\n"
    )
    assert paramedic("check-config", str(tmp_path)).code == 0
    (tmp_path / "more.yaml").write_text("checks:\n  load: {kind: command, run: check_load, on: host:web1}\n")
    said = paramedic("check-config", str(tmp_path))
    assert said.code == 1
    assert "nothing to log in with to web1: check load does" in said.out
