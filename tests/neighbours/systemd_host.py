"""Real hosts: a systemd booted as PID 1 by systemd-nspawn, with sshd, sudo and a small shop.

What a host writes stays on its "disk" over reboots and power cuts, and is gone when it is stopped for
good.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from agent.demo.waiting import answers
from tests.neighbours.cgroup import HostCgroup, own_cgroups
from tests.neighbours.host_network import HostNetwork
from tests.neighbours.rootfs import rootfs
from tests.neighbours.waiting import until

INSTALL = "make test as root, in a checkout of its own; that also installs what is missing"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"

_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_NEEDED = 1024
"""A booted systemd takes about a dozen, and the hosts of all test processes share the one root user's allowance."""

ALONE = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
"""In a process and a mount namespace of its own, which end with the test process, however that ends."""

MACHINE = """\
set -eu
folder=$1 rootfs=$2 space=$3 name=$4
shift 4
for cgroup; do echo 0 >"$cgroup/cgroup.procs"; done
cd "$folder"
mount -t tmpfs -o mode=755 disk disk
mkdir disk/written disk/work
cp -a seed/. disk/written/
mount -t overlay -o "lowerdir=$rootfs,upperdir=disk/written,workdir=disk/work" root root
while :; do
    echo on >>boots
    systemd-nspawn --quiet --directory=root --machine="$space" --hostname="$name" --register=no \\
        --keep-unit --network-namespace-path="/run/netns/$space" --boot >>console.log 2>&1 </dev/null \\
        && status=0 || status=$?
    # 133: the host asked for a reboot. Anything else is a power cut: wait for the switch.
    [ "$status" = 133 ] || read -r switched_on
done
"""
"""The first process of those namespaces: when it dies, all of the host does."""


class SystemdHost:
    """One host. Log in as `user` (root) or as `ops`, who may sudo without a password, with `client_key`."""

    port = 22
    user = "root"

    def __init__(self, name: str, folder: Path, network: HostNetwork) -> None:
        self.name = name
        self.folder = folder.resolve()
        self.client_key = rootfs() / "client_key"
        self._network = network
        self._cgroup = HostCgroup(network.namespace(name))
        self._machine: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return self._network.address(self.name)

    @property
    def known_hosts_line(self) -> str:
        """For the key it was born with."""
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"{self.address} {kind} {key}\n"

    def power_on(self) -> None:
        """Boot, first or again; `wait_until_up` waits for it."""
        if self._machine is None:
            self._make_machine()
        elif self._nspawn() is None and self._machine.stdin is not None:
            self._machine.stdin.write(b"on\n")
            self._machine.stdin.flush()
            self.network_up()

    def wait_until_up(self) -> None:
        """Until boot is complete, so that ordinary users may log in, and sshd answers."""
        try:
            until(self._booted, within=90, what=f"{self.name} has booted")
            until(lambda: answers(self.address, 22, b"SSH-"), within=30, what=f"{self.name}'s sshd answers")
        except AssertionError as late:
            console = (self.folder / "console.log").read_text(errors="replace")
            raise AssertionError(f"{late}\nIts console:\n{console[-3000:]}") from None

    def run(
        self, command: str, *, given: str = "", check: bool = True, within: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """A shell command as root inside the host, past its network, with `given` as its input.

        AssertionError if it fails and `check` is set.
        """
        leader = until(self._leader, within=30, what=f"{self.name} is running")
        done = subprocess.run(
            ["nsenter", "--target", str(leader.pid), "--all", "--root", "--wd", "--", "/bin/sh", "-c", command],
            input=given,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
            cwd="/",
            env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
        )
        assert done.returncode == 0 or not check, f"on {self.name}: {command}: {done.stderr or done.stdout}"
        return done

    def write(self, path: str, text: str, *, mode: str = "644") -> None:
        """A file of root's, and the folders above it."""
        self.run(f"install -D -m {mode} /dev/stdin {path}", given=text)

    def outside(self, path: str) -> Path:
        """A file of the host's disk as this process sees it, also while the host is switched off."""
        assert self._machine is not None, f"{self.name} was stopped"
        return Path(f"/proc/{self._machine.pid}/root{self.folder}/root{path}")

    def service(self, unit: str) -> str:
        """Its ActiveState: active, inactive, failed, …"""
        return self.run(f"systemctl is-active {unit}", check=False).stdout.strip()

    def kill_service(self, unit: str) -> None:
        """As the kernel's out-of-memory killer would: no warning, a failed unit."""
        self.run(f"systemctl kill --signal=KILL {unit}")
        until(lambda: self.service(unit) == "failed", within=20, what=f"{unit} on {self.name} has failed")

    def boots(self) -> int:
        """How often it was switched on or rebooted."""
        return len((self.folder / "boots").read_text().splitlines())

    def network_down(self) -> None:
        self._network.unplug(self.name)

    def network_up(self) -> None:
        self._network.plug(self.name)

    def reboot(self) -> None:
        """An orderly one. Returns when it is booting again; `wait_until_up` waits for the rest."""
        before = self.boots()
        self.run("systemctl --no-block reboot")
        until(lambda: self.boots() > before, within=90, what=f"{self.name} is booting again")

    def power_cut(self) -> None:
        """Everything on it dies at once. `power_on` brings it back with its disk as it was."""
        # nspawn before the host's PID 1: it would take an end of that for a shutdown.
        for process in filter(None, (self._nspawn(), self._leader())):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        until(lambda: not self._leader(), within=30, what=f"{self.name} is dark")
        self.network_down()

    def change_host_key(self) -> None:
        self.run(f"rm -f {HOST_KEY}* && ssh-keygen -q -t ed25519 -N '' -f {HOST_KEY} && systemctl restart ssh")

    def heal(self) -> None:
        """Undo what a test did to it: power, network, host key, the shop's services."""
        self.network_up()
        self.power_on()
        self.wait_until_up()
        key = (self.folder / "host_key").read_text()
        if self.run(f"cat {HOST_KEY}").stdout != key:
            self.write(HOST_KEY, key, mode="600")
            self.run(f"rm -f {HOST_KEY}.pub; systemctl restart ssh")
        self.run("systemctl reset-failed; systemctl start shop-web shop-db")
        for port in (22, 8080, 5432):
            until(lambda port=port: answers(self.address, port), within=30, what=f"{self.name}:{port} answers")

    def stop(self) -> None:
        """For good: its disk, its namespaces and its cgroup go."""
        machine, self._machine = self._machine, None
        if machine is None:
            return
        machine.kill()
        machine.communicate()
        self._cgroup.remove()
        self._network.remove(self.name)

    def _make_machine(self) -> None:
        for folder in ("disk", "root", "seed/etc/ssh"):
            (self.folder / folder).mkdir(parents=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", self.folder / "host_key"],
            check=True,
        )
        shutil.copy(self.folder / "host_key", f"{self.folder}/seed{HOST_KEY}")
        (self.folder / "seed/etc/machine-id").write_text(f"{os.urandom(16).hex()}\n")
        (self.folder / "seed/etc/hostname").write_text(f"{self.name}\n")
        (self.folder / "seed/etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        self._network.add(self.name)
        self._cgroup.create()
        arguments = [str(self.folder), str(rootfs() / "root"), self._network.namespace(self.name), self.name]
        self._machine = subprocess.Popen(
            [*ALONE, "sh", "-c", MACHINE, "machine", *arguments, *map(str, self._cgroup.folders)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _nspawn(self) -> psutil.Process | None:
        return self._process("systemd-nspawn")

    def _leader(self) -> psutil.Process | None:
        """The host's PID 1."""
        return self._process("systemd")

    def _process(self, name: str) -> psutil.Process | None:
        """The topmost living one of that name; a zombie is dead."""
        if self._machine is None or self._machine.poll() is not None:
            return None
        for process in psutil.Process(self._machine.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name() == name and process.status() != psutil.STATUS_ZOMBIE:
                    return process
        return None

    def _booted(self) -> bool:
        assert self._machine is not None, f"{self.name} was stopped"
        assert self._machine.poll() is None, f"{self.name} did not start"
        if self._leader() is None:
            return False
        state = self.run("systemctl is-system-running", check=False).stdout.strip()
        return state in {"running", "degraded"}


class SystemdHosts:
    """Several hosts on one network, booted together: `hosts["web1"]`. `known_hosts` names them all."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._cleanup = contextlib.ExitStack()
        self._network = HostNetwork()
        self._hosts = {name: SystemdHost(name, folder / name, self._network) for name in names}
        self.client_key = rootfs() / "client_key"
        self.known_hosts = folder / "known_hosts"

    def __enter__(self) -> Self:
        _allow_inotify()
        self._network.open()
        self._cleanup.callback(self._network.close)
        with contextlib.ExitStack() as if_it_fails:
            if_it_fails.callback(self._cleanup.close)
            for host in self:
                self._cleanup.callback(host.stop)
                host.power_on()
            for host in self:
                host.wait_until_up()
            if_it_fails.pop_all()
        self.known_hosts.write_text("".join(host.known_hosts_line for host in self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def __iter__(self) -> Iterator[SystemdHost]:
        return iter(self._hosts.values())

    def __getitem__(self, name: str) -> SystemdHost:
        return self._hosts[name]


def _allow_inotify() -> None:
    """Stays until this machine boots anew: nobody knows which test process is the last to need it."""
    if int(_INOTIFY.read_text()) < _INOTIFY_NEEDED:
        _INOTIFY.write_text(str(_INOTIFY_NEEDED))


def missing() -> str | None:
    """Why no systemd host can run here; None if it can."""
    if os.getuid() != 0:
        return "booting hosts needs root"
    programs = ("debootstrap", "systemd-nspawn", "ip", "nsenter", "unshare", "setpriv", "ssh-keygen")
    lacking = [program for program in programs if shutil.which(program) is None]
    if lacking:
        return f"{', '.join(lacking)} not found"
    if not own_cgroups():
        return "the control groups in /sys/fs/cgroup cannot be written"
    allowed = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, text=True, check=False)
    return f"namespaces are not allowed here ({allowed.stderr.strip()})" if allowed.returncode else None
