"""Broken configurations: every problem of every file at once, located, in words that tell what to type instead.

Each folder of `tests/data/broken` is a configuration; its `problems.txt` holds exactly what must be said.
"""

from pathlib import Path

import pytest

from agent.config.load import load
from agent.config.problem import ConfigProblems

BROKEN = sorted(path for path in (Path(__file__).parent.parent / "data" / "broken").iterdir() if path.is_dir())


def said_about(folder: Path) -> list[str]:
    """The problems, with the folder's own path taken out of them."""
    with pytest.raises(ConfigProblems) as raised:
        load(folder, environ={})
    lines = [str(problem) for problem in raised.value.problems]
    for prefix in (folder, folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder):
        lines = [line.replace(f"{prefix}/", "").replace(str(prefix), ".") for line in lines]
    return lines


def test_there_are_at_least_twenty() -> None:
    assert len(BROKEN) >= 20


@pytest.mark.parametrize("folder", BROKEN, ids=lambda folder: folder.name)
def test_every_problem_is_said_and_nothing_else(folder: Path) -> None:
    expected = (folder / "problems.txt").read_text(encoding="utf-8").splitlines()
    assert said_about(folder) == expected


@pytest.mark.parametrize("folder", BROKEN, ids=lambda folder: folder.name)
def test_each_problem_is_one_readable_line(folder: Path) -> None:
    for line in said_about(folder):
        assert line.isprintable()
        assert len(line) < 1000
        assert "pydantic" not in line
        assert "Input should" not in line
        assert "Traceback" not in line


def test_a_secret_written_out_is_never_repeated() -> None:
    folder = next(folder for folder in BROKEN if folder.name == "16-secrets")
    assert "hunter2" in (folder / "secrets.yaml").read_text(encoding="utf-8")
    assert not [line for line in said_about(folder) if "hunter2" in line]


def test_what_was_written_for_a_secrets_name_is_repeated_only_if_it_can_hardly_be_the_secret(tmp_path: Path) -> None:
    """`bearer: hunter2` is what people write who do not know that it takes a name."""
    names = ["tracker-token", "my.tracker_token", "hunter", "hunter-2", "Hunter-two", "correct-horse-battery-staple"]
    checks = [f"  check{n}: {{kind: http, url: 'http://x/', bearer: {name}}}\n" for n, name in enumerate(names)]
    (tmp_path / "all.yaml").write_text("checks:\n" + "".join(checks))
    with pytest.raises(ConfigProblems) as found:
        load(tmp_path)
    about = [each.what for each in found.value.problems if each.path.endswith("bearer")]
    hidden = ["there is no secret of this name"] * 4
    assert about == ["there is no secret 'tracker-token' here", "there is no secret 'my.tracker_token' here", *hidden]
