"""A real sshd for tests, and OpenSSH's own client to look at it with. The demo's sshd is what tests need."""

from agent.demo.sshd import Sshd, missing

__all__ = ["Sshd", "missing", "ssh_command"]


def ssh_command(server: Sshd, command: str, address: str = "127.0.0.1") -> list[str]:
    """The words to run for one command over OpenSSH's client, strict about the host key."""
    options = ["IdentitiesOnly=yes", "BatchMode=yes", "ConnectTimeout=5", "StrictHostKeyChecking=yes"]
    options.append(f"UserKnownHostsFile={server.known_hosts}")
    words = ["ssh", "-F", "none", "-p", str(server.port), "-i", str(server.client_key), "-l", server.user]
    for option in options:
        words += ["-o", option]
    return [*words, address, command]
