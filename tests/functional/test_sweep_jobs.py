"""How the sweep looks at open jobs: in turn, ended ones first, several at once, and with few reads."""

import threading
from datetime import UTC, datetime

import pytest

from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.settlement.closing import list_output
from fakes import MemoryObjects
from functional import test_settle as settling
from functional.test_reconcile import World, other_directory, put_output
from functional.test_settle import ended, key, row
from patience import PATIENCE

RECONCILE = "batch_gateway.settlement.sweep"


@pytest.fixture
def world():
    return World()


def running(number):
    shown = {"outputInfo": {"gcsOutputDirectory": other_directory(number)}}
    return settling.resource(number, state="JOB_STATE_RUNNING", **shown)


def counted(world, monkeypatch):
    """Calls of the books from here on, by name."""
    calls = []
    for name in ("amend_job", "get_job", "get_job_and_outputs", "get_outputs", "observe"):
        real = getattr(world.store, name)

        def noting(*args, real=real, name=name):
            calls.append(name)
            return real(*args)

        monkeypatch.setattr(world.store, name, noting)
    return calls


def looked_at(world, monkeypatch):
    """Output directories that are listed, by number of their job."""
    found, original = [], world.objects.list

    def noting(bucket, prefix):
        found.append(int(prefix[-8:-2]))
        return original(bucket, prefix)

    monkeypatch.setattr(world.objects, "list", noting)
    return found


def test_every_open_job_has_its_turn_however_few_fit_into_a_sweep(world, monkeypatch):
    monkeypatch.setattr(f"{RECONCILE}._MOST_OPEN", 10)
    for number in range(101, 136):
        world.record(running(number))
        world.outside(running(number))
    found = looked_at(world, monkeypatch)

    done = [world.sweep() for _ in range(4)]

    assert sorted(found) == sorted([*range(101, 136), *range(101, 106)]), "35 in four turns of ten"
    assert [each.jobs for each in done] == [10] * 4
    assert not any(each.complete for each in done)


def test_jobs_that_have_ended_come_first(world, monkeypatch):
    monkeypatch.setattr(f"{RECONCILE}._MOST_OPEN", 10)
    for number in range(101, 151):
        world.record(running(number))
        world.outside(running(number))
    world.record(running(999))
    world.outside(ended(999, other_directory(999)))
    put_output(world, 999)
    found = looked_at(world, monkeypatch)

    done = world.sweep()

    assert (done.settled, done.closed) == (1, 1)
    assert found[0] == 999
    assert len(found) == 11


def test_an_end_that_a_list_shows_is_not_asked_for_again(world):
    world.record(running(1))
    world.outside(ended(1, other_directory(1)))
    put_output(world, 1)

    assert world.sweep().closed == 1
    assert world.upstream.asked == []


def test_a_running_job_of_which_nothing_changed_costs_no_read_beyond_its_record(world, monkeypatch):
    for number in range(1, 10):
        world.record(running(number))
        world.outside(running(number))
    world.sweep()
    calls = counted(world, monkeypatch)

    assert world.sweep().jobs == 9
    assert calls == []


def test_jobs_are_looked_at_side_by_side(world, monkeypatch):
    """Each of eight directories waits until all of them have been asked for."""
    for number in range(1, 9):
        world.record(ended(number, other_directory(number)))
        put_output(world, number)
    together, original = threading.Barrier(8, timeout=PATIENCE), world.objects.list

    def waiting(bucket, prefix):
        together.wait()
        return original(bucket, prefix)

    monkeypatch.setattr(world.objects, "list", waiting)

    done = world.sweep()

    assert (done.problems, done.settled, done.closed) == ([], 8, 8)
    assert world.total() == 8 * settling.ROW_NANO


@pytest.mark.parametrize("make", [running, lambda number: ended(number, other_directory(number))])
def test_a_job_that_ends_the_instance_is_met_again_only_after_all_others(world, monkeypatch, make):
    for number in range(101, 126):
        world.record(make(number))
        world.outside(make(number))
    found = looked_at(world, monkeypatch)
    original = world.objects.list

    def deadly(bucket, prefix):
        if prefix == f"{other_directory(103).removeprefix('gs://out/')}/":
            raise SystemExit
        return original(bucket, prefix)

    monkeypatch.setattr(world.objects, "list", deadly)
    with pytest.raises(SystemExit):
        world.sweep()
    found.clear()

    with pytest.raises(SystemExit):
        world.sweep()

    assert set(found) >= set(range(109, 126))


def test_rows_of_a_running_job_count_for_what_was_reserved_at_once(world):
    world.record(running(1))
    world.outside(running(1))
    world.put(
        settling.lines(row()), f"{other_directory(1).removeprefix('gs://out/')}/incremental_predictions.jsonl"
    )

    assert world.sweep().settled == 1
    assert world.job(1).cost.amount_nano == settling.ROW_NANO
    assert key(1) not in world.upstream.asked


def test_a_directory_within_a_jobs_own_is_another_jobs():
    """Anybody may choose a job's directory as the prefix of their own output."""
    objects, directory = MemoryObjects(), "run/prediction-model-1"
    own = [f"{directory}/incremental_predictions-1/a.jsonl", f"{directory}/predictions.jsonl"]
    for name in (*own, f"{directory}/prediction-model-2/predictions.jsonl", f"{directory}/notes.txt"):
        objects.put("out", name, b"{}")
    seen = Observation(
        "projects/p/locations/l/batchPredictionJobs/1", "x", output_directory=f"gs://out/{directory}"
    )
    job = JobRecord(JobKey("p", "l", "1"), seen, datetime(2026, 11, 22, tzinfo=UTC))

    assert [info.name for info in list_output(job, objects)] == own
