"""A network of our own for test hosts: a bridge, and a network namespace for each host.

The hosts reach one another and this machine, and nothing else: they have no default route. Everything
says which test process it belongs to, so that what a killed run left behind is found and removed.
"""

import contextlib
import ipaddress
import itertools
import json
import os
import subprocess

from agent.demo.cache import cache_folder, locked
from tests.neighbours.cgroup import owned, owner_is_gone

OURS = ipaddress.ip_network("10.77.0.0/16")
_numbers = itertools.count(1)


class HostNetwork:
    """One /24 with this machine at `.1`. `open` finds one that nothing here uses."""

    def __init__(self) -> None:
        self._number = next(_numbers)
        self._bridge = f"pm{os.getpid()}n{self._number}"
        self._hosts: dict[str, int] = {}
        self._net = OURS

    def open(self) -> None:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with locked(cache_folder() / "host-network.lock"):
            _sweep()
            used = _used_networks()
            self._net = next(n for n in OURS.subnets(new_prefix=24) if not any(map(n.overlaps, used)))
            ip("link", "add", self._bridge, "type", "bridge")
            ip("link", "set", self._bridge, "alias", owned("bridge"))
            ip("address", "add", f"{self._net[1]}/24", "dev", self._bridge)
        ip("link", "set", self._bridge, "up")

    def close(self) -> None:
        for name in list(self._hosts):
            self.remove(name)
        ip("link", "delete", self._bridge)

    def add(self, name: str) -> None:
        """A namespace with a cable to the bridge, its end called eth0."""
        self._hosts[name] = number = len(self._hosts) + 2
        cable, space = self._cable(name), self.namespace(name)
        ip("netns", "add", space)
        ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("link", "set", cable, "alias", owned("cable"), "master", self._bridge, "up")
        ip("-n", space, "address", "add", f"{self._net[number]}/24", "dev", "eth0")
        ip("-n", space, "link", "set", "lo", "up")
        self.plug(name)

    def remove(self, name: str) -> None:
        ip("netns", "delete", self.namespace(name))
        # The kernel takes a namespace apart when its last process is gone; the cable should go now.
        with contextlib.suppress(RuntimeError):
            ip("link", "delete", self._cable(name))
        del self._hosts[name]

    def plug(self, name: str) -> None:
        ip("-n", self.namespace(name), "link", "set", "eth0", "up")

    def unplug(self, name: str) -> None:
        """Packets to the host vanish: a connection to it times out."""
        ip("-n", self.namespace(name), "link", "set", "eth0", "down")

    def address(self, name: str) -> str:
        return str(self._net[self._hosts[name]])

    def namespace(self, name: str) -> str:
        return owned(f"{self._number}-{name}")

    def _cable(self, name: str) -> str:
        return f"{self._bridge}h{self._hosts[name]}"


def ip(*words: str) -> str:
    """Run iproute2's `ip`; RuntimeError with its own words if it refuses."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _used_networks() -> list[ipaddress.IPv4Network]:
    routes = json.loads(ip("-j", "-4", "route", "show", "table", "all"))
    return [ipaddress.ip_network(route["dst"], strict=False) for route in routes if route["dst"] != "default"]


def _sweep() -> None:
    """Remove what test processes that were killed could not."""
    for space in json.loads(ip("-j", "netns", "list") or "[]"):
        if owner_is_gone(space["name"]):
            ip("netns", "delete", space["name"])
    for link in json.loads(ip("-j", "link", "show")):
        if owner_is_gone(link.get("ifalias", "")):
            with contextlib.suppress(RuntimeError):  # a cable may have gone with its namespace
                ip("link", "delete", link["ifname"])
