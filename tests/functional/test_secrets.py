"""Secrets: where values come from, and that none leaves."""

import base64
import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.secret import SecretRef
from agent.errors import UnknownSecret
from agent.model.pattern import Pattern
from agent.model.text import one_line, printable_lines
from agent.runtime.output import BoundedOutput
from agent.runtime.redaction import SHORTEST, WITHHELD, Redactor
from agent.runtime.secrets import Secrets

KEY = """\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmU
QyNTUxOQAAACDx0123456789
-----END OPENSSH PRIVATE KEY-----
"""


def test_each_place(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from file\n")
    (tmp_path / "key").write_text(KEY)
    secrets = Secrets(
        {
            "a": SecretRef("env", "API"),
            "b": SecretRef("file", str(tmp_path / "password")),
            "c": SecretRef("credential", "key"),
        },
        {"API": "from env", "CREDENTIALS_DIRECTORY": str(tmp_path)},
    )
    assert [secrets.secret(name) for name in "abc"] == ["from env", "from file", KEY.rstrip("\n")]


@pytest.mark.parametrize(
    ("ref", "content", "says"),
    [
        (None, None, "no secret is called 'x'"),
        (SecretRef("env", "NOPE"), None, "environment variable NOPE is not set"),
        (SecretRef("file", "{folder}/x"), None, "no such file or directory"),
        (SecretRef("file", "{folder}/x"), b"\n", "is empty"),
        (SecretRef("file", "{folder}/x"), b"\xff\xfe", "is not UTF-8 text"),
        (SecretRef("file", "{folder}/x"), b"a" * 70000, "longer than 65536 bytes"),
        (SecretRef("credential", "x"), None, "the unit needs LoadCredential= for 'x'"),
    ],
)
def test_what_resolves_to_nothing(tmp_path: Path, ref: SecretRef | None, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    refs = {} if ref is None else {"x": SecretRef(ref.place, ref.name.format(folder=tmp_path))}
    with pytest.raises(UnknownSecret) as raised:
        Secrets(refs, {}).secret("x")
    assert says in str(raised.value)


def test_a_variable_that_is_no_text_is_no_secret_and_does_not_break_the_hiding_of_the_others() -> None:
    """As the interpreter gives it, with lone surrogates: no form of it can be encoded."""
    refs = {"odd": SecretRef("env", "ODD"), "db": SecretRef("env", "DB")}
    secrets = Secrets(refs, {"ODD": "hunter2\udcff", "DB": "s3cr3t-of-db"})
    with pytest.raises(UnknownSecret, match="ODD is not UTF-8 text") as raised:
        secrets.secret("odd")
    assert "hunter2" not in str(raised.value)
    assert Redactor(secrets.seen).redact("is s3cr3t-of-db") == "is [redacted:db]"


def test_of_a_secret_that_changes_every_hour_the_latest_values_are_kept_and_no_more(tmp_path: Path) -> None:
    """Each costs time at every line that is redacted; a daemon lives for years."""
    file, kept = tmp_path / "token", tmp_path / "steady"
    kept.write_text("a steady secret")
    secrets = Secrets({"t": SecretRef("file", str(file)), "s": SecretRef("file", str(kept))}, {})
    for number in range(200):
        file.write_text(f"token {number:05} of this hour{'!' * (number % 7)}")
        secrets.seen()
    seen = secrets.seen()
    assert len(seen) <= 40
    assert "a steady secret" in seen
    assert all(any(value.startswith(f"token {number:05}") for value in seen) for number in range(190, 200))


def test_a_changed_file_is_read_again_and_the_old_value_stays_hidden(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first-value")
    secrets = Secrets({"db": SecretRef("file", str(file))}, {})
    redactor = Redactor(secrets.seen)
    assert redactor.redact("is first-value") == "is [redacted:db]"
    (tmp_path / "new").write_text("second-one")
    (tmp_path / "new").replace(file)
    assert secrets.secret("db") == "second-one"
    assert redactor.redact("first-value second-one") == "[redacted:db] [redacted:db]"
    secrets.use({})
    assert redactor.redact("first-value second-one") == "[redacted:db] [redacted:db]"


def redactor_of(**values: str) -> Redactor:
    return Redactor(lambda: {value: name for name, value in values.items()})


SECRET = "p&ss wörd'\"x/$"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe="").lower(),
        SECRET.replace(" ", "+"),
        shlex.quote(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"user:" + SECRET.encode()).decode(),
        base64.urlsafe_b64encode(b"me:" + SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_hidden_however_it_is_written(form: str) -> None:
    if form == SECRET.replace(" ", "+"):
        form = quote(SECRET, safe="").replace("%20", "+")
    hidden = redactor_of(db=SECRET).redact(f"said {form} end")
    assert "[redacted:db]" in hidden
    assert hidden.startswith("said ")
    assert hidden.endswith(" end")
    assert "rd" not in hidden.replace("[redacted:db]", "")


@pytest.mark.parametrize("value", ["p\x1bss wörd\x9b", "it's\\p\u202ess", "p\"s'ss"], ids=ascii)
@pytest.mark.parametrize("shown", [one_line, printable_lines, repr], ids=["line", "lines", "quoted"])
def test_a_secret_is_hidden_however_we_show_what_others_say(value: str, shown: Callable[[str], str]) -> None:
    for before in ('"', "'", "\a"):
        assert "ss" not in redactor_of(db=value).redact(shown(f"{before} {value} end"))


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=12, max_size=40), st.binary(max_size=5))
def test_a_secret_is_hidden_in_the_middle_of_base64(value: str, before: bytes) -> None:
    text = base64.b64encode(before + value.encode() + b"after").decode()
    assert "[redacted:s]" in redactor_of(s=value).redact(text)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("password=hunter2 next", "password=[redacted] next"),
        ("DB_PASSWORD: 'hunter 2' next", "DB_PASSWORD: [redacted] next"),
        ('{"api_key": "abc", "n": 1}', '{"api_key": [redacted], "n": 1}'),
        ("mysql --password hunter2 -h x", "mysql --password [redacted] -h x"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("authorization: Basic dTpw\nHost: x", "authorization: Basic [redacted]\nHost: x"),
        ("postgres://app:hunter2@db/x", "postgres://app:[redacted]@db/x"),
        ("pushed with ghp_16C7e42F292c6912E7710c838347Ae178B4a.", "pushed with [redacted]."),
        ("as AKIAIOSFODNN7EXAMPLE", "as [redacted]"),
        ("cookie eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N; path", "cookie [redacted]; path"),
        (f"key:\n{KEY}end", "key:\n-----BEGIN OPENSSH PRIVATE KEY-----[redacted]\nend"),
        (f"key:\n{KEY[:70]}", "key:\n-----BEGIN OPENSSH PRIVATE KEY-----[redacted]"),
        ("password=geheim", "password=[redacted:known]"),
        ("the password of the tokens was changed", "the password of the tokens was changed"),
        ("http://x:8080/a@b", "http://x:8080/a@b"),
        ("", ""),
    ],
)
def test_what_looks_like_a_secret_is_hidden_too(text: str, hidden: str) -> None:
    assert redactor_of(known="geheim").redact(text) == hidden


def test_lines_of_a_key_are_hidden_one_by_one() -> None:
    text = f"  {KEY.splitlines()[1]}\n"
    assert redactor_of(ssh=KEY.strip()).redact(text) == "  [redacted:ssh]\n"


@pytest.mark.parametrize("before", range(120))
def test_what_a_cut_has_left_of_a_secret_is_hidden(before: int) -> None:
    """The shell bounds what a command prints before anybody knows what of it is secret."""
    secret = "correct-horse-battery-staple"
    parts = {secret[at : at + SHORTEST] for at in range(len(secret) - SHORTEST + 1)}
    text = "." * before + secret + "." * (120 - before)
    kept = BoundedOutput(80)
    kept.feed(text.encode())
    for cut in (kept.text(), one_line(text, 60), f"no: {one_line(text, 60)}; so it is"):
        hidden = redactor_of(s=secret).redact(cut)
        assert not [part for part in parts if part in hidden]
        assert hidden.count("[redacted:s]") <= 2


def test_a_very_short_secret_does_not_shred_the_text() -> None:
    assert redactor_of(pin="ab").redact("about abba") == "about abba"


def test_patterns_of_the_operator() -> None:
    redactor = Redactor(dict, [Pattern(r"INTERNAL-\d+"), Pattern(r"card (?P<secret>\d+)?;")])
    assert redactor.redact("see INTERNAL-12, card 55; key") == "see [redacted], card [redacted]; key"
    redactor.use([])
    assert redactor.redact("see INTERNAL-12") == "see INTERNAL-12"


@pytest.mark.timeout(30)
def test_a_text_that_takes_a_pattern_too_long_is_withheld() -> None:
    redactor = Redactor(dict, [Pattern("(a|aa)+$")])
    assert redactor.redact("a" * 5000 + "b") == WITHHELD
    assert redactor.redact("b aaa") == "b [redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "password" * 9000,
        "a://" * 20000,
        "eyJ" * 20000,
        "eyJaaaaaaaaaa." * 5000,
        "-----BEGIN PRIVATE KEY-----" * 3000,
        "'" * 70000,
    ],
)
@pytest.mark.timeout(20)
def test_no_text_makes_it_slow(text: str) -> None:
    """Linear takes a tenth of a second; what is not takes minutes."""
    redactor = redactor_of(known="geheim")
    before = time.process_time()
    redactor.redact(text)
    assert time.process_time() - before < 5
