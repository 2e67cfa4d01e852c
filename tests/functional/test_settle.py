"""From an event to the books: whose output it is, what it costs, and that no crash changes that."""

import dataclasses
import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from batch_gateway.core.jobs.cost_report import is_complete
from batch_gateway.core.jobs.record import JobKey, JobRecord, observe
from batch_gateway.core.lines import MAX_LINE_BYTES
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.overrides import Override, OwnPrices, read_terms
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.notify.delivery import NotifyDeps
from batch_gateway.ports import (
    Absent,
    ObjectChangedError,
    StoreUnavailableError,
    UnreachableError,
    UpstreamUnavailableError,
)
from batch_gateway.settlement.deps import NotYetError, SettlementDeps
from batch_gateway.settlement.settle import Outcome, settle
from builders import input_files, output_folder
from fakes import MemoryObjects, MemoryStore

PRICES = prices.load()
CREATED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NOW = CREATED + timedelta(minutes=30)
FOLDER = "run/prediction-model-2026-11-22T10:00:00.123456Z"
DIRECTORY = f"gs://out/{FOLDER}"
FILE = f"{FOLDER}/predictions.jsonl"
FLASH = "publishers/google/models/gemini-2.5-flash"
ROW_NANO = 100 * 150 + 10 * 1250
"""100 tokens in, 10 out, in batch."""


def key(number=1):
    return JobKey("acme-batch", "us-central1", str(number))


def resource(number=1, **changes):
    return {
        "name": f"projects/123456789012/locations/us-central1/batchPredictionJobs/{number}",
        "displayName": f"job {number}",
        "model": FLASH,
        "inputConfig": input_files("gs://in/rows.jsonl"),
        "outputConfig": output_folder("gs://out/run"),
        "state": "JOB_STATE_PENDING",
        "createTime": "2026-11-22T10:00:00Z",
        **changes,
    }


def ended(number=1, directory=DIRECTORY, **changes):
    output = {"outputInfo": {"gcsOutputDirectory": directory}} if directory else {}
    times = {"startTime": "2026-11-22T10:05:00Z", "endTime": "2026-11-22T10:20:00Z"}
    return resource(number, **{"state": "JOB_STATE_SUCCEEDED", **times, **output, **changes})


def row(**usage):
    counts = {"promptTokenCount": 100, "candidatesTokenCount": 10, **usage}
    return json.dumps(
        {"status": "", "response": {"modelVersion": "gemini-2.5-flash", "usageMetadata": counts}}
    )


FAILED = json.dumps({"status": "Bad Request: {}", "request": {}, "response": {}})


def lines(*rows):
    return "".join(f"{line}\n" for line in rows).encode()


class FakeUpstream:
    """The Upstream port on a dict of job resources."""

    def __init__(self):
        self.jobs = {}
        self.asked = []
        self.down = False

    def get_job(self, wanted):
        self.asked.append(wanted)
        if self.down:
            raise UpstreamUnavailableError("down", sent=True)
        return self.jobs.get(wanted, Absent.MISSING)


def no_tables():
    pytest.fail("no job here writes to BigQuery")


class NoEndpoints:
    """The Endpoints port: no key has a webhook."""

    def endpoint_of(self, _):
        return None


def sending_nothing(store):
    """Return a notifier for where nobody wants events."""
    return lambda: NotifyDeps(
        outbox=store,
        endpoints=NoEndpoints(),
        receivers=None,
        topic=None,
        clock=time.monotonic,
        now=lambda: NOW,
    )


class Books:
    """The outside in memory, with what tests put there."""

    def __init__(self):
        self.store = MemoryStore()
        self.objects = MemoryObjects()
        self.upstream = FakeUpstream()
        self.deps = SettlementDeps(
            store=self.store,
            objects=self.objects,
            upstream=self.upstream,
            prices=lambda: PRICES,
            tables=no_tables,
            keys=None,
            notify=sending_nothing(self.store),
            budget_action="nothing",
            clock=time.monotonic,
            now=lambda: NOW,
        )

    def record(self, job, **fields):
        seen = observe(job)
        *_, location, _, number = job["name"].split("/")
        recorded = msgspec.structs.replace(key(number), location=location)
        self.store.add_job(JobRecord(recorded, seen, seen.create_time, api_key="nightly", **fields))
        self.upstream.jobs.setdefault(recorded, job)

    def put(self, data, name=FILE):
        return self.objects.put("out", name, data)

    def settle(self, name=FILE, *, written=CREATED, now=NOW, deps=None):
        return settle("out", name, written, now, deps or self.deps)

    def job(self, number=1):
        return self.store.get_job(key(number))

    def state(self):
        """All that is in the books."""
        store = self.store
        return (store._jobs, store._outputs, store._cells, store._parked)

    def total(self):
        return sum(
            sum(cell.quarters.values()) for cell in self.store.list_totals("2026-11-22", "2026-11-22", {})
        )


@pytest.fixture
def books():
    return Books()


def assert_settled(books, rows, number=1):
    job = books.job(number)
    assert (job.usage.rows.succeeded, job.cost.amount_nano) == (rows, rows * ROW_NANO)
    assert books.total() == sum(record.cost.amount_nano for record in books.store._jobs.values())


IGNORED = [
    f"{FOLDER}/incremental_predictions.jsonl",
    f"{FOLDER}/incremental_predictions.jsonl-00000-of-00002",
    f"{FOLDER}/incremental_predictions/predictions.jsonl",
    f"{FOLDER}/incremental_predictions-0/000000000000.jsonl",
    f"{FOLDER}/.predictions.jsonl.tmp",
    f"{FOLDER}/predictions.jsonl.tmp",
    f"{FOLDER}/predictions.jsonl_temp_0",
    f"{FOLDER}/temp-predictions.jsonl",
    f"{FOLDER}/",
    f"{FOLDER}/predictions.json",
    "predictions.jsonl",
    "run/rows.jsonl",
]


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_no_final_output_is_ignored_and_not_even_looked_at(books, name):
    books.record(ended())
    books.put(lines(row()), name)
    books.store.down = True

    assert books.settle(name) is Outcome.IGNORED
    assert not books.upstream.asked


@pytest.mark.parametrize(
    "folder", ["elsewhere", "run", "run/my-predictions", "run/prediction", "other/run/x"]
)
def test_a_file_of_that_name_in_a_folder_that_vertex_did_not_make_is_ignored(books, folder):
    books.record(ended())
    books.put(lines(row()), f"{folder}/predictions.jsonl")

    assert books.settle(f"{folder}/predictions.jsonl") is Outcome.IGNORED
    assert books.total() == 0
    assert not books.store.parked(10)


FINAL = [
    "predictions.jsonl",
    "predictions.jsonl-00000-of-00001",
    "predictions_0001.jsonl",
    "000000000000.jsonl",
]


@pytest.mark.parametrize("file", FINAL)
def test_every_name_of_final_output_is_settled(books, file):
    books.record(ended())
    books.put(lines(row(), FAILED), f"{FOLDER}/{file}")

    assert books.settle(f"{FOLDER}/{file}") is Outcome.SETTLED
    assert_settled(books, 1)
    assert books.job().usage.rows.failed == 1
    assert books.job().closed


def test_a_job_whose_directory_is_on_record_is_found_without_asking_vertex(books):
    books.record(ended())
    books.put(lines(row(), row()))

    assert books.settle() is Outcome.SETTLED
    assert_settled(books, 2)
    assert not books.upstream.asked


def test_a_job_is_found_by_its_prefix_and_what_vertex_says(books):
    books.record(resource())
    books.upstream.jobs[key()] = ended()
    books.put(lines(row()))

    assert books.settle() is Outcome.SETTLED
    assert_settled(books, 1)
    assert books.job().seen.output_directory == DIRECTORY
    assert books.job().closed


def other_directory(number):
    return f"gs://out/run/prediction-model-2026-11-22T10:00:0{number}.000000Z"


def test_among_jobs_with_one_prefix_the_right_one_is_found(books):
    for number in (1, 2, 3):
        books.record(resource(number))
        books.upstream.jobs[key(number)] = ended(number, other_directory(number))
    for number, count in ((2, 3), (3, 1), (1, 2)):
        name = f"{other_directory(number).removeprefix('gs://out/')}/predictions.jsonl"
        books.put(lines(*[row()] * count), name)
        assert books.settle(name) is Outcome.SETTLED

    assert [books.job(number).usage.rows.succeeded for number in (1, 2, 3)] == [2, 3, 1]
    assert books.total() == 6 * ROW_NANO


def test_while_a_job_with_that_prefix_runs_its_output_waits(books):
    books.record(resource())
    books.upstream.jobs[key()] = resource(state="JOB_STATE_RUNNING")
    books.put(lines(row()))

    with pytest.raises(NotYetError):
        books.settle(now=NOW + timedelta(days=1))
    assert books.total() == 0
    assert not books.store.parked(10)

    books.upstream.jobs[key()] = ended()
    assert books.settle() is Outcome.SETTLED
    assert_settled(books, 1)


@pytest.mark.parametrize("before", [50, 60, 120])
def test_many_dead_jobs_with_the_same_prefix_do_not_hide_the_live_one(books, before):
    """Jobs that failed never report a directory; they must not take up every look-up for ever."""
    for number in range(100, 100 + before):
        books.record(ended(number, directory=None, state="JOB_STATE_FAILED"))
    books.record(resource(1))
    books.upstream.jobs[key()] = ended()
    books.put(lines(row()))

    for _ in range(4):
        try:
            books.settle()
        except NotYetError:
            continue
        break

    assert_settled(books, 1)


def test_an_event_that_comes_before_its_job_is_on_record_comes_again(books):
    books.put(lines(row()))

    with pytest.raises(NotYetError):
        books.settle(written=NOW - timedelta(seconds=1))
    books.record(ended())

    assert books.settle(written=NOW - timedelta(seconds=1)) is Outcome.SETTLED
    assert_settled(books, 1)


def test_an_output_that_stays_nobodys_is_parked(books):
    info = books.put(lines(row()))

    with pytest.raises(NotYetError):
        books.settle(written=NOW - timedelta(minutes=9))
    assert not books.store.parked(10)

    assert books.settle(written=NOW - timedelta(minutes=11)) is Outcome.PARKED
    (parked,) = books.store.parked(10)
    assert (parked.uri, parked.generation, parked.bytes) == (f"gs://out/{FILE}", info.generation, info.size)
    assert parked.unreadable
    assert books.total() == 0


def test_an_output_that_is_gone_and_nobodys_is_ignored(books):
    assert books.settle() is Outcome.IGNORED
    assert not books.store.parked(10)


def test_the_same_event_again_changes_nothing(books):
    books.record(ended())
    books.put(lines(row()))
    books.settle()
    writes, state = books.store.writes, repr(books.state())

    assert [books.settle() for _ in range(3)] == [Outcome.ALREADY_SETTLED] * 3

    assert (books.store.writes, repr(books.state())) == (writes, state)


def test_an_overwritten_object_replaces_what_it_was(books):
    books.record(ended())
    books.put(lines(row(), row(), row()))
    books.settle()
    second = books.put(lines(row(), FAILED))

    assert books.settle() is Outcome.SETTLED

    assert_settled(books, 1)
    assert books.job().settled_outputs == 1
    (output,) = books.store.get_outputs(key())
    assert output.generation == second.generation


def test_an_object_overwritten_before_its_first_event_is_counted_once(books):
    books.record(ended())
    books.put(lines(row(), row(), row()))
    books.put(lines(row()))

    assert [books.settle(), books.settle()] == [Outcome.SETTLED, Outcome.ALREADY_SETTLED]
    assert_settled(books, 1)


def test_an_object_deleted_before_it_was_read_is_a_loss_that_shows(books, capsys):
    books.record(ended())

    assert books.settle() is Outcome.UNREADABLE
    assert books.settle() is Outcome.ALREADY_SETTLED

    job = books.job()
    assert (job.settled_outputs, job.unreadable_outputs, job.cost.amount_nano) == (1, 1, 0)
    assert '"ERROR","message":"output lost"' in capsys.readouterr().out


def test_an_object_that_comes_back_after_it_was_lost_is_settled(books):
    books.record(ended())
    books.settle()
    books.put(lines(row()))

    assert books.settle() is Outcome.SETTLED

    assert_settled(books, 1)
    assert (books.job().settled_outputs, books.job().unreadable_outputs) == (1, 0)


def test_an_object_deleted_after_it_was_settled_keeps_its_cost(books):
    books.record(ended())
    books.put(lines(row()))
    books.settle()
    books.objects.delete("out", FILE)

    assert books.settle() is Outcome.ALREADY_SETTLED
    assert_settled(books, 1)
    assert books.job().unreadable_outputs == 0


class Overwriting(MemoryObjects):
    """Overwrites or deletes an object as soon as it has been looked at, once."""

    def __init__(self, change):
        super().__init__()
        self._change = change

    def stat(self, bucket, name):
        info = super().stat(bucket, name)
        if self._change:
            change, self._change = self._change, None
            change(self)
        return info


CHANGES = {
    "overwritten": lambda objects: objects.put("out", FILE, lines(row())),
    "deleted": lambda objects: objects.delete("out", FILE),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_object_that_changes_while_it_is_read_is_not_settled_as_it_was(books, change):
    books.objects = Overwriting(CHANGES[change])
    books.deps = dataclasses.replace(books.deps, objects=books.objects)
    books.record(ended())
    books.put(lines(row(), row(), row()))
    before = repr(books.state())

    with pytest.raises(ObjectChangedError):
        books.settle()
    assert repr(books.state()) == before

    assert books.settle() is (Outcome.SETTLED if change == "overwritten" else Outcome.UNREADABLE)
    assert_settled(books, 1 if change == "overwritten" else 0)


@pytest.mark.parametrize(
    "bad",
    [
        b'{"status":"","resp',
        b"\xff\xfe",
        b"[]",
        b"42",
        b"not json",
        b'{"response":{"usageMetadata":{"promptTokenCount":-1}}}',
    ],
)
def test_a_malformed_line_in_the_middle_is_counted_and_the_rest_priced(books, bad, capsys):
    books.record(ended())
    books.put(lines(row()) + bad + b"\n" + lines(row()))

    assert books.settle() is Outcome.SETTLED

    assert_settled(books, 2)
    assert books.job().usage.rows.malformed == 1
    assert '"WARNING","message":"output settled"' in capsys.readouterr().out


def test_a_last_line_without_a_line_feed_counts_and_blank_lines_do_not(books):
    books.record(ended())
    books.put(b"\n" + lines(row()) + b"\r\n\n  \n" + row().encode())

    books.settle()

    assert_settled(books, 2)
    assert books.job().usage.rows.total == 2


class InMebibytes(MemoryObjects):
    """Reads in larger pieces than MemoryObjects does."""

    def read(self, bucket, name, generation, start=0):
        info, data = self._objects[bucket, name]
        assert info.generation == generation
        yield from (data[at : at + 2**20] for at in range(start, len(data), 2**20))


def test_an_oversized_line_is_malformed_and_the_rest_priced(books):
    books.objects = InMebibytes()
    books.deps = dataclasses.replace(books.deps, objects=books.objects)
    books.record(ended())
    books.put(lines(row()) + b'{"x":"' + b"x" * MAX_LINE_BYTES + b'"}\n' + lines(row()))

    books.settle()

    assert_settled(books, 2)
    assert books.job().usage.rows.malformed == 1


def test_an_empty_output_settles_to_nothing(books):
    books.record(ended())
    books.put(b"")

    assert books.settle() is Outcome.SETTLED
    assert (books.job().settled_outputs, books.job().closed, books.total()) == (1, True, 0)


def test_an_unknown_model_is_unpriced_never_free(books):
    unknown = row().replace("gemini-2.5-flash", "gemini-99")
    books.record(ended(model="publishers/google/models/gemini-99"))
    books.put(lines(unknown, unknown))

    assert books.settle() is Outcome.SETTLED

    cost = books.job().cost
    assert (cost.amount_nano, cost.unpriced_rows) == (0, 2)
    assert cost.line_items[0].amount_nano is None
    (cell,) = books.store.list_totals("2026-11-22", "2026-11-22", {})
    assert (cell.model, cell.items["input_text"].quantity) == ("gemini-99", 200)


def test_vertex_going_down_after_the_commit_does_not_undo_it(books, capsys):
    books.record(resource(state="JOB_STATE_RUNNING", outputInfo={"gcsOutputDirectory": DIRECTORY}))
    books.put(lines(row()))
    books.upstream.down = True

    assert books.settle() is Outcome.SETTLED

    assert_settled(books, 1)
    assert not books.job().closed
    assert "job not looked up" in capsys.readouterr().out


def test_vertex_down_while_the_job_is_looked_for_lets_the_event_come_again(books):
    books.record(resource())
    books.put(lines(row()))
    books.upstream.down = True

    with pytest.raises(UpstreamUnavailableError):
        books.settle()
    assert books.total() == 0

    books.upstream.down = False
    books.upstream.jobs[key()] = ended()
    assert books.settle() is Outcome.SETTLED


def test_books_that_are_down_let_the_event_come_again(books):
    books.record(ended())
    books.put(lines(row()))
    books.store.down = True

    with pytest.raises(StoreUnavailableError):
        books.settle()

    books.store.down = False
    assert books.settle() is Outcome.SETTLED
    assert_settled(books, 1)


def test_shards_of_one_job_add_up_and_the_last_one_closes_it(books):
    books.record(ended())
    names = [f"{FOLDER}/predictions.jsonl-0000{shard}-of-00003" for shard in range(3)]
    for count, name in enumerate(names, 1):
        books.put(lines(*[row()] * count), name)

    for name, closed in zip(names, (False, False, True), strict=True):
        assert books.settle(name) is Outcome.SETTLED
        assert books.job().closed is closed

    assert_settled(books, 6)


def test_a_closed_jobs_output_that_is_overwritten_is_settled_anew(books):
    books.record(ended())
    books.put(lines(row()))
    books.settle()
    assert books.job().closed
    books.put(lines(row(), row()))

    assert books.settle() is Outcome.SETTLED
    assert_settled(books, 2)


def test_a_job_deleted_upstream_is_settled_from_what_is_on_record(books):
    books.record(ended())
    books.upstream.jobs.clear()
    books.put(lines(row()))

    assert books.settle() is Outcome.SETTLED
    assert_settled(books, 1)


class CrashError(Exception):
    """The instance dies here."""


class Crashing:
    """A port that dies at the n-th call of all ports together, before or after the call's effect."""

    def __init__(self, port, clock):
        self._port = port
        self._clock = clock

    def __getattr__(self, name):
        method = getattr(self._port, name)

        def call(*args, **kwargs):
            if self._clock.strikes(name, "before"):
                raise CrashError(name)
            answer = method(*args, **kwargs)
            if name == "read":
                return self._reading(answer)
            if self._clock.strikes(name, "after"):
                raise CrashError(name)
            return answer

        return call

    def _reading(self, chunks):
        yield next(chunks, b"")
        if self._clock.strikes("read", "after"):
            raise CrashError("in the middle of reading")
        yield from chunks


class Clock:
    """Counts moments at which an instance may die, and says whether it does."""

    def __init__(self, fatal=None):
        self.fatal = fatal
        self.moments = []

    def strikes(self, name, when):
        self.moments.append(f"{when} {name}")
        return len(self.moments) - 1 == self.fatal


def found_by_directory(books):
    books.record(ended())
    books.put(lines(row(), row(), FAILED))


def found_by_vertex(books):
    books.record(resource(7))
    books.record(resource())
    books.upstream.jobs[key()] = ended()
    books.upstream.jobs[key(7)] = ended(7, other_directory(7))
    books.put(lines(row(), row()))


def still_running(books):
    books.record(resource(state="JOB_STATE_RUNNING", outputInfo={"gcsOutputDirectory": DIRECTORY}))
    books.upstream.jobs[key()] = ended()
    books.put(lines(row()))


def overwritten(books):
    books.record(ended())
    books.put(lines(row(), row(), row()))
    books.settle()
    books.put(lines(row()))


def deleted(books):
    books.record(ended())


def one_of_two(books):
    found_by_directory(books)
    books.put(lines(row()), f"{FOLDER}/predictions_0002.jsonl")


def nobodys(books):
    books.put(lines(row()))


def settled_while_it_ran(books):
    books.record(resource(state="JOB_STATE_RUNNING", outputInfo={"gcsOutputDirectory": DIRECTORY}))
    books.put(lines(row()))
    books.settle()
    books.upstream.jobs[key()] = ended()


SCENARIOS = [
    *(found_by_directory, found_by_vertex, still_running, overwritten, deleted, one_of_two, nobodys),
    settled_while_it_ran,
]


def crashing(deps, clock):
    """The same, where each call of a port is a moment at which it may crash."""
    return dataclasses.replace(
        deps,
        store=Crashing(deps.store, clock),
        objects=Crashing(deps.objects, clock),
        upstream=Crashing(deps.upstream, clock),
    )


def run(scenario, fatal=None):
    """The books after an event that dies at a moment and comes again; and the moments of the first try."""
    books, clock = Books(), Clock(fatal)
    scenario(books)
    deps = crashing(books.deps, clock)
    try:
        books.settle(deps=deps)
    except CrashError:
        books.settle()
    return books, clock.moments


CRASHES = [
    pytest.param(scenario, fatal, id=f"{scenario.__name__}-{fatal}-{moment.replace(' ', '-')}")
    for scenario in SCENARIOS
    for fatal, moment in enumerate(run(scenario)[1])
]


@pytest.mark.parametrize(("scenario", "fatal"), CRASHES)
def test_a_crash_at_any_moment_and_a_second_try_give_the_same_books(scenario, fatal):
    assert run(scenario, fatal)[0].state() == run(scenario)[0].state()


def test_the_moments_of_a_crash_are_all_there():
    seen = {moment.partition(" ")[2] for scenario in SCENARIOS for moment in run(scenario)[1]}

    assert seen >= {
        *("jobs_by_directory", "jobs_without_directory", "observe", "get_output", "get_outputs", "settle"),
        *("amend_job", "park", "stat", "read", "list"),
    }
    assert len(CRASHES) > 80


def test_two_crashes_in_a_row_change_nothing_either():
    expected = run(found_by_vertex)[0].state()
    for first in range(0, len(run(found_by_vertex)[1]), 3):
        books, _ = run_twice(found_by_vertex, first)
        assert books.state() == expected


def run_twice(scenario, fatal):
    books, clock = Books(), Clock(fatal)
    scenario(books)
    for _ in range(2):
        deps = crashing(books.deps, clock)
        try:
            books.settle(deps=deps)
        except CrashError:
            clock = Clock(fatal)
    books.settle()
    return books, clock


def test_another_instance_that_settles_in_between_wins_and_nothing_is_doubled(books):
    books.record(ended())
    info = books.put(lines(row()))
    original = books.objects.read

    def read_slowly(*given):
        chunks = list(original(*given))
        books.objects.read = original
        assert books.settle() is Outcome.SETTLED, "the other instance"
        yield from chunks

    books.objects.read = read_slowly

    assert books.settle() is Outcome.ALREADY_SETTLED
    assert_settled(books, 1)
    assert books.store.get_outputs(key())[0].generation == info.generation


def test_a_settlement_that_the_store_computes_twice_counts_once(books, monkeypatch):
    books.record(ended())
    books.put(lines(row()))
    original = books.store.settle

    def computed_twice(wanted, output, settlement):
        settlement(books.job(), None, [])
        return original(wanted, output, settlement)

    monkeypatch.setattr(books.store, "settle", computed_twice)

    books.settle()

    assert_settled(books, 1)


class Ticking:
    """A clock on which every look takes a second."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


def test_an_output_too_large_for_one_go_is_read_on_from_where_it_was_left(books, monkeypatch):
    rows = [row() for _ in range(50)]
    books.record(ended())
    info = books.put(lines(*rows))
    starts, said, original = [], [], books.objects.read

    def read(bucket, name, generation, start):
        starts.append(start)
        return original(bucket, name, generation, start)

    monkeypatch.setattr(books.objects, "read", read)
    deps = dataclasses.replace(books.deps, clock=Ticking())

    for _ in range(100):
        try:
            outcome = settle("out", FILE, CREATED, NOW, deps, deadline=deps.clock() + 6)
        except NotYetError as error:
            said.append((str(error), books.job().settled_outputs))
        else:
            break

    assert all("continues from there" in why and not settled for why, settled in said)
    assert outcome is Outcome.SETTLED
    assert_settled(books, 50)
    assert len(starts) > 5
    assert starts == sorted(set(starts)), "each try went on, none began again"
    assert all(start % len(lines(row())) == 0 for start in starts)
    assert info.size == books.store.get_outputs(key())[0].bytes


def named_rows(capsys):
    """Of each line of the log that names rows of no known shape, what it says of them."""
    logged = map(json.loads, capsys.readouterr().out.splitlines())
    return [each["rows"] for each in logged if each.get("event") == "rows.unrecognized"]


def test_rows_of_no_known_shape_are_named_in_the_log_without_what_they_hold(books, capsys):
    odd = '{"custom_id": "secret", "answer": {"secret": 1}}'
    books.record(ended())
    books.put(lines(row(), odd, row(), *["{}"] * 9))

    assert books.settle() is Outcome.SETTLED

    job = books.job()
    assert (job.usage.rows.unrecognized, is_complete(job)) == (10, False)
    out = capsys.readouterr().out
    (named,) = [json.loads(said) for said in out.splitlines() if '"rows.unrecognized"' in said]
    assert (named["severity"], named["job"], named["uri"]) == ("WARNING", job.seen.name, f"gs://out/{FILE}")
    assert named["rows"] == [
        {"row": 2, "members": ["custom_id", "answer"]},
        *({"row": number, "members": []} for number in range(4, 8)),
    ]
    assert "secret" not in out
    assert '"WARNING","message":"output settled"' in out


def test_an_output_that_is_all_known_names_none(books, capsys):
    books.record(ended())
    books.put(lines(row(), '{"status": "Bad Request"}'))

    books.settle()

    assert named_rows(capsys) == []


def test_rows_keep_their_numbers_where_an_output_is_read_on(books, capsys):
    books.record(ended())
    books.put(lines(*[row()] * 20, "{}", *[row()] * 20, "{}"))
    deps = dataclasses.replace(books.deps, clock=Ticking())
    for _ in range(100):
        try:
            settle("out", FILE, CREATED, NOW, deps, deadline=deps.clock() + 6)
        except NotYetError:
            continue
        break

    assert [each["row"] for rows in named_rows(capsys) for each in rows] == [21, 42]


def test_a_checkpoint_of_an_overwritten_object_is_worth_nothing(books):
    books.record(ended())
    books.put(lines(*[row()] * 9))
    deps = dataclasses.replace(books.deps, clock=Ticking())
    with pytest.raises(NotYetError):
        settle("out", FILE, CREATED, NOW, deps, deadline=deps.clock() + 3)
    books.put(lines(row(), row()))

    assert books.settle() is Outcome.SETTLED

    assert_settled(books, 2)


def test_a_binary_output_is_unreadable_and_says_why(books):
    books.record(ended())
    books.put(b"\x10\x00\x00\x00\x00\x00\x00\x00\xff\xfe" * 9, f"{FOLDER}/prediction.results-00000-of-00001")

    assert books.settle(f"{FOLDER}/prediction.results-00000-of-00001") is Outcome.SETTLED

    assert books.job().unreadable_outputs == 1
    assert books.store.get_outputs(key())[0].unreadable


def announced(books):
    """Return the announcements about models without a price, the first first."""
    events = sorted(books.store.events.values(), key=lambda event: event.time)
    return [json.loads(event.body)["data"] for event in events if event.type == "price.missing"]


def test_a_model_without_a_price_is_announced_once_a_day_with_the_line_that_prices_it(books, capsys):
    unknown = row(cachedContentTokenCount=7).replace("gemini-2.5-flash", "gemini-99")
    for number in (1, 2):
        folder = FOLDER.replace("T10", f"T1{number}")
        books.record(ended(number, f"gs://out/{folder}", model="publishers/google/models/gemini-99"))
        books.put(lines(unknown), f"{folder}/predictions.jsonl")
        assert books.settle(f"{folder}/predictions.jsonl") is Outcome.SETTLED

    (said,) = announced(books)

    assert (said["model"], said["name"], said["apiKey"]) == ("gemini-99", ended(1)["name"], "nightly")
    assert '-X PUT "$GATEWAY_URL/v1/prices/gemini-99"' in said["command"]
    body = json.loads(re.search(r"-d '(.*)'$", said["command"])[1])
    assert body == said["terms"]
    assert list(body["prices"][0]["batch"]) == ["input", "cached_input", "output"]
    with pytest.raises(ValueError, match="not a decimal string"):
        read_terms("gemini-99", json.dumps(body), PRICES.non_global_from)
    body["prices"][0]["batch"] = {"input": "1", "cached_input": "0.1", "output": "2"}
    assert read_terms("gemini-99", json.dumps(body), PRICES.non_global_from).unit == "token"
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [line for line in logged if line.get("event") == "price.missing"]
    assert (line["unpriced_model"], line["command"]) == ("gemini-99", said["command"])


def unpriced(books):
    books.record(ended(model="publishers/google/models/gemini-99"))
    books.put(lines(row().replace("gemini-2.5-flash", "gemini-99")))


@pytest.mark.parametrize("fatal", range(len(run(unpriced)[1])))
def test_it_is_announced_whenever_the_instance_dies(fatal):
    books, _ = run(unpriced, fatal)

    assert [said["model"] for said in announced(books)] == ["gemini-99"]
    assert books.job().closed


def test_a_topic_that_does_not_answer_is_tried_once_however_many_models_have_no_price(books):
    """Each try may take longer than the settlement itself."""
    tried = []

    class Silent:
        def publish(self, body, _):
            tried.append(body)
            raise UnreachableError("timed out")

    books.record(ended(model="publishers/google/models/gemini-99"))
    books.put(lines(*(row().replace("gemini-2.5-flash", f"gemini-{number}") for number in range(90, 95))))
    sending = dataclasses.replace(books.deps.notify(), topic=Silent())
    books.settle(deps=dataclasses.replace(books.deps, notify=lambda: sending))

    assert len(announced(books)) == 5
    assert len([body for body in tried if b"price.missing" in body]) == 1


def test_a_model_that_has_got_a_price_meanwhile_is_not_announced_when_its_job_is_closed(books):
    running = ended(model="publishers/google/models/gemini-99", state="JOB_STATE_RUNNING")
    books.record(running)
    books.put(lines(row().replace("gemini-2.5-flash", "gemini-99")))
    books.settle()
    assert len(announced(books)) == 1

    books.upstream.jobs[key()] = {**running, "state": "JOB_STATE_SUCCEEDED"}
    table = json.loads(Path(prices.__file__).with_name("prices.json").read_bytes())
    table["models"]["gemini-99"] = table["models"]["gemini-2.5-flash"]
    priced = PriceTable.from_json(json.dumps(table).encode())
    books.store.events.clear()
    books.settle(deps=dataclasses.replace(books.deps, prices=lambda: priced))

    assert books.job().closed
    assert announced(books) == []


def test_the_next_day_it_is_announced_again(books):
    unknown = row().replace("gemini-2.5-flash", "gemini-99")
    books.record(ended(model="publishers/google/models/gemini-99"))
    for days in (0, 1):
        books.put(lines(*[unknown] * (days + 1)))
        now = NOW + timedelta(days=days)
        settle("out", FILE, NOW, now, dataclasses.replace(books.deps, now=lambda now=now: now))

    assert [said["model"] for said in announced(books)] == ["gemini-99"] * 2


def test_a_model_with_a_price_is_not_announced(books):
    books.record(ended())
    books.put(lines(row(toolUsePromptTokenCount=5)))
    books.settle()

    assert announced(books) == []


def owned(name, terms, location=""):
    override = Override(name, location, json.dumps(terms), "master", NOW)
    return PRICES.with_own(OwnPrices([override], {}, PRICES.non_global_from))


def rates(**batch):
    price = {"from": None, "source": "ours", "batch": batch}
    return {"unit": "token", "non_global_multiplier": "1", "prices": [price]}


def test_a_model_that_is_priced_elsewhere_only_is_announced_for_each_location(books):
    unknown = row().replace("gemini-2.5-flash", "gemini-99")
    table = owned("gemini-99", rates(input="1", output="2"), "europe-west4")
    books.deps = dataclasses.replace(books.deps, prices=lambda: table)
    for number, location in enumerate(("us-central1", "europe-west4", "us-east5", "us-east5")):
        folder = FOLDER.replace("T10", f"T1{number}")
        job = ended(number, f"gs://out/{folder}", model="publishers/google/models/gemini-99")
        books.record({**job, "name": job["name"].replace("us-central1", location)})
        books.put(lines(unknown), f"{folder}/predictions.jsonl")
        assert books.settle(f"{folder}/predictions.jsonl") is Outcome.SETTLED

    assert sorted(said["name"].split("/")[3] for said in announced(books)) == ["us-central1", "us-east5"]


def test_a_model_whose_output_has_no_price_is_announced_with_all_that_it_used(books):
    table = owned("gemini-2.5-flash", rates(input="1"))
    books.deps = dataclasses.replace(books.deps, prices=lambda: table)
    books.record(ended())
    books.put(lines(row()))
    books.settle()

    (said,) = announced(books)
    assert list(said["terms"]["prices"][0]["batch"]) == ["input", "output"]


def test_a_name_that_no_model_can_have_is_announced_without_a_command(books):
    books.record(ended(model="publishers/google/models/gemini-99"))
    books.put(lines(row().replace("gemini-2.5-flash", "x';rm -rf ~;'")))
    books.settle()

    (said,) = announced(books)
    assert (said["model"], said["command"], said["terms"]) == ("x';rm -rf ~;'", None, None)


def test_prices_that_change_while_an_output_is_read_do_not_mix(books):
    dearer = PRICES.with_own(
        OwnPrices(
            [Override("publishers/-", "", '{"discount":"0.5"}', "master", NOW)], {}, PRICES.non_global_from
        )
    )
    tables = iter([PRICES, dearer])
    books.deps = dataclasses.replace(books.deps, prices=lambda: next(tables))
    books.record(ended())
    books.put(lines(row()))
    books.settle()

    assert (books.job().cost.amount_nano, books.job().cost.price_table) == (ROW_NANO, PRICES.version)
    books.put(lines(row(), row()))
    books.settle()
    assert (books.job().cost.amount_nano, books.job().cost.price_table) == (ROW_NANO, dearer.version)


def test_the_configurations_base_model_counts_and_vertex_is_not_asked(books):
    tuned = "projects/123456789012/locations/us-central1/models/4242"
    place = ("acme-batch", "us-central1", "models/4242")
    books.deps = dataclasses.replace(books.deps, base_models={place: "vertex_ai/gemini-2.5-flash"})
    books.record(ended(model=tuned))
    books.put(lines(row().replace("gemini-2.5-flash", "4242")))
    books.settle()

    assert books.job().cost.amount_nano == ROW_NANO
    assert books.job().base_model == "vertex_ai/gemini-2.5-flash"


class ClaimingTopic:
    """The Topic port; while it takes an event, a sweep looks for events that are due."""

    def __init__(self, store, now):
        self.store, self.now = store, now
        self.times, self.claimed = [], []

    def publish(self, body, _):
        self.times.append(json.loads(body)["timestamp"])
        self.claimed += self.store.claim_events(self.now, 10)


def test_the_event_of_an_output_that_took_minutes_to_read_is_not_sent_by_a_sweep_too(books):
    books.record(ended())
    books.put(lines(row()))
    then = NOW + timedelta(minutes=6)
    topic = ClaimingTopic(books.store, then)
    sending = dataclasses.replace(books.deps.notify(), topic=topic, now=lambda: then)
    deps = dataclasses.replace(books.deps, now=lambda: then, notify=lambda: sending)

    assert books.settle(written=NOW, deps=deps) is Outcome.SETTLED

    assert (topic.times, topic.claimed) == (["2026-11-22T10:36:00Z"], [])
    assert [output.settled_at for output in books.store.get_outputs(key())] == [then]
