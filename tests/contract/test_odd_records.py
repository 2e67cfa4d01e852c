"""Records that Firestore holds only in another form, those that it refuses, and those that cannot be read."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.adapters.firestore import FirestoreKeys
from batch_gateway.core.accounting.settlement import output_id
from batch_gateway.core.jobs.record import observe
from batch_gateway.core.notify.events import LEASE
from batch_gateway.ports import Observed, RecordError, SweepNotes, Unreadable
from batch_gateway.tracking import Tracker
from contract import test_keystore as keystore
from contract.test_outbox import event
from contract.test_store import (
    CREATED,
    DAY,
    DIRECTORY,
    PREFIX,
    key,
    observation,
    output,
    record,
    settle,
    submission,
    totals,
)
from functional import test_reconcile as sweeping
from functional import test_settle as settling
from functional.gateway.conftest import World as GatewayWorld
from functional.gateway.conftest import job_body, job_resource, json_answer, reason
from functional.gateway.loopback import Loopback
from functional.gateway.scoped import new_key

NOW = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)
NAMED = {name: job_resource()[name] for name in ("name", "state", "createTime")}
RESERVED = {"__x__": "1", "____": "2", "": "3", "~": "4", "~x": "5", "~json": "6", "~~": "7", "__y": "8"}


def nested(depth, inside):
    for _ in range(depth):
        inside = {"a": inside}
    return inside


ERRORS = {
    "reserved names": {"details": [{"__type__": "x", "": 1, "~json": "[1]"}], "~json": "x"},
    "only the stand-in's name": {"~json": "not JSON"},
    "lists of lists": {"details": [[[1], [], [[{"__a__": 1}]]]]},
    "large numbers": {"code": 2**64, "a": [-(2**63), 2**63 - 1, 2**63, 10**30]},
    "deep": {"details": nested(300, {"__b__": [[1]]})},
    "deep lists": {"details": [nested(12, [nested(12, [1, 2])])]},
    "long names": {"n" * 1499: 1, "m" * 1500: {"k" * 5000: 2}},
}


def everything(number=1, **changes):
    """A job that shows more than a record holds, in every place where it may."""
    return {
        "name": f"projects/123456789012/locations/us-central1/batchPredictionJobs/{number}",
        "state": "JOB_STATE_FAILED",
        "displayName": "x" * 100_000,
        "labels": RESERVED,
        "inputConfig": {"gcsSource": {"uris": [f"gs://in/{'y' * 90}/{n}" for n in range(12_000)]}},
        "error": {"code": 3, "message": "z" * 2_000_000, "details": ["w" * 100] * 50_000},
        **changes,
    }


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_job_comes_back_as_it_was_noted(store, error):
    seen = observation(labels=RESERVED, error=error)
    store.add_job(record(seen=seen))
    assert store.get_job(key()).seen == seen

    again = msgspec.structs.replace(seen, labels={**RESERVED, "__z__": "9"}, error={"message": "other"})
    found = store.observe({key(): again})

    assert found == {key(): Observed(record(seen=seen), record(seen=again))}
    assert store.get_job(key()).seen == again


def test_a_job_that_shows_more_than_a_document_holds_is_recorded_and_followed(store):
    first = observe(everything(error={}))
    store.add_job(record(seen=first))
    assert store.get_job(key()).seen == first
    assert first.input_uris_cut > 11_000

    last = observe(everything())
    store.observe({key(): last})

    assert store.get_job(key()).seen == last


def test_a_page_of_the_largest_records_is_noted_at_once(store):
    shown = {f"l{number}": "é" * 60 for number in range(64)}
    seen = {key(number): observe(everything(number, labels=shown)) for number in range(100)}
    for number in range(100):
        store.add_job(record(number))

    assert len(store.observe(seen)) == 100
    assert store.get_job(key(99)).seen == seen[key(99)]


@pytest.mark.parametrize("name", RESERVED)
def test_spend_is_found_by_such_a_label(store, name):
    store.add_job(record(seen=observation(labels=RESERVED)))
    store.add_job(record(2, seen=observation(2, labels={"other": RESERVED[name]})))
    settle(store, output())
    settle(store, output("2.jsonl"), 2)

    (cell,) = store.list_totals(DAY, DAY, {f"label:{name}": RESERVED[name]})

    assert cell.labels == RESERVED
    assert sorted(len(each.labels) for each in totals(store, DAY)) == [1, len(RESERVED)]


@pytest.mark.parametrize("name", ["__x__", "", "a" * 1500, "é" * 5000, "~"])
@pytest.mark.parametrize("value", ["1", "v" * 100_000])
def test_no_label_makes_the_search_fail(store, name, value):
    store.add_job(record())
    settle(store, output())

    assert list(store.list_totals(DAY, DAY, {f"label:{name}": value})) == []


def test_metadata_is_not_taken_for_something_that_was_held(firestore_host):
    keys = keystore.keys_at(firestore_host)
    metadata = {"~": 1, "~json": "x", "a": {"~json": "[1]"}, "__x__": [[1]]}

    keys.add_key(keystore.record(metadata=metadata))

    assert keys.get_key(keystore.record().token).metadata == metadata


def test_a_record_that_is_refused_is_at_fault_itself(firestore):
    firestore.add_job(record())
    large = observation(2, display_name="x" * 2_000_000)

    with pytest.raises(RecordError):
        firestore.add_job(record(2, seen=large))
    with pytest.raises(RecordError):
        firestore.observe({key(): msgspec.structs.replace(large, name=observation().name)})
    assert firestore.get_job(key()) == record()


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "idempotent"])
def test_a_create_that_vertex_takes_is_on_record_and_in_the_totals(firestore, headers):
    uris = [f"gs://in/{'part' * 20}-{number}.jsonl" for number in range(12_000)]
    body = job_body(inputConfig={"gcsSource": {"uris": uris}}, labels={"stage": "1", "part": "2"})
    with Loopback() as vertex:
        vertex.respond = lambda seen: json_answer({**json.loads(seen.body), **NAMED})
        world = GatewayWorld(vertex.host, store=firestore)

        created = world.create(body, headers=headers)

    assert (created.status_code, created.json["inputConfig"]) == (200, body["inputConfig"])
    assert firestore.open_submissions(10) == []
    settle(firestore, output(), 4242)
    query = {"start_time": "2026-11-22T00:00:00Z", "end_time": "2026-11-23T00:00:00Z", "label:stage": "1"}
    (bucket,) = world.get("/v1/costs", query_string={**query, "group_by": "label:part"}).json["data"]
    assert [result["labels"] for result in bucket["results"]] == [{"part": "2"}]
    (job,) = world.get("/v1/jobs", query_string={"label:stage": "1"}).json["data"]
    assert job["labels"].items() >= {"stage": "1", "part": "2"}.items()


def plant(firestore, path, document=None):
    """A document that somebody wrote by hand."""
    firestore._client.document(path).set(document or {"closed": False, "answer": None, "nextAttempt": NOW})


def test_what_cannot_be_read_is_named_in_the_place_of_the_record(firestore):
    firestore.add_job(record(1))
    firestore.add_job(record(3))
    firestore.park(output())
    firestore.begin_submission(submission())
    firestore.add_event(event(due=NOW))
    plant(firestore, "jobs/acme-batch:us-central1:2")
    plant(firestore, f"parked/{output_id('x')}")
    plant(firestore, "submissions/bad")
    plant(firestore, "events/bad")

    jobs = firestore.open_jobs(10)
    parked = firestore.parked(10)
    submissions = firestore.open_submissions(10)
    events = firestore.claim_events(NOW, 10)

    assert [getattr(each, "name", None) for each in jobs] == [None, "jobs/acme-batch:us-central1:2", None]
    assert [each for each in parked if not isinstance(each, Unreadable)] == [output()]
    assert [each for each in submissions if not isinstance(each, Unreadable)] == [submission()]
    assert [each for each in events if not isinstance(each, Unreadable)] == [event(due=NOW + LEASE)]
    named = {
        each.name for found in (parked, submissions, events) for each in found if hasattr(each, "problem")
    }
    assert named == {f"parked/{output_id('x')}", "submissions/bad", "events/bad"}
    with pytest.raises(RecordError):
        firestore.get_job(key(2))


def damage(firestore, *numbers):
    """Break records so that queries still find them, and they cannot be read any more."""
    for number in numbers:
        firestore._client.document(f"jobs/acme-batch:us-central1:{number}").update({"cost": "much"})


def passed_over(capsys):
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return [line["record"] for line in lines if line.get("event") == "record.unreadable"]


def jobs_named(*numbers):
    return [f"jobs/acme-batch:us-central1:{number}" for number in numbers]


@pytest.mark.parametrize("bad", [(1,), (2, 3), (5,), (4, 5), (1, 2, 3, 4, 5), (1, 3, 5)], ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_page_of_jobs_goes_on_behind_records_that_cannot_be_read(firestore, capsys, bad, size):
    for number in range(1, 6):
        firestore.add_job(
            msgspec.structs.replace(record(number), create_time=CREATED + timedelta(hours=number))
        )
    damage(firestore, *bad)
    good = [number for number in range(1, 6) if number not in bad]
    end = CREATED + timedelta(days=1)
    calls = {
        "jobs_created": (lambda after: firestore.jobs_created(CREATED, end, after, size), good, bad),
        "recent_jobs": (lambda after: firestore.recent_jobs(None, None, after, size), good[::-1], bad[::-1]),
    }
    for fetch, expected, named in calls.values():
        capsys.readouterr()
        found, after = [], None
        while True:
            page = fetch(after)
            found += [int(job.key.job_id) for job in page]
            if len(page) < size:
                break
            after = (page[-1].create_time, page[-1].key)

        assert found == expected
        assert passed_over(capsys) == jobs_named(*named)


def test_the_job_of_an_output_is_found_beside_records_that_cannot_be_read(firestore, capsys):
    for number in (1, 2):
        firestore.add_job(record(number, seen=observation(number, output_directory=DIRECTORY)))
    for number in (3, 4, 5):
        firestore.add_job(record(number))
    damage(firestore, 1, 3)

    assert [job.key for job in firestore.jobs_by_directory(DIRECTORY)] == [key(2)]
    assert passed_over(capsys) == jobs_named(1)
    assert [job.key for job in firestore.jobs_without_directory(PREFIX, 2)] == [key(4), key(5)]
    assert passed_over(capsys) == jobs_named(3)


def test_a_record_that_cannot_be_read_is_missing_in_lists_and_an_error_of_its_own(firestore):
    with Loopback() as vertex:
        vertex.respond = lambda _: json_answer(job_resource())
        world = GatewayWorld(vertex.host, store=firestore)
        for number in (1, 2, 3):
            firestore.add_job(record(number, team="search"))
            settle(firestore, output(f"{number}.jsonl"), number)
        damage(firestore, 2)
        secret = new_key(world)

        listed = world.get("/v1/jobs")
        query = {"start_time": DAY, "end_time": "2026-11-23", "group_by": "job"}
        spent = world.get("/v1/costs", query_string=query)
        exported = world.get("/v1/costs:export", query_string=query)
        damaged = world.get(f"/v1/{key(2).path}/cost")
        theirs = world.get(f"/v1/{key(2).path}/cost", key=secret)
        whole = world.get(f"/v1/{key(3).path}/cost")

    assert [job["id"] for job in listed.json["data"]] == ["3", "1"]
    (bucket,) = spent.json["data"]
    assert len(bucket["results"]) == 2
    assert len(exported.text.splitlines()) == 1 + 2
    assert (damaged.status_code, damaged.json["error"]["status"]) == (500, "DATA_LOSS")
    assert reason(damaged) == "RECORD_UNREADABLE"
    assert theirs.status_code == 403, "it does not say whose it is"
    assert whole.status_code == 200


def test_a_sweep_settles_what_is_not_of_a_record_that_cannot_be_read(firestore):
    world = sweeping.World()
    world.store = firestore
    world.deps = dataclasses.replace(world.deps, store=firestore, notify=settling.sending_nothing(firestore))
    elsewhere = f"{PREFIX}/prediction-model-2026-11-22T11:00:00.123456Z"
    firestore.add_job(record(1, seen=observation(1, output_directory=elsewhere)))
    firestore.add_job(record(2))
    damage(firestore, 1)
    world.outside(settling.ended(2, DIRECTORY))
    world.objects.put("out", output().uri.removeprefix("gs://out/"), settling.lines(settling.row()))
    theirs = output(uri=f"{elsewhere}/predictions.jsonl")
    world.objects.put("out", theirs.uri.removeprefix("gs://out/"), settling.lines(settling.row()))
    firestore.park(theirs)

    done = world.sweep(seconds=600.0)

    assert (done.settled, done.parked) == (1, 1)
    assert firestore.get_job(key(2)).settled_outputs == 1
    assert {problem.partition(": ")[0] for problem in done.problems} == {*jobs_named(1)}


def test_notes_of_sweeps_that_cannot_be_read_are_as_good_as_none(firestore, capsys):
    plant(firestore, "sweeps/notes", {"places": {"acme-batch/global": {"looked": "never"}}})

    assert firestore.sweep_notes() == SweepNotes()
    assert '"event":"record.unreadable"' in capsys.readouterr().out


def test_keys_and_teams_that_cannot_be_read_are_left_out_and_named(firestore_host):
    keys = keystore.keys_at(firestore_host)
    keys.add_key(keystore.record())
    keys.change_team("search", lambda _: keystore.FULL_TEAM)
    for path in ("keys/bad", "teams/bad"):
        keys._client.document(path).set({"metadata": "{}", "key_id": 1})
    keys._client.document("keys/worse").set({"metadata": "no JSON"})
    said = []

    assert keys.list_keys(report=said.append) == [keystore.record()]
    assert keys.list_teams(report=said.append) == [keystore.FULL_TEAM]
    assert sorted(each.name for each in said) == ["keys/bad", "keys/worse", "teams/bad"]
    assert keys.list_keys() == [keystore.record()]


def test_a_look_at_many_jobs_notes_all_but_the_one_at_fault(firestore):
    for number in (1, 3):
        firestore.add_job(record(number))
    plant(firestore, "jobs/acme-batch:us-central1:2")
    tracker = Tracker(firestore)
    jobs = [everything(number, createTime="2026-11-22T10:00:00Z") for number in (1, 2, 3, 4)]

    seen = tracker.observe("acme-batch", jobs)

    assert (seen.changed.keys(), seen.refused.keys()) == ({key(1), key(3)}, {key(2)})
    assert seen.unknown.keys() == {key(4)}
    assert firestore.get_job(key(3)).seen == observe(jobs[2])


def test_a_poisoned_job_among_a_hundred_good_ones_costs_itself_alone(firestore):
    world = sweeping.World()
    keys = FirestoreKeys(firestore._client)
    world.store = firestore
    world.deps = dataclasses.replace(
        world.deps, store=firestore, keys=keys, notify=settling.sending_nothing(firestore)
    )
    odd = everything(51, createTime="2026-11-22T10:00:00Z", state="JOB_STATE_PENDING", error={})
    for number in range(1, 102):
        shown = settling.resource(number, labels={"team": "search", "__x__": "1"})
        world.outside(odd if number == 51 else shown)
    plant(firestore, "jobs/acme-batch:us-central1:77")
    plant(firestore, "submissions/bad")
    plant(firestore, "parked/bad")
    plant(firestore, "keys/bad")
    lost = sweeping.submission(created=CREATED - timedelta(hours=2))
    firestore.begin_submission(lost)

    done = world.sweep(seconds=600.0)

    assert done.adopted == 100
    assert (done.dropped_submissions, done.complete) == (1, False)
    assert firestore.get_job(key(51)).seen == observe(odd)
    assert firestore.get_job(key(101)).team == "search"
    assert {problem.partition(": ")[0] for problem in done.problems} == {
        key(77).path,
        "jobs/acme-batch:us-central1:77",
        "submissions/bad",
        "parked/bad",
        "keys/bad",
    }
