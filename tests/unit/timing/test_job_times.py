"""How long jobs waited and ran: what counts, on which day, and what it adds up to."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.timing.histogram import bucket_of, middle_of
from batch_gateway.core.timing.job_times import (
    ENOUGH_JOBS,
    DailyTimes,
    JobTime,
    Quantiles,
    TimeCounts,
    counts_of,
    expect,
    summarize,
    time_added,
    time_of,
)
from batch_gateway.core.usage import Rows, Usage

CREATED = datetime(2026, 11, 27, 23, 0, tzinfo=UTC)
STARTED, ENDED = CREATED + timedelta(minutes=10), CREATED + timedelta(minutes=70)
TODAY = date(2026, 11, 28)
SEEN = Observation(
    "projects/1/locations/global/batchPredictionJobs/7",
    "JOB_STATE_SUCCEEDED",
    "publishers/google/models/gemini-3.5-flash@default",
    create_time=CREATED,
    start_time=STARTED,
    end_time=ENDED,
)
JOB = JobRecord(
    JobKey("acme", "global", "7"),
    SEEN,
    CREATED,
    team="search",
    key_id="k1",
    usage=Usage(Rows(succeeded=100, failed=20, carried_over=5)),
    closed=True,
)


def job(*, seen=None, **changes):
    return msgspec.structs.replace(JOB, seen=msgspec.structs.replace(SEEN, **(seen or {})), **changes)


def test_the_times_of_a_job():
    rows = JOB.usage.rows.total - 5
    assert time_of(JOB) == JobTime(
        ("team", "search"), "2026-11-28", "gemini-3.5-flash", "global", "succeeded", 600, 3600, rows
    )


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("PARTIALLY_SUCCEEDED", "succeeded"),
        ("FAILED", "failed"),
        ("CANCELLED", "cancelled"),
        ("EXPIRED", "expired"),
    ],
)
def test_every_end_is_an_outcome_and_only_success_has_a_run_time(state, outcome):
    found = time_of(job(seen={"state": f"JOB_STATE_{state}"}))
    assert (found.outcome, found.queue) == (outcome, 600)
    assert (found.run, found.rate) == ((3600, found.rate) if outcome == "succeeded" else (None, None))


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"seen": {"start_time": None}}, (None, None, None)),
        ({"seen": {"end_time": None, "update_time": ENDED}}, (600, None, None)),
        ({"seen": {"start_time": CREATED - timedelta(seconds=1)}}, (None, 4201, 102)),
        ({"seen": {"end_time": STARTED}}, (600, 0, None)),
        ({"usage": Usage()}, (600, 3600, None)),
        ({"output_missing": True}, (600, 3600, None)),
        ({"seen": {"create_time": None}}, (600, 3600, 120)),
    ],
)
def test_what_is_not_known_is_left_out(changed, wanted):
    found = time_of(job(**{"usage": Usage(Rows(succeeded=120)), **changed}))
    assert (found.queue, found.run, found.rate) == wanted


def test_a_job_that_was_never_seen_to_end_has_no_times():
    assert time_of(job(seen={"state": "JOB_STATE_RUNNING"}, deleted=True)) is None


@pytest.mark.parametrize(
    ("changed", "owner"),
    [({}, ("team", "search")), ({"team": None}, ("key_id", "k1")), ({"team": None, "key_id": None}, None)],
)
def test_a_job_belongs_to_its_team_else_to_its_key(changed, owner):
    assert time_of(job(**changed)).owner == owner


def test_a_tuned_model_counts_as_its_base_and_a_long_name_is_cut():
    assert time_of(
        job(base_model="gemini-3.5-flash", seen={"model": "projects/p/locations/l/models/7"})
    ).model == ("gemini-3.5-flash")
    assert len(time_of(job(seen={"model": "größe" * 200})).model) <= 128


def test_a_job_counts_the_first_time_it_is_closed():
    running = msgspec.structs.replace(JOB, closed=False)
    reopened = msgspec.structs.replace(JOB, closed=False, reopened=1)
    again = msgspec.structs.replace(JOB, reopened=1)
    assert time_added(running, JOB) == time_of(JOB)
    assert [
        time_added(*each) for each in ((running, running), (JOB, JOB), (JOB, reopened), (reopened, again))
    ] == [None] * 4


def daily(day, numbers, model="m", location="global", outcome="succeeded"):
    counts = TimeCounts.empty()
    for number in numbers:
        counts.add(counts_of(JobTime(None, day, model, location, outcome, number, 2 * number, 60 * number)))
    return DailyTimes(day, model, location, counts)


def test_the_windows_end_today():
    first, second = summarize(
        [daily("2026-11-22", [1, 2]), daily("2026-11-21", [9], outcome="failed")], TODAY
    )
    assert (first.days, first.jobs["succeeded"], first.jobs["failed"]) == (7, 2, 0)
    assert (second.days, second.jobs["succeeded"], second.jobs["failed"]) == (30, 2, 1)
    assert (first.queue_seconds, second.queue_seconds) == (Quantiles(1, 2), Quantiles(2, 9))
    assert first.rows_per_minute == Quantiles(
        *(round(middle_of(bucket_of(hourly)) / 60, 2) for hourly in (60, 120))
    )


def test_models_and_locations_are_kept_apart_and_parts_of_a_day_added_up():
    found = summarize(
        [
            daily("2026-11-28", [5], "b"),
            daily("2026-11-28", [1], "a", "us-central1"),
            daily("2026-11-28", [2], "a"),
            daily("2026-11-28", [3], "a"),
        ],
        TODAY,
    )
    assert [(each.model, each.location, each.days, sum(each.jobs.values())) for each in found] == [
        ("a", "global", 7, 2),
        ("a", "global", 30, 2),
        ("a", "us-central1", 7, 1),
        ("a", "us-central1", 30, 1),
        ("b", "global", 7, 1),
        ("b", "global", 30, 1),
    ]


def test_no_jobs_have_no_statistics():
    assert summarize([], TODAY) == []
    found = expect([], TODAY)
    assert (found.queue_seconds, found.run_seconds, found.jobs, found.days) == (
        Quantiles(),
        Quantiles(),
        0,
        30,
    )


def test_enough_jobs_of_the_last_days_predict_alone():
    late, early = daily("2026-11-28", [1] * ENOUGH_JOBS), daily("2026-11-01", [15] * 30)
    found = expect([early, late], TODAY)
    assert (found.queue_seconds, found.run_seconds, found.jobs, found.days) == (
        Quantiles(1, 1),
        Quantiles(2, 2),
        ENOUGH_JOBS,
        7,
    )
    few = expect([early, daily("2026-11-28", [1] * (ENOUGH_JOBS - 1))], TODAY)
    assert (few.queue_seconds.p50, few.jobs, few.days) == (15, 30 + ENOUGH_JOBS - 1, 30)


def test_counts_name_what_is_known_only():
    assert counts_of(JobTime(None, "d", "m", "l", "failed", 3, None, None)) == TimeCounts(
        Counter(failed=1), Counter({3: 1}), Counter(), Counter()
    )
