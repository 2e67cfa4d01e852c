"""Rows of an earlier job are told by their time, and by nothing else."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.rows.carried import answered_test, carried_over_test

BEFORE = datetime(2026, 7, 1, 12, 30, 15, 500_000, tzinfo=UTC)
NEAR = st.timedeltas(timedelta(days=-2), timedelta(days=2)) | st.timedeltas(
    timedelta(seconds=-2), timedelta(seconds=2)
)
OFFSETS = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


@given(NEAR, OFFSETS, st.sampled_from(["T", " ", "t"]), st.sampled_from(["auto", "milliseconds", "seconds"]))
def test_it_is_as_the_times_themselves_compare(
    apart: timedelta, offset: timezone, separator: str, timespec: str
) -> None:
    text = (BEFORE + apart).astimezone(offset).isoformat(separator, timespec)

    assert carried_over_test(BEFORE)(text) is (datetime.fromisoformat(text) < BEFORE)
    assert carried_over_test(BEFORE.astimezone(offset))(text) is (datetime.fromisoformat(text) < BEFORE)


@given(NEAR, st.sampled_from(["%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H%M%SZ", "%Y-%m-%d"]))
def test_other_ways_to_write_a_time_make_no_difference(apart: timedelta, form: str) -> None:
    text = (BEFORE + apart).strftime(form)
    time = datetime.fromisoformat(text)

    assert carried_over_test(BEFORE)(text) is (time.replace(tzinfo=time.tzinfo or UTC) < BEFORE)


@pytest.mark.parametrize(
    "odd", [None, "", "soon", "9999", "0000-00-00T00:00:00Z", 0, -1.5, True, [], {"a": 1}]
)
def test_what_is_no_time_is_of_this_job(odd: object) -> None:
    assert not carried_over_test(BEFORE)(odd)


def test_without_a_time_no_row_is_carried_over() -> None:
    assert not carried_over_test(None)("2000-01-01T00:00:00Z")


ANSWERED = {
    "status": "",
    "processed_time": "2026-07-01T12:30:14.000+00:00",
    "request": {"contents": []},
    "response": {"candidates": [{}], "usageMetadata": {"promptTokenCount": 1}},
}


@pytest.mark.parametrize(
    ("changes", "answered"),
    [
        ({}, True),
        ({"response": {"usageMetadata": {"promptTokenCount": 3}}}, True),
        ({"processed_time": "2026-07-01T12:30:16.000+00:00"}, False),
        ({"processed_time": None}, False),
        ({"status": "Bad Request: {}"}, False),
        ({"status": {"code": 3}}, False),
        ({"response": {}}, False),
        ({"response": None}, False),
        ({"response": "yes"}, False),
        ({"response": {"promptFeedback": {"blockReason": "SAFETY"}}}, False),
    ],
)
def test_a_resume_does_not_run_again_what_is_surely_answered(
    changes: dict[str, object],
    answered: bool,  # noqa: FBT001 - a parameter
) -> None:
    assert answered_test(BEFORE)(json.dumps({**ANSWERED, **changes}).encode()) is answered


@pytest.mark.parametrize("line", [b"{", b"[]", b"", b"\xff"])
def test_a_line_that_cannot_be_read_may_be_run_again(line: bytes) -> None:
    assert not answered_test(BEFORE)(line)
