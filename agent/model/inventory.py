"""Hosts, groups and how to log in to them."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from agent.model.authored import Authored, Name, SecretName
from agent.model.quantities import CountOrShare, Duration, HostCount


class SshLogin(Authored):
    """How to log in, as authored; a host inherits what it does not say from `login:` at the top of the inventory."""

    user: str | None = Field(None, description="User on the host.")
    port: int | None = Field(None, ge=1, le=65535)
    key_file: str | None = Field(None, description="Private key; relative to the configuration folder.")
    credential: str | None = Field(None, description="Name of a systemd credential that holds the private key.")
    use_agent: bool | None = Field(None, description="Use the SSH agent at $SSH_AUTH_SOCK.")
    passphrase: SecretName | None = Field(None, description="Name of the secret that unlocks the key.")
    jump: Name | None = Field(None, description="Inventory name of the host to go through.")
    known_hosts: str | None = Field(None, description="Known hosts file; relative to the configuration folder.")
    connect_timeout: Duration | None = None
    idle_timeout: Duration | None = None


class Host(Authored):
    """A machine the agent can act on. `connection: local` is the machine it runs on."""

    name: str
    address: str = Field("", description="Name or address to connect to; the host's name when absent.")
    connection: Literal["ssh", "local"] = "ssh"
    login: SshLogin = SshLogin()
    vars: dict[str, str | int | float | bool] = Field({}, description="Values for templates: {{ host.vars.x }}.")

    @property
    def target(self) -> str:
        return self.address or self.name


class Group(Authored):
    """Hosts of one kind, and how many of them may be under treatment at once."""

    name: str
    hosts: tuple[str, ...]
    treat_at_once: HostCount = Field(CountOrShare(count=1), description="A number of hosts or a share of the group.")


@dataclass(frozen=True, slots=True)
class Login:
    """All that is needed to open an SSH connection: nothing inherited. Times in seconds.

    `passphrase`: name of the secret; its value is asked for when the key is read."""

    address: str
    known_hosts: str
    port: int = 22
    user: str = "root"
    key_file: str | None = None
    credential: str | None = None
    use_agent: bool = False
    passphrase: str | None = field(default=None, repr=False)
    jump: "Login | None" = None
    connect_timeout: float = 10.0
    idle_timeout: float = 300.0
