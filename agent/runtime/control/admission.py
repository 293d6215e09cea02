"""Who is let in to which route: each route says the role it takes by the type of its caller."""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from agent.errors import ParamedicError
from agent.model.access import Role, on_behalf
from agent.model.text import one_line
from agent.runtime.control.peer import Peer, claimed
from agent.runtime.control.port import Control
from agent.runtime.control.roles import Roles, Standing

log = logging.getLogger("paramedic.control")

_QUIET = 600.0
"""Seconds in which the same refusal is neither logged nor recorded again."""
_OF_ALL = 20
"""Refusals logged or recorded in that time: nobody can flood the record."""
_OF_ONE = 5
"""Of those, of one caller: nobody can hide another's behind his own."""


class NotAllowed(ParamedicError):
    """The caller's role does not suffice."""

    def __init__(self, text: str, standing: Standing, needed: Role) -> None:
        super().__init__(text)
        self.standing = standing
        self.needed = needed


class Admission:
    """Lets callers in by their roles, and notes whom it turns away: in the journal, and acts on the record."""

    def __init__(self, control: Control, roles: Roles) -> None:
        self.roles = roles
        self._control = control
        self._looks, self._acts = _Noted(), _Noted()

    def admit(self, caller: "Caller", needed: Role, to: str, *, acts: bool) -> None:
        """Raises NotAllowed, with a sentence for the caller. `to`: what he wants."""
        standing = caller.standing
        if standing.role is not None and standing.role.covers(needed):
            return
        noted = (self._acts if acts else self._looks).worth((standing.user, to))
        if noted is not None:
            more = f" (and {noted} more refusals before)" if noted else ""
            text = f"refused to {to}: it takes the role {needed}, and {standing}{more}"
            log.warning("%s: %s", caller.actor, text)
            if acts:
                self._control.refused(caller.actor, text)
        raise NotAllowed(
            f"to {to} takes the role {needed}, and {standing}. {self.roles.holders(needed)}", standing, needed
        )


class _Noted:
    """Which refusals are worth a line."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lately: dict[tuple[str, str], float] = {}
        self._passed_over = 0

    def worth(self, refusal: tuple[str, str]) -> int | None:
        """How many were passed over since the last that was; None if this one is passed over too."""
        now = time.monotonic()
        with self._lock:
            self._lately = {one: at for one, at in self._lately.items() if now < at + _QUIET}
            his = sum(who == refusal[0] for who, _ in self._lately)
            if refusal in self._lately or his >= _OF_ONE or len(self._lately) >= _OF_ALL:
                self._passed_over += 1
                return None
            self._lately[refusal] = now
            passed_over, self._passed_over = self._passed_over, 0
            return passed_over


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks or acts; `acting_for` is a claim, and gives no role."""

    peer: Peer
    standing: Standing
    acting_for: str | None
    admission: Admission

    @property
    def actor(self) -> str:
        """What the record says: `alice`, `uid 1001`, `root (for alice)`."""
        user = self.standing.user
        return on_behalf(user, self.acting_for) if self.acting_for else user

    def must_be(self, needed: Role, to: str) -> None:
        """For an act that takes more than its route does. Raises NotAllowed."""
        self.admission.admit(self, needed, to, acts=True)

    def standing_now(self) -> Standing:
        """After a reload it may be another. Raises AgentBusy."""
        return self.admission.roles.of(self.peer)


@dataclass(frozen=True, slots=True)
class Takes:
    """The dependency that lets in who has the role, and gives the route its Caller."""

    role: Role

    def __call__(self, request: Request) -> Caller:
        """Called in a worker thread: the user database may be slow."""
        peer: Peer = request.state.peer
        admission: Admission = request.app.state.admission
        standing = admission.roles.of(peer)
        caller = Caller(peer, standing, claimed(request, standing.user), admission)
        admission.admit(caller, self.role, _wish(request), acts=request.method != "GET")
        return caller


def _wish(request: Request) -> str:
    """`resolve INC-12`: routes are named after what they do."""
    about = " ".join(request.path_params.values())
    return one_line(f"{request.scope['route'].name.replace('_', ' ')} {about}".rstrip(), 100)


Viewer = Annotated[Caller, Depends(Takes(Role.VIEWER))]
Responder = Annotated[Caller, Depends(Takes(Role.RESPONDER))]
Commander = Annotated[Caller, Depends(Takes(Role.COMMANDER))]
