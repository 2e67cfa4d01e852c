"""Output that comes, grows or changes after a job's end: no cost is final too early, and none is lost."""

import dataclasses
import json
from datetime import timedelta

import msgspec
import pytest

from batch_gateway.core.access.keys import KeyRecord
from batch_gateway.core.accounting.budgets import BudgetBalance
from fakes import MemoryTables
from functional import test_settle as settling
from functional.test_reconcile import ENDED, WATCHED, World
from functional.test_settle import CREATED, DIRECTORY, FILE, FOLDER, NOW, ROW_NANO, ended, key, lines, row

INCREMENTAL = f"{FOLDER}/incremental_predictions.jsonl"
UNSUCCESSFUL = ["FAILED", "CANCELLED", "EXPIRED"]
HOUR = timedelta(hours=1)


def amount(rows):
    return f"{rows * ROW_NANO / 10**9:.9f}".rstrip("0").rstrip(".")


@pytest.fixture
def world():
    return World()


def events(capsys):
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [
        line["event"] for line in said if line.get("event") not in {None, "sweep.done", "job.state_changed"}
    ]


def never_ran(**changes):
    """A job that failed in the queue: it names no time at which it began, no directory and no row."""
    return {
        name: value
        for name, value in ended(directory=None, state="JOB_STATE_FAILED", **changes).items()
        if name != "startTime"
    }


# Not final before it is known


@pytest.mark.parametrize("directory", [None, DIRECTORY])
@pytest.mark.parametrize("state", UNSUCCESSFUL)
def test_a_job_that_ended_without_output_is_not_final_while_some_may_come(world, state, directory):
    world.record(ended(state=f"JOB_STATE_{state}", directory=directory))

    for now in (ENDED, ENDED + HOUR, WATCHED - timedelta(seconds=1)):
        assert world.sweep(now=now).closed == 0
        assert world.said() == ("PENDING", False, "0")

    assert world.sweep(now=WATCHED).closed == 1
    assert world.said() == ("FINAL", True, "0")
    assert world.job().next_look is None


@pytest.mark.parametrize(
    "names", [(FILE,), (INCREMENTAL,), (f"{FOLDER}/incremental_predictions/7.jsonl", FILE)]
)
@pytest.mark.parametrize("after", [timedelta(0), timedelta(minutes=7), 23 * HOUR])
@pytest.mark.parametrize("state", UNSUCCESSFUL)
def test_output_that_comes_after_the_end_is_settled_without_its_event(world, state, after, names):
    world.record(ended(state=f"JOB_STATE_{state}"))
    world.sweep(now=ENDED)
    for name in names:
        world.put(lines(row(), row()), name)

    world.sweep(now=ENDED + after)

    settling.assert_settled(world, 2)
    assert world.job().closed is (FILE in names), "a final file says all, incremental ones may grow"


def test_incremental_output_of_a_cancelled_job_grows_until_it_is_watched_no_more(world):
    world.record(ended(state="JOB_STATE_CANCELLED"))
    for rows in (1, 3, 4):
        world.put(lines(*[row()] * rows), INCREMENTAL)
        world.sweep(now=ENDED + rows * HOUR)
        assert world.said() == ("PARTIAL", False, amount(rows))

    world.sweep(now=WATCHED)

    assert world.said() == ("FINAL", True, amount(4))


def test_fewer_rows_than_vertex_says_it_answered_are_never_complete(world):
    world.record(ended(state="JOB_STATE_CANCELLED", completionStats={"successfulCount": "3"}))
    world.put(lines(row(), row()), INCREMENTAL)
    world.sweep(now=WATCHED)
    assert world.said() == ("FINAL", False, amount(2))

    world.put(lines(row(), row(), row()))
    world.settle(now=WATCHED + HOUR)

    assert world.said() == ("FINAL", True, amount(3))


@pytest.mark.parametrize("state", ["SUCCEEDED", "CANCELLED"])
def test_some_of_the_shards_are_not_the_whole(world, capsys, state):
    first, second = (f"{FILE}-0000{number}-of-00002" for number in range(2))
    world.record(ended(state=f"JOB_STATE_{state}"))
    world.put(lines(row()), second)
    assert world.sweep(now=ENDED + 5 * HOUR).closed == 0
    assert world.said() == ("PARTIAL", False, amount(1))

    assert world.sweep(now=WATCHED).closed == 1
    assert world.said() == ("FINAL", False, amount(1))
    assert "output.lost" in events(capsys)

    world.put(lines(row()), first)
    world.settle(first, now=WATCHED + HOUR)
    assert world.said() == ("FINAL", True, amount(2))


@pytest.mark.parametrize("rows", [(), (settling.FAILED,)])
def test_a_lacking_shard_that_costs_nothing_completes_the_job_all_the_same(world, rows):
    world.record(ended())
    world.put(lines(row()), f"{FILE}-00001-of-00002")
    world.sweep(now=WATCHED)
    world.put(lines(*rows) or b"\n", f"{FILE}-00000-of-00002")

    world.settle(f"{FILE}-00000-of-00002", now=WATCHED + HOUR)

    assert world.said() == ("FINAL", True, amount(1))


def test_incremental_output_is_not_all_of_a_job_that_succeeded(world):
    world.record(ended())
    world.put(lines(row()), INCREMENTAL)

    world.sweep(now=WATCHED)

    assert world.said() == ("FINAL", False, amount(1))


def test_a_job_without_a_time_of_its_end_is_watched_from_its_last_change(world):
    expired = ended(state="JOB_STATE_EXPIRED", updateTime="2026-11-23T00:00:00Z")
    del expired["endTime"]
    world.record(expired)

    assert world.sweep(now=CREATED + timedelta(hours=37, minutes=59)).closed == 0
    assert world.sweep(now=CREATED + timedelta(hours=38)).closed == 1


def test_a_job_without_any_time_is_watched_from_when_it_must_have_ended(world):
    expired = ended(state="JOB_STATE_EXPIRED")
    del expired["endTime"]
    world.record(expired)

    assert world.sweep(now=CREATED + timedelta(hours=119)).closed == 0
    assert world.sweep(now=CREATED + timedelta(hours=120)).closed == 1


def test_a_job_that_was_deleted_is_watched_from_when_that_was_found_out(world):
    seen = {"updateTime": "2026-11-22T10:10:00Z", "outputInfo": {"gcsOutputDirectory": DIRECTORY}}
    world.record(settling.resource(state="JOB_STATE_RUNNING", **seen))
    world.upstream.jobs.clear()

    assert [world.sweep(now=NOW + hours * HOUR).closed for hours in (0, 23)] == [0, 0]
    world.put(lines(row()), INCREMENTAL)
    assert world.sweep(now=NOW + 24 * HOUR).closed == 1
    assert world.said() == ("PARTIAL", False, amount(1)), "it was never seen to end"


def test_a_job_without_a_directory_is_not_complete_beside_output_of_nobody(world, capsys):
    world.record(ended(state="JOB_STATE_CANCELLED", directory=None))
    world.put(lines(row()))

    world.sweep(now=WATCHED)

    assert world.said() == ("FINAL", False, "0")
    assert "output.lost" in events(capsys)


@pytest.mark.parametrize(
    "name", ["run/mine.jsonl", "run/prediction-model-2026-11-22T09:59:00.1Z/predictions.jsonl"]
)
def test_other_output_beside_a_job_without_a_directory_is_not_its_own(world, name):
    world.record(ended(state="JOB_STATE_CANCELLED", directory=None))
    world.record(ended(2))
    world.put(lines(row()))
    world.put(lines(row()), name)

    world.sweep(now=WATCHED)

    assert world.said() == ("FINAL", True, "0")


# What never ran


def test_a_job_that_failed_before_it_ran_is_final_at_once_and_watched_all_the_same(world):
    world.record(never_ran())

    assert world.sweep().closed == 1
    assert world.said() == ("FINAL", True, "0")
    assert world.job().next_look is not None


@pytest.mark.parametrize(
    "ran",
    [
        {"startTime": "2026-11-22T10:05:00Z"},
        {"completionStats": {"successfulCount": "1"}},
        {"completionStats": {"failedCount": "1"}},
    ],
)
def test_a_job_that_failed_and_may_have_run_is_not_final(world, ran):
    world.record({**never_ran(), **ran})

    assert world.sweep().closed == 0


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED"])
def test_only_a_job_that_failed_is_known_never_to_have_run(world, state):
    world.record({**never_ran(), "state": f"JOB_STATE_{state}"})

    assert world.sweep().closed == 0


def test_output_of_a_job_that_seemed_never_to_have_run_opens_it_again(world):
    world.record(never_ran())
    world.sweep()
    world.upstream.jobs[key()] = {**never_ran(), "outputInfo": {"gcsOutputDirectory": DIRECTORY}}
    world.put(lines(row()), INCREMENTAL)

    world.sweep(now=NOW + HOUR)

    assert world.said() == ("PARTIAL", False, amount(1))
    world.sweep(now=WATCHED)
    assert world.said() == ("FINAL", True, amount(1))


# Closed jobs are opened again


@pytest.mark.parametrize("state", ["SUCCEEDED", "PARTIALLY_SUCCEEDED", "CANCELLED"])
@pytest.mark.parametrize("after", [timedelta(minutes=1), 5 * HOUR, 24 * HOUR])
def test_an_object_that_is_overwritten_after_its_job_was_closed_is_found_without_its_event(
    world, state, after
):
    world.record(ended(state=f"JOB_STATE_{state}"))
    world.put(lines(row()))
    world.sweep(now=ENDED)
    assert world.said() == ("FINAL", True, amount(1))
    world.put(lines(row(), row(), row()))

    done = world.sweep(now=ENDED + after)

    assert (done.watched, done.settled, done.closed) == (1, 1, 1)
    settling.assert_settled(world, 3)
    assert world.said() == ("FINAL", True, amount(3))


def test_after_the_watch_the_sweep_leaves_a_job_alone(world):
    world.record(ended())
    world.put(lines(row()))
    world.sweep(now=ENDED)
    world.sweep(now=WATCHED)
    world.put(lines(row(), row()))

    assert world.sweep(now=WATCHED + HOUR).watched == 0
    settling.assert_settled(world, 1)
    assert world.settle(now=WATCHED + HOUR) is settling.Outcome.SETTLED, "the event does as ever"
    settling.assert_settled(world, 2)


def test_a_closed_job_costs_few_looks_and_no_call_of_vertex(world, monkeypatch):
    world.record(ended())
    world.put(lines(row()))
    world.sweep(now=ENDED)
    world.upstream.jobs.clear()
    listings = []
    original = world.objects.list
    monkeypatch.setattr(world.objects, "list", lambda *args: listings.append(args) or original(*args))

    for number in range(1, 12 * 25):
        world.sweep(now=ENDED + number * timedelta(minutes=5))

    assert not world.upstream.asked
    assert 15 <= len(listings) <= 25
    assert world.job().next_look is None


def test_the_last_look_comes_when_the_watch_ends(world):
    world.record(ended())
    world.put(lines(row()))
    world.sweep(now=ENDED)

    for hours in range(1, 25):
        world.sweep(now=ENDED + hours * HOUR)
        assert (world.job().next_look is None) is (hours == 24)


def test_a_look_that_fails_is_repeated_by_the_next_sweep(world, monkeypatch):
    world.record(ended())
    world.put(lines(row()))
    world.sweep(now=ENDED)
    world.put(lines(row(), row()))

    with monkeypatch.context() as patch:
        patch.setattr(world.objects, "read", lambda *_: (_ for _ in ()).throw(OSError("told to fail")))
        assert world.sweep(now=WATCHED).problems == [f"{key().path}: told to fail"]
    assert world.said() == ("FINAL", True, amount(1))

    assert world.sweep(now=WATCHED + timedelta(minutes=5)).settled == 1
    settling.assert_settled(world, 2)


def test_one_closed_job_that_cannot_be_listed_does_not_keep_others_from_their_look(world, monkeypatch):
    for number in (1, 2, 3):
        directory = f"{DIRECTORY[:-1]}{number}Z"
        world.record(ended(number, directory))
        world.put(lines(row()), f"{directory.removeprefix('gs://out/')}/predictions.jsonl")
    world.sweep()
    original = world.objects.list

    def broken(bucket, prefix):
        if prefix.endswith("1Z/"):
            raise OSError("told to fail")
        return original(bucket, prefix)

    monkeypatch.setattr(world.objects, "list", broken)
    monkeypatch.setattr("batch_gateway.settlement.sweep._MOST_WATCHED", 1)

    done = [world.sweep(now=NOW + timedelta(minutes=minutes)) for minutes in (1, 2, 3)]

    assert [len(each.problems) for each in done] == [1, 0, 0]


def test_an_overwritten_object_with_the_same_rows_changes_nothing(world, capsys):
    world.record(ended())
    world.put(lines(row()))
    world.sweep()
    world.put(lines(row()))
    capsys.readouterr()

    assert world.sweep().settled == 1

    assert events(capsys) == ["output.settled"]
    assert (world.job().closed, world.job().reopened) == (True, 0)


# What is said of it


def with_webhook(world, job):
    hook = {"webhook_url": "https://hooks.example.com/x", "webhook_secret": "whsec_" + "A" * 32}
    world.keys.add_key(KeyRecord("t", "k1", "sk-...", "nightly", CREATED, CREATED, "master", "ads", **hook))
    world.record(job)
    world.store.amend_job(key(), lambda record: msgspec.structs.replace(record, key_id="k1"))


def said(world):
    """The events that went out: type, amount and whether that is complete."""
    sent = [json.loads(event.body) for event in world.store.events.values()]
    return [(each["type"], each["data"]["cost"]["amount"], each["data"]["cost"]["complete"]) for each in sent]


def test_the_end_is_said_once_and_that_the_cost_has_changed_each_time(world, capsys):
    with_webhook(world, ended())
    for rows in (1, 3, 2):
        world.put(lines(*[row()] * rows))
        world.sweep()

    assert [name for name in events(capsys) if name not in {"output.settled", "webhook.delivered"}] == [
        "batch.completed",
        *("job.reopened", "batch.cost_updated"),
        *("job.reopened", "batch.cost_updated"),
    ]
    assert said(world) == [
        ("batch.completed", amount(1), True),
        ("batch.cost_updated", amount(3), True),
        ("batch.cost_updated", amount(2), True),
    ]
    assert len({webhook_id for _, webhook_id, _ in world.receivers.sent}) == 3


@pytest.mark.parametrize(
    ("state", "kind"), [("FAILED", "failed"), ("CANCELLED", "cancelled"), ("EXPIRED", "expired")]
)
def test_a_bad_end_is_said_at_once_and_its_cost_when_it_is_final(world, capsys, state, kind):
    with_webhook(world, ended(state=f"JOB_STATE_{state}"))
    world.put(lines(row()), INCREMENTAL)
    world.sweep(now=ENDED)
    world.put(lines(row(), row()), INCREMENTAL)
    for now in (ENDED + HOUR, ENDED + 2 * HOUR, WATCHED, WATCHED + HOUR):
        world.sweep(now=now)

    assert said(world) == [(f"batch.{kind}", amount(1), False), ("batch.cost_updated", amount(2), True)]
    assert [name for name in events(capsys) if name.startswith("batch.")] == [
        f"batch.{kind}",
        "batch.cost_updated",
    ]


def test_a_bad_end_with_its_final_output_is_said_once(world):
    with_webhook(world, ended(state="JOB_STATE_CANCELLED"))
    world.put(lines(row()))
    for now in (ENDED, ENDED + HOUR, WATCHED):
        world.sweep(now=now)

    assert said(world) == [("batch.cancelled", amount(1), True)]


def test_a_job_that_seemed_never_to_have_run_is_not_said_to_end_twice(world):
    with_webhook(world, never_ran())
    world.sweep()
    world.upstream.jobs[key()] = {**never_ran(), "outputInfo": {"gcsOutputDirectory": DIRECTORY}}
    world.put(lines(row()), INCREMENTAL)
    for now in (ENDED + HOUR, ENDED + 2 * HOUR, WATCHED):
        world.sweep(now=now)

    assert said(world) == [("batch.failed", "0", True), ("batch.cost_updated", amount(1), True)]


def test_nobody_is_told_of_a_success_before_its_output_is_there(world):
    with_webhook(world, ended())
    world.sweep(now=ENDED)

    assert said(world) == []


# Budgets


def reserved(world):
    return world.store.budget_balances([("key:k1", ("all",))])["key:k1"]


def spender(world, job):
    world.record(job)
    world.store.amend_job(
        key(),
        lambda record: msgspec.structs.replace(record, key_id="k1", reserved_nano=10**6, reserved_at=CREATED),
    )


@pytest.mark.parametrize("state", UNSUCCESSFUL)
def test_what_is_reserved_is_released_when_nothing_more_can_come(world, state):
    spender(world, ended(state=f"JOB_STATE_{state}"))
    world.sweep(now=ENDED)
    assert reserved(world) == BudgetBalance(0, 10**6)
    world.put(lines(row()), INCREMENTAL)
    world.sweep(now=ENDED + HOUR)
    assert reserved(world) == BudgetBalance(ROW_NANO, 10**6 - ROW_NANO)

    world.sweep(now=WATCHED)

    assert reserved(world) == BudgetBalance(ROW_NANO, 0)


def test_what_is_reserved_for_a_job_that_never_ran_is_released_at_once(world):
    spender(world, never_ran())

    world.sweep(now=ENDED)

    assert reserved(world) == BudgetBalance(0, 0)


def test_output_that_comes_after_the_release_is_spent(world):
    spender(world, never_ran())
    world.sweep(now=ENDED)
    world.upstream.jobs[key()] = {**never_ran(), "outputInfo": {"gcsOutputDirectory": DIRECTORY}}
    world.put(lines(row()))

    world.sweep(now=ENDED + HOUR)

    assert reserved(world) == BudgetBalance(ROW_NANO, 0)


# Resumed jobs


def test_rows_from_before_the_job_are_carried_over_whatever_its_input_is_called(world):
    times = ["2026-11-22T09:59:59.899+00:00", "2026-11-21T00:00:00Z", "2026-11-22T09:59:59.900+00:00", "?"]
    world.record(ended(inputConfig={"gcsSource": {"uris": ["gs://mine/monday.jsonl"]}}))
    world.put(lines(*(json.dumps({"processed_time": time, **json.loads(row())}) for time in times)))

    world.sweep()

    assert world.job().usage.rows.carried_over == 2
    settling.assert_settled(world, 2)


# BigQuery

TABLE = "bq://acme-batch.out.predictions_1"
TIMES = (("createTime", "00"), ("startTime", "05"), ("endTime", "20"))


class Tables(MemoryTables):
    """Counts how often rows are asked for, which is paid for."""

    queries = 0

    def usage_lines(self, table, **how):
        self.queries += 1
        return super().usage_lines(table, **how)


@pytest.fixture
def tables(world):
    there = Tables()
    world.deps = dataclasses.replace(world.deps, tables=lambda: there)
    return there


def to_a_table(number=1, **changes):
    output = {
        "outputInfo": {"bigqueryOutputDataset": "bq://acme-batch.out", "bigqueryOutputTable": "predictions_1"}
    }
    return ended(number, directory=None, **output, **changes)


def put_rows(tables, count):
    tables.put(TABLE, [row().encode()] * count)


def test_a_table_of_a_job_that_succeeded_is_read_once_and_again_when_it_changes(world, tables):
    world.record(to_a_table())
    put_rows(tables, 1)
    for hours in range(3):
        world.sweep(now=ENDED + hours * HOUR)
    assert (world.said(), tables.queries) == (("FINAL", True, amount(1)), 1)

    put_rows(tables, 2)
    world.sweep(now=ENDED + 9 * HOUR)

    assert (world.said(), tables.queries) == (("FINAL", True, amount(2)), 2)
    settling.assert_settled(world, 2)


def test_rows_of_a_tuned_model_in_a_table_cost_what_its_base_does(world, tables):
    model = "projects/123456789012/locations/us-central1/models/4242"
    world.upstream.models[model] = {"labels": {"google-vertex-llm-tuning-base-model-id": "gemini-2.5-flash"}}
    world.record(to_a_table(model=model))
    tables.put(TABLE, [row().replace("gemini-2.5-flash", "4242").encode()])

    world.sweep(now=ENDED)

    assert world.said() == ("FINAL", True, amount(1))
    assert world.job().base_model == "gemini-2.5-flash"


@pytest.mark.parametrize("state", UNSUCCESSFUL)
def test_a_table_of_a_job_that_did_not_succeed_may_come_and_grow_while_it_is_watched(world, tables, state):
    world.record(to_a_table(state=f"JOB_STATE_{state}"))
    world.sweep(now=ENDED)
    assert world.said() == ("PENDING", False, "0")
    for rows in (2, 3):
        put_rows(tables, rows)
        for minutes in (0, 5):
            world.sweep(now=ENDED + rows * HOUR + timedelta(minutes=minutes))
        assert world.said() == ("PARTIAL", False, amount(rows))

    world.sweep(now=WATCHED)

    assert (world.said(), tables.queries) == (("FINAL", True, amount(3)), 2)


@pytest.mark.parametrize(("state", "complete"), [("SUCCEEDED", False), ("CANCELLED", True)])
def test_a_table_that_never_comes_is_lost_if_the_job_should_have_one(world, tables, state, complete):
    world.record(to_a_table(state=f"JOB_STATE_{state}"))
    assert world.sweep(now=WATCHED - HOUR).closed == 0

    assert world.sweep(now=WATCHED).closed == 1

    assert world.said() == ("FINAL", complete, "0")
    assert tables.queries == 0


def test_a_job_with_a_table_that_never_ran_is_final_at_once(world, tables):
    job = to_a_table(state="JOB_STATE_FAILED")
    del job["startTime"]
    world.record(job)

    assert world.sweep(now=ENDED).closed == 1
    assert world.said() == ("FINAL", True, "0")

    put_rows(tables, 1)
    world.sweep(now=ENDED + HOUR)
    assert world.said() == ("PARTIAL", False, amount(1))


@pytest.mark.parametrize("started", [False, True])
def test_rows_of_an_earlier_jobs_table_do_not_cost_a_job_that_failed_since_it_was_there(
    world, tables, started
):
    job = to_a_table(state="JOB_STATE_FAILED")
    if not started:
        del job["startTime"]
    world.record(job)
    put_rows(tables, 3)
    before = msgspec.structs.replace(tables.stat(TABLE), created=CREATED - HOUR)
    tables.stat = lambda _: before

    world.sweep(now=WATCHED if started else ENDED)

    assert (world.said(), tables.queries) == (("FINAL", True, "0"), 0)


@pytest.mark.parametrize("started", [False, True])
def test_rows_of_a_table_that_two_jobs_name_cost_only_the_one_that_made_it(world, tables, started):
    """Of two creates at once the slower job fails, because the other one has made the table."""
    first, second = to_a_table(state="JOB_STATE_RUNNING"), to_a_table(number=2, state="JOB_STATE_FAILED")
    del first["endTime"]
    if not started:
        del second["startTime"]
    world.record(first)
    world.record(second)
    put_rows(tables, 3)
    there = msgspec.structs.replace(tables.stat(TABLE), created=CREATED + timedelta(minutes=6))
    tables.stat = lambda _: there
    world.sweep(now=ENDED)
    assert world.job(2).cost.amount_nano == 0, "the first may have made it"

    world.upstream.jobs[world.job().key] = to_a_table()
    for now in (ENDED + HOUR, WATCHED):
        world.sweep(now=now)

    assert world.said() == ("FINAL", True, amount(3))
    assert (world.job(2).closed, world.job(2).cost.amount_nano) == (True, 0)
    settling.assert_settled(world, 3)


def test_a_job_that_named_the_same_table_before_it_was_deleted_does_not_hide_its_rows(world, tables):
    """The first job succeeded, its table was deleted, and the second was cancelled after some rows."""
    world.record(to_a_table())
    later = {name: f"2026-11-22T11:{minute}:00Z" for name, minute in TIMES}
    world.record(to_a_table(number=2, state="JOB_STATE_CANCELLED", **later))
    put_rows(tables, 3)
    there = msgspec.structs.replace(tables.stat(TABLE), created=CREATED + HOUR + timedelta(minutes=6))
    tables.stat = lambda _: there

    world.sweep(now=ENDED + HOUR)

    assert world.job(2).usage.rows.succeeded == 3


def test_a_job_that_has_not_begun_does_not_hide_the_rows_of_a_table_that_it_names(world, tables):
    waiting = to_a_table(state="JOB_STATE_PENDING")
    del waiting["startTime"], waiting["endTime"]
    world.record(waiting)
    world.record(to_a_table(number=2, state="JOB_STATE_CANCELLED"))
    put_rows(tables, 3)
    there = msgspec.structs.replace(tables.stat(TABLE), created=CREATED + timedelta(minutes=6))
    tables.stat = lambda _: there

    world.sweep(now=ENDED)

    assert world.job(2).usage.rows.succeeded == 3
