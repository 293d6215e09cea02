"""Whatever a person writes, what comes of it is a configuration or problems, and never a traceback."""

import copy
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config.load import load
from agent.config.problem import ConfigProblems
from agent.config.yaml import read_document
from tests.functional.test_config_shipped import CONFIG, EXAMPLE, RUNBOOKS

JUNK = st.sampled_from(
    [  # each of these is the wrong thing nearly everywhere
        *[
            None,
            True,
            0,
            -1,
            1.5,
            1e308,
            "",
            "x",
            "on",
            "10s",
            "50%",
            "used > 5",
            "group:",
            "host:web1",
            "local",
            "1 of 0",
        ],
        *[[], {}, [[]], [{}], {"": 1}, {"a": {}}, [None], "a" * 500, "\x00", "\u202e", "9" * 30, "((", "http://["],
        *[
            "{{",
            "{% if",
            "{{ host.vars.q }}",
            "{{ host.vars[1] }}",
            "{{ 1/0 }}",
            "{{ secret() }}",
            "{{ [1]*99999999 }}",
        ],
    ]
)


def _whole() -> dict[str, object]:
    """The shipped configuration with its examples, as one document, and the shipped runbooks."""
    whole: dict[str, object] = {}
    for file in CONFIG.glob("*.yaml"):
        data = read_document(EXAMPLE.sub("", file.read_text(encoding="utf-8")), file.name).data
        assert isinstance(data, dict)
        whole |= {**data, "agent": {}}
    for file in RUNBOOKS.glob("*.yaml"):
        whole[file.name] = read_document(file.read_text(encoding="utf-8"), file.name).data
    return whole


WHOLE = _whole()


def _spoil(within: object, draw: st.DataObject) -> None:
    """Change one value, name or list entry somewhere."""
    while True:
        if not isinstance(within, dict | list) or not within:
            return
        place = draw.draw(st.sampled_from(list(within) if isinstance(within, dict) else list(range(len(within)))))
        below = within[place]  # type: ignore[call-overload]
        if isinstance(below, dict | list) and draw.draw(st.integers(0, 3)):
            within = below
            continue
        if isinstance(within, dict) and draw.draw(st.booleans()):
            within[draw.draw(st.sampled_from([f"{place}s", "", "name", "x" * 100]))] = within.pop(place)
        else:
            within[place] = copy.deepcopy(draw.draw(JUNK))  # type: ignore[call-overload]
        return


def _problems(folder: Path) -> list[str]:
    try:
        load(folder, environ={})
    except ConfigProblems as problems:
        return [str(problem) for problem in problems.problems]
    return []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_whatever_is_written(tmp_path: Path, draw: st.DataObject) -> None:
    whole = copy.deepcopy(WHOLE)
    for _ in range(draw.draw(st.integers(1, 3))):
        _spoil(whole, draw)
    folder = tmp_path / "config"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "runbooks").mkdir(parents=True)
    for name in [name for name in whole if name.endswith(".yaml")]:
        (folder / "runbooks" / name).write_text(json.dumps(whole.pop(name)), encoding="utf-8")
    (folder / "all.yaml").write_text(json.dumps(whole), encoding="utf-8")
    for line in _problems(folder):
        assert line.isprintable()
        assert "Input should" not in line


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "{}", "null"])
def test_the_top_of_a_file_may_be_anything(tmp_path: Path, text: str) -> None:
    (tmp_path / "all.yaml").write_text(text, encoding="utf-8")
    if text in ("{}", "null"):
        assert load(tmp_path, environ={}).settings.checks == {}
    else:
        with pytest.raises(ConfigProblems, match="expected sections"):
            load(tmp_path, environ={})
