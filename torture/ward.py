"""The hosts: where patients lie, and where every treatment leaves a trace that the agent cannot see.

A patient is ill while the file `ill` is in its folder. A step writes one line when it begins and one when it ends, each
with a number drawn anew every time: two runs of one step are told apart, and one line written twice is not two runs.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil

from agent.demo.program import kill
from tests.neighbours.sshd import Sshd
from tests.neighbours.systemd_host import SystemdHost, SystemdHosts, missing

FOLDER = "/srv/torture"
TREAT = """\
#!/bin/sh
# treat SECONDS INCIDENT HOST STEP [FILE]: leave a trace, take so long, remove the file
folder=${0%/*} pause=$1 file=$5
read -r number </proc/sys/kernel/random/uuid
echo "begins $2 $3 $4 $number" >>"$folder/trace"
sleep "$pause"
[ -z "$file" ] || rm -f "$file"
echo "ends $2 $3 $4 $number" >>"$folder/trace"
"""


class Host(Protocol):
    """`outside`: where it keeps all this, by our name for it."""

    name: str
    address: str

    @property
    def outside(self) -> Path: ...

    def cut(self) -> None:
        """Every connection to it is lost; what runs there goes on."""

    def reboot(self) -> bool:
        """Everything on it ends at once, and it comes back; False if it cannot do that."""

    def come_back(self) -> None:
        """Wait until it is up."""


class Ward(Protocol):
    """All hosts, how to log in to them, and `not_done`: what cannot be done to them here.

    `folder`: where a host keeps everything, as a template of the agent's configuration.
    """

    hosts: list[Host]
    folder: str
    login: str
    sudo: bool
    not_done: list[str]


def prepare(folder: Path, patients: list[str]) -> None:
    """What a host needs, for whoever logs in."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    for patient in patients:
        (folder / patient).mkdir(exist_ok=True)
        (folder / patient).chmod(0o777)
    (folder / "treat").write_text(TREAT)
    (folder / "trace").touch()
    (folder / "trace").chmod(0o666)


class Booted:
    """A host with a kernel's idea of having booted: systemd as its first process."""

    def __init__(self, host: SystemdHost) -> None:
        self._host = host
        self.name = host.name
        self.address = host.address

    @property
    def outside(self) -> Path:
        return self._host.outside(FOLDER)

    def cut(self) -> None:
        self._host.run("pkill -KILL -f '^sshd: ops' || true", check=False)

    def reboot(self) -> bool:
        self._host.power_cut()
        self._host.power_on()
        return True

    def come_back(self) -> None:
        self._host.wait_until_up()


class BootedWard:
    sudo = True
    folder = FOLDER

    def __init__(self, hosts: SystemdHosts) -> None:
        self.hosts: list[Host] = [Booted(host) for host in hosts]
        self.login = (
            f"{{user: ops, key_file: {hosts.client_key}, known_hosts: {hosts.known_hosts}, connect_timeout: 10s}}"
        )
        self.not_done: list[str] = []


class Bed:
    """One address of an sshd on this machine."""

    def __init__(self, server: Sshd, name: str, address: str, folder: Path) -> None:
        self._server = server
        self.name, self.address, self.outside = name, address, folder

    def cut(self) -> None:
        """The processes that hold the connections; the commands are their children, and live on."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for session in psutil.Process(self._server.pid).children():
                kill(session)

    def reboot(self) -> bool:
        return False

    def come_back(self) -> None:
        return


class _Server(Sshd):
    """Whoever logs in has a home of his own: nobody's dotfiles are read, and nothing is left in anybody's home."""

    def _config(self) -> str:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return f"SetEnv HOME={home}\n{super()._config()}"


class LoopbackWard:
    sudo = False

    def __init__(self, server: Sshd, names: list[str], folder: Path) -> None:
        beds = zip(names, server.addresses, strict=True)
        self.hosts: list[Host] = [Bed(server, name, address, folder / name) for name, address in beds]
        self.login = (
            f"{{user: {server.user}, port: {server.port}, key_file: {server.client_key}, "
            f"known_hosts: {server.known_hosts}, connect_timeout: 10s}}"
        )
        self.folder = f"{folder}/{{{{ host.name }}}}"
        self.not_done = [f"reboots of hosts: {missing() or 'loopback hosts were asked for'}"]


@contextlib.contextmanager
def ward(folder: Path, names: list[str], *, booted: bool) -> Iterator[Ward]:
    """Booted hosts where that is wanted and possible, else several addresses of one sshd on this machine."""
    if booted and missing() is None:
        with SystemdHosts(folder, names) as hosts:
            yield BootedWard(hosts)
    else:
        addresses = [f"127.0.0.{2 + number}" for number in range(len(names))]
        with _Server(folder / "sshd", addresses=addresses) as server:
            yield LoopbackWard(server, names, folder)
