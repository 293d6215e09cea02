"""Who may do what: roles of people, by UNIX user and group."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from agent.model.authored import Authored

_GROUP = "group:"
_LONGEST = 256


class Role(StrEnum):
    """What a person may do; each may also do what those before it may."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    COMMANDER = "commander"

    @property
    def and_above(self) -> "tuple[Role, ...]":
        """This role and those that may do more, the least first."""
        every = tuple(Role)
        return every[every.index(self) :]

    def covers(self, needed: "Role") -> bool:
        """Whether who has this role may do what takes `needed`."""
        return self in needed.and_above


def _grantee(written: str) -> str:
    if written.startswith(("%", "@")):
        raise ValueError(f"'{written}' names nobody: write {_GROUP}{written[1:]}")
    name = written.removeprefix(_GROUP)
    sound = name == name.strip() and name.isprintable() and not re.search("[:,/]", name)  # blanks: DOMAIN\\domain users
    if not sound or not 0 < len(name) <= _LONGEST:
        raise ValueError(f"'{written}' names nobody: write the name of a user, or {_GROUP}NAME")
    return written


Grantee = Annotated[str, AfterValidator(_grantee)]
"""A UNIX user's name, or `group:NAME`."""


class Access(Authored):
    """Everything in `access:`. Of several roles the highest counts."""

    viewer: tuple[Grantee, ...] = Field((), description="May look: status, incidents, stories, checks, runbooks.")
    responder: tuple[Grantee, ...] = Field(
        (), description="May also ask checks, report, work on incidents, run runbooks, answer approvals and calls."
    )
    commander: tuple[Grantee, ...] = Field(
        (), description="May also freeze, unfreeze, overrule guards, reload, declare and end emergencies."
    )

    def of(self, role: Role) -> tuple[str, ...]:
        """Who is named for it."""
        match role:
            case Role.VIEWER:
                return self.viewer
            case Role.RESPONDER:
                return self.responder
            case Role.COMMANDER:
                return self.commander


def group_named(grantee: str) -> str | None:
    """The group's name in `group:NAME`; None for a user."""
    return grantee.removeprefix(_GROUP) if grantee.startswith(_GROUP) else None


def on_behalf(user: str, whom: str) -> str:
    """How the record names who acted, behind sudo: `root (for alice)`."""
    return f"{user} (for {whom})"


def person_behind(actor: str) -> str:
    """`alice` of `root (for alice)`: root says so, and whom the agent answers to is a person, not an account."""
    found = re.fullmatch(r"root \(for (.+)\)", actor)
    return found[1] if found else actor
