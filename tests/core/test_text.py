"""One safe line of whatever came from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.text import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("all is well", "all is well"),
        ("磁盘已满 — 92%", "磁盘已满 — 92%"),
        ("two\nlines\tand \r\n tabs ", "two lines and tabs"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff", "\\udcff"),
        ("\U000e0001", "\\U000e0001"),
        ("", ""),
    ],
)
def test_what_becomes_of_it(text: str, line: str) -> None:
    assert one_line(text) == line


def test_is_cut_at_the_limit() -> None:
    assert one_line("x" * 300) == "x" * 300
    assert one_line("x" * 301) == "x" * 299 + "…"
    assert one_line("abc def", 5) == "abc …"


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 40))
def test_is_always_printable_short_and_stable(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    assert one_line(line, limit) == line
