"""Judgement: rules + answer → observation."""

import pytest

from agent.core.judgement import judge, say_reading
from agent.model.check import CheckRules
from agent.model.observation import Answer, Verdict
from agent.model.threshold import Reading, Unit, parse_threshold

OK, WARNING, CRITICAL, UNKNOWN = Verdict
READINGS = {
    "used": Reading(Unit.PERCENT, "space"),
    "inodes_used": Reading(Unit.PERCENT, "inodes"),
    "latency": Reading(Unit.SECONDS, "answer"),
    "memory": Reading(Unit.BYTES, "resident"),
    "count": Reading(Unit.NUMBER, "how many"),
}
DISK = {"warning": "used > 80%", "critical": "used > 92%", "recover": "used < 75%"}
EITHER = {"critical": "used > 92% or inodes_used > 95%"}
BOTH = {"critical": "used > 92% and inodes_used > 95%"}


def rules(**authored: object) -> CheckRules:
    return CheckRules.model_validate({"name": "c", "kind": "k", **authored})


@pytest.mark.parametrize(
    ("authored", "answer", "verdict", "cleared", "value", "message"),
    [
        # thresholds
        (DISK, Answer({"used": 50.0}), OK, True, 50.0, "used 50.0 %"),
        (DISK, Answer({"used": 50.0}, message="half full"), OK, True, 50.0, "half full"),
        (DISK, Answer({"used": 85.0}), WARNING, False, 85.0, "used 85.0 % breaches used > 80%"),
        (DISK, Answer({"used": 95.21}), CRITICAL, False, 95.21, "used 95.2 % breaches used > 92%"),
        (DISK, Answer({"used": 95.2}, message="/"), CRITICAL, False, 95.2, "/; used 95.2 % breaches used > 92%"),
        (DISK, Answer({"used": 92.0}), WARNING, False, 92.0, "used 92.0 % breaches used > 80%"),
        # coming back
        (DISK, Answer({"used": 78.0}), OK, False, 78.0, "used 78.0 %; no breach, but recovery asks for used < 75%"),
        (DISK, Answer({"used": 74.0}), OK, True, 74.0, "used 74.0 %"),
        ({}, Answer(), OK, True, None, ""),
        # what the check type concluded can only be made worse
        ({}, Answer({}, CRITICAL, "refused"), CRITICAL, False, None, "refused"),
        (DISK, Answer({"used": 10.0}, CRITICAL, "gone"), CRITICAL, False, 10.0, "gone"),
        (DISK, Answer({"used": 95.0}, WARNING, "odd"), CRITICAL, False, 95.0, "odd; used 95.0 % breaches used > 92%"),
        (DISK, Answer({"used": 85.0}, CRITICAL, "x"), CRITICAL, False, 85.0, "x; used 85.0 % breaches used > 80%"),
        # UNKNOWN stays UNKNOWN, whatever the numbers say
        (DISK, Answer({"used": 99.0}, UNKNOWN, "NaN"), UNKNOWN, False, None, "NaN"),
        # a number is missing
        (
            DISK,
            Answer(),
            UNKNOWN,
            False,
            None,
            "the answer has no reading 'used' to compare: there is no number at all",
        ),
        (
            DISK,
            Answer({"sued": 1.0}, message="fine"),
            UNKNOWN,
            False,
            None,
            "the answer has no reading 'used' to compare: there is sued; it said: fine",
        ),
        (DISK, Answer({}, CRITICAL, "refused"), CRITICAL, False, None, "refused"),
        (
            {"warning": "used > 80%", "critical": "latency > 2s"},
            Answer({"used": 85.0}),
            WARNING,
            False,
            85.0,
            "used 85.0 % breaches used > 80%",
        ),
        (
            {"critical": "used > 92%", "recover": "count > 3"},
            Answer({"used": 1.0}),
            UNKNOWN,
            False,
            None,
            "the answer has no reading 'count' to compare: there is used",
        ),
        # `or` is decided by what is there, `and` by what is there and false
        (EITHER, Answer({"used": 50.0}), OK, True, 50.0, "used 50.0 %"),
        (
            EITHER,
            Answer({"inodes_used": 99.0}),
            CRITICAL,
            False,
            99.0,
            f"inodes_used 99.0 % breaches {EITHER['critical']}",
        ),
        (
            EITHER,
            Answer({"used": 1.0, "inodes_used": 99.0}),
            CRITICAL,
            False,
            99.0,
            f"inodes_used 99.0 % breaches {EITHER['critical']}",
        ),
        (BOTH, Answer({"used": 50.0}), OK, True, 50.0, "used 50.0 %"),
        (
            BOTH,
            Answer({"used": 99.0}),
            UNKNOWN,
            False,
            None,
            "the answer has no reading 'inodes_used' to compare: there is used",
        ),
        # the reading speaks in its own unit
        (
            {"critical": "latency > 2s"},
            Answer({"latency": 2.5}),
            CRITICAL,
            False,
            2.5,
            "latency 2.5s breaches latency > 2s",
        ),
        (
            {"critical": "memory > 1GB"},
            Answer({"memory": 1.5 * 2**30}),
            CRITICAL,
            False,
            1.5 * 2**30,
            "memory 1.5 GiB breaches memory > 1GB",
        ),
        ({"critical": "count < 1"}, Answer({"count": 0.0}), CRITICAL, False, 0.0, "count 0 breaches count < 1"),
        ({"warning": "load5 > 4"}, Answer({"load5": 4.25}), WARNING, False, 4.25, "load5 4.25 breaches load5 > 4"),
        # the only number is worth showing without any threshold
        ({}, Answer({"latency": 0.1}, message="up"), OK, True, 0.1, "up"),
        ({}, Answer({"latency": 0.1, "size": 3.0}, message="up"), OK, True, None, "up"),
    ],
)
def test_judge(
    authored: dict[str, object], answer: Answer, verdict: Verdict, cleared: bool, value: float | None, message: str
) -> None:
    seen = judge(
        rules(**authored), answer, default_critical=None, subject="web1 /", host="web1", at=7.0, readings=READINGS
    )
    assert (seen.check, seen.subject, seen.host, seen.at) == ("c", "web1 /", "web1", 7.0)
    assert (seen.verdict, seen.cleared, seen.value, seen.message) == (verdict, cleared, value, message)


@pytest.mark.parametrize(
    ("authored", "verdict"),
    [
        ({}, CRITICAL),
        ({"warning": "count > 5"}, OK),
        ({"critical": "count > 5"}, OK),
        ({"recover": "count > 3"}, CRITICAL),
    ],
)
def test_the_default_applies_only_when_the_author_wrote_no_threshold(
    authored: dict[str, object], verdict: Verdict
) -> None:
    default = parse_threshold("count < 1")
    seen = judge(rules(**authored), Answer({"count": 0.0}), default_critical=default, subject="s", host=None, at=0.0)
    assert seen.verdict is verdict


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.5, Unit.BYTES, "x 0 B"),
        (1023.0, Unit.BYTES, "x 1023 B"),
        (1024.0, Unit.BYTES, "x 1.0 KiB"),
        (5 * 2**40, Unit.BYTES, "x 5.0 TiB"),
        (5 * 2**50, Unit.BYTES, "x 5120.0 TiB"),
        (0.04, Unit.SECONDS, "x 40ms"),
        (3600.0, Unit.SECONDS, "x 1h"),
        (100.0, Unit.PERCENT, "x 100.0 %"),
        (1234567.0, Unit.NUMBER, "x 1234567"),
        (0.12345, Unit.NUMBER, "x 0.1235"),
    ],
)
def test_say_reading(value: float, unit: Unit, said: str) -> None:
    assert say_reading("x", value, unit) == said
