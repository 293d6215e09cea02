"""What a check's kind adds, filled in for each host it is asked of."""

from collections.abc import Iterator, Mapping

from agent.config.problem import Path
from agent.config.shape import Finding, Findings
from agent.config.validation import Reach, validate
from agent.core import templates
from agent.model.inventory import Host
from agent.plugin.api import CheckType


class HostTemplates:
    """A kind's own keys as authored, with `{{ host.name }}`, `{{ host.address }}` and `{{ host.vars.x }}` in them."""

    def __init__(self, kind: type[CheckType], authored: Mapping[str, object], path: Path, reach: Reach) -> None:
        self._kind = kind
        self._authored = authored
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
            wrong = templates.problems(text, templates.HOST_NAMES, shell=self._shell)
            broken += (Finding(path, said) for said in wrong)
            if not wrong and templates.secrets_in(text):
                hint = "log in with basic: {user: …, password: NAME} or bearer: NAME where the kind has these keys"
                broken.append(Finding(path, "a secret cannot stand in a check", hint))
        return broken

    def _without_host(self, skipped: set[Path]) -> Findings:
        """What can be said although the hosts are not known."""
        templated = skipped | {path for path, text in texts(self._authored, self._path) if "{{" in text}
        _, findings = validate(self._kind, self._authored, self._path, self._reach)
        return [finding for finding in findings if finding.path not in templated]

    def _for_host(self, host: Host, skipped: set[Path]) -> tuple[CheckType | None, Findings]:
        values = {"host": templates.host_values(host)}
        failed: dict[Path, Finding] = {}

        def walk(value: object, path: Path) -> object:
            match value:
                case str() if "{" in value and path not in skipped:
                    try:
                        return templates.render(value, values, shell=self._shell)
                    except templates.TemplateFailed as error:
                        hint = f"give it under 'vars:' of host {host.name}" if "host.vars" in value else ""
                        failed[path] = Finding(path, str(error), hint)
                        return value
                case dict():
                    return {key: walk(each, (*path, key)) for key, each in value.items()}
                case list():
                    return [walk(each, (*path, index)) for index, each in enumerate(value)]
                case _:
                    return value

        check_type, findings = validate(self._kind, walk(self._authored, self._path), self._path, self._reach)
        others = [finding for finding in findings if finding.path not in failed and finding.path not in skipped]
        return check_type, [*failed.values(), *others]

    def _say(self, finding: Finding, names: list[str], hosts: int) -> Finding:
        """Hosts are named only where it is wrong for some of them and right for others."""
        if len(names) == hosts:
            return finding
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return finding._replace(what=f"{finding.what} (host {names[0]}{more})")


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
