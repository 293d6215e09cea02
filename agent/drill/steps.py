"""Kinds of steps as a drill has them."""

import types
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from agent.drill.fence import Fence, Fenced
from agent.model.execution import StepOutcome, StepStatus
from agent.model.inventory import Host
from agent.model.runbook import Action
from agent.plugin.api import Performed, StepPorts
from agent.runtime.performer import installed


def recorded_only(kind: str) -> type[Action]:
    """Of a simulated drill: what would have been done is said, and nothing is. Raises UnknownKind."""
    real = installed(kind)

    def perform(self: Action, host: Host, ports: StepPorts, *, timeout: float, sudo: bool) -> StepOutcome:
        shown = getattr(self, real.primary, "")
        as_whom = ", as root" if sudo else ""
        text = f"not done, because the drill is simulated: {kind} on {host.name}{as_whom}: {shown}"
        return StepOutcome(StepStatus.OK, exit=0, stdout=f"{shown}\n", message=text)

    return _like(real, perform)


def fenced(fence: Fence, hosts: Mapping[str, Host]) -> Callable[[str], type[Action]]:
    """Of a live drill. `hosts`: the inventory. A kind that does all it does by the shell of a host is held back by
    the shell; `http` must go to a host that the drill may touch; of others nobody knows where they go.
    """

    def find(kind: str) -> type[Action]:
        real = installed(kind)
        return real if real.resumable else _like(real, _held_back(real, kind, fence, hosts))

    return find


def _held_back(real: type[Action], kind: str, fence: Fence, hosts: Mapping[str, Host]) -> Callable[..., StepOutcome]:
    def perform(self: Action, host: Host, ports: StepPorts, *, timeout: float, sudo: bool) -> StepOutcome:
        try:
            if kind != "http":
                raise Fenced(f"a drill cannot know what a step of the kind {kind!r} touches")
            target = _host_at(str(getattr(self, "url", "")), fence, hosts)
            with fence.touching(target):
                assert isinstance(self, Performed)
                return real.perform(self, host, ports, timeout=timeout, sudo=sudo)  # type: ignore[attr-defined, no-any-return]
        except Fenced as refusal:
            return StepOutcome(StepStatus.REFUSED, message=str(refusal))

    return perform


def _host_at(url: str, fence: Fence, hosts: Mapping[str, Host]) -> Host:
    """The host that may be touched and has that address. Raises Fenced."""
    address = (urlsplit(url).hostname or "").lower()
    for name in sorted(fence.allowed & set(hosts)):
        if address == hosts[name].target.lower():  # what its name alone leads to, the inventory does not say
            return hosts[name]
    raise Fenced(f"no request is sent to {address}: it is none of the hosts that this drill may touch")


def _like(real: type[Action], perform: Callable[..., StepOutcome]) -> type[Action]:
    """The same kind, performed otherwise. It keeps no ledger: there is nothing to be asked about later."""
    parts = {"perform": perform, "resumable": False, "__module__": __name__}
    return types.new_class(f"Fenced{real.__name__}", (real,), exec_body=lambda namespace: namespace.update(parts))
