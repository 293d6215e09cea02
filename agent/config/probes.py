"""What a check's kind adds, filled in for each host it is asked of."""

import re
from collections.abc import Iterator, Mapping

from agent.config.problem import Path
from agent.config.shape import Finding, Findings
from agent.config.validation import Reach, validate
from agent.core import templates
from agent.model.inventory import Host
from agent.plugin.api import CheckType

_NAME_OR_ADDRESS = re.compile(r"(?<!\{)\{\{ ?host\.(name|address) ?\}\}(?!\})")
"""What nearly every template is. Jinja takes about a millisecond to read one: 10 s for 10,000 checks."""


class HostTemplates:
    """A kind's own keys as authored, with `{{ host.name }}`, `{{ host.address }}` and `{{ host.vars.x }}` in them."""

    def __init__(
        self, kind: type[CheckType], authored: Mapping[str, object], common: tuple[str, ...], path: Path, reach: Reach
    ) -> None:
        """`common`: keys that every check has, for hints about unknown ones."""
        self._kind = kind
        self._authored = authored
        self._common = common
        self._path = path
        self._reach = reach
        self._shell = bool(getattr(kind, "shell", False))

    def fill_in(self, hosts: list[Host]) -> tuple[list[tuple[Host, CheckType]], Findings]:
        """An instance for each host. What is wrong at one place is said once, with the hosts it is wrong for."""
        broken = self._broken()
        skipped = {finding.path for finding in broken}
        if not hosts:
            return [], broken + self._without_host(skipped)
        made: list[tuple[Host, CheckType]] = []
        wrong: dict[Path, tuple[Finding, list[str]]] = {}
        for host in hosts:
            check_type, findings = self._for_host(host, skipped)
            if check_type is not None and not findings:
                made.append((host, check_type))
            for finding in findings:
                wrong.setdefault(finding.path, (finding, []))[1].append(host.name)
        return made, broken + [self._say(finding, names, len(hosts)) for finding, names in wrong.values()]

    def _broken(self) -> Findings:
        """Templates that are wrong whatever the host."""
        broken: Findings = []
        for path, text in texts(self._authored, self._path):
            if self._is_plain(text):
                continue
            wrong = templates.problems(text, templates.HOST_NAMES, shell=self._shell)
            broken += (Finding(path, said) for said in wrong)
            if not wrong and templates.secrets_in(text):
                hint = "log in with basic: {user: …, password: NAME} or bearer: NAME where the kind has these keys"
                broken.append(Finding(path, "a secret cannot stand in a check", hint))
        return broken

    def _is_plain(self, text: str) -> bool:
        """Whether filling in the host's name and address by hand gives what Jinja would."""
        rest = _NAME_OR_ADDRESS.sub("", text)
        return not self._shell and "{{" not in rest and "{%" not in rest

    def _without_host(self, skipped: set[Path]) -> Findings:
        """What can be said although the hosts are not known."""
        templated = skipped | {path for path, text in texts(self._authored, self._path) if "{{" in text}
        _, findings = self._validate(self._authored)
        return [finding for finding in findings if finding.path not in templated]

    def _for_host(self, host: Host, skipped: set[Path]) -> tuple[CheckType | None, Findings]:
        values = {"host": templates.host_values(host)}
        failed: dict[Path, Finding] = {}

        def walk(value: object, path: Path) -> object:
            match value:
                case str() if "{" in value and path not in skipped:
                    if self._is_plain(value):
                        return _NAME_OR_ADDRESS.sub(
                            lambda match: host.name if match[1] == "name" else host.target, value
                        )
                    try:
                        return templates.render(value, values, shell=self._shell)
                    except templates.TemplateFailed as error:
                        failed[path] = _say_failure(path, value, host, error)
                        return value
                case dict():
                    return {key: walk(each, (*path, key)) for key, each in value.items()}
                case list():
                    return [walk(each, (*path, index)) for index, each in enumerate(value)]
                case _:
                    return value

        check_type, findings = self._validate(walk(self._authored, self._path))
        others = [finding for finding in findings if finding.path not in failed and finding.path not in skipped]
        return check_type, [*failed.values(), *others]

    def _validate(self, data: object) -> tuple[CheckType | None, Findings]:
        return validate(self._kind, data, self._path, self._reach, also=self._common)

    def _say(self, finding: Finding, names: list[str], hosts: int) -> Finding:
        """Hosts are named only where it is wrong for some of them and right for others."""
        if len(names) == hosts:
            return finding
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return finding._replace(what=f"{finding.what} (host {names[0]}{more})")


def _say_failure(path: Path, template: str, host: Host, error: templates.TemplateFailed) -> Finding:
    """Mostly a value that this host does not have."""
    known = templates.HOST_NAMES | {"host.vars."} | {f"host.vars.{name}" for name in host.vars}
    missing = templates.problems(template, known)
    if missing:
        return Finding(path, missing[0], f"add it under 'vars:' of host {host.name}")
    return Finding(path, str(error))


def texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text that may hold a template, with its place."""
    match value:
        case str() if "{" in value:
            yield path, value
        case dict():
            for key, each in value.items():
                yield from texts(each, (*path, key))
        case list():
            for index, each in enumerate(value):
                yield from texts(each, (*path, index))
