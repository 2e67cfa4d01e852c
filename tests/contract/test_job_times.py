"""The times of jobs as the Store port keeps them: in memory and in Firestore alike."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.adapters.firestore import job_times as adapter
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.timing.histogram import bucket_of
from batch_gateway.core.timing.job_times import TimeCounts
from batch_gateway.ports import StoreUnavailableError
from contract.conftest import firestore_at
from fakes import MemoryStore

CREATED = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
DAY = "2026-11-27"


def closed(store, number=1, *, run=100, day=0, model="gemini-3.5-flash", state="SUCCEEDED", **owner):
    """Puts a job into the books and closes it; returns its key."""
    key = JobKey("acme-batch", "us-central1", str(number))
    created = CREATED + timedelta(days=day)
    times = {"create_time": created, "start_time": created + timedelta(seconds=7)}
    seen = Observation(
        key.path, f"JOB_STATE_{state}", model, end_time=times["start_time"] + timedelta(seconds=run), **times
    )
    store.add_job(JobRecord(key, seen, created, **owner))
    close(store, key)
    return key


def close(store, key):
    store.amend_job(key, lambda job: msgspec.structs.replace(job, closed=True))


def total(store, owner=None, first=DAY, last=DAY):
    counts = TimeCounts.empty()
    for each in store.daily_times(owner, first, last):
        counts.add(each.counts)
    return counts


def test_an_empty_store_has_none(store):
    assert list(store.daily_times(None, "1970-01-01", "9998-12-31")) == []


def test_a_job_is_there_for_its_owner_and_for_all(store):
    closed(store, team="search", key_id="k1")
    wanted = TimeCounts(Counter(succeeded=1), Counter({7: 1}), Counter({bucket_of(100): 1}), Counter())
    for owner in (None, ("team", "search")):
        (found,) = store.daily_times(owner, DAY, DAY)
        assert (found.day, found.model, found.location) == (DAY, "gemini-3.5-flash", "us-central1")
        assert found.counts == wanted
    for owner in (("team", "ads"), ("key_id", "k1"), ("team", "k1"), ("key_id", "search")):
        assert list(store.daily_times(owner, DAY, DAY)) == []


def test_a_job_that_is_opened_again_counts_once(store):
    key = closed(store)
    store.amend_job(key, lambda job: msgspec.structs.replace(job, closed=False, reopened=1))
    close(store, key)
    close(store, key)
    assert total(store).outcomes == Counter(succeeded=1)


def test_days_are_whole_and_in_range(store):
    for number in range(4):
        closed(store, number, day=number)
    for first, last, days in (
        (DAY, DAY, 1),
        (DAY, "2026-11-30", 4),
        ("2026-11-28", "2026-11-29", 2),
        ("2026-12-01", "2026-12-31", 0),
        ("2026-11-01", "2026-11-26", 0),
    ):
        found = list(store.daily_times(None, first, last))
        assert len(found) == days
        assert all(first <= each.day <= last for each in found)


@pytest.mark.parametrize(
    "name", ["größe", "日本/a", "a.b", "tick`tick", 'quo"te', "~x", "__x__", "", "a/b:~"]
)
def test_odd_names_are_kept_apart(store, name):
    closed(store, 1, model=f"publishers/x/models/{name}", team=name or "t")
    closed(store, 2, model="publishers/x/models/other", team="other")
    (found,) = store.daily_times(("team", name or "t"), DAY, DAY)
    assert found.model == name.rpartition("/")[2]
    assert total(store).outcomes == Counter(succeeded=2)


def test_of_many_at_once_none_is_lost(store):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: closed(store, number, run=number, team="search"), range(40)))
    found = total(store, ("team", "search"))
    assert found == total(store)
    assert found.outcomes == Counter(succeeded=40)
    assert found.run == Counter(bucket_of(number) for number in range(40))


def test_a_job_of_an_impossible_time_is_closed_all_the_same(store):
    created = datetime(9999, 12, 31, 23, tzinfo=UTC)
    key = JobKey("acme-batch", "us-central1", "1")
    seen = Observation(key.path, "JOB_STATE_SUCCEEDED", create_time=created, end_time=created)
    store.add_job(JobRecord(key, seen, created))
    close(store, key)
    assert total(store, last="9999-12-31").outcomes == Counter(succeeded=1)


def test_while_the_store_is_down_there_is_an_error(refusing_host):
    with pytest.raises(StoreUnavailableError):
        list(firestore_at(refusing_host).daily_times(None, DAY, DAY))
    down = MemoryStore()
    down.down = True
    with pytest.raises(StoreUnavailableError):
        list(down.daily_times(None, DAY, DAY))


def test_what_is_read_does_not_grow_with_the_number_of_jobs(firestore):
    for number in range(60):
        closed(firestore, number, day=number % 3, run=number)
    documents = list(firestore._client.collection("job_times").stream())
    assert len(documents) <= 3 * adapter.SHARDS
    kept = {(document.to_dict()["expires"] - datetime.now(UTC)).days for document in documents}
    assert kept <= {36, 37}
