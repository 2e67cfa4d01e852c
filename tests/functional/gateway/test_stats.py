"""GET /v1/jobs:stats, and the time in an estimate: only of jobs that the key may see."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.usage import Rows, Usage
from functional.gateway.conftest import FLASH, FULL_FLASH, JOBS, PROJECT, path_of, reason
from functional.gateway.scoped import clocked, new_key, new_team, team_keys

STATS = "/v1/jobs:stats"
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.fixture
def world(world):
    """A gateway whose clock stands still."""
    clocked(world, NOW)
    return world


def ended(
    world, number, *, waited=60, ran=600, ago=0, state="SUCCEEDED", model=FULL_FLASH, rows=120, **owner
):
    """Puts a job on record that has ended, and closes it."""
    key = JobKey(PROJECT, owner.pop("location", "us-central1"), str(number))
    created = NOW - timedelta(days=ago, seconds=waited + ran)
    started = created + timedelta(seconds=waited)
    seen = Observation(
        key.path,
        f"JOB_STATE_{state}",
        model,
        create_time=created,
        start_time=started,
        end_time=started + timedelta(seconds=ran),
    )
    world.store.add_job(JobRecord(key, seen, created, usage=Usage(Rows(succeeded=rows)), **owner))
    world.store.amend_job(key, lambda job: msgspec.structs.replace(job, closed=True))


def stats(world, **given):
    answer = world.get(STATS, **given)
    assert answer.status_code == 200, answer.data
    return answer.json["data"]


def estimate(world, **given):
    answer = world.create(path=f"{JOBS}:estimateCost", **given)
    assert answer.status_code == 200, answer.data
    return answer.json["expectedTime"]


def test_without_jobs_there_is_nothing(world):
    assert world.get(STATS).json == {"object": "list", "data": []}


def test_jobs_are_summed_up_by_model_location_and_window(world):
    ended(world, 1, waited=8, ran=12, rows=4)
    ended(world, 2, state="CANCELLED", waited=10)
    ended(world, 3, ago=6, state="FAILED", waited=12)
    ended(world, 4, ago=7, state="EXPIRED", waited=15)
    ended(world, 5, ago=30)
    ended(world, 6, location="global", model="publishers/google/models/gemini-3.5-flash")
    week, month, *others = stats(world)
    assert week == {
        "model": "gemini-2.5-flash",
        "location": "us-central1",
        "days": 7,
        "jobs": {"succeeded": 1, "failed": 1, "cancelled": 1, "expired": 0},
        "queueSeconds": {"p50": 10, "p90": 12},
        "runSeconds": {"p50": 12, "p90": 12},
        "rowsPerMinute": {"p50": 20.2, "p90": 20.2},
    }
    assert (month["days"], month["jobs"]) == (30, {"succeeded": 1, "failed": 1, "cancelled": 1, "expired": 1})
    assert [(each["model"], each["location"], each["days"]) for each in others] == [
        ("gemini-3.5-flash", "global", 7),
        ("gemini-3.5-flash", "global", 30),
    ]


def test_a_key_sees_its_teams_jobs_only(world):
    search, ads = team_keys(world, "search", "ads")
    alone = new_key(world)
    ended(world, 1, team="search", key_id="k1", waited=1)
    ended(world, 2, team="ads", waited=2)
    ended(world, 3, waited=3)
    assert [each["queueSeconds"]["p50"] for each in stats(world, key=search)] == [1, 1]
    assert [each["queueSeconds"]["p50"] for each in stats(world, key=ads)] == [2, 2]
    assert stats(world, key=alone) == []
    assert [sum(each["jobs"].values()) for each in stats(world)] == [3, 3]
    assert estimate(world, key=search)["queueSeconds"] == {"p50": 1, "p90": 1}
    assert estimate(world, key=alone)["jobs"] == 0
    assert estimate(world)["jobs"] == 3


def test_an_estimate_takes_the_jobs_of_its_model_and_location(world):
    for number, (model, location) in enumerate(
        [
            (FLASH, "us-central1"),
            (f"{FULL_FLASH}@default", "us-central1"),
            ("publishers/google/models/gemini-2.5-pro", "us-central1"),
            (FLASH, "europe-west4"),
        ]
    ):
        ended(world, number, model=model, location=location, waited=number + 1)
    found = estimate(world)
    assert (found["jobs"], found["days"], found["queueSeconds"]) == (2, 30, {"p50": 1, "p90": 2})


def test_an_estimate_goes_on_without_the_times(world):
    ended(world, 1)
    world.store.failing.add("daily_times")
    assert estimate(world) == {
        "queueSeconds": {"p50": None, "p90": None},
        "runSeconds": {"p50": None, "p90": None},
        "jobs": 0,
        "days": 30,
    }
    assert reason(world.get(STATS)) == "BOOKS_UNAVAILABLE"


def test_a_create_reads_no_times(world):
    new_team(world, "search", max_budget=1000)
    world.store.calls.clear()
    assert world.create(key=new_key(world, team_id="search")).status_code == 200
    assert "begin_submission" in world.store.calls
    assert "daily_times" not in world.store.calls


def test_a_parameter_is_refused_and_a_key_is_needed(world):
    answer = world.get(f"{STATS}?team=ads")
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert world.get(STATS, key=None).status_code == 401


@pytest.mark.parametrize(("state", "outcome"), [("SUCCEEDED", "succeeded"), ("FAILED", "failed")])
def test_a_job_counts_when_its_cost_is_final(world, vertex, state, outcome):
    job = world.created()
    done = vertex.finish(job["name"], state=f"JOB_STATE_{state}", rows=4 if state == "SUCCEEDED" else 0)
    assert stats(world) == []
    if state == "SUCCEEDED":
        world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")
    world.clock.start = datetime.now(UTC)  # the emulator's clock is the real one
    assert world.get(f"{path_of(job)}/cost").json["status"] == "FINAL"
    (week, _) = stats(world)
    assert week["jobs"][outcome] == sum(week["jobs"].values()) == 1
