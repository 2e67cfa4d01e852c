"""How time is cut."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.spend.time_buckets import (
    QUARTER,
    Calendar,
    Span,
    ceil_to_quarter,
    floor_to_quarter,
    parse_offset,
    quarter_of,
)

times = st.datetimes(datetime(1970, 1, 2), datetime(9998, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))  # noqa: DTZ001 - Hypothesis wants them naive
offsets = st.integers(-48, 56).map(lambda quarters: timezone(quarters * QUARTER))
widths = st.sampled_from(["1h", "1d", "1mo"])
LONGEST = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "1mo": timedelta(days=31)}


@given(times, st.timedeltas(timedelta(microseconds=1), timedelta(days=90)), offsets, widths)
def test_spans_cover_all_and_end_where_the_zones_clock_turns(start, length, zone, width):
    end = start + min(length, LONGEST[width] * 40)
    spans = list(Calendar(width, zone).spans(start, end))
    assert (spans[0].start, spans[-1].end) == (start, end)
    for one, following in pairwise(spans):
        assert one.end == following.start
        turn = following.start.astimezone(zone)
        assert (turn.minute, turn.second, turn.microsecond) == (0, 0, 0)
        assert width == "1h" or turn.hour == 0
        assert width != "1mo" or turn.day == 1
    assert all(timedelta(0) < span.end - span.start <= LONGEST[width] for span in spans)


@given(times, offsets, widths)
def test_a_bucket_begins_at_or_before_what_is_in_it(time, zone, width):
    calendar = Calendar(width, zone)
    floor = calendar.floor(time)
    assert timedelta(0) <= time - floor < LONGEST[width]
    assert calendar.floor(floor) == floor


def test_months_are_calendar_months_in_their_zone():
    calendar = Calendar("1mo", timezone(timedelta(hours=5, minutes=30)))
    spans = calendar.spans(datetime(2023, 12, 31, 18, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    turns = [datetime(2023, 12, 31, 18, 30, tzinfo=UTC), datetime(2024, 1, 31, 18, 30, tzinfo=UTC)]
    turns += [datetime(2024, 2, 29, 18, 30, tzinfo=UTC)]
    edges = [datetime(2023, 12, 31, 18, tzinfo=UTC), *turns, datetime(2024, 3, 1, tzinfo=UTC)]
    assert list(spans) == [Span(*pair) for pair in pairwise(edges)]


@given(times)
def test_quarters_enclose_a_time(time):
    start, end = floor_to_quarter(time), ceil_to_quarter(time)
    assert start <= time <= end
    assert end - start == (timedelta(0) if start == time else QUARTER)
    assert start.minute % 15 == start.second == start.microsecond == 0
    assert start.replace(hour=0, minute=0) + quarter_of(time) * QUARTER == start


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("Z", 0), ("UTC", 0), ("+00:00", 0), ("-00:00", 0), ("+05:45", 345), ("-12:00", -720), ("+14:00", 840)],
)
def test_offsets_are_read(text, minutes):
    assert parse_offset(text) == timezone(timedelta(minutes=minutes))


@pytest.mark.parametrize(
    "text", ["", "z", "+14:15", "-12:15", "+5:00", "+05:10", "+0500", "+05:30 ", "+\u0660\u0665:30"]
)
def test_what_is_no_offset_is_none(text):
    assert parse_offset(text) is None
