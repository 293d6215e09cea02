"""Hosts, groups and how to log in, with everything inherited and every jump resolved."""

from collections.abc import Mapping
from pathlib import Path

from agent.config.agent_settings import absolute
from agent.config.names import named, refer
from agent.config.source import Folder
from agent.config.validation import validate
from agent.model.inventory import Group, Host, Login, SshLogin
from agent.model.settings import LOCALHOST

KNOWN_HOSTS = "known_hosts"
"""Known hosts file beside the configuration, where none is written."""


def read_hosts(source: Folder) -> dict[str, Host]:
    """Every host that is written soundly, and this machine."""
    hosts: dict[str, Host] = {}
    for name, authored in named(source, "hosts"):
        path = ("hosts", name)
        if name == LOCALHOST and (authored is None or isinstance(authored, dict)):
            authored = {"connection": "local", "address": "127.0.0.1"} | (authored or {})
        if isinstance(authored, str):
            source.report(path, f"expected a mapping, got '{authored}'", f"write {name}: {{address: {authored}}}")
            continue
        host, findings = validate(Host, authored, path, source.reach, {"name": name})
        source.report_all(findings)
        if host is None:
            continue
        if name == LOCALHOST and host.connection != "local":
            hint = "leave connection out, or give the other machine another name"
            source.report((*path, "connection"), f"'{LOCALHOST}' is always the machine the agent runs on", hint)
            continue
        hosts[name] = host
    hosts.setdefault(LOCALHOST, Host(name=LOCALHOST, address="127.0.0.1", connection="local"))
    return hosts


def read_groups(source: Folder) -> dict[str, Group]:
    """Groups with the hosts that exist, each once."""
    groups: dict[str, Group] = {}
    for name, authored in named(source, "groups"):
        path = ("groups", name)
        if isinstance(authored, list):
            source.report(path, "expected a mapping, got a list", "write the names under 'hosts:', one level deeper")
            continue
        group, findings = validate(Group, authored, path, source.reach, {"name": name})
        source.report_all(findings)
        if group is not None:
            groups[name] = group.model_copy(update={"hosts": _members(source, group)})
    return groups


def _members(source: Folder, group: Group) -> tuple[str, ...]:
    members: dict[str, None] = {}
    for index, host in enumerate(group.hosts):
        path = ("groups", group.name, "hosts", index)
        if host in members:
            source.report(path, f"'{host}' is listed twice", "keep one of them")
        elif refer(source, path, "hosts", host):
            members[host] = None
    return tuple(members)


def read_logins(source: Folder, hosts: Mapping[str, Host], folder: Path) -> dict[str, Login]:
    """How to log in to each host that is reached over SSH."""
    shared, findings = validate(SshLogin, source.section("login"), ("login",), source.reach)
    source.report_all(findings)
    resolver = _Logins(source, hosts, shared or SshLogin(), folder)
    resolver.check_references()
    logins = {}
    for name, host in hosts.items():
        if host.connection == "ssh" and (login := resolver.login(name, ())):
            logins[name] = login
    return logins


class _Logins:
    """Follows jumps from host to host."""

    def __init__(self, source: Folder, hosts: Mapping[str, Host], shared: SshLogin, folder: Path) -> None:
        self._source = source
        self._hosts = hosts
        self._shared = shared
        self._folder = folder
        self._done: dict[str, Login | None] = {}

    def check_references(self) -> None:
        """Jump hosts and passphrases that are named must exist."""
        places: list[tuple[tuple[str, ...], SshLogin]] = [(("login",), self._shared)]
        places += [(("hosts", name, "login"), host.login) for name, host in self._hosts.items()]
        for path, login in places:
            if login.passphrase is not None:
                refer(self._source, (*path, "passphrase"), "secrets", login.passphrase)
            if login.jump is not None and refer(self._source, (*path, "jump"), "hosts", login.jump):
                self._check_jump_over_ssh((*path, "jump"), login.jump)

    def _check_jump_over_ssh(self, path: tuple[str, ...], jump: str) -> None:
        host = self._hosts.get(jump)
        if host is not None and host.connection == "local":
            self._source.report(path, f"'{jump}' is the machine the agent runs on", "leave jump out: no jump is needed")

    def login(self, name: str, through: tuple[str, ...]) -> Login | None:
        """None when the host's jumps lead nowhere or in a circle: the problem is then reported."""
        if name in self._done:
            return self._done[name]
        host = self._hosts[name]
        if name in through:
            circle = " → ".join((*through[through.index(name) :], name))
            self._source.report(
                ("hosts", name, "login", "jump"),
                f"jumps go in a circle: {circle}",
                "end it at a host that is reached directly",
            )
            self._done[name] = None
            return None
        authored = _inherited(host.login, self._shared)
        jump = None
        # A jump host that inherits its own name as the jump is the end of the way, not a circle.
        if authored.jump is not None and not (authored.jump == name and host.login.jump is None):
            jump = self._jump(authored.jump, (*through, name))
            if jump is None:
                self._done[name] = None
                return None
        self._done.setdefault(name, _login(host, authored, jump, self._folder))
        return self._done[name]

    def _jump(self, name: str, through: tuple[str, ...]) -> Login | None:
        host = self._hosts.get(name)
        return self.login(name, through) if host is not None and host.connection == "ssh" else None


def _inherited(own: SshLogin, shared: SshLogin) -> SshLogin:
    """What the host says itself; the way to prove who we are is taken over only as a whole."""
    update = {name: value for name, value in own if value is not None}
    proofs = ("key_file", "credential", "use_agent", "passphrase")
    if any(getattr(own, proof) is not None for proof in proofs[:3]):
        update |= {proof: getattr(own, proof) for proof in proofs}
    return shared.model_copy(update=update)


def _login(host: Host, authored: SshLogin, jump: Login | None, folder: Path) -> Login:
    given = {
        name: value
        for name in ("port", "user", "credential", "use_agent", "passphrase", "connect_timeout", "idle_timeout")
        if (value := getattr(authored, name)) is not None
    }
    return Login(
        address=host.target,
        known_hosts=str(absolute(authored.known_hosts or KNOWN_HOSTS, folder)),
        key_file=str(absolute(authored.key_file, folder)) if authored.key_file else None,
        jump=jump,
        **given,
    )
