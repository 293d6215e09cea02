"""Logging in to hosts, one after the other on the record and all at once in time."""

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypedDict

from rich.console import Console
from rich.text import Text

from agent.cli.exits import no_such, refused
from agent.cli.places import SYSTEM_CONFIG
from agent.cli.terminal import safe
from agent.config.configuration import Configuration
from agent.errors import HostUnreachable, LoginRefused, ParamedicError
from agent.model.command_result import CommandResult
from agent.model.inventory import Login
from agent.model.text import one_line
from agent.runtime.secrets import Secrets
from agent.runtime.ssh import SshPool

_AT_ONCE = 50


class LoginAnswer(TypedDict):
    """`seconds`: for logging in and `true`. `problem`: None when all is well; it holds what to type."""

    name: str
    address: str
    ok: bool
    seconds: float
    problem: str | None


def log_in(configuration: Configuration, names: Sequence[str], *, sudo: bool) -> Iterator[LoginAnswer]:
    """In the order of `names`, else of the inventory. Raises Failure for a host that is not reached over SSH."""
    hosts, logins = configuration.settings.hosts, configuration.logins
    for name in names:
        if name not in hosts:
            raise no_such("host", name, hosts)
        if name not in logins:
            raise refused(f"{name} is this machine: nobody logs in to it")
    wanted = list(dict.fromkeys(names)) or list(logins)
    ssh = SshPool(passphrases=Secrets(configuration.secrets).secret)
    try:
        with ThreadPoolExecutor(max(1, min(len(wanted), _AT_ONCE)), "login") as workers:
            yield from workers.map(lambda name: _log_in_to(ssh, name, logins[name], sudo=sudo), wanted)
    finally:
        ssh.close()


def print_login(console: Console, one: LoginAnswer) -> None:
    """One line, however long: it holds a command that people copy."""
    text = Text("✓ ", "green") if one["ok"] else Text("✗ ", "red")
    text.append(safe(one["name"]), "bold")
    said = f"ok in {one['seconds'] * 1000:.0f} ms" if one["ok"] else one["problem"] or ""
    console.print(text.append(f"  {safe(said)}", "default"), soft_wrap=True)


def _log_in_to(ssh: SshPool, name: str, login: Login, *, sudo: bool) -> LoginAnswer:
    began = time.monotonic()
    run = partial(ssh.run, name, login, timeout=login.connect_timeout, output_limit=4096)
    problem: str | None = None
    seconds = 0.0
    try:
        ended = run("true")
        seconds = time.monotonic() - began
        if ended.status != 0:
            problem = f"it lets {login.user} in, but runs no commands: {_said(ended)}"
        elif sudo and login.user != "root":
            problem = _without_sudo(login, run("sudo -n true"))
    except ParamedicError as error:
        seconds = time.monotonic() - began
        problem = "; ".join(filter(None, (str(error).removeprefix(f"{name}: "), _to_type(login, error))))
    return {"name": name, "address": login.address, "ok": problem is None, "seconds": seconds, "problem": problem}


def _without_sudo(login: Login, ended: CommandResult) -> str | None:
    if ended.status == 0:
        return None
    listing = f"{_ssh(login)} sudo -n -l"
    return f"it lets {login.user} in, but sudo does not: {_said(ended)}; which commands it allows: {listing}"


def _to_type(login: Login, error: ParamedicError) -> str:
    """The command that mends it, or shows more; what is wrong with a host key says so itself."""
    match error:
        case HostUnreachable():
            return f"try it: {_ssh(login)} true"
        case LoginRefused() if login.credential and "CREDENTIALS_DIRECTORY" not in os.environ:
            folder = SYSTEM_CONFIG / "credentials"
            return f"as root, from here: CREDENTIALS_DIRECTORY={folder} paramedic hosts check"
        case LoginRefused() if login.key_file and "does not accept" in str(error):
            where = shlex.quote(f"{login.user}@{login.address}")
            return f"let the key in: ssh-copy-id -p {login.port} -i {shlex.quote(login.key_file)} {where}"
    return ""


def _ssh(login: Login) -> str:
    words = ["ssh", "-p", str(login.port)]
    if login.key_file:
        words += ["-i", login.key_file]
    if login.jump:
        words += ["-J", f"{login.jump.user}@{login.jump.address}:{login.jump.port}"]
    return shlex.join([*words, f"{login.user}@{login.address}"])


def _said(ended: CommandResult) -> str:
    return one_line(ended.stderr.strip() or ended.stdout.strip()) or f"exit status {ended.status}"
