"""A real sshd for tests, and OpenSSH's own client to look at it with."""

from collections.abc import Sequence
from pathlib import Path

from agent.demo import sshd
from tests.neighbours import available

INSTALL = "apt-get install -y openssh-server openssh-client"


class Sshd(sshd.Sshd):
    """The demo's, which a test may ask for on any machine: where there is no OpenSSH the test does not run."""

    def __init__(self, folder: Path, *, port: int | None = None, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        available.require("sshd", sshd.missing(), INSTALL)
        super().__init__(folder, port=port, addresses=addresses)


def ssh_command(server: Sshd, command: str, address: str = "127.0.0.1") -> list[str]:
    """The words to run for one command over OpenSSH's client, strict about the host key."""
    options = ["IdentitiesOnly=yes", "BatchMode=yes", "ConnectTimeout=5", "StrictHostKeyChecking=yes"]
    options.append(f"UserKnownHostsFile={server.known_hosts}")
    words = ["ssh", "-F", "none", "-p", str(server.port), "-i", str(server.client_key), "-l", server.user]
    for option in options:
        words += ["-o", option]
    return [*words, address, command]
