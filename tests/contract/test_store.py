"""The Store port: the one in memory and the one in Firestore keep the same promises."""

import contextlib
import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from google.api_core.exceptions import FailedPrecondition
from google.cloud.firestore_v1 import WriteBatch

import builders
from batch_gateway.adapters.firestore import documents
from batch_gateway.core.accounting.budgets import BudgetExceededError, OwnedBudget
from batch_gateway.core.accounting.settlement import (
    Change,
    Checkpoint,
    DailyTotal,
    ItemTotal,
    Output,
    TotalDelta,
    TotalKey,
    reprice,
    settle_output,
)
from batch_gateway.core.jobs.record import (
    TERMINAL_STATES,
    Completion,
    JobKey,
    JobRecord,
    Observation,
    Repricing,
)
from batch_gateway.core.notify.events import job_event
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import Cost, LineItem
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.usage import Rows, Tokens, Usage
from batch_gateway.ports import (
    JobResumedError,
    Observed,
    PlaceNotes,
    Resumption,
    Store,
    StoreUnavailableError,
    Submission,
    SweepNotes,
)
from builders import usage
from contract.conftest import firestore_at
from fakes import MemoryStore

PRICES = prices.load()
CREATED = datetime(2026, 11, 22, 10, 11, 12, 123456, tzinfo=UTC)
DAY = "2026-11-22"
PREFIX = "gs://out/run"
DIRECTORY = f"{PREFIX}/prediction-model-2026-11-22T10:00:00.123456Z"
TOKEN_NANO = 150
ODD_LABELS = {
    "größe": "klein",
    "日本": "東京",
    "a.b": "dot",
    "a/b": "slash",
    "with space": "x",
    "tick`tick": "`",
    "back\\slash": "\\",
    "star*[x]~": "*",
    "_under-score": "",
    "0digit": "0",
}


def key(number=1, location="us-central1"):
    return JobKey("acme-batch", location, str(number))


def observation(number=1, **changes):
    given = {
        "name": f"projects/123456789012/locations/us-central1/batchPredictionJobs/{number}",
        "state": "JOB_STATE_PENDING",
        "model": "publishers/google/models/gemini-2.5-flash",
        "output_prefix": PREFIX,
        "create_time": CREATED,
        "update_time": CREATED,
    }
    return Observation(**{**given, **changes})


def record(number=1, *, seen=None, **changes):
    return JobRecord(key(number), seen or observation(number), CREATED, **changes)


def output(name="predictions.jsonl", generation=1, tokens=10, **changes):
    settled = Output(f"{DIRECTORY}/{name}", generation, 100, usage(tokens), CREATED)
    return msgspec.structs.replace(settled, **changes)


def settle(store, new, number=1):
    return builders.settle(store, key(number), new, PRICES)


def totals(store, day):
    """A day's cells, each in one piece."""
    cells = {}
    for part in store.list_totals(day, day, {}):
        empty = msgspec.structs.replace(part, quarters={}, items={})
        cell = cells.setdefault(empty.id, empty)
        for quarter, nano in part.quarters.items():
            cell.quarters[quarter] = cell.quarters.get(quarter, 0) + nano
        for item, more in part.items.items():
            had = cell.items.get(item, ItemTotal())
            cell.items[item] = had + more
    return list(cells.values())


def table_with_dearer_flash():
    """The price table, with gemini-2.5-flash at twice its price."""
    table = json.loads(Path(prices.__file__).with_name("prices.json").read_bytes())
    batch = table["models"]["gemini-2.5-flash"]["prices"][0]["batch"]
    batch["input"] = str(2 * Decimal(batch["input"]))
    return PriceTable.from_json(json.dumps({**table, "version": "2027-01-01"}).encode())


def submission(number=1):
    return Submission(f"id-{number}", "acme-batch", "us-central1", "nightly", None, "größe", CREATED)


def submissions(store):
    """Ids of the submissions, which the port itself has no way to ask for."""
    if hasattr(store, "submissions"):
        return set(store.submissions)
    return {found.id for found in store._client.collection("submissions").stream()}


FULL_COST = Cost(
    line_items=(
        LineItem("gemini-2.5-flash", "0-200k", "input_text", 2**53 + 1, "token", 150000, 2**60, 7),
        LineItem("größe/odd.model", "", "input_x", 3, "character", None, None, 1),
    ),
    amount_nano=2**60,
    unpriced_rows=1,
    price_table="2026-11-22",
)
FULL_RECORD = JobRecord(
    key(),
    Observation(
        name="projects/123456789012/locations/us-central1/batchPredictionJobs/1",
        state="JOB_STATE_FAILED",
        model="projects/p/locations/l/publishers/google/models/gemini-2.5-flash",
        display_name="größe 東京 🚀\n",
        labels=ODD_LABELS,
        input_uris=("gs://in/a b.jsonl", "bq://p.d.t"),
        output_prefix=PREFIX,
        output_directory=DIRECTORY,
        create_time=CREATED,
        start_time=CREATED + timedelta(microseconds=1),
        end_time=CREATED + timedelta(hours=1),
        update_time=CREATED + timedelta(hours=2),
        completion=Completion(2**40, 3, -1),
        error={
            "code": 9,
            "message": "x",
            "details": [{"@type": "type.googleapis.com/x", "a.b": [1, {"c": None, "d": 1.5}], "e": True}],
        },
    ),
    CREATED,
    api_key="nightly",
    team="search",
    usage=Usage(Rows(1, 2, 3, 4, 1), Tokens(2**53 + 1, 2, 3, 4), usage(5).quantities),
    cost=FULL_COST,
    settled_outputs=2,
    unreadable_outputs=1,
    closed=True,
    output_missing=True,
    reopened=2,
    announced=True,
    next_look=CREATED + timedelta(hours=3),
    deleted=True,
    deleted_at=CREATED + timedelta(hours=4),
)
BARE_RECORD = JobRecord(key(), Observation(name=FULL_RECORD.seen.name, state="JOB_STATE_PENDING"), CREATED)


def test_an_empty_store_has_nothing(store):
    store.ping()

    assert store.get_job(key()) is None
    assert store.get_outputs(key()) == []
    assert store.parked(10) == []
    assert totals(store, DAY) == []
    assert store.jobs_by_directory(DIRECTORY) == []
    assert store.jobs_without_directory(PREFIX, 10) == []
    assert store.project_of_number("123456789012") is None
    assert store.observe({key(): observation()}) == {}
    assert store.observe({}) == {}


@pytest.mark.parametrize("job", [FULL_RECORD, BARE_RECORD], ids=["full", "bare"])
def test_a_record_comes_back_as_it_went_in(store, job):
    store.add_job(job)

    found = store.get_job(key())

    assert found == job
    assert type(found.create_time) is datetime
    assert found.create_time.utcoffset() == timedelta(0)


def test_jobs_of_one_id_in_two_locations_are_two(store):
    store.add_job(record())
    store.add_job(msgspec.structs.replace(record(team="other"), key=key(location="global")))

    assert store.get_job(key()).team is None
    assert store.get_job(key(location="global")).team == "other"


def test_a_job_on_record_stays_as_it_is(store):
    store.begin_submission(submission())
    store.add_job(record(team="first"))

    store.add_job(record(team="second"), submission(1))

    assert store.get_job(key()).team == "first"
    assert submissions(store) == set()


def test_a_submission_goes_with_its_job(store):
    for number in (1, 2, 3):
        store.begin_submission(submission(number))
    assert submissions(store) == {"id-1", "id-2", "id-3"}

    store.add_job(record(), submission(1))
    store.drop_submission(submission(2))
    store.drop_submission(submission(2))

    assert submissions(store) == {"id-3"}


def test_what_is_seen_is_noted(store):
    store.add_job(record(team="search", api_key="nightly"))
    later = observation(
        state="JOB_STATE_RUNNING", update_time=CREATED + timedelta(seconds=1), labels=ODD_LABELS
    )

    records = store.observe({key(): later, key(2): observation(2)})

    before = record(team="search", api_key="nightly")
    assert records == {key(): Observed(before, msgspec.structs.replace(before, seen=later))}
    assert store.get_job(key()) == records[key()].now
    assert store.get_job(key(2)) is None


def test_labels_that_are_gone_are_gone(store):
    store.add_job(record(seen=observation(labels={"a": "b"}, error={"code": 1})))
    later = observation(labels={}, update_time=CREATED + timedelta(seconds=1))

    store.observe({key(): later})

    assert store.get_job(key()).seen == later


def test_what_is_older_changes_nothing(store):
    now = observation(state="JOB_STATE_RUNNING", update_time=CREATED + timedelta(seconds=2))
    store.add_job(record(seen=now))

    records = store.observe({key(): observation(update_time=CREATED + timedelta(seconds=1))})

    assert records[key()].now.seen == now
    assert store.get_job(key()).seen == now


def test_many_jobs_are_observed_at_once(store):
    for number in range(20):
        store.add_job(record(number))
    later = {
        key(number): observation(
            number, state="JOB_STATE_RUNNING", update_time=CREATED + timedelta(seconds=1)
        )
        for number in range(20)
    }

    assert store.observe(later).keys() == later.keys()
    assert {store.get_job(each).seen.state for each in later} == {"JOB_STATE_RUNNING"}


def in_threads(calls):
    """Runs calls at the same moment and returns what they returned."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_of_looks_at_the_same_moment_the_newest_stays(store):
    store.add_job(record())
    looks = [observation(update_time=CREATED + timedelta(seconds=second)) for second in (3, 1, 4, 2)]

    in_threads([lambda look=look: store.observe({key(): look}) for look in looks])

    assert store.get_job(key()).seen == looks[2]


def test_a_look_and_a_settlement_at_the_same_moment_both_stay(store):
    store.add_job(record())
    later = observation(state="JOB_STATE_RUNNING", update_time=CREATED + timedelta(seconds=1))

    in_threads([lambda: store.observe({key(): later}), lambda: settle(store, output())])

    job = store.get_job(key())
    assert (job.seen, job.settled_outputs) == (later, 1)


def test_a_job_is_amended_once(store):
    store.add_job(record())

    def closing(job):
        return None if job.closed else msgspec.structs.replace(job, closed=True)

    assert store.amend_job(key(), closing) == (record(closed=True), None)
    assert store.amend_job(key(), closing) is None
    assert store.get_job(key()) == record(closed=True)


def an_event():
    ended = observation(state="JOB_STATE_SUCCEEDED")
    return job_event(record(seen=ended), CREATED)


def test_what_goes_out_of_an_amendment_is_noted_with_it(store):
    store.add_job(record())

    amended = store.amend_job(key(), lambda job: job, lambda _: an_event())

    assert amended == (record(), an_event())
    assert [event.id for event in store.claim_events(CREATED + timedelta(days=1), 10)] == [an_event().id]
    assert not store.add_event(an_event())


def test_of_amendments_at_the_same_moment_none_is_lost(store):
    store.add_job(record())

    def adding(job):
        return msgspec.structs.replace(job, settled_outputs=job.settled_outputs + 1)

    in_threads([lambda: persistently(lambda: store.amend_job(key(), adding))] * 6)

    assert store.get_job(key()).settled_outputs == 6


def test_open_jobs_come_in_turn_and_then_from_the_start_again(store):
    for number in range(1, 6):
        store.add_job(record(number, closed=number == 3))

    assert ids(store.open_jobs(3)) == ["1", "2", "4"]
    store.pass_turn("jobs", key(4))
    assert ids(store.open_jobs(1)) == ["5"]
    assert ids(store.open_jobs(3)) == ["5", "1", "2"]
    assert ids(store.open_jobs(9)) == ["5", "1", "2", "4"]
    store.pass_turn("jobs", key(5))
    assert ids(store.open_jobs(9)) == ["1", "2", "4", "5"]


def ids(jobs):
    return [job.key.job_id for job in jobs]


def test_more_open_jobs_than_one_call_reads_come_once_each(store):
    for number in range(100, 405):
        store.add_job(record(number))
    store.pass_turn("jobs", key(101))

    expected = [str(number) for number in (*range(102, 405), 100, 101)]
    assert ids(store.open_jobs(1000)) == expected
    assert ids(store.open_jobs(301)) == expected[:301]


def test_jobs_that_have_ended_have_a_turn_of_their_own(store):
    states = ["RUNNING", "SUCCEEDED", "FAILED", "PARTIALLY_SUCCEEDED", "SUCCEEDED", "PENDING"]
    for number, state in enumerate(states):
        job = record(number, closed=number == 4)
        seen = msgspec.structs.replace(job.seen, state=f"JOB_STATE_{state}")
        store.add_job(msgspec.structs.replace(job, seen=seen))
    store.pass_turn("jobs", key(1))
    assert ids(store.ended_jobs(9)) == ["1", "2", "3"]

    store.pass_turn("ended", key(1))
    assert ids(store.ended_jobs(9)) == ["2", "3", "1"]
    assert ids(store.ended_jobs(2)) == ["2", "3"]


def test_parked_outputs_come_in_turn(store):
    for number in range(3):
        store.park(output(f"{number}.jsonl"))
    first, second, third = store.parked(9)

    store.pass_turn("parked", first)

    assert store.parked(9) == [second, third, first]
    assert store.parked(1) == [second]


def test_what_a_sweep_leaves_to_the_next_is_there(store):
    assert store.sweep_notes() == SweepNotes()
    places = {
        "acme-batch/us-central1": PlaceNotes(CREATED, (CREATED - timedelta(days=1), CREATED)),
        "example.com:acme/global": PlaceNotes(),
    }

    store.put_sweep_notes(SweepNotes("acme-batch/us-central1", places))

    assert store.sweep_notes() == SweepNotes("acme-batch/us-central1", places)


def test_watched_jobs_are_those_whose_look_is_due_the_longest_due_first(store):
    for number, minutes in {1: 5, 2: 1, 3: None, 4: 9, 5: 3}.items():
        look = None if minutes is None else CREATED + timedelta(minutes=minutes)
        store.add_job(record(number, closed=True, next_look=look))
    due = CREATED + timedelta(minutes=5)

    assert [job.key.job_id for job in store.watched_jobs(due, 10)] == ["2", "5", "1"]
    assert [job.key.job_id for job in store.watched_jobs(due, 2)] == ["2", "5"]

    store.amend_job(key(2), lambda job: msgspec.structs.replace(job, next_look=due))
    store.amend_job(key(5), lambda job: msgspec.structs.replace(job, next_look=None))
    assert {job.key.job_id for job in store.watched_jobs(due, 10)} == {"1", "2"}
    assert store.watched_jobs(CREATED, 10) == []


def test_jobs_come_by_the_time_they_were_created_page_by_page(store):
    hours = {1: 5, 2: 1, 3: 1, 4: 9, 5: 3}
    for number, hour in hours.items():
        created = CREATED + timedelta(hours=hour)
        store.add_job(msgspec.structs.replace(record(number), create_time=created))
    start, end = CREATED + timedelta(hours=1), CREATED + timedelta(hours=9)

    pages, after = [], None
    while found := store.jobs_created(start, end, after, 2):
        pages.append([job.key.job_id for job in found])
        after = (found[-1].create_time, found[-1].key)

    assert pages == [["2", "3"], ["5", "1"]]


@pytest.mark.parametrize(
    ("equal", "numbers"),
    [
        ({}, [3, 2, 1, 0]),
        ({"team": "ads"}, [3, 1]),
        ({"state": "JOB_STATE_FAILED"}, [3, 2]),
        ({"api_key": "k-1"}, [1]),
        ({"project": "acme-batch", "location": "us-central1"}, [3, 2, 1, 0]),
        ({"location": "global"}, []),
        ({"team": "ads", "state": "JOB_STATE_FAILED", "api_key": "k-3"}, [3]),
    ],
)
def test_recent_jobs_are_found_by_what_they_are(store, equal, numbers):
    for number in range(4):
        state = "JOB_STATE_FAILED" if number > 1 else "JOB_STATE_PENDING"
        seen = msgspec.structs.replace(record().seen, state=state)
        made = {"team": "ads" if number % 2 else "search", "api_key": f"k-{number}"}
        later = CREATED + timedelta(hours=number)
        job = msgspec.structs.replace(record(), key=key(str(number)), seen=seen, create_time=later, **made)
        store.add_job(job)
    found = store.recent_jobs(None, None, None, 9, equal=equal)
    assert [int(job.key.job_id) for job in found] == numbers
    until = CREATED + timedelta(hours=2)
    early = store.recent_jobs(None, None, None, 9, until=until, equal=equal)
    assert [int(job.key.job_id) for job in early] == [number for number in numbers if number < 2]


def test_top_jobs_are_those_with_the_largest_amounts(store):
    """Of a time, a team and an owner; the newer one first where amounts are equal."""
    amounts = {1: 5, 2: 10**12, 3: 0, 4: 5, 5: 700}
    for number, amount in amounts.items():
        job = record(number, team="ads" if number != 4 else "search", key_id=f"k{number % 2}")
        created = CREATED + timedelta(hours=number)
        store.add_job(msgspec.structs.replace(job, create_time=created, cost=Cost(amount_nano=amount)))

    def top(scope=None, first=0, last=9, limit=9, team=None):
        since, until = CREATED + timedelta(hours=first), CREATED + timedelta(hours=last)
        found = store.top_jobs(scope, since, limit, until=until, team=team)
        return [int(job.key.job_id) for job in found]

    assert top() == [2, 5, 4, 1, 3]
    assert [int(job.key.job_id) for job in store.top_jobs(None, None, 2)] == [2, 5]
    assert top(first=1, last=5, limit=3) == [2, 4, 1]
    assert top(first=3, last=5) == [4, 3]
    assert top(("team", "ads")) == [2, 5, 1, 3]
    assert top(("key_id", "k0"), first=2) == [2, 4]
    assert top(("key_id", "k0"), team="ads") == [2]
    assert top(("team", "ads"), team="search") == []


def test_recent_jobs_come_newest_first_page_by_page(store):
    hours = {1: 5, 2: 1, 3: 1, 4: 9, 5: 3}
    for number, hour in hours.items():
        job = record(number, team="ads" if number != 4 else "search", key_id=f"k{number % 2}")
        store.add_job(msgspec.structs.replace(job, create_time=CREATED + timedelta(hours=hour)))

    def pages(scope=None, since=None):
        before = None
        while found := store.recent_jobs(scope, since, before, 2):
            yield [int(job.key.job_id) for job in found]
            before = (found[-1].create_time, found[-1].key)

    assert list(pages()) == [[4, 1], [5, 3], [2]]
    assert list(pages(("team", "ads"))) == [[1, 5], [3, 2]]
    assert list(pages(("key_id", "k0"))) == [[4, 2]]
    assert list(pages(None, CREATED + timedelta(hours=3))) == [[4, 1], [5]]
    assert list(pages(("team", "ads"), CREATED + timedelta(hours=3))) == [[1, 5]]


def test_a_new_price_moves_job_and_totals_together(store):
    store.add_job(record())
    settle(store, output(tokens=10))
    dearer = table_with_dearer_flash()

    repriced = store.reprice(key(), lambda job: reprice(job, dearer, by="master", now=CREATED))

    assert repriced == store.get_job(key())
    assert repriced.cost.amount_nano == 20 * TOKEN_NANO
    assert repriced.repricings == (Repricing(CREATED, "master", 10 * TOKEN_NANO, PRICES.version, 0),)
    (cell,) = totals(store, DAY)
    assert cell.quarters == {"40": 20 * TOKEN_NANO}
    assert cell.items == {"input_text": ItemTotal(10, 20 * TOKEN_NANO)}
    assert store.reprice(key(), lambda job: reprice(job, dearer, by="x", now=CREATED)) is None
    assert store.get_job(key()) == repriced


def test_a_parked_output_can_be_let_go(store):
    store.park(output("a.jsonl"))
    store.park(output("b.jsonl"))

    store.unpark(output("a.jsonl"))
    store.unpark(output("never parked.jsonl"))

    assert store.parked(10) == [output("b.jsonl")]


def checkpoint(offset=5, uri="gs://b/x"):
    return Checkpoint(uri, 7, offset, usage(3), CREATED)


def test_the_last_checkpoint_of_an_output_is_kept(store):
    assert store.get_output(key(), "gs://b/x") == (None, None)

    store.put_checkpoint(checkpoint(5))
    store.put_checkpoint(checkpoint(2**40))
    assert store.get_output(key(), "gs://b/x") == (None, checkpoint(2**40))
    assert store.get_output(key(), "gs://b/y") == (None, None)


# Resumes


def resuming(number, replaces=None, **changes):
    """A submission that resumes the first job."""
    resumes = Resumption(key(), observation().name, replaces)
    return msgspec.structs.replace(submission(number), resumes=resumes, **changes)


def new_job(number):
    return msgspec.structs.replace(record(), key=key(number), seen=observation(number))


def test_a_job_and_the_one_that_it_resumes_are_recorded_together(store):
    store.add_job(record())
    assert store.begin_submission(resuming(1)) is None
    assert store.get_job(key()).resumed_by is None

    store.add_job(resuming(1).record(new_job(2)), resuming(1))

    assert store.get_job(key()).resumed_by == observation(2).name
    assert store.get_job(key(2)).resumed_from == observation().name
    assert submissions(store) == set()


def test_a_job_that_was_adopted_meanwhile_names_the_one_that_it_resumes(store):
    store.add_job(record())
    store.begin_submission(resuming(1))
    store.add_job(new_job(2))

    store.add_job(resuming(1).record(new_job(2)), resuming(1))

    assert store.get_job(key(2)).resumed_from == observation().name
    assert store.get_job(key()).resumed_by == observation(2).name


def test_a_job_whose_earlier_one_is_not_on_record_any_more_is_recorded_all_the_same(store):
    store.add_job(record())
    store.begin_submission(resuming(1))
    remove(store, key())
    store.add_job(resuming(1).record(new_job(2)), resuming(1))

    assert store.get_job(key(2)).resumed_from == observation().name
    assert store.get_job(key()) is None


def remove(store, job):
    """Delete a record, as an administrator may."""
    if hasattr(store, "submissions"):
        del store._jobs[job]
    else:
        store._job(job).delete()


@pytest.mark.parametrize("reserved", [0, 5])
def test_an_open_submission_claims_the_job_that_it_resumes(store, reserved):
    store.add_job(record())
    store.begin_submission(resuming(1, reserved_nano=reserved, reserved_at=CREATED))

    with pytest.raises(JobResumedError) as caught:
        store.begin_submission(resuming(2, reserved_nano=reserved, reserved_at=CREATED))
    assert caught.value.by is None
    assert submissions(store) == {"id-1"}

    store.drop_submission(resuming(1, reserved_nano=reserved, reserved_at=CREATED))
    assert store.begin_submission(resuming(2)) is None


def test_a_budget_that_refuses_leaves_no_claim(store):
    store.add_job(record())
    asked = resuming(1, reserved_nano=5, reserved_at=CREATED, key_id="x")
    with pytest.raises(BudgetExceededError):
        store.begin_submission(asked, [OwnedBudget(asked.owners[0], "x", 1, None, None)])
    assert store.begin_submission(resuming(2)) is None


def test_a_job_is_resumed_once_unless_the_caller_knows_of_the_first(store):
    store.add_job(record())
    first = resuming(1, marker="m", body_hash="h", key_id="k")
    store.begin_submission(first)
    store.add_job(first.record(new_job(2)), msgspec.structs.replace(first, answer=b"{}", job=key(2).path))

    with pytest.raises(JobResumedError) as caught:
        store.begin_submission(resuming(2))
    assert caught.value.by == observation(2).name
    assert store.begin_submission(first).answer == b"{}", "the same submission is found, not refused"
    assert store.begin_submission(resuming(3, replaces=observation(2).name)) is None


def test_of_resumes_at_the_same_time_one_is_begun(store):
    store.add_job(record())
    barrier = threading.Barrier(6)

    def begin(number):
        barrier.wait()
        try:
            return store.begin_submission(resuming(number))
        except JobResumedError as error:
            return error

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(begin, range(6)))

    assert outcomes.count(None) == 1
    assert {error.by for error in outcomes if error} == {None}
    assert len(submissions(store)) == 1


def test_submissions_without_an_answer_are_open(store):
    for number in (1, 2):
        store.begin_submission(submission(number))
    answered = msgspec.structs.replace(submission(3), answer=b"{}", body_hash="x")
    store.begin_submission(submission(3))
    store.add_job(record(), answered)

    assert sorted(each.id for each in store.open_submissions(10)) == ["id-1", "id-2"]
    assert len(store.open_submissions(1)) == 1
    assert [store.get_submission(f"id-{number}") for number in (1, 3, 4)] == [submission(1), answered, None]


def test_more_open_submissions_than_one_call_reads_are_all_there(store, monkeypatch):
    monkeypatch.setattr(documents, "_PAGE", 2)
    for number in range(5):
        store.begin_submission(submission(number))

    assert [each.id for each in store.open_submissions(10)] == [f"id-{number}" for number in range(5)]
    assert len(store.open_submissions(3)) == 3


def test_jobs_are_found_by_their_directory(store):
    store.add_job(record(1, seen=observation(1, output_directory=DIRECTORY)))
    store.add_job(record(2, seen=observation(2, output_directory=f"{DIRECTORY}x")))
    store.add_job(record(3))

    assert [job.key for job in store.jobs_by_directory(DIRECTORY)] == [key(1)]
    assert store.jobs_by_directory(PREFIX) == []


def test_jobs_are_found_by_their_table(store):
    for number, table in enumerate(("bq://p.d.t", None, "bq://p.d.t2", "bq://p.d.t")):
        store.add_job(record(number, seen=observation(number, output_table=table)))

    assert sorted(job.key.job_id for job in store.jobs_by_table("bq://p.d.t")) == ["0", "3"]
    assert store.jobs_by_table("bq://p.d") == []


def test_jobs_without_a_directory_are_found_by_their_prefix(store):
    store.add_job(record(1))
    store.add_job(record(2, seen=observation(2, output_directory=DIRECTORY)))
    store.add_job(record(3, seen=observation(3, output_prefix=f"{PREFIX}/deeper")))
    store.add_job(record(4, seen=observation(4, output_prefix=None)))
    store.add_job(record(5))
    store.add_job(record(6, closed=True))
    for number, state in enumerate(sorted(TERMINAL_STATES), 7):
        store.add_job(record(number, seen=observation(number, state=state)))

    assert {job.key for job in store.jobs_without_directory(PREFIX, 10)} == {key(1), key(5)}
    assert len(store.jobs_without_directory(PREFIX, 1)) == 1


def test_a_job_leaves_those_without_a_directory_once_it_has_one(store):
    store.add_job(record())

    store.observe({key(): observation(output_directory=DIRECTORY)})

    assert store.jobs_without_directory(PREFIX, 10) == []
    assert [job.key for job in store.jobs_by_directory(DIRECTORY)] == [key()]


def test_an_output_moves_job_and_totals_together(store):
    store.add_job(record(api_key="nightly", team="search", seen=observation(labels={"env": "prod"})))

    settled = settle(store, output(tokens=10))

    assert settled == store.get_job(key())
    assert (settled.cost.amount_nano, settled.settled_outputs) == (10 * TOKEN_NANO, 1)
    assert store.get_outputs(key()) == [output(tokens=10)]
    assert totals(store, DAY) == [
        DailyTotal(
            day=DAY,
            model="gemini-2.5-flash",
            api_key="nightly",
            team="search",
            project="acme-batch",
            location="us-central1",
            labels={"env": "prod"},
            quarters={"40": 10 * TOKEN_NANO},
            items={"input_text": ItemTotal(10, 10 * TOKEN_NANO)},
        )
    ]


def test_the_same_output_again_changes_nothing(store):
    store.add_job(record())
    settle(store, output(generation=5))
    before = (store.get_job(key()), store.get_outputs(key()), totals(store, DAY))

    assert settle(store, output(generation=5)) is None
    assert settle(store, output(generation=4, tokens=99)) is None

    assert (store.get_job(key()), store.get_outputs(key()), totals(store, DAY)) == before


def test_outputs_come_sorted_and_whole(store):
    store.add_job(record())
    outputs = [output("b.jsonl"), output("a 100%.jsonl", unreadable="größe"), output("c.jsonl", 2**62)]
    for each in outputs:
        settle(store, each)

    assert store.get_outputs(key()) == [outputs[1], outputs[0], outputs[2]]
    assert store.get_outputs(key(2)) == []


def test_a_settlement_is_given_the_job_and_the_output_as_they_stand(store):
    store.add_job(record())
    settle(store, output(generation=1))
    given = []

    assert store.settle(key(), output(generation=2), lambda job, old, _: given.append((job, old))) is None

    assert given == [(store.get_job(key()), output(generation=1))]


def test_totals_add_up_and_may_move_back(store):
    store.add_job(record())
    settle(store, output(generation=1, tokens=100))
    settle(store, output("other.jsonl", tokens=7))
    settle(store, output(generation=2, tokens=30))

    (cell,) = totals(store, DAY)
    assert cell.quarters == {"40": 37 * TOKEN_NANO}
    assert cell.items == {"input_text": ItemTotal(37, 37 * TOKEN_NANO)}
    assert store.get_job(key()).cost.amount_nano == 37 * TOKEN_NANO


def test_jobs_share_a_cell_if_all_that_is_grouped_by_is_the_same(store):
    for number in (1, 2):
        store.add_job(record(number))
        settle(store, output(tokens=number), number)
    store.add_job(record(3, team="other"))
    settle(store, output(tokens=3), 3)

    cells = {cell.team: cell.items["input_text"].quantity for cell in totals(store, DAY)}
    assert cells == {"": 3, "other": 3}


def test_days_are_apart_and_hours_within_a_day_too(store):
    times = [CREATED, CREATED + timedelta(hours=5), CREATED + timedelta(days=1)]
    for number, created in enumerate(times, 1):
        store.add_job(msgspec.structs.replace(record(number), create_time=created))
        settle(store, output(tokens=number), number)

    (today,), (tomorrow,) = totals(store, DAY), totals(store, "2026-11-23")
    assert today.quarters == {"40": TOKEN_NANO, "60": 2 * TOKEN_NANO}
    assert tomorrow.quarters == {"40": 3 * TOKEN_NANO}


@pytest.mark.parametrize("label", ODD_LABELS)
def test_labels_with_odd_characters_stay_whole_in_totals(store, label):
    labels = {label: ODD_LABELS[label]}
    store.add_job(record(seen=observation(labels=labels)))

    settle(store, output(generation=1, tokens=1))
    settle(store, output(generation=2, tokens=4))

    (cell,) = totals(store, DAY)
    assert (cell.labels, cell.items["input_text"].quantity) == (labels, 4)


@pytest.mark.parametrize(
    "item", ["input_a.b", "input_ /`\\", "output_größe", "input_*~[]", "input_modality_7"]
)
def test_items_with_odd_characters_stay_whole_in_totals(store, item):
    """Modalities come from Vertex's output as they are."""
    store.add_job(record())
    total = TotalKey(DAY, "m", "", "", "acme-batch", "us-central1", {})
    deltas = [(total, TotalDelta(3, 5, {item: 2}, {item: 5}))]

    for generation in (1, 2):
        store.settle(key(), output(generation=generation), lambda job, *_: Change(job, deltas))

    (cell,) = totals(store, DAY)
    assert (cell.items, cell.quarters) == ({item: ItemTotal(4, 10)}, {"3": 10})


def move(store, *deltas):
    """Settles as many outputs, each of which adds one delta to the same total."""
    store.add_job(record())
    total = TotalKey(DAY, "m", "", "", "acme-batch", "us-central1", {})
    for generation, delta in enumerate(deltas, 1):
        store.settle(
            key(), output(generation=generation), lambda job, *_, delta=delta: Change(job, [(total, delta)])
        )
    (cell,) = totals(store, DAY)
    return cell


def test_a_movement_of_quantity_alone_or_amount_alone_is_kept(store):
    cell = move(store, TotalDelta(3, 0, {"a": 2}, {}), TotalDelta(3, -7, {}, {"a": -7, "b": 0}))

    assert cell.items["a"] == ItemTotal(2, -7)
    assert cell.quarters == {"3": -7}


def test_a_movement_of_no_item_leaves_the_items_alone(store):
    cell = move(store, TotalDelta(3, 5, {"a": 2}, {"a": 5}), TotalDelta(4, 0, {}, {}))

    assert cell.items == {"a": ItemTotal(2, 5)}
    assert cell.quarters["3"] == 5


def persistently(call):
    """Tries again while the store is unavailable, as an event that was not acknowledged does."""
    for _ in range(20):
        try:
            return call()
        except StoreUnavailableError:
            time.sleep(0.05)
    pytest.fail("the store stays unavailable")


def test_one_output_settled_by_eight_at_once_is_committed_once(store):
    store.add_job(record())

    outputs = [output(settled_at=CREATED + timedelta(microseconds=number)) for number in range(8)]
    results = in_threads([lambda each=each: persistently(lambda: settle(store, each)) for each in outputs])

    assert Counter(result is None for result in results) == {True: 7, False: 1}
    assert store.get_job(key()).cost.amount_nano == 10 * TOKEN_NANO
    (cell,) = totals(store, DAY)
    assert cell.quarters == {"40": 10 * TOKEN_NANO}


def test_different_outputs_of_one_job_settled_at_once_add_up(store):
    store.add_job(record())
    outputs = [output(f"{number}.jsonl", tokens=10**number) for number in range(8)]

    in_threads([lambda each=each: persistently(lambda: settle(store, each)) for each in outputs])

    job = store.get_job(key())
    assert (job.settled_outputs, job.usage.tokens.input) == (8, 11_111_111)
    assert job.cost.amount_nano == 11_111_111 * TOKEN_NANO
    (cell,) = totals(store, DAY)
    assert cell.items == {"input_text": ItemTotal(11_111_111, job.cost.amount_nano)}


def test_outputs_of_different_jobs_in_one_cell_settled_at_once_add_up(store):
    for number in range(8):
        store.add_job(record(number))

    in_threads(
        [
            lambda number=number: persistently(lambda: settle(store, output(tokens=10**number), number))
            for number in range(8)
        ]
    )

    (cell,) = totals(store, DAY)
    assert cell.quarters == {"40": 11_111_111 * TOKEN_NANO}


def test_a_settlement_that_fails_leaves_nothing_behind(store):
    store.add_job(record())

    with pytest.raises(ZeroDivisionError):
        store.settle(key(), output(), lambda *_: 1 / 0)

    assert store.get_job(key()) == record()
    assert store.get_outputs(key()) == []
    assert totals(store, DAY) == []
    assert settle(store, output()) is not None


def test_outputs_are_parked_once_each(store):
    parked = [output("a.jsonl", unreadable="nobody's"), output("größe 100%.jsonl", 2**62)]
    for each in (*parked, parked[0]):
        store.park(each)

    assert sorted(store.parked(10), key=lambda each: each.uri) == sorted(parked, key=lambda each: each.uri)


def test_project_numbers_are_remembered(store):
    store.remember_project("123456789012", "acme-batch")
    store.remember_project("123456789012", "acme-batch")
    store.remember_project("2", "example.com:other")

    assert store.project_of_number("123456789012") == "acme-batch"
    assert store.project_of_number("2") == "example.com:other"
    assert store.project_of_number("3") is None


def test_two_stores_of_one_database_share_their_books(firestore_host):
    one, other = (firestore_at(firestore_host, "contract-shared") for _ in range(2))
    one.add_job(record())

    settle(other, output())

    assert one.get_job(key()) == other.get_job(key())
    assert one.get_job(key()).settled_outputs == 1


def test_a_conflict_while_observing_is_looked_at_again(firestore, firestore_host, monkeypatch):
    firestore.add_job(record())
    original = firestore._client.get_all
    other = firestore_at(firestore_host, firestore._client.project)
    newest = observation(state="JOB_STATE_RUNNING", update_time=CREATED + timedelta(seconds=9))
    conflicts = []

    def read_then_be_overtaken(*args, **kwargs):
        snapshots = list(original(*args, **kwargs))
        if not conflicts:
            conflicts.append(other.observe({key(): newest}))
        return snapshots

    monkeypatch.setattr(firestore._client, "get_all", read_then_be_overtaken)

    records = firestore.observe({key(): observation(update_time=CREATED + timedelta(seconds=1))})

    assert conflicts
    assert records[key()].now.seen == newest
    assert firestore.get_job(key()).seen == newest


def test_a_settlement_whose_answer_is_lost_is_no_one_elses(firestore, monkeypatch):
    """The client sends the commit again, and Firestore refuses it, because it was there already."""
    firestore.add_job(record())
    original = WriteBatch.commit
    lost = []

    def commit_and_lose_the_answer(batch, **given):
        answer = original(batch, **given)
        if not lost:
            lost.append(answer)
            raise FailedPrecondition("the stored version does not match")
        return answer

    monkeypatch.setattr(WriteBatch, "commit", commit_and_lose_the_answer)

    assert settle(firestore, output()) == firestore.get_job(key())
    assert lost
    assert totals(firestore, DAY)[0].quarters == {"40": 10 * TOKEN_NANO}
    assert settle(firestore, output()) is None


def test_a_settlement_that_another_overtakes_is_computed_again_on_what_then_stands(store):
    store.add_job(record())
    both_have_read = threading.Barrier(2)
    given = []

    def settle_late(new):
        def settlement(job, old, increments):
            given.append(job.settled_outputs)
            with contextlib.suppress(threading.BrokenBarrierError):
                both_have_read.wait(0.3)
            return settle_output(job, old, increments, new, PRICES)

        return persistently(lambda: store.settle(key(), new, settlement))

    in_threads([lambda each=each: settle_late(each) for each in (output("a.jsonl"), output("b.jsonl"))])

    assert given[0] == 0
    assert given[-1] == 1
    assert store.get_job(key()).settled_outputs == 2
    assert totals(store, DAY)[0].quarters == {"40": 20 * TOKEN_NANO}


CALLS = {
    "ping": lambda s: s.ping(),
    "begin_submission": lambda s: s.begin_submission(submission()),
    "retake_submission": lambda s: s.retake_submission(submission(), submission(2)),
    "drop_submission": lambda s: s.drop_submission(submission()),
    "budget_balances": lambda s: s.budget_balances([("key:k1", ("all",))]),
    "daily_times": lambda s: list(s.daily_times(None, "2026-11-01", "2026-11-02")),
    "add_event": lambda s: s.add_event(an_event()),
    "claim_events": lambda s: s.claim_events(CREATED, 1),
    "latest_events": lambda s: s.latest_events("price.missing", 1),
    "amend_event": lambda s: s.amend_event("x", lambda event: event),
    "add_job": lambda s: s.add_job(record(), submission()),
    "get_job": lambda s: s.get_job(key()),
    "observe": lambda s: s.observe({key(): observation()}),
    "amend_job": lambda s: s.amend_job(key(), lambda job: job),
    "reprice": lambda s: s.reprice(key(), lambda _: None),
    "open_jobs": lambda s: s.open_jobs(1),
    "ended_jobs": lambda s: s.ended_jobs(1),
    "changed_owners": lambda s: s.changed_owners(None),
    "pass_turn": lambda s: s.pass_turn("jobs", key()),
    "sweep_notes": lambda s: s.sweep_notes(),
    "put_sweep_notes": lambda s: s.put_sweep_notes(SweepNotes()),
    "watched_jobs": lambda s: s.watched_jobs(CREATED, 1),
    "jobs_created": lambda s: s.jobs_created(CREATED, CREATED, None, 1),
    "recent_jobs": lambda s: s.recent_jobs(None, None, None, 1),
    "top_jobs": lambda s: s.top_jobs(None, None, 1),
    "get_submission": lambda s: s.get_submission("id-1"),
    "open_submissions": lambda s: s.open_submissions(1),
    "unpark": lambda s: s.unpark(output()),
    "get_output": lambda s: s.get_output(key(), "gs://b/x"),
    "put_checkpoint": lambda s: s.put_checkpoint(checkpoint()),
    "jobs_by_directory": lambda s: s.jobs_by_directory(DIRECTORY),
    "jobs_by_table": lambda s: s.jobs_by_table("bq://p.d.t"),
    "jobs_without_directory": lambda s: s.jobs_without_directory(PREFIX, 10),
    "get_outputs": lambda s: s.get_outputs(key()),
    "get_job_and_outputs": lambda s: s.get_job_and_outputs(key()),
    "settle": lambda s: settle(s, output()),
    "park": lambda s: s.park(output()),
    "parked": lambda s: s.parked(1),
    "list_totals": lambda s: list(s.list_totals(DAY, DAY, {})),
    "daily_rollups": lambda s: list(s.daily_rollups(DAY, DAY)),
    "monthly_rollups": lambda s: list(s.monthly_rollups("2026-11")),
    "project_of_number": lambda s: s.project_of_number("1"),
    "remember_project": lambda s: s.remember_project("1", "acme-batch"),
}
HANGS_SECONDS = 45
"""Without a limit of ours the SDK waits for minutes; with it some four seconds."""


@pytest.fixture(scope="module")
def failures(silent_host, refusing_host):
    """Return what each call raised, all calls at once, at hosts that are no Firestore."""
    found = {}

    def attempt(kind, name, store):
        try:
            CALLS[name](store)
            raised = None
        except Exception as error:  # noqa: BLE001 - whatever it is, a test looks at it
            raised = error
        found[kind, name] = raised

    threads = [
        threading.Thread(target=attempt, args=(kind, name, firestore_at(host)), daemon=True)
        for kind, host in (("silent", silent_host), ("refusing", refusing_host))
        for name in CALLS
    ]
    deadline = time.monotonic() + HANGS_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return found


@pytest.mark.parametrize("kind", ["silent", "refusing"])
@pytest.mark.parametrize("name", CALLS)
def test_a_firestore_that_does_not_answer_is_unavailable(failures, kind, name):
    assert (kind, name) in failures, f"it still waits after {HANGS_SECONDS} s"
    assert isinstance(failures[kind, name], StoreUnavailableError), repr(failures[kind, name])


@pytest.mark.parametrize("name", CALLS)
def test_the_store_in_memory_fails_likewise(name):
    store = MemoryStore()
    store.down = True

    with pytest.raises(StoreUnavailableError):
        CALLS[name](store)


def test_all_methods_of_the_port_are_tried_on_a_store_that_is_down():
    assert set(CALLS) == {name for name in dir(Store) if not name.startswith("_")}
