"""README shows what `paramedic --help` says: the two must not drift apart."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
PARAMEDIC = Path(sys.executable).with_name("paramedic")


def test_readme_shows_the_help_of_the_program() -> None:
    """README holds a fenced block whose first line is `$ paramedic --help`, as 100 columns show it."""
    shown = re.search(r"```\w*\n\$ paramedic --help\n(.*?)```", README.read_text(), re.DOTALL)
    assert shown, "README has no block that begins with `$ paramedic --help`"
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1", "LANG": "C.UTF-8"}
    said = subprocess.run(
        [PARAMEDIC, "--help"], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert _lines(shown[1]) == _lines(said.stdout)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
