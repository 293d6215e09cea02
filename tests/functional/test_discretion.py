"""Commands with a secret: nobody on the host sees it, and the command does what it would do otherwise."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.inventory import Host, Login
from agent.runtime.discretion import DiscreetShell
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from tests.functional.ssh_login import login_to
from tests.neighbours.sshd import Sshd
from tests.neighbours.systemd_host import SystemdHosts

SECRET = "tr0ub4dor&3"
SCRIPT = f"""\
password='{SECRET}'
for pid in $$ $PPID; do tr '\\0' ' ' < /proc/$pid/cmdline; echo; done
cat <<END
${{#password}}
END
cat
echo to err >&2
exit 3
"""
HERE = Host(name="localhost", connection="local")
WEB1 = Host(name="web1")


@pytest.fixture
def pool() -> Iterator[SshPool]:
    pool = SshPool()
    yield pool
    pool.close()


def shell(pool: SshPool, login: Login | None = None) -> DiscreetShell:
    return DiscreetShell(Shells({} if login is None else {"web1": login}, pool, LocalShell()))


@pytest.mark.parametrize("host", [HERE, WEB1], ids=lambda host: host.name)
def test_the_command_line_shows_nothing(pool: SshPool, sshd: Sshd, host: Host) -> None:
    result = shell(pool, login_to(sshd)).run(host, SCRIPT, timeout=30)
    assert SECRET not in result.stdout
    assert result.stdout.endswith(f"\n{len(SECRET)}\n")
    assert (result.status, result.stderr) == (3, "to err\n")


def test_standard_input_of_its_own_reaches_the_command(pool: SshPool) -> None:
    assert shell(pool).run(HERE, "cat", timeout=30, stdin=b"one").stdout == "one"


def test_sudo_keeps_no_secret_in_its_log(pool: SshPool, systemd_hosts: SystemdHosts, tmp_path: Path) -> None:
    web1 = next(host for host in systemd_hosts if host.name == "web1")
    login = Login(
        web1.address,
        user="ops",
        key_file=str(systemd_hosts.client_key),
        known_hosts=str(systemd_hosts.known_hosts),
    )
    result = shell(pool, login).run(WEB1, f"id -un; {SCRIPT}", timeout=30, sudo=True)
    assert result.stdout.startswith("root\n")
    assert result.status == 3
    logged = web1.run("journalctl --identifier=sudo --no-pager").stdout
    assert "ops : " in logged
    assert SECRET not in logged
