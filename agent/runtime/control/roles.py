"""Which role a caller has. The user database may be slow: looked up in threads of its own, bounded, kept briefly."""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path

from agent.model.access import Access, Role
from agent.runtime.accounts import Account, account, group_name, strangers, user_name
from agent.runtime.control.peer import Peer
from agent.runtime.control.port import AgentBusy

log = logging.getLogger("paramedic.control")

_KEPT = 10.0
"""Seconds after which a user's groups are looked up again."""
_WITHIN = 5.0
"""Seconds a caller waits for the user database."""
_AT_ONCE = 8
"""Look-ups under way, each of which may hang."""
_MOST = 1000
"""Users that are remembered."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Who it is, and the highest role he has; None when he has none."""

    user: str
    role: Role | None

    def __str__(self) -> str:
        return f"{self.user} is a {self.role}" if self.role else f"{self.user} has no role"


class Roles:
    """Thread-safe. Root and the agent's own user are commanders whatever is written: both own all that it is."""

    def __init__(self, access: Access | None, socket: Path, look_up: Callable[[int, int], Account] = account) -> None:
        """`socket`: the control socket, which must be there: by default its group are responders."""
        self._group = socket.stat().st_gid  # of the file that is ours: at a reload another may lie there, or none
        self._look_up = look_up
        self.use(access)

    def use(self, access: Access | None) -> None:
        """Hold from now on for every request that comes; what was looked up before is forgotten."""
        if access is None:
            access = Access(responder=(f"group:{group_name(self._group)}",))
        self._standings = _Standings(access, self._look_up)
        threading.Thread(target=_warn_of_strangers, args=(access,), name="accounts", daemon=True).start()

    def of(self, peer: Peer) -> Standing:
        """Raises AgentBusy when the user database does not answer in time."""
        return self._standings.of(peer)

    def holders(self, needed: Role) -> str:
        """Who may do what takes that role: `Responder: alice, group:ops. Commander: root.`"""
        access = self._standings.access
        return " ".join(f"{role.capitalize()}: {', '.join(access.of(role)) or 'nobody'}." for role in needed.and_above)


class _Standings:
    """By one configuration."""

    def __init__(self, access: Access, look_up: Callable[[int, int], Account]) -> None:
        self._account = look_up
        owners = dict.fromkeys(user_name(uid) for uid in (0, os.geteuid()))
        commanders = tuple(dict.fromkeys((*owners, *access.commander)))
        self.access = access.model_copy(update={"commander": commanders})
        self._lock = threading.Lock()
        self._known: dict[Peer, tuple[float, Standing]] = {}
        self._looking: dict[Peer, Future[Standing]] = {}

    def of(self, peer: Peer) -> Standing:
        someone = Peer(0, peer.uid, peer.gid)  # whatever his process
        with self._lock:
            until, standing = self._known.get(someone, (0.0, None))
            if standing is not None and time.monotonic() < until:
                return standing
            looking = self._looking.get(someone) or self._begin(someone)
        try:
            return looking.result(_WITHIN)
        except FutureTimeout:
            raise AgentBusy(f"this machine's user database is slow to say who uid {peer.uid} is; try again") from None

    def _begin(self, someone: Peer) -> "Future[Standing]":
        if len(self._looking) >= _AT_ONCE:
            raise AgentBusy("this machine's user database is slow to say who calls; try again")
        looking = Future[Standing]()
        try:
            threading.Thread(target=self._look_up, args=(someone, looking), name="accounts", daemon=True).start()
        except RuntimeError:
            raise AgentBusy("no thread is left here to look up who calls; try again") from None
        self._looking[someone] = looking  # it ends in `_look_up`, which waits for the lock
        return looking

    def _look_up(self, someone: Peer, looking: "Future[Standing]") -> None:
        try:
            standing = self._standing(someone)
        except OSError as error:
            looking.set_exception(AgentBusy(f"this machine's user database cannot be read: {error}"))
        else:
            with self._lock:
                if len(self._known) >= _MOST:
                    self._known.clear()
                self._known[someone] = (time.monotonic() + _KEPT, standing)
            looking.set_result(standing)
        finally:
            with self._lock:
                del self._looking[someone]

    def _standing(self, someone: Peer) -> Standing:
        if someone.uid in (0, os.geteuid()):
            return Standing(user_name(someone.uid), Role.COMMANDER)
        who = self._account(someone.uid, someone.gid)
        return Standing(who.user, next((role for role in reversed(Role) if self._has(who, role)), None))

    def _has(self, who: Account, role: Role) -> bool:
        return any(who.is_meant(grantee) for grantee in self.access.of(role))


def _warn_of_strangers(access: Access) -> None:
    for sentence in strangers(access):
        log.warning("%s", sentence)
