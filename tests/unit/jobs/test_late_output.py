"""How long and how often a job that has ended is looked at for more output."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.jobs.late_output import WATCH, ended_at, is_watched, never_ran, next_look
from batch_gateway.core.jobs.record import Completion
from builders import job_record

CREATED = datetime(2026, 11, 22, 10, tzinfo=UTC)
ENDED, UPDATED, DELETED = (CREATED + timedelta(hours=hours) for hours in (1, 2, 3))
JOB = job_record(CREATED, seen={"end_time": ENDED})


def failed(settled=0, **seen):
    return job_record(CREATED, seen={"state": "JOB_STATE_FAILED", **seen}, settled_outputs=settled)


@pytest.mark.parametrize(
    ("seen", "deleted", "ended"),
    [
        ({"end_time": ENDED, "update_time": UPDATED}, DELETED, ENDED),
        ({"update_time": UPDATED}, DELETED, UPDATED),
        ({"state": "JOB_STATE_RUNNING", "update_time": UPDATED}, DELETED, DELETED),
        ({"state": "JOB_STATE_RUNNING"}, None, CREATED + timedelta(hours=96)),
    ],
)
def test_a_job_ended_when_it_says_so_or_at_the_latest_time_possible(seen, deleted, ended):
    assert ended_at(job_record(CREATED, seen=seen, deleted_at=deleted)) == ended


def test_a_job_is_watched_for_a_day():
    assert is_watched(JOB, ENDED + WATCH - timedelta.resolution)
    assert not is_watched(JOB, ENDED + WATCH)
    assert next_look(JOB, ENDED + WATCH) is None


def test_looks_are_ever_further_apart_after_the_first_hour():
    soon = ENDED + timedelta(minutes=59)
    assert next_look(JOB, soon) == soon
    assert next_look(JOB, ENDED + timedelta(hours=4)) == ENDED + timedelta(hours=6)
    assert next_look(JOB, ENDED + timedelta(hours=20)) == ENDED + WATCH


@given(st.timedeltas(timedelta(), WATCH - timedelta.resolution))
def test_the_last_look_is_at_the_end_of_the_watch_and_none_is_later(age):
    now = ENDED + age
    looks = 0
    while (now := next_look(JOB, max(now, ENDED + timedelta(hours=1)))) is not None:
        last, looks = now, looks + 1
        assert looks < 20
    assert last == ENDED + WATCH


@pytest.mark.parametrize(
    ("job", "never"),
    [
        (failed(), True),
        (failed(completion=Completion(successful=0, failed=0)), True),
        (failed(completion=Completion(successful=0, failed=1)), False),
        (failed(start_time=CREATED), False),
        (failed(settled=1), False),
        (failed(state="JOB_STATE_CANCELLED"), False),
    ],
)
def test_only_a_job_that_failed_before_it_began_has_no_output_for_sure(job, never):
    assert never_ran(job) is never
