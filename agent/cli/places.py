"""Where a running agent is found, and the record of one that has stopped."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from agent.cli.exits import refused
from agent.config.trust import trusted_users

SYSTEM_SOCKET = Path("/run/paramedic/control.sock")
SYSTEM_STATE = Path("/var/lib/paramedic")
SYSTEM_CONFIG = Path("/etc/paramedic")
CHECKOUT_STATE = Path("var")
CHECKOUT_CONFIG = Path("config")
STORE_NAME = "paramedic.db"
SOCKET_NAME = "control.sock"


def sockets(named: str | None) -> list[Path]:
    """Where to knock: the socket that was named, else PARAMEDIC_CONFIG's, the system's and the checkout's."""
    if named:
        return [Path(named)]
    configured = _configured()
    return [*([configured[1]] if configured else []), SYSTEM_SOCKET, CHECKOUT_STATE / SOCKET_NAME]


def stores(named: str | None, socket: str | None) -> list[Path]:
    """Where a record may be: the file or folder that was named, else beside the socket, else as `sockets`."""
    if named or socket:
        folders = [Path(named) if named else Path(socket or "").parent]
    else:
        configured = _configured()
        folders = [*([configured[0]] if configured else []), SYSTEM_STATE, CHECKOUT_STATE]
    return [folder / STORE_NAME if _is_folder(folder) else folder for folder in folders]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:
        return False  # opening it will say so


@cache
def _configured() -> tuple[Path, Path] | None:
    """State folder and socket of the agent that PARAMEDIC_CONFIG means: as written there, else beside the folder."""
    named = os.environ.get("PARAMEDIC_CONFIG")
    if not named:
        return None
    from agent.config.agent_settings import written_places  # reads YAML: only for those who set the variable

    folder = Path(named)
    state, socket = written_places(folder)
    state = state or folder.parent / CHECKOUT_STATE
    return state, socket or state / SOCKET_NAME


def config_folder() -> Path:
    """Where the configuration is when nobody says: PARAMEDIC_CONFIG, that of a checkout one stands in, the system's.

    Raises Failure when somebody else laid the checkout's there: what it says may be carried out here and now.
    """
    if named := os.environ.get("PARAMEDIC_CONFIG"):
        return Path(named)
    if not CHECKOUT_CONFIG.is_dir():
        return SYSTEM_CONFIG if SYSTEM_CONFIG.is_dir() else CHECKOUT_CONFIG
    if CHECKOUT_CONFIG.lstat().st_uid not in (0, *trusted_users(os.geteuid(), os.environ)):
        here = f"{CHECKOUT_CONFIG} (here, in {Path.cwd()})"
        raise refused(
            f"{here} belongs neither to you nor to root: if you mean it, name it (--config {CHECKOUT_CONFIG})"
        )
    return CHECKOUT_CONFIG


def needed_config_folder() -> Path:
    """Raises Failure when nobody said where it is and it is in neither place."""
    folder = config_folder()
    if folder.is_dir():
        return folder
    raise refused(
        f"no configuration: neither {CHECKOUT_CONFIG} (here, in {Path.cwd()}) nor {SYSTEM_CONFIG} is there; "
        "name its folder: --config DIR"
    )


def as_the_service_sees(folder: Path) -> Mapping[str, str]:
    """The environment in which the agent reads this configuration: systemd gives folders to the installed one."""
    if folder.absolute() != SYSTEM_CONFIG:
        return os.environ
    return {"STATE_DIRECTORY": str(SYSTEM_STATE), "RUNTIME_DIRECTORY": str(SYSTEM_SOCKET.parent), **os.environ}


def is_trusted(socket: Path) -> bool:
    """Whether a socket found by a relative name is ours or root's: anybody may lay one into a shared folder."""
    try:
        return socket.lstat().st_uid in (0, os.geteuid())
    except OSError:
        return True  # there is none, or connecting will say what is wrong


def runbook_folder(config: Path) -> Path | None:
    """Where runbooks are unless the configuration says otherwise: in its folder, else beside it."""
    return next((folder for folder in (config / "runbooks", config.parent / "runbooks") if folder.is_dir()), None)
