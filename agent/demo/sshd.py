"""A real OpenSSH server of our own: own port, own host key, one client key, no system file touched.

It runs as whoever starts it and lets exactly that account in. An ordinary user's sshd works the same,
because it never has to become somebody else. Who logs in has a home folder of the server's own: the account's
is left clean, and what its .bashrc does may take seconds, or wait for a lock.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.demo.program import Program, find
from agent.demo.waiting import SiteError, answers, free_port

MOST_LISTENERS = 16
"""MAX_LISTEN_SOCKS of OpenSSH's sshd.c."""

CONFIG = """\
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/authorized_keys
AllowUsers {user}
PermitRootLogin prohibit-password
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM {use_pam}
StrictModes no
UseDNS no
PrintMotd no
PrintLastLog no
LogLevel VERBOSE
SetEnv HOME={folder}/home
MaxStartups 1000:30:2000
MaxSessions 200
Subsystem sftp internal-sftp
"""


class Sshd:
    """One sshd in `folder`, to be used as a context manager or by `start` and `stop`.

    Each of `addresses` is a "host" to a client: all of 127.0.0.0/8 is this machine. `known_hosts`
    names them all. Raises SiteError if OpenSSH is missing or the server does not come up.
    """

    def __init__(self, folder: Path, *, port: int | None = None, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        self.folder = folder.resolve()
        self.addresses = tuple(addresses)
        self.port = port or free_port()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self._config_file = self.folder / "sshd_config"
        self.client_key = self.folder / "client_key"
        self.known_hosts = self.folder / "known_hosts"
        self.log = self.folder / "sshd.log"
        self._program = Program("sshd", [_program("sshd"), "-D", "-e", "-f", self._config_file], self.log)

    @property
    def address(self) -> str:
        return self.addresses[0]

    @property
    def pid(self) -> int | None:
        return self._program.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, or start again on the same port with the same keys."""
        self._prepare()
        self._program.start(lambda: answers(self.address, self.port, b"SSH-"))

    def stop(self) -> None:
        """End the server and everyone logged in, as a host that goes away would."""
        self._program.stop()

    def change_host_key(self) -> None:
        """Answer with a new host key from now on; `known_hosts` keeps the old one."""
        (self.folder / "host_key").unlink()
        (self.folder / "host_key.pub").unlink()
        self._make_key("host_key")
        if self._program.pid is not None:
            self.stop()
            self.start()

    def trust(self) -> None:
        """Write the present host key into `known_hosts`, for every address."""
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        names = ",".join(f"[{address}]:{self.port}" for address in self.addresses)
        self.known_hosts.write_text(f"{names} {kind} {key}\n")

    def _prepare(self) -> None:
        (self.folder / "home").mkdir(parents=True, exist_ok=True)
        if not (self.folder / "host_key").exists():
            self._make_key("host_key")
            self._make_key("client_key")
            shutil.copyfile(self.folder / "client_key.pub", self.folder / "authorized_keys")
            self.trust()
        if os.getuid() == 0:
            # sshd run by root insists on its privilege separation folder; Debian's unit makes it.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._config_file.write_text(self._config())

    def _config(self) -> str:
        listen = self.addresses if len(self.addresses) <= MOST_LISTENERS else ("0.0.0.0",)  # noqa: S104
        lines = [f"ListenAddress {address}:{self.port}" for address in listen]
        lines.append(CONFIG.format(folder=self.folder, user=self.user, use_pam=_use_pam(self.user)))
        if _understands("PerSourcePenalties no"):
            # OpenSSH 9.8 on: a few refused logins would otherwise lock the whole loopback out.
            lines.append("PerSourcePenalties no\n")
        return "\n".join(lines)

    def _make_key(self, name: str) -> None:
        subprocess.run(
            [_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.folder / name],
            check=True,
            stdin=subprocess.DEVNULL,
        )


def missing() -> str | None:
    """What an sshd needs and this machine lacks, as a sentence; None if it can run here."""
    lacking = [name for name in ("sshd", "ssh-keygen") if find(name) is None]
    return f"{' and '.join(lacking)} not found: install openssh-server and openssh-client" if lacking else None


def _program(name: str) -> str:
    """The absolute path, which sshd needs of itself to start its sessions."""
    path = find(name)
    if path is None:
        raise SiteError(f"{name} not found: install openssh-server and openssh-client")
    return path


def _understands(option: str) -> bool:
    """Whether this sshd knows the option; an unknown one in the configuration is fatal."""
    asked = subprocess.run([_program("sshd"), "-T", "-f", "/dev/null", "-o", option], capture_output=True, check=False)
    return b"Bad configuration option" not in asked.stderr


def _use_pam(user: str) -> str:
    """Only root can read whether the account is locked (`!`), and without PAM sshd refuses such a one.

    Ubuntu's root account is locked out of the box. An ordinary user's sshd cannot tell, and lets in.
    """
    if os.getuid() != 0:
        return "no"
    for line in Path("/etc/shadow").read_text().splitlines():
        name, password = line.split(":")[:2]
        if name == user:
            return "yes" if password.startswith("!") else "no"
    return "no"
