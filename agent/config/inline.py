"""Runbooks whose steps stand in an emergency plan.

What ran must be shown later, and be there after a restart, as of any runbook: so the part of the plan is put into a
text of its own, from which `agent.config.runbook.parse_runbook` makes the same runbook again.
"""

from collections.abc import Mapping

import yaml

from agent.config.problem import Path
from agent.config.runbook import read_runbook
from agent.config.scalar import plain_scalar
from agent.config.source import PartOfFile, Source
from agent.config.yaml import SIZE_LIMIT, Document
from agent.model.runbook import Runbook

INLINE = ("steps", "evidence", "rollback", "verify", "serial", "limits")
"""Keys of an action that make up its runbook."""


def read_inline(
    source: Source, at: Path, name: str, description: str, authored: Mapping[str, object]
) -> tuple[Runbook | None, PartOfFile]:
    """The runbook that the keys INLINE of the action at `at` make up, and what it refers to."""
    data: dict[str, object] = {"runbook": name, "description": description}
    data |= {key: authored[key] for key in INLINE if key in authored}
    text = canonical(data)
    whole = source.document_of(at)
    document = Document(whole.file, data, whole.locate(at)[1])
    part = PartOfFile(document, source, at)
    if len(text) > SIZE_LIMIT:
        part.report((), "is too long for a plan", "make a runbook of its own of it")
        return None, part
    return read_runbook(part, text), part


def canonical(data: object) -> str:
    """The same YAML for the same data, which `agent.config.yaml` reads as that very data."""
    return yaml.dump(data, Dumper=_Canonical, sort_keys=False, allow_unicode=True, width=1 << 30)


class _Canonical(yaml.SafeDumper):
    """Quotes what this project, but not YAML 1.1, would take for something else than text."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text:
        style = "|"
    elif plain_scalar(text) != text:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Canonical.add_representer(str, _text)
