"""Who may change or read a file, judged as sshd judges keys (`StrictModes` in sshd_config(5)): by owner and mode, of
the file and of every folder on the way to it.

Beyond sshd: a folder with the sticky bit is no way in, for what lies there can only be replaced by its owner; and a
group that is one trusted user's own (Debian and Ubuntu give each user such a group) is that user.
"""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RECORD = "paramedic.db"
"""The record's name in an agent's state folder."""

_LINKS = 40
"""Symbolic links followed on the way to one file, as Linux does (path_resolution(7))."""

GROUP_AND_OTHERS = 0o077
OTHERS = 0o007

_ACL = "system.posix_acl_access"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the place `at`, and the command that puts it right."""

    at: Path
    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Place:
    """One place that decides what is found at a path. `is_end`: it is what the path means, not on the way to it."""

    path: Path
    about: os.stat_result
    is_end: bool

    @property
    def mode(self) -> str:
        return f"mode {stat.S_IMODE(self.about.st_mode):04o}"


@dataclass(frozen=True, slots=True)
class Trust:
    """`users`: numbers of the users who may change what the agent goes by, the agent's own first. Root always may."""

    users: Sequence[int]
    _own_groups: dict[int, bool] = field(default_factory=dict)

    def changeable(self, path: Path) -> Fault | None:
        """Who else may change what is found at `path`. None also for what is not there, or not for us to see."""
        found = (self._foreign(place, "root") or self._writable(place) for place in places(path))
        return next(filter(None, found), None)

    def exposed(self, path: Path, to: int = GROUP_AND_OTHERS) -> Fault | None:
        """As `changeable`, for a file that nobody else may read either. `to`: the mode bits it must not have."""
        agent = _user(self._agent)
        found = (
            self._foreign(place, agent if place.is_end else "root") or _readable(place, to) or self._writable(place)
            for place in places(path)
        )
        return next(filter(None, found), None)

    @property
    def _agent(self) -> int:
        return self.users[0]

    def _foreign(self, place: Place, rather: str) -> Fault | None:
        if place.about.st_uid in (0, *self.users):
            return None
        agent = "root, as the agent is" if self._agent == 0 else f"root or {_user(self._agent)}, the agent's user"
        what = f"{place.path} belongs to {_user(place.about.st_uid)}, not to {agent}"
        return Fault(place.path, what, f"chown -h {rather} {_quoted(place)}")

    def _writable(self, place: Place) -> Fault | None:
        mode = place.about.st_mode
        if stat.S_ISLNK(mode) or (mode & stat.S_ISVTX and stat.S_ISDIR(mode) and not place.is_end):
            return None
        if mode & stat.S_IWOTH:
            what = f"everybody may change {place.path} ({place.mode})"
            return Fault(place.path, what, f"chmod o-w {_quoted(place)}")
        if mode & stat.S_IWGRP and not self._is_own_group(place):
            what = f"group {_group(place.about.st_gid)} may change {place.path} ({place.mode})"
            return Fault(place.path, what, f"chmod g-w {_quoted(place)}")
        return None

    def _is_own_group(self, place: Place) -> bool:
        if _has_acl(place.path):
            return False  # the mode then shows what any user of the list may do at most
        gid = place.about.st_gid
        if gid not in self._own_groups:
            self._own_groups[gid] = any(_is_own_group(gid, user) for user in (0, *self.users))
        return self._own_groups[gid]


def trusted_users(agent: int, environ: Mapping[str, str]) -> tuple[int, ...]:
    """Whose files an agent of user `agent` goes by. Root who came by sudo also trusts the user who called it: they
    are the same person, as git has it (safe.directory in git-config(1))."""
    caller = environ.get("SUDO_UID", "")
    by_sudo = agent == 0 and os.geteuid() == 0 and caller.isascii() and caller.isdigit()
    return (agent, int(caller)) if by_sudo else (agent,)


def agent_user(state: Path, configuration: Path) -> int:
    """Number of the user whose agent it is: who owns its state folder, else the configuration, else it is ours.

    A folder of other things, with no record among them (`/var`, for somebody who stands in `/`), is no state folder.
    """
    try:
        found = {file.name for file in state.iterdir()}
    except PermissionError:
        return _owner(state)
    except OSError:
        return _owner(configuration)
    return _owner(configuration if found and RECORD not in found else state)


def _owner(path: Path) -> int:
    try:
        return path.stat().st_uid
    except OSError:
        return os.geteuid()


def places(path: Path) -> Iterator[Place]:
    """From the root folder on: every folder and symbolic link that is passed, and the end. Stops where nothing is
    there or nothing can be seen; whoever opens the file will say so."""
    here, ahead, links = Path("/"), [*reversed(path.absolute().parts[1:])], 0
    try:
        yield Place(here, here.lstat(), not ahead)
        while ahead and links <= _LINKS:
            part = ahead.pop()
            if part == "..":
                here = here.parent
                continue
            about = (here / part).lstat()
            if stat.S_ISLNK(about.st_mode):
                yield Place(here / part, about, False)
                links += 1
                target = (here / part).readlink()
                here = Path("/") if target.is_absolute() else here
                ahead += reversed(target.parts[1:] if target.is_absolute() else target.parts)
            else:
                here /= part
                yield Place(here, about, not ahead)
    except OSError:
        return


def _readable(place: Place, to: int) -> Fault | None:
    if not place.is_end or not place.about.st_mode & to:
        return None
    what = f"others than its owner may read {place.path} ({place.mode})"
    return Fault(
        place.path, what, f"chmod 600 {_quoted(place)}; what others could read may be known: better make a new one"
    )


def _has_acl(path: Path) -> bool:
    try:
        return _ACL in os.listxattr(path)
    except OSError:
        return False  # a file system that knows of no such lists


def _is_own_group(gid: int, user: int) -> bool:
    """Whether nobody but the user is in this group: it is his first, has his name, and no other member."""
    try:
        owner, group = pwd.getpwuid(user), grp.getgrgid(gid)
    except KeyError:
        return False
    if owner.pw_gid != gid or group.gr_name != owner.pw_name or set(group.gr_mem) - {owner.pw_name}:
        return False
    return all(other.pw_uid == user for other in pwd.getpwall() if other.pw_gid == gid)


def _quoted(place: Place) -> str:
    return shlex.quote(str(place.path))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
