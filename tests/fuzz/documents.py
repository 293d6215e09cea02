"""The shipped configuration and runbooks, spoilt in a few places; and YAML that nobody would write."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from agent.config.yaml import read_document
from tests.functional.test_config_shipped import CONFIG, EXAMPLE, RUNBOOKS
from tests.fuzz.words import EXPRESSIONS, ODD, QUANTITIES, TEMPLATES, THRESHOLDS, made_of

_WRONG_KINDS: list[Any] = [None, True, 0, -1, 1.5, 1e308, 10**17, [], {}, [[]], [{}], {"": 1}, {"a": {}}, [None]]
_WRONG_WORDS = ["on", "10s", "50%", "group:", "host:web1", "local", "1 of 0", "a" * 500, "9" * 30, "((", "http://["]
_WRONG_WORDS += [
    "999999999999999w",
    "{{ host.vars[1] }}",
    "{{ secret() }}",
    "{{ [1]*99999999 }}",
    "/dev/zero",
    "~nobody/x",
]

JUNK: SearchStrategy[Any] = st.one_of(
    st.sampled_from(_WRONG_KINDS),
    st.sampled_from(_WRONG_WORDS),
    st.sampled_from(ODD),
    QUANTITIES | THRESHOLDS | TEMPLATES | EXPRESSIONS,
)

TEXT = made_of(
    *("a", "key: ", "- ", "? ", ": ", ", ", "\n", "\n  ", "\n\t", "  ", "{", "}", "[", "]", "'", '"', "|\n", ">-\n"),
    *("&a ", "*a", "*b", "<<: *a", "<<: [*a, *a]", "!!python/object:os.system ", "!!str ", "!x ", "!<", "%YAML 1.1\n"),
    *("---\n", "...\n", "# word\n", "checks:", "hosts:", "agent:", "runbook: r\n", "steps:\n", "\\x41", '"\\ud800"'),
    *("\r", "\x85", "\u2028", "\ufeff", "\x0b", "@", "`", "1", "~", "on", "0o17", "1:30"),
    most=20,
)
"""Files nobody would write."""


def _whole() -> dict[str, object]:
    """The shipped configuration with its examples, as one document, and the shipped runbooks by file name."""
    whole: dict[str, object] = {}
    for file in CONFIG.glob("*.yaml"):
        data = read_document(EXAMPLE.sub("", file.read_text(encoding="utf-8")), file.name).data
        assert isinstance(data, dict)
        whole |= {**data, "agent": {}}
    for file in RUNBOOKS.glob("*.yaml"):
        whole[file.name] = read_document(file.read_text(encoding="utf-8"), file.name).data
    return whole


_WHOLE = _whole()
_TESTS = [read_document(file.read_text(encoding="utf-8"), file.name).data for file in RUNBOOKS.glob("tests/*.yaml")]


def _spoil(draw: DrawFn, within: Any) -> None:
    """Change one value, name or list entry somewhere."""
    while isinstance(within, dict | list) and within:
        place = draw(st.sampled_from(list(within) if isinstance(within, dict) else list(range(len(within)))))
        below = within[place]
        if isinstance(below, dict | list) and draw(st.integers(0, 3)):
            within = below
            continue
        if isinstance(within, dict) and draw(st.booleans()):
            within[draw(st.sampled_from([f"{place}s", "", "name", "x" * 100]))] = within.pop(place)
        else:
            within[place] = copy.deepcopy(draw(JUNK))
        return


@st.composite
def configurations(draw: DrawFn) -> dict[str, Any]:
    """All sections as one document, and runbooks by file name; one to three things in them are wrong."""
    whole = copy.deepcopy(_WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, whole)
    return whole


@st.composite
def runbook_tests(draw: DrawFn) -> Any:
    """The content of a shipped `*.test.yaml`; one to three things in it are wrong."""
    whole = {"it": copy.deepcopy(draw(st.sampled_from(_TESTS)))}
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, whole["it"])
    return whole["it"]


@st.composite
def runbooks(draw: DrawFn) -> str:
    """The text of a shipped runbook; one to three things in it are wrong."""
    names = [name for name in _WHOLE if name.endswith(".yaml")]
    whole = copy.deepcopy(_WHOLE[draw(st.sampled_from(names))])
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, whole)
    return json.dumps(whole)


def write(folder: Path, whole: dict[str, Any]) -> Path:
    """As a configuration folder. JSON is YAML."""
    (folder / "runbooks").mkdir(parents=True)
    for name in [name for name in whole if name.endswith(".yaml")]:
        (folder / "runbooks" / name).write_text(json.dumps(whole.pop(name)), encoding="utf-8")
    (folder / "all.yaml").write_text(json.dumps(whole), encoding="utf-8")
    return folder


def as_text(content: Any) -> str:
    """As a file says it."""
    return json.dumps(content)
