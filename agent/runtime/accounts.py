"""The machine's users and groups, as its user database (NSS: files, LDAP, …) has them. May be slow: network."""

import grp
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass

from agent.model.access import Access, Role, group_named


@dataclass(frozen=True, slots=True)
class Account:
    """A user by `user_name`, and the numbers of his groups."""

    uid: int
    user: str
    groups: frozenset[int]

    def is_meant(self, grantee: str) -> bool:
        """Whether `alice`, `1001` or `group:ops` is this user. A group of nobody's name has no members."""
        group = group_named(grantee)
        return grantee in (self.user, str(self.uid)) if group is None else group_id(group) in self.groups


def user_name(uid: int) -> str:
    """`uid 1001` for one without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def account(uid: int, gid: int) -> Account:
    """`gid`: a group in which he acts, whatever the database says of it."""
    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, user_name(uid), frozenset({gid}))
    return Account(uid, known.pw_name, frozenset({gid, *os.getgrouplist(known.pw_name, known.pw_gid)}))


def group_name(gid: int) -> str:
    """Its number where it has no name."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def group_id(name: str) -> int | None:
    """None where there is no such group. A number stands for itself, unless a group is called so."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return int(name) if name.isascii() and name.isdigit() else None


def strangers(access: Access) -> Iterator[str]:
    """A sentence for each name in `access` that nobody on this machine has."""
    for role in Role:
        for grantee in access.of(role):
            group = group_named(grantee)
            if not (_has_user(grantee) if group is None else group_id(group) is not None):
                noun = f"user {grantee}" if group is None else f"group {group}"
                yield f"access.{role}: there is no {noun} on this machine, so nobody has the role by that name"


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return name.isascii() and name.isdigit()
    return True
