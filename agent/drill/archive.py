"""Where results are kept: `<state_dir>/drills/DRILL-7/` with result.json, report.md and report.xml."""

import re
from collections.abc import Iterator
from pathlib import Path

from agent.drill.junit import as_junit
from agent.drill.report import as_json, as_markdown
from agent.errors import StoreCorrupt
from agent.model.drill_result import DrillResult
from agent.runtime.store import codec

_ID = re.compile(r"DRILL-([1-9][0-9]{0,8})")
_RESULT = "result.json"


def folder_of(state_dir: Path, id: str) -> Path:
    """Where everything of one drill is kept."""
    return state_dir / "drills" / id


def begin(state_dir: Path) -> str:
    """The id of a new drill, whose folder is there from now on. Raises OSError."""
    taken = [number for number, _ in _folders(state_dir)]
    number = max(taken, default=0) + 1
    while True:
        try:
            folder_of(state_dir, f"DRILL-{number}").mkdir(parents=True, mode=0o700)
        except FileExistsError:  # another one began at the same moment
            number += 1
        else:
            return f"DRILL-{number}"


def keep(state_dir: Path, result: DrillResult) -> Path:
    """Write the result and its reports; returns their folder. Raises OSError."""
    folder = folder_of(state_dir, result.id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "report.md").write_text(as_markdown(result), encoding="utf-8")
    (folder / "report.xml").write_text(as_junit(result), encoding="utf-8")
    whole = folder / f"{_RESULT}.new"
    whole.write_text(as_json(result), encoding="utf-8")
    whole.replace(folder / _RESULT)  # last: where it is, everything is
    return folder


def kept(state_dir: Path) -> list[DrillResult]:
    """Every result there is, the oldest first; of drills that never ended there is none.

    Raises StoreCorrupt for one that cannot be read, and OSError.
    """
    return [read(state_dir, f"DRILL-{number}") for number, folder in _folders(state_dir) if (folder / _RESULT).exists()]


def read(state_dir: Path, id: str) -> DrillResult:
    """Raises FileNotFoundError where there is none, OSError, and StoreCorrupt."""
    if not _ID.fullmatch(id):
        raise FileNotFoundError(id)
    file = folder_of(state_dir, id) / _RESULT
    try:
        return codec.load(DrillResult, file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError as error:
        raise StoreCorrupt(f"{file} cannot be read: {error}") from error


def _folders(state_dir: Path) -> Iterator[tuple[int, Path]]:
    folder = state_dir / "drills"
    if not folder.is_dir():
        return
    found = ((match, each) for each in folder.iterdir() if (match := _ID.fullmatch(each.name)))
    yield from sorted((int(match[1]), each) for match, each in found)
