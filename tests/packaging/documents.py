"""Markdown pages as the tests of the documentation read them: sections, tables, fenced blocks, links."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.config.yaml import read_document

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `label`: the path that its first line says in a comment; `mark`: a word in brackets behind it."""

    page: str
    line: int
    language: str
    text: str
    label: str = ""
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.label}"


def pages() -> list[Path]:
    """README.md, SECURITY.md and every page under docs/."""
    return [path for path in (ROOT / "README.md", ROOT / "SECURITY.md", *sorted(DOCS.rglob("*.md"))) if path.is_file()]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(path: Path) -> list[Block]:
    """Fenced blocks, in order."""
    text = path.read_text(encoding="utf-8")
    return [_block(path, text, fence) for fence in _FENCE.finditer(text)]


def _block(path: Path, text: str, fence: re.Match[str]) -> Block:
    label = re.match(r"# ([\w./-]+\.\w+)(?: \(([\w-]+)\))?\n", fence[2])
    line = text.count("\n", 0, fence.start()) + 1
    labelled = (label[1], label[2] or "") if label else ("", "")
    return Block(str(path.relative_to(ROOT)), line, fence[1], fence[2], *labelled)


def labelled(name: str, label: str) -> Block:
    """The block of a page of docs/ with this label."""
    return next(block for block in blocks(DOCS / name) if block.label == label)


def data_of(block: Block) -> dict[str, Any]:
    """As the agent reads it: PyYAML would make true of `on`."""
    data = read_document(block.text, str(block)).data
    assert isinstance(data, dict), f"{block} holds no sections"
    return data


def section(name: str, heading: str) -> str:
    """What stands under a heading of a page of docs/, down to the next heading."""
    text = page(name)
    without_code = _FENCE.sub(lambda fence: re.sub(r"(?m)^#", "~", fence[0]), text)
    found = list(_HEADING.finditer(without_code))
    for heading_here, following in zip(found, [*found[1:], None], strict=True):
        if heading_here[1] == heading:
            return text[heading_here.end() : following.start() if following else len(text)]
    raise AssertionError(f"docs/{name} has no section {heading!r}")


def table(name: str, heading: str, first_column: str) -> list[list[str]]:
    """Rows of the table in a section whose header begins with `first_column`, without the header."""
    for lines in re.split(r"\n{2,}", section(name, heading)):
        rows = [_cells(line) for line in lines.strip().splitlines() if line.startswith("|")]
        if rows and rows[0][0] == first_column:
            return rows[2:]
    raise AssertionError(f"docs/{name}, {heading!r}: no table begins with a column {first_column!r}")


def typed(name: str, heading: str) -> list[str]:
    """What there is to type under a heading of a page of docs/, without comments."""
    fences = re.findall(r"```text\n(.*?)```", section(name, heading), re.DOTALL)
    words = (re.sub(r"\s+#.*|^#.*", "", line).strip() for fence in fences for line in fence.splitlines())
    return [line for line in words if line]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def code_in(text: str) -> list[str]:
    """What stands in backticks, fenced blocks left out."""
    return _CODE.findall(_FENCE.sub("", text))


def links(path: Path) -> list[str]:
    """Targets of relative links, code left out."""
    text = _CODE.sub("", _FENCE.sub("", path.read_text(encoding="utf-8")))
    return [target for target in _LINK.findall(text) if not re.match(r"[a-z]+:", target)]


def anchors(path: Path) -> set[str]:
    """What can follow a `#`: headings in lower case, without punctuation, blanks as dashes, as GitHub makes them."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(text)}
