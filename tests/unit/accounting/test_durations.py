"""Durations, as LiteLLM writes them."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.accounting.durations import add_duration

START = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@pytest.mark.parametrize(("unit", "seconds"), UNITS.items())
@pytest.mark.parametrize("count", [1, 7, 999])
def test_a_fixed_unit_is_so_many_seconds(unit, seconds, count):
    assert add_duration(START, f"{count}{unit}") - START == timedelta(seconds=count * seconds)


@pytest.mark.parametrize(
    ("start", "duration", "day"),
    [
        ("2026-01-31", "1mo", "2026-02-28"),
        ("2028-01-31", "1mo", "2028-02-29"),
        ("2026-01-31", "2mo", "2026-03-31"),
        ("2026-12-15", "1mo", "2027-01-15"),
        ("2028-02-29", "12mo", "2029-02-28"),
        ("2026-11-30", "13mo", "2027-12-30"),
    ],
)
def test_a_month_ends_no_later_than_the_month_does(start, duration, day):
    start = datetime.fromisoformat(start).replace(hour=5, tzinfo=UTC)

    assert add_duration(start, duration) == datetime.fromisoformat(day).replace(hour=5, tzinfo=UTC)


@given(st.integers(1, 1200), st.sampled_from([*UNITS, "mo"]), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # fmt: skip  # noqa: DTZ001, E501 - bounds are naive
def test_a_duration_leads_forward_and_keeps_the_time_zone(count, unit, start):
    start = start.replace(tzinfo=UTC)

    end = add_duration(start, f"{count}{unit}")

    assert end > start
    assert end.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *("", "0s", "00s", "01s", "-1s", "+1s", "1.5h", "1e3s", "1", "s", "1 s", " 1s", "1s ", "1s\n", "1S"),
        *("1y", "1M", "1ms", "1mo1d", "1000000s", "9999999s", "١s", "1ſ", "None", "1\x00s"),  # noqa: RUF001
    ],
    ids=ascii,
)
def test_anything_else_is_no_duration(text):
    with pytest.raises(ValueError, match="is not a duration"):
        add_duration(START, text)


@pytest.mark.parametrize("text", ["1201mo", "36526d", "9999mo", "999999w", "999999mo", "999999d"])
def test_a_duration_of_more_than_a_hundred_years_is_refused(text):
    with pytest.raises(ValueError, match="at most a hundred years"):
        add_duration(START, text)


def test_a_hundred_years_are_not_too_long():
    assert add_duration(START, "1200mo") == START.replace(year=2126)
    assert add_duration(START, "36525d") == START.replace(year=2126, month=2, day=1)


@given(st.text(max_size=12))
def test_any_text_is_a_later_time_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        assert add_duration(START, text) > START
