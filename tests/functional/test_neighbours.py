"""The neighbours themselves: that each really is up, and really does what other tests rely on."""

import subprocess
from pathlib import Path

import pytest

from agent.demo.waiting import answers
from tests.neighbours.sshd import Sshd, ssh_command
from tests.neighbours.systemd_host import SystemdHosts
from tests.neighbours.waiting import until


def ssh(server: Sshd, command: str, address: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ssh_command(server, command, address), capture_output=True, text=True, timeout=30, check=False
    )


def test_until_names_what_it_waited_for_and_what_it_saw_last() -> None:
    with pytest.raises(AssertionError, match=r"the moon is full \(last seen: 0\)"):
        until(lambda: 0, within=0.05, what="the moon is full")


def test_sshd_runs_a_command_and_gives_its_exit_status(sshd: Sshd) -> None:
    answer = ssh(sshd, "echo hello; exit 7")
    assert (answer.stdout, answer.returncode) == ("hello\n", 7)


def test_sshd_comes_back_on_the_same_port_with_the_same_key(own_sshd: Sshd) -> None:
    own_sshd.stop()
    assert ssh(own_sshd, "true").returncode == 255
    own_sshd.start()
    assert ssh(own_sshd, "true").returncode == 0


def test_a_changed_host_key_is_refused_by_the_old_known_hosts(own_sshd: Sshd) -> None:
    own_sshd.change_host_key()
    refused = ssh(own_sshd, "true")
    assert refused.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in refused.stderr
    own_sshd.trust()
    assert ssh(own_sshd, "true").returncode == 0


def test_stopping_sshd_ends_the_sessions_too(own_sshd: Sshd) -> None:
    words = ssh_command(own_sshd, "echo in; exec sleep 600")
    session = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with session:
        assert session.stdout is not None
        assert session.stdout.readline() == b"in\n"
        own_sshd.stop()
        assert until(lambda: session.poll(), within=10, what="the session ended") == 255


def test_a_hundred_addresses_are_a_hundred_hosts(tmp_path: Path) -> None:
    addresses = [f"127.0.0.{n}" for n in range(1, 101)]
    with Sshd(tmp_path / "many", addresses=addresses) as server:
        assert ssh(server, "true", "127.0.0.77").returncode == 0
        assert server.address == "127.0.0.1"


def ssh_to(hosts: SystemdHosts, name: str, command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
    options = ["StrictHostKeyChecking=yes", "BatchMode=yes", "ConnectTimeout=2"]
    options.append(f"UserKnownHostsFile={hosts.known_hosts}")
    words = ["ssh", "-F", "none", "-i", str(hosts.client_key), "-l", user]
    for option in options:
        words += ["-o", option]
    words += [hosts[name].address, command]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.root
def test_hosts_are_machines_of_their_own(systemd_hosts: SystemdHosts) -> None:
    for host in systemd_hosts:
        answer = ssh_to(systemd_hosts, host.name, "hostname; ps -p 1 -o comm=")
        assert answer.stdout.split() == [host.name, "systemd"]
    assert len({host.run("cat /etc/machine-id").stdout for host in systemd_hosts}) == 3


@pytest.mark.root
def test_an_ordinary_user_may_sudo_on_a_host(systemd_hosts: SystemdHosts) -> None:
    assert ssh_to(systemd_hosts, "web1", "id -un; sudo id -un", user="ops").stdout.split() == ["ops", "root"]


@pytest.mark.root
def test_hosts_reach_one_another(systemd_hosts: SystemdHosts) -> None:
    ask = f"bash -c 'cat </dev/tcp/{systemd_hosts['db1'].address}/5432'"
    assert ssh_to(systemd_hosts, "web1", ask).stdout == "ready\n"


@pytest.mark.root
def test_a_killed_service_fails_on_its_host_alone(systemd_hosts: SystemdHosts) -> None:
    web1, web2 = systemd_hosts["web1"], systemd_hosts["web2"]
    web1.kill_service("shop-web")
    assert (web1.service("shop-web"), web2.service("shop-web")) == ("failed", "active")
    assert not answers(web1.address, 8080)
    assert answers(web2.address, 8080)
    web1.heal()
    assert answers(web1.address, 8080)


@pytest.mark.root
def test_a_host_without_network_times_out_and_lives_on(systemd_hosts: SystemdHosts) -> None:
    host = systemd_hosts["web1"]
    host.network_down()
    assert "timed out" in ssh_to(systemd_hosts, "web1", "true").stderr
    assert host.run("echo alive").stdout == "alive\n"
    host.network_up()
    until(lambda: ssh_to(systemd_hosts, "web1", "true").returncode == 0, within=20, what="web1 is back")


@pytest.mark.root
def test_a_reboot_and_a_power_cut_keep_the_disk(systemd_hosts: SystemdHosts) -> None:
    host = systemd_hosts["web2"]
    host.run("echo precious >/var/lib/kept; echo lost >/run/gone")
    boots = host.boots()
    host.reboot()
    host.wait_until_up()
    assert host.run("cat /var/lib/kept; ls /run/gone", check=False).stdout == "precious\n"
    host.power_cut()
    assert ssh_to(systemd_hosts, "web2", "true").returncode == 255
    host.power_on()
    host.wait_until_up()
    assert host.run("cat /var/lib/kept").stdout == "precious\n"
    assert host.boots() == boots + 2


@pytest.mark.root
def test_a_host_with_a_changed_key_is_refused_until_it_heals(systemd_hosts: SystemdHosts) -> None:
    systemd_hosts["db1"].change_host_key()
    assert "HOST IDENTIFICATION HAS CHANGED" in ssh_to(systemd_hosts, "db1", "true").stderr
    systemd_hosts["db1"].heal()
    assert ssh_to(systemd_hosts, "db1", "true").returncode == 0
