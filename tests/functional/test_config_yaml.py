"""Reading YAML: places are kept, words stay words, and nothing a file can hold grows without bound."""

import pytest

from agent.config.yaml import DEPTH_LIMIT, EXPANSION_LIMIT, SIZE_LIMIT, read_document


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("10:30", "10:30"),
        ("0755", "0755"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        ("10", 10),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1.2.3", "1.2.3"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("~", None),
        ("null", None),
        ("'10'", "10"),
        ('"true"', "true"),
        ("!!str 10", "10"),
    ],
)
def test_plain_words_mean_what_they_look_like(written: str, meant: object) -> None:
    document = read_document(f"value: {written}\n", "a.yaml")
    assert not document.problems
    assert document.data == {"value": meant}
    assert type(document.data["value"]) is type(meant)


def test_keys_are_always_text() -> None:
    document = read_document("on: local\n200: fine\ntrue: yes\n", "a.yaml")
    assert document.data == {"on": "local", "200": "fine", "true": "yes"}


def test_places_of_keys_and_list_items() -> None:
    document = read_document("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", "a.yaml")
    marks = {path: document.locate(path)[1] for path in [("a", "b"), ("a", "c"), ("a", "c", 1), ("a", "c", 1, "y")]}
    assert {path: (mark.line, mark.column) for path, mark in marks.items()} == {
        ("a", "b"): (2, 3),
        ("a", "c"): (3, 3),
        ("a", "c", 1): (5, 7),
        ("a", "c", 1, "y"): (5, 7),
    }
    problem = document.problem(("a", "c", 1, "nowhere", "further"), "is wrong", "make it right")
    assert str(problem) == "a.yaml:5: a.c[1]: is wrong: make it right"


def test_a_merge_takes_what_is_not_said_and_knows_where_it_stood() -> None:
    text = "a: &a\n  every: 10s\n  kind: tcp\nb:\n  <<: *a\n  kind: http\nc:\n  <<: [*a, {port: 1}]\n"
    document = read_document(text, "a.yaml")
    assert document.data == {
        "a": {"every": "10s", "kind": "tcp"},
        "b": {"every": "10s", "kind": "http"},
        "c": {"every": "10s", "kind": "tcp", "port": 1},
    }
    assert document.locate(("b", "every"))[1].line == 2
    assert document.locate(("b", "kind"))[1].line == 6


def test_the_second_of_two_equal_keys_is_reported_and_the_rest_still_read() -> None:
    document = read_document("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n", "a.yaml")
    assert document.data == {"a": 1, "b": 2, "c": {"d": 1}}
    assert [(problem.line, problem.path) for problem in document.problems] == [(3, "a"), (4, "c.d")]


def test_an_empty_file_is_nothing() -> None:
    for text in ("", "# only a comment\n", "---\n", "\ufeff# with a byte order mark\n"):
        document = read_document(text, "a.yaml")
        assert (document.data, document.problems, document.readable) == (None, (), True)


def _one_problem(text: str) -> str:
    document = read_document(text, "a.yaml")
    assert not document.readable
    assert document.data is None
    (problem,) = document.problems
    return problem.what


def test_depth_is_bounded_also_where_aliases_make_it() -> None:
    fits = "[" * (DEPTH_LIMIT - 1) + "]" * (DEPTH_LIMIT - 1)
    assert read_document(f"a: {fits}", "a.yaml").readable
    assert "deeper" in _one_problem(f"a: [{fits}]")
    half = "[" * (DEPTH_LIMIT // 2) + "x" + "]" * (DEPTH_LIMIT // 2)
    other = "[" * (DEPTH_LIMIT // 2) + "*a" + "]" * (DEPTH_LIMIT // 2)
    assert "deeper" in _one_problem(f"a: &a {half}\nb: {other}\n")
    assert "deeper" in _one_problem("a: " + "[" * 500_000)


def test_expansion_of_aliases_is_bounded_but_not_what_is_written_out() -> None:
    wide = ", ".join("x" for _ in range(1000))
    times = EXPANSION_LIMIT // 1001
    assert read_document(f"a: &a [{wide}]\nb: [{', '.join(['*a'] * times)}]\n", "a.yaml").readable
    assert "aliases" in _one_problem(f"a: &a [{wide}]\nb: [{', '.join(['*a'] * (times + 1))}]\n")
    assert read_document("a: [" + "x, " * 200_000 + "x]\n", "a.yaml").readable


def test_an_alias_of_itself_is_refused() -> None:
    assert "nothing written before" in _one_problem("a: &a [*a]\n")


def test_size_is_bounded() -> None:
    assert read_document("# " + "x" * (SIZE_LIMIT - 2), "a.yaml").readable
    assert "larger" in _one_problem("# " + "x" * SIZE_LIMIT)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: {b: c",
        "a: 'x",
        'a: "\\d"',
        "\t",
        "a: b: c",
        "- a\nb: c",
        "a: %x",
        "a: *nowhere",
        "? [a]\n: b",
        "a: b\n--- \nc",
        "\0",
    ],
)
def test_whatever_is_written_ends_in_a_problem_with_a_place(text: str) -> None:
    document = read_document(text, "a.yaml")
    assert not document.readable
    (problem,) = document.problems
    assert 1 <= problem.line <= text.count("\n") + 1
    assert problem.hint


def test_a_problem_is_one_bounded_line_whatever_the_file_holds() -> None:
    nasty = "x" * 100_000 + "\\n\\e[31m\u202e"
    document = read_document(f'"{nasty}": 1\n"{nasty}": 2\n', "a.yaml")
    (problem,) = document.problems
    assert str(problem).isprintable()
    assert len(str(problem)) < 1000
