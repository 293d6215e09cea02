"""What web servers say, Prometheus and ticket systems among them: bytes as they come over the wire."""

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz.words import ODD, TIMES, made_of, mostly

_HUGE = {'"HUGE"': "9" * 400, '"LONGER"': "9" * 5000}
"""Numbers that json.dumps would not write."""

_WORDS = st.sampled_from(
    ["web1:9100", "INC-1", "[INC-1/1]", "agent", "up", "NaN", "+Inf", "1.5", "1e999", "9" * 5000, *ODD]
)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(10**4), 10**400), st.floats(), _WORDS, st.text(max_size=10))
_KEYS = (
    *("metric", "value", "values", "data", "result", "resultType", "status", "error", "warnings", "instance", "id", ""),
    *("db", "nodes", "up", "found", "tickets", "subject", "ticket", "number", "all", "text", "n", "@etag"),
)
_NAMES = st.sampled_from(_KEYS)
JSON: SearchStrategy[Any] = st.recursive(
    _LEAVES, lambda below: st.lists(below, max_size=4) | st.dictionaries(_NAMES, below, max_size=4), max_leaves=12
)


def _deep(start: str, end: str, times: int, around: str) -> str:
    return around.replace("~", start * times + "1" + end * times)


_DEEP = st.builds(
    _deep,
    st.sampled_from(["[", '{"a":', '{"data":{"result":[']),
    st.sampled_from(["]", "}", "]}}", ""]),
    st.sampled_from([*TIMES[:5], 400, 900, 950, 990]),
    st.sampled_from(["~", '{"status":"success","data":{"result":~}}', '{"found":{"tickets":[{"subject":~,"id":~}]}}']),
)
_TEXT = st.one_of(JSON.map(lambda value: json.dumps(value)), _DEEP, made_of("<html>", "ok", "{", "}", '"', "\n", "é"))


def _about(series: Any, more: Any) -> str:
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": series}, **more})


_SERIES = st.fixed_dictionaries(
    {"metric": st.dictionaries(_NAMES, _WORDS, max_size=3), "value": st.tuples(st.just(1.5), _LEAVES)}
)
_ODD_SERIES = st.fixed_dictionaries({"metric": JSON, "value": JSON}) | JSON
_SCALAR = st.tuples(st.just(1.5), _LEAVES)
_RESULT = mostly(st.lists(mostly(_SERIES, _ODD_SERIES), min_size=1, max_size=3) | _SCALAR, JSON)
PROMETHEUS = st.builds(_about, _RESULT, mostly(st.just({}), st.dictionaries(st.just("warnings"), JSON)))
TICKETS = st.one_of(
    st.builds(
        lambda tickets, more: json.dumps(
            {"found": {"tickets": tickets}, "ticket": tickets, "all": tickets, "data": more}
        ),
        st.lists(
            st.fixed_dictionaries({"id": _LEAVES, "subject": _LEAVES, "number": _LEAVES, "n": _LEAVES}) | JSON,
            max_size=3,
        ),
        JSON,
    ),
    st.builds(
        lambda items, more: json.dumps(
            {"data": {"collection": items, "attributes": {"messages": items}, "id": more, "@etag": more}}
        ),
        st.lists(
            st.fixed_dictionaries({"id": _LEAVES, "external_id": _LEAVES, "username": _WORDS, "messageid": _LEAVES})
            | JSON,
            max_size=3,
        ),
        _LEAVES,
    ),
)

_CHARSETS = (
    *("utf-7", "utf-16", "utf-32", "cp037", "hz", "iso2022_jp", "big5", "latin-1", "nope", "\x00", "utf-8\x00", "é"),
    *(
        "idna",
        "punycode",
        "unicode_escape",
        "raw_unicode_escape",
        "undefined",
        "mbcs",
        "hex",
        "rot13",
        "base64",
        "zlib",
    ),
    "x" * 300,
)
_TYPES = st.just("application/json") | st.sampled_from(_CHARSETS).map(lambda name: f"text/plain; charset={name}")
_HEADERS = st.one_of(
    _TYPES.map(lambda kind: ("Content-Type", kind)),
    st.tuples(
        st.sampled_from(["Location", "Retry-After", "Date", "ETag", "Set-Cookie", "Content-Encoding", "X", "Link", ""]),
        st.one_of(
            st.sampled_from(["http://[", "//", "http://x:99999/", "gzip", "br", "deflate", "\t", "5", "-5", "9" * 500]),
            st.sampled_from(
                [
                    "Thu, 01 Jan 0001 00:00:00 +2359",
                    "Fri, 31 Dec 9999 23:59:59 -2359",
                    "Fri, 31 Dec 99999 23:59:59 GMT",
                    "Fri, 31 Dec 2026 25:61:61 +9999",
                    "Mon, 00 Foo 2026",
                    "Sun, 06 Nov 1994 08:49:37 GMT",
                    "Sun, 06 Nov 1994 08:49:37",
                ]
            ),
            made_of("Mon, ", "01 ", "Jan ", "2026 ", "00:00:00 ", "GMT", "+9999", "-0000", "1", ":", "(", "99"),
        ),
    ),
)
_STATUS = mostly(
    st.sampled_from([200, 200, 201]),
    st.sampled_from([204, 301, 302, 400, 401, 404, 409, 412, 422, 429, 500, 503, 999, 100, 0]),
)


def _bytes(text: str) -> bytes:
    for word, number in _HUGE.items():
        text = text.replace(word, number)
    return text.encode("utf-8", "surrogatepass")


def _wire(status: int, headers: list[tuple[str, str]], body: bytes, told: int | None) -> bytes:
    length = f"Content-Length: {len(body) if told is None else told}\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"HTTP/1.1 {status} x\r\n{length}{lines}Connection: close\r\n\r\n"
    return head.encode("utf-8", "surrogateescape") + body


def wire(body: SearchStrategy[str]) -> SearchStrategy[bytes]:
    """Whole answers, most of them sound as HTTP goes."""
    content = mostly(body.map(_bytes), st.binary(max_size=50))
    told = mostly(st.none(), st.sampled_from([0, 3, 10**9]))
    headers: SearchStrategy[list[tuple[str, str]]] = mostly(st.just([]), st.lists(_HEADERS, min_size=1, max_size=3))
    sound = st.builds(_wire, _STATUS, headers | headers | st.lists(_HEADERS, max_size=1), content, told)
    return mostly(sound, st.binary(max_size=60) | st.just(b"HTTP/1.1 200 OK\r\n\r\n"))


HTTP = wire(_TEXT)
FROM_PROMETHEUS = wire(mostly(PROMETHEUS, _TEXT))
FROM_TICKETS = wire(mostly(TICKETS, _TEXT))
