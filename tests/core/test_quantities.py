"""Durations, sizes, shares and rates as people write them."""

import pytest

from agent.model.quantities import (
    CountOrShare,
    Rate,
    parse_count_or_share,
    parse_duration,
    parse_rate,
    parse_share,
    parse_size,
    say_duration,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("30s", 30.0), ("1h30m", 5400.0), ("2d", 172800.0), ("1.5h", 5400.0), (0, 0.0)],
)
def test_durations(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", [30, "30", "", "s", "30 seconds", "-5s", "1h 30", "10:30", True, None, "9" * 400 + "s"]
)
def test_what_is_no_duration_is_refused_with_an_example(written: object) -> None:
    with pytest.raises(ValueError, match="30s, 5m or 1h30m"):
        parse_duration(written)


def test_a_duration_that_no_calendar_holds_is_refused() -> None:
    """It once ended the thread that says which checks are due."""
    assert parse_duration("520w") == 520 * 604800
    with pytest.raises(ValueError, match="longer than ten years"):
        parse_duration("521w")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "40ms"), (2.5, "2.5s"), (60, "1m"), (5400, "1h 30m"), (90061, "1d 1h"), (-5, "-5s")]
)
def test_durations_are_said_in_two_units_at_most(seconds: float, said: str) -> None:
    assert say_duration(seconds) == said


@pytest.mark.parametrize(
    ("written", "size"), [(1024, 1024), ("64KiB", 65536), ("10 MB", 10_000_000), ("2gb", 2 * 10**9)]
)
def test_sizes(written: object, size: int) -> None:
    assert parse_size(written) == size


@pytest.mark.parametrize("written", ["25", "101%", "-1%", "lots", None])
def test_what_is_no_share_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="25%"):
        parse_share(written)


@pytest.mark.parametrize(
    ("written", "of_eight"), [(3, 3), ("2", 2), ("25%", 2), ("1%", 1), ("100%", 8), (CountOrShare(count=5), 5)]
)
def test_counts_and_shares_of_a_group_are_one_host_at_least(written: object, of_eight: int) -> None:
    assert parse_count_or_share(written).of(8) == of_eight


@pytest.mark.parametrize("written", [0, -1, "0%", "0", True, None, "many", "²", "9" * 5000])
def test_no_host_at_all_is_no_way_to_treat(written: object) -> None:
    with pytest.raises(ValueError, match=r"is neither a number of hosts|is not a share"):
        parse_count_or_share(written)


@pytest.mark.parametrize(
    ("written", "rate"),
    [("3 per hour", Rate(3, 3600.0)), ("10 per 24h", Rate(10, 86400.0)), ("1 per week", Rate(1, 604800.0))],
)
def test_rates(written: str, rate: Rate) -> None:
    assert parse_rate(written) == rate
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize("written", ["3", "3/hour", "per hour", "3 per fortnight", "3 per 8d"])
def test_what_is_no_rate_or_looks_back_too_far_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        parse_rate(written)
