"""Which subject and which host of the inventory an answer is about."""

from collections.abc import Collection, Mapping

from agent.model.inventory import Host
from agent.model.observation import Answer
from agent.plugin.probe import Probe


class HostNames:
    """Inventory names by name and by address. An address that two hosts share names neither."""

    def __init__(self, hosts: Collection[Host]) -> None:
        found: dict[str, set[str]] = {}
        for host in hosts:
            found.setdefault(host.target, set()).add(host.name)
        self._names: Mapping[str, str] = {
            address: next(iter(names)) for address, names in found.items() if len(names) == 1
        } | {host.name: host.name for host in hosts}

    def find(self, said: str) -> str | None:
        """The host that `web1`, `10.0.0.5`, `web1:9100` or `[::1]:9100` speaks of."""
        for candidate in (said, _without_port(said)):
            if candidate in self._names:
                return self._names[candidate]
        return None


def subject_of(probe: Probe, answer: Answer) -> str:
    """Unique within the check: a kind that does not know all subjects itself has the host's name before its own."""
    host = probe.host.name
    if probe.check_type.own_subjects or answer.subject == host or answer.subject.startswith(f"{host} "):
        return answer.subject
    return f"{host} {answer.subject}" if answer.subject else host


def host_of(probe: Probe, answer: Answer, names: HostNames) -> str | None:
    """None where it is not known: what is not known must not be treated."""
    if answer.host is not None:
        return names.find(answer.host)
    return None if probe.check_type.own_subjects and probe.check_type.remote else probe.host.name


def unasked_subject(probe: Probe) -> str:
    """What UNKNOWN is said of when the question could not be asked."""
    return "" if probe.check_type.own_subjects else probe.host.name


def unasked_host(probe: Probe) -> str | None:
    return None if probe.check_type.own_subjects and probe.check_type.remote else probe.host.name


def speaks_of(probe: Probe, subject: str) -> bool:
    """Whether the probe's answers can be about that subject, as far as its name tells."""
    return subject == probe.host.name or subject.startswith(f"{probe.host.name} ")


def _without_port(said: str) -> str:
    if said.startswith("["):
        return said[1:].partition("]")[0]
    name, colon, port = said.rpartition(":")
    return name if colon and port.isdecimal() and ":" not in name else said
