"""Where a running agent is found, and the record of one that has stopped."""

import os
from pathlib import Path

from agent.cli.exits import refused

SYSTEM_SOCKET = Path("/run/paramedic/control.sock")
SYSTEM_STATE = Path("/var/lib/paramedic")
SYSTEM_CONFIG = Path("/etc/paramedic")
CHECKOUT_STATE = Path("var")
CHECKOUT_CONFIG = Path("config")
STORE_NAME = "paramedic.db"


def sockets(named: str | None) -> list[Path]:
    """Where to knock: the socket that was named, else the system's, else the checkout's."""
    if named:
        return [Path(named)]
    return [SYSTEM_SOCKET, CHECKOUT_STATE / "control.sock"]


def stores(named: str | None, socket: str | None) -> list[Path]:
    """Where a record may be: the file or folder that was named, else beside the socket, else as `sockets`."""
    folders = [Path(named)] if named else [Path(socket).parent] if socket else [SYSTEM_STATE, CHECKOUT_STATE]
    return [folder / STORE_NAME if folder.is_dir() else folder for folder in folders]


def config_folder() -> Path:
    """Where the configuration is when nobody says: that of a checkout one stands in, else the system's."""
    return CHECKOUT_CONFIG if CHECKOUT_CONFIG.is_dir() or not SYSTEM_CONFIG.is_dir() else SYSTEM_CONFIG


def needed_config_folder() -> Path:
    """Raises Failure when nobody said where it is and it is in neither place."""
    folder = config_folder()
    if folder.is_dir():
        return folder
    raise refused(
        f"no configuration: neither {CHECKOUT_CONFIG} (here, in {Path.cwd()}) nor {SYSTEM_CONFIG} is there; "
        "name its folder: --config DIR"
    )


def is_trusted(socket: Path) -> bool:
    """Whether a socket found by a relative name is ours or root's: anybody may lay one into a shared folder."""
    try:
        return socket.lstat().st_uid in (0, os.geteuid())
    except OSError:
        return True  # there is none, or connecting will say what is wrong


def runbook_folder(config: Path) -> Path | None:
    """Where runbooks are unless the configuration says otherwise: in its folder, else beside it."""
    return next((folder for folder in (config / "runbooks", config.parent / "runbooks") if folder.is_dir()), None)
