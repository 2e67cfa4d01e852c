"""How often Firestore is asked for an event: every round trip is time that an instance is paid for."""

import dataclasses
import queue
from concurrent.futures import ThreadPoolExecutor

import pytest

from batch_gateway.settlement.outputs import settle_live
from contract.conftest import firestore_at
from contract.counting import CountedFirestore
from functional import test_settle as settling
from functional.test_settle import DIRECTORY, FOLDER, Books, Outcome

AIM = 8


@pytest.fixture
def books(firestore):
    books = Books()
    books.store = firestore
    books.deps = dataclasses.replace(books.deps, store=firestore, notify=settling.sending_nothing(firestore))
    books.firestore = CountedFirestore(firestore._client)
    return books


def trips(books, name=settling.FILE):
    """The round trips of one event that settles something."""
    books.firestore.reset()
    assert books.settle(name) is Outcome.SETTLED
    return books.firestore.calls.total()


def test_an_event_of_a_job_whose_end_is_on_record(books):
    books.record(settling.ended())
    books.put(settling.lines(settling.row()))

    assert trips(books) <= AIM
    assert books.job().closed


def test_an_event_of_a_job_that_runs_as_far_as_is_known(books):
    books.record(settling.resource(state="JOB_STATE_RUNNING"))
    books.upstream.jobs[settling.key()] = settling.ended()
    books.put(settling.lines(settling.row()))

    assert trips(books) <= AIM
    assert books.job().closed


def test_a_final_file_after_incremental_ones(books):
    books.record(settling.ended(state="JOB_STATE_RUNNING"))
    for number in range(3):
        info = books.put(settling.lines(settling.row()), f"{FOLDER}/incremental_predictions/{number}.jsonl")
        settle_live(books.job(), "out", info, books.deps, now=settling.NOW, deadline=1e12)
    assert books.job().usage.rows.succeeded == 3
    books.upstream.jobs[settling.key()] = settling.ended()
    books.put(settling.lines(*[settling.row()] * 3))

    assert trips(books) <= AIM + 1, "the incremental ones are read"
    assert books.job().usage.rows.succeeded == 3
    assert books.job().closed


def shards(books, number):
    """Round trips and documents read for each shard of a job that has ended, one after the other."""
    books.record(settling.ended())
    names = [f"{FOLDER}/predictions.jsonl-{shard:05}-of-{number:05}" for shard in range(number)]
    for name in names:
        books.put(settling.lines(settling.row()), name)
    asked = []
    for name in names:
        calls = trips(books, name)
        found = books.firestore.documents
        asked.append((calls, found["batch_get_documents"] + found["run_query"]))
    assert books.job().usage.rows.succeeded == number
    assert books.job().closed
    return asked


def test_the_number_of_shards_changes_nothing_but_for_the_last_one(books):
    *before, last = shards(books, 40)

    assert len({calls for calls, _ in before}) == 1, before
    assert len({documents for _, documents in before[1:]}) == 1, before
    assert last[0] <= AIM
    assert last[1] < 40 + 2 * AIM


def test_errors_beside_results_are_not_read_for_each_of_them(books):
    directory = f"{DIRECTORY}-custom"
    books.record(settling.ended(directory=directory, model="publishers/google/models/gemini-2.5-flash"))
    folder = f"{FOLDER}-custom"
    results = [f"{folder}/prediction.results-{shard:05}-of-00010" for shard in range(10)]
    errors = [f"{folder}/prediction.errors_stats-{shard:05}-of-00010" for shard in range(10)]
    for name in (*results, *errors):
        books.put(b"", name)

    calls = [trips(books, name) for name in (*results, *errors)]

    assert len(set(calls[:-1])) == 1, calls
    assert books.job().closed


def test_shards_that_are_settled_at_once_all_succeed_at_the_first_delivery(books, firestore_host):
    """Twenty instances, as many as settlement may have, each with a connection of its own."""
    number = 60
    books.record(settling.ended())
    names = [f"{FOLDER}/predictions.jsonl-{shard:05}-of-{number:05}" for shard in range(number)]
    for name in names:
        books.put(settling.lines(settling.row()), name)
    project = books.store._client.project
    stores = queue.SimpleQueue()
    for _ in range(20):
        stores.put(firestore_at(firestore_host, project))

    def deliver(name):
        store = stores.get()
        try:
            return books.settle(name, deps=dataclasses.replace(books.deps, store=store))
        finally:
            stores.put(store)

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(deliver, names)) == {Outcome.SETTLED}

    assert books.job().usage.rows.succeeded == number
    assert books.job().closed
