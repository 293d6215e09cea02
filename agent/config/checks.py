"""Checks: the common rules, what the kind adds, and one probe for each host that is asked."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.config.configuration import Probe
from agent.config.kinds import keys_of, plugin
from agent.config.names import named, refer, refer_to_hosts
from agent.config.probes import HostTemplates
from agent.config.problem import Path, say_known
from agent.config.secret import secret_names
from agent.config.services import check_category
from agent.config.shape import keys
from agent.config.source import Folder
from agent.config.thresholds import check_thresholds
from agent.config.validation import MAPPING, show, validate
from agent.model.check import CheckRules
from agent.model.inventory import Host
from agent.model.policy import Team
from agent.model.quantities import say_duration
from agent.model.settings import Settings
from agent.model.threshold import parse_threshold
from agent.plugin import registry
from agent.plugin.api import CheckType

COMMON = tuple(key for key in keys(CheckRules) if key != "name")
"""What every check may say; `name` is the kind's to use, since a check's own name is its key."""

_SHORTEST = 0.1
"""Seconds between two askings of a check."""


@dataclass(frozen=True, slots=True)
class Checks:
    rules: Mapping[str, CheckRules]
    probes: tuple[Probe, ...]


def read_checks(source: Folder, settings: Settings) -> Checks:
    """`settings` holds everything but the checks."""
    reader = _Reader(source, settings)
    rules = {name: made for name, authored in named(source, "checks") if (made := reader.read(name, authored))}
    return Checks(rules, tuple(reader.probes))


class _Reader:
    """Reads one check after the other."""

    def __init__(self, source: Folder, settings: Settings) -> None:
        self._source = source
        self._settings = settings
        self.probes: list[Probe] = []

    def read(self, name: str, authored: object) -> CheckRules | None:
        path = ("checks", name)
        if not isinstance(authored, dict):
            self._source.report(path, f"expected {MAPPING}, got {show(authored)}", "begin with kind: …")
            return None
        kind = self._kind(path, authored)
        rules = self._rules(name, authored, kind)
        if rules is None:
            return None
        hosts = self._hosts(path, rules, kind)
        self._check_references(path, rules)
        if kind is not None:
            own = {key: value for key, value in authored.items() if key not in COMMON}
            self._add_probes(name, kind, own, hosts)
        return rules

    def _kind(self, path: Path, authored: Mapping[str, object]) -> type[CheckType] | None:
        kinds = registry.kinds(registry.CHECKS)
        if "kind" not in authored:
            hint = f"write kind: followed by one of {', '.join(kinds)}"
            if authored.get("type") in kinds:
                hint = f"write kind: {authored['type']} instead of type: {authored['type']}"
            self._source.report(path, "'kind' is missing", hint)
            return None
        kind = authored["kind"]
        if not isinstance(kind, str):
            self._source.report((*path, "kind"), f"expected text, got {show(kind)}", f"one of {', '.join(kinds)}")
            return None
        if kind not in kinds:
            self._source.report((*path, "kind"), f"there is no check kind {show(kind)}", say_known(kind, kinds))
            self._report_keys_of_no_kind(path, authored)
            return None
        return plugin(self._source, (*path, "kind"), registry.CHECKS, kind, CheckType)

    def _report_keys_of_no_kind(self, path: Path, authored: Mapping[str, object]) -> None:
        """The kind is not known, but a key that no kind has is wrong whatever was meant."""
        known = set(COMMON)
        for kind in registry.kinds(registry.CHECKS):
            known |= set(keys_of(registry.CHECKS, kind, CheckType))
        for key in authored.keys() - known:
            self._source.report((*path, key), f"there is no key '{key}' here", say_known(key, COMMON))

    def _rules(self, name: str, authored: Mapping[str, object], kind: type[CheckType] | None) -> CheckRules | None:
        path = ("checks", name)
        common = {key: value for key, value in authored.items() if key in COMMON and key != "kind"}
        rules, findings = validate(
            CheckRules, common, path, self._source.reach, {"name": name, "kind": str(authored.get("kind"))}
        )
        self._source.report_all(findings)
        if rules is None:
            return None
        if kind is not None and not {"warning", "critical"} & authored.keys():
            rules = self._without_threshold(rules, kind)
        if rules.every < _SHORTEST:
            what = f"{say_duration(rules.every)} is too short"
            self._source.report((*path, "every"), what, f"write {say_duration(_SHORTEST)} or more")
        if rules.timeout <= 0:
            self._source.report((*path, "timeout"), "a check needs time to answer", "write a duration such as 10s")
        self._source.report_all(check_thresholds(rules, kind.readings if kind else None, path))
        return rules

    def _without_threshold(self, rules: CheckRules, kind: type[CheckType]) -> CheckRules:
        """The kind's own threshold, if it has one; a kind that needs an author's must have it."""
        if kind.default_critical:
            return rules.model_copy(update={"critical": parse_threshold(kind.default_critical)})
        if kind.needs_threshold:
            readings = ", ".join(kind.readings or ())
            what = "has neither 'warning' nor 'critical', so it would never notice anything"
            self._source.report(("checks", rules.name), what, f"write a threshold for one of {readings}")
        return rules

    def _hosts(self, path: Path, rules: CheckRules, kind: type[CheckType] | None) -> list[Host]:
        """The hosts it is asked of, each once."""
        hosts: dict[str, Host] = {}
        for index, reference in enumerate(rules.on):
            place = (*path, "on", index)
            if not refer_to_hosts(self._source, place, reference):
                continue
            names = self._settings.hosts_of(reference)
            if not names and reference.startswith("group:") and self._is_sound_group(reference):
                self._source.report(place, f"{reference} has no hosts: nothing would be checked", "add hosts to it")
            found = {name: self._settings.hosts[name] for name in names if name in self._settings.hosts}
            if kind is not None and not kind.remote:
                self._report_remote(place, kind, found)
            hosts |= found
        if not rules.on:
            self._source.report((*path, "on"), "names no hosts", "write local, host:NAME or group:NAME")
        return list(hosts.values())

    def _is_sound_group(self, reference: str) -> bool:
        """Whether the group is empty because it says so, and not because its hosts are misspelt."""
        name = reference.partition(":")[2]
        authored = self._source.section("groups")[name]
        return isinstance(authored, dict) and authored.get("hosts") == []

    def _report_remote(self, path: Path, kind: type[CheckType], hosts: Mapping[str, Host]) -> None:
        remote = [name for name, host in hosts.items() if host.connection != "local"]
        if remote:
            what = f"kind {kind.kind} sees only the machine the agent runs on, not {_some(remote)}"
            self._source.report(path, what, "for other hosts use kind: command or kind: prometheus")

    def _check_references(self, path: Path, rules: CheckRules) -> None:
        if rules.service is not None:
            refer(self._source, (*path, "service"), "services", rules.service)
        teams: Mapping[str, Team] = self._settings.teams
        check_category(self._source, (*path, "category"), rules.category, teams)

    def _add_probes(self, name: str, kind: type[CheckType], own: dict[str, object], hosts: list[Host]) -> None:
        made, findings = HostTemplates(kind, own, COMMON, ("checks", name), self._source.reach).fill_in(hosts)
        self._source.report_all(findings)
        for host, check_type in made:
            self.probes.append(Probe(name, host, check_type))
        for _, check_type in made[:1]:  # the names are the same for every host
            for path, secret in secret_names(check_type, ("checks", name)):
                refer(self._source, path, "secrets", secret)


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
