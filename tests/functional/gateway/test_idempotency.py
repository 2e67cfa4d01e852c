"""Idempotency-Key: a create that is sent again makes no second job."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from batch_gateway.gateway.jobs.create import _SENDING, _SETTLING
from batch_gateway.gateway.jobs.submissions import KEY_LIFETIME
from batch_gateway.ports import UpstreamCredentialsError, UpstreamResponse
from builders import input_files, prompt
from functional.gateway.conftest import FLASH, JOBS, job_body, job_resource, json_answer, reason
from functional.gateway.loopback import Answer
from functional.gateway.scoped import clocked, new_key, team_keys

SETTLING, SENDING, A_DAY = (span.total_seconds() for span in (_SETTLING, _SENDING, KEY_LIFETIME))


def create(world, idempotency_key="once", body=None, **given):
    return world.create(body, headers={"Idempotency-Key": idempotency_key}, **given)


def submitted(vertex):
    return len(vertex.jobs())


def test_a_replay_gives_the_first_answer_and_submits_nothing(world, vertex):
    first, again = create(world), create(world)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.data == first.data
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (
        None,
        "true",
    )
    assert submitted(vertex) == 1


def test_other_instances_replay_it_too(world, vertex):
    first = create(world)

    assert create(world, client=world.new_client()).data == first.data
    assert submitted(vertex) == 1


def test_without_the_header_each_create_is_a_job(world, vertex):
    world.create()
    world.create()
    world.create(headers={"Idempotency-Key": ""})
    assert submitted(vertex) == 3


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (job_body(displayName="another"), JOBS),
        (json.dumps(job_body()).encode() + b" ", JOBS),
        (job_body(), JOBS.replace("us-central1", "europe-west4")),
    ],
)
def test_another_body_or_place_is_an_error(world, vertex, body, path):
    create(world)
    answer = create(world, body=body, path=path)

    assert (answer.status_code, reason(answer)) == (400, "IDEMPOTENCY_KEY_REUSED")
    assert submitted(vertex) == 1


def test_other_callers_have_idempotency_keys_of_their_own(world, vertex):
    search, ads = team_keys(world, "search", "ads")
    colleague = new_key(world, team_id="search")
    alone, other = new_key(world), new_key(world)

    made = [create(world, key=key).json["name"] for key in (search, ads, alone, other)]
    made.append(create(world).json["name"])

    assert len(set(made)) == submitted(vertex) == 5
    assert create(world, key=colleague).json["name"] == made[0], "a team's keys share its jobs"


def test_a_key_that_may_not_make_the_job_gets_no_replay(world):
    search, _ = team_keys(world, "search", "ads")
    create(world, key=search)
    limited = new_key(world, team_id="search", models=["text-*"])

    assert reason(create(world, key=limited)) == "MODEL_NOT_ALLOWED"


def test_many_at_once_submit_once(world, vertex):
    vertex.faults.add(method="POST", path="batchPredictionJobs$", delay_seconds=0.3, times=None)
    clients = [world.new_client() for _ in range(8)]
    barrier = threading.Barrier(8)

    def attempt(client):
        barrier.wait()
        return create(world, client=client)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, clients))

    assert submitted(vertex) == 1
    assert sorted({answer.status_code for answer in answers}) == [200, 409]
    assert {reason(answer) for answer in answers if answer.status_code == 409} == {"IDEMPOTENCY_KEY_IN_USE"}
    assert [answer.headers["Retry-After"] for answer in answers if answer.status_code == 409]
    assert create(world).status_code == 200
    assert submitted(vertex) == 1


class Answering:
    """An upstream that lets something else happen while it answers the first create."""

    def __init__(self, upstream, meanwhile):
        self._upstream, self._meanwhile = upstream, [meanwhile]

    def __getattr__(self, name):
        return getattr(self._upstream, name)

    def send(self, method, path, **given):
        if method == "POST" and self._meanwhile:
            self._meanwhile.pop()()
        return self._upstream.send(method, path, **given)


def test_a_create_is_under_way_as_long_as_it_may_be_sent_however_long_its_input_was_read(
    world, vertex, monkeypatch
):
    world.objects.put("in", "rows.jsonl", json.dumps(prompt(limit=10)).encode())
    clock, read, pauses, early = clocked(world), world.objects.read, [44], []
    key, other = new_key(world, max_budget=100), world.new_client()

    def slowly(*args):
        clock.advance(pauses.pop() if pauses else 0)
        return read(*args)

    def meanwhile():
        clock.advance(SENDING - 1)
        early.append(create(world, key=key, client=other))

    monkeypatch.setattr(world.objects, "read", slowly)
    first = create(world, key=key, client=world.new_client(Answering(world.upstream, meanwhile)))

    assert (first.status_code, [reason(each) for each in early]) == (200, ["IDEMPOTENCY_KEY_IN_USE"])
    assert submitted(vertex) == 1


def test_a_create_is_under_way_as_long_as_it_may_be_sent_however_long_its_job_was_looked_for(world, vertex):
    clock, send, early = clocked(world), world.upstream.send, []
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop=True)
    create(world)
    clock.advance(SETTLING)
    other = world.new_client()

    def slowly(method, path, **given):
        clock.advance(60 if method == "GET" else 0)
        return send(method, path, **given)

    def meanwhile():
        clock.advance(SENDING - 1)
        early.append(create(world, client=other))

    slow = Answering(SimpleNamespace(send=slowly), meanwhile)
    again = create(world, client=world.new_client(slow))

    assert (again.status_code, [reason(each) for each in early]) == (200, ["IDEMPOTENCY_KEY_IN_USE"])
    assert submitted(vertex) == 1


def test_a_job_whose_answer_was_lost_is_found_by_its_marker(world, vertex):
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop_after_processing=True)

    found = create(world, key=team_keys(world, "search")[0])

    assert (found.status_code, submitted(vertex)) == (200, 1)
    (job,) = vertex.jobs()
    assert found.json["name"] == job["name"]
    assert world.record(job).team == "search"
    assert job["labels"].keys() == {"team", "gateway_submission"}


def test_and_is_replayed_from_then_on(world, vertex):
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop_after_processing=True)

    assert create(world).data == create(world).data
    assert submitted(vertex) == 1


@pytest.mark.parametrize("limit", [{"max_budget": 100}, {"allowed_uri_prefixes": ["gs://in", "gs://out"]}])
def test_a_replay_does_not_need_the_input_again(world, vertex, limit):
    world.objects.put("in", "rows.jsonl", json.dumps(prompt(limit=10)).encode())
    key = new_key(world, **limit)
    first = create(world, key=key)
    world.objects.delete("in", "rows.jsonl")

    again, other = create(world, key=key), create(world, "another", key=key)

    assert (first.status_code, again.data) == (200, first.data)
    assert reason(other) in {"ESTIMATE_UNKNOWN", "ROWS_NOT_CHECKED"}
    assert submitted(vertex) == 1


def test_a_create_that_never_arrived_is_submitted_once_when_it_is_sent_again(world, vertex):
    clock = clocked(world)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop=True)

    lost = create(world)
    early = create(world)
    clock.advance(SETTLING)
    again, after = create(world), create(world)

    assert (lost.status_code, reason(lost)) == (503, "CREATE_FATE_UNKNOWN")
    assert lost.headers["Retry-After"] == str(int(SETTLING))
    assert (early.status_code, reason(early)) == (409, "IDEMPOTENCY_KEY_IN_USE")
    assert (again.status_code, after.data) == (200, again.data)
    assert submitted(vertex) == 1


def test_a_job_that_the_sweep_has_found_is_not_submitted_again(world, vertex):
    world.store.failing = {"add_job"}
    lost = create(world)
    world.store.failing = set()
    world.skipped += 1000
    swept = world.call("POST", "/internal/reconcile")

    again, other = create(world), create(world, body=job_body(displayName="another"))

    assert (reason(lost), swept.json["adopted"]) == ("JOB_NOT_RECORDED", 1)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert again.json["name"] == vertex.jobs()[0]["name"]
    assert reason(other) == "IDEMPOTENCY_KEY_REUSED"
    assert submitted(vertex) == 1


def test_a_job_that_appears_while_the_create_settles_is_found(world, vertex):
    clock = clocked(world)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop_after_processing=True)
    vertex.faults.add(method="GET", path="filter=", status=403)
    lost = create(world)
    clock.advance(SETTLING)

    assert reason(lost) == "CREATE_FATE_UNKNOWN"
    assert create(world).json["name"] == vertex.jobs()[0]["name"]
    assert submitted(vertex) == 1


@pytest.mark.parametrize("status", [400, 429])
def test_a_job_that_no_list_shows_yet_is_found_though_the_second_try_was_refused(world, vertex, status):
    clock, send, is_late = clocked(world), world.upstream.send, [True]
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop_after_processing=True)

    def listing_late(method, path, **given):
        if method == "GET" and is_late:
            return UpstreamResponse(200, {}, b"{}")
        return send(method, path, **given)

    client = world.new_client(SimpleNamespace(send=listing_late))
    create(world, client=client)
    clock.advance(SETTLING)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", status=status)
    assert create(world, client=client).status_code == status
    is_late.clear()
    clock.advance(SETTLING)

    assert create(world, client=client).json["name"] == vertex.jobs()[0]["name"]
    assert submitted(vertex) == 1


def test_a_search_that_failed_can_be_repeated_when_it_says_so(world, vertex):
    clock = clocked(world)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop_after_processing=True)
    vertex.faults.add(method="GET", path="filter=", status=403, times=2)
    create(world)
    clock.advance(SETTLING)
    lost_again = create(world)
    clock.advance(int(lost_again.headers["Retry-After"]))

    assert create(world).status_code == 200
    assert submitted(vertex) == 1


def test_a_search_for_which_there_was_no_token_can_be_repeated_as_soon(world, vertex, monkeypatch):
    def without_token(*_, **__):
        raise UpstreamCredentialsError("none")

    clock = clocked(world)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop_after_processing=True)
    vertex.faults.add(method="GET", path="filter=", status=403)
    create(world)
    clock.advance(SETTLING)
    with monkeypatch.context() as patch:
        patch.setattr(world.upstream, "send", without_token)
        assert reason(create(world)) == "UPSTREAM_CREDENTIALS"

    clock.advance(SETTLING)
    assert create(world).json["name"] == vertex.jobs()[0]["name"]
    assert submitted(vertex) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429])
def test_a_create_that_vertex_refused_can_be_sent_again_at_once(world, vertex, status):
    vertex.faults.add(method="POST", path="batchPredictionJobs$", status=status)

    refused, again = create(world), create(world)

    assert (refused.status_code, again.status_code) == (status, 200)
    assert submitted(vertex) == 1
    assert create(world).data == again.data


def test_one_that_was_refused_can_be_put_right_under_the_same_key(world, vertex):
    vertex.faults.add(method="POST", path="batchPredictionJobs$", status=400)
    create(world, body=job_body(displayName="wrong"))

    assert create(world).status_code == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_is_passed_on_and_its_job_looked_for(world, vertex, status):
    clock = clocked(world)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", status=status)

    failed, early = create(world), create(world)
    clock.advance(SETTLING)
    again = create(world)

    assert (failed.status_code, early.status_code, again.status_code) == (status, 409, 200)
    assert submitted(vertex) == 1


def test_a_day_later_the_key_is_free_again(world, vertex):
    clock = clocked(world)
    first = create(world)
    clock.advance(A_DAY - 1)
    assert create(world).data == first.data
    clock.advance(1)

    second = create(world, body=job_body(displayName="another"))

    assert (second.status_code, submitted(vertex)) == (200, 2)
    assert second.json["name"] != first.json["name"]


def test_yesterdays_job_is_not_taken_for_todays(world, vertex):
    """A nightly job under one and the same key, whose create is lost on the second night."""
    clock = clocked(world)
    first = create(world)
    clock.advance(A_DAY)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop=True)

    lost = create(world)
    clock.advance(SETTLING)
    again = create(world)

    assert reason(lost) == "CREATE_FATE_UNKNOWN"
    assert again.json["name"] != first.json["name"]
    assert submitted(vertex) == 2


def test_a_forged_marker_is_not_taken_for_the_lost_job(world, vertex):
    """Another team guesses the marker of a create, and has its own job found in its place."""
    clock = clocked(world)
    search, ads = team_keys(world, "search", "ads")
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop=True)
    create(world, key=search)
    (marker,) = world.store.submissions
    world.create(job_body(displayName="bait", labels={"gateway_submission": marker}), key=ads)
    clock.advance(SETTLING)

    answer = create(world, key=search)

    assert answer.status_code == 200
    assert answer.json["displayName"] == "nightly"


def test_firestore_down_before_it_is_sent_submits_nothing(world, vertex):
    world.store.failing = {"begin_submission"}
    assert reason(create(world)) == "BOOKS_UNAVAILABLE"
    world.store.failing = set()

    assert create(world).status_code == 200
    assert submitted(vertex) == 1


def test_firestore_down_after_it_was_sent_is_made_up_for(world, vertex):
    clock = clocked(world)
    world.store.failing = {"add_job"}
    assert reason(create(world)) == "JOB_NOT_RECORDED"
    world.store.failing = set()
    clock.advance(SENDING)

    again = create(world)

    assert (again.status_code, submitted(vertex)) == (200, 1)
    assert world.record(again.json) is not None


@pytest.mark.parametrize(
    ("fault", "failing"),
    [
        ({"drop": True}, "retake_submission"),
        ({"status": 400}, "drop_submission"),
        ({"status": 503}, "retake_submission"),
        ({"drop_after_processing": True}, "retake_submission"),
        ({"drop_after_processing": True}, "add_job"),
    ],
)
def test_firestore_down_at_any_other_step_makes_no_second_job_and_no_dead_key(world, vertex, fault, failing):
    clock = clocked(world)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", **fault)
    world.store.failing = {failing}
    create(world)
    world.store.failing = set()
    clock.advance(SENDING)

    assert create(world).status_code == 200
    assert submitted(vertex) == 1


def test_firestore_down_when_it_is_taken_up_again(world, vertex):
    clock = clocked(world)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop=True)
    create(world)
    clock.advance(SETTLING)
    world.store.failing = {"retake_submission"}
    assert create(world).status_code == 503
    world.store.failing = set()

    assert create(world).status_code == 200
    assert submitted(vertex) == 1


def test_two_that_take_it_up_again_submit_once(world, vertex):
    clock = clocked(world)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop=True)
    create(world)
    clock.advance(SETTLING)
    clients = [world.new_client() for _ in range(6)]

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda client: create(world, client=client).status_code, clients))

    assert set(statuses) <= {200, 409}
    assert 200 in statuses
    assert submitted(vertex) == 1


def large_body():
    uris = [f"gs://in/{'part' * 20}-{number}.jsonl" for number in range(12_000)]
    return job_body(inputConfig=input_files(*uris))


def test_an_answer_too_large_to_keep_is_asked_for_again(world, vertex):
    body = large_body()
    first = create(world, body=body)
    vertex.requests.clear()

    again = create(world, body=body)

    assert (again.status_code, again.json) == (200, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert submitted(vertex) == 1
    assert [request.method for request in vertex.requests.all()] == ["GET"]
    (kept,) = world.store.submissions.values()
    assert (kept.answer, kept.job) == (b"", world.record(first.json).key.path)
    assert world.store.open_submissions(10) == []


def test_and_if_the_job_is_gone_that_is_the_answer(world, vertex):
    body = large_body()
    create(world, body=body)
    vertex._store._jobs.clear()

    again = create(world, body=body)

    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (404, "true")
    assert submitted(vertex) == 0


@pytest.mark.parametrize("key", ["ü", "a b", "x" * 4000, "a/b", '"', "\u00a0"], ids=ascii)
def test_any_header_will_do(scripted, loopback, key):
    loopback.answers = [json_answer(job_resource())]

    assert create(scripted, key).data == create(scripted, key).data
    assert len(loopback.seen) == 1


def test_the_marker_is_a_label_that_vertex_takes_and_tells_nothing(scripted, loopback):
    create(scripted, "a-secret-of-the-callers")

    (marker,) = json.loads(loopback.seen[-1].body)["labels"].values()
    assert len(marker) == 32
    assert int(marker, 16)
    assert "a-secret-of-the-callers" not in f"{loopback.seen}{scripted.store.submissions}"


def test_the_header_itself_does_not_go_upstream(scripted, loopback):
    create(scripted)
    assert loopback.seen[-1].header("Idempotency-Key") is None


def test_an_alias_is_still_an_alias(scripted, loopback):
    loopback.answers = [Answer(429)]
    create(scripted, body=job_body(model="gemini-2.5-flash"))
    assert json.loads(loopback.seen[-1].body)["model"].endswith(FLASH)


@pytest.mark.parametrize("labels", [[], "team", 1])
def test_labels_of_another_form_leave_no_submission(world, vertex, labels):
    answer = create(world, body=job_body(labels=labels))

    assert (answer.status_code, reason(answer)) == (400, "BODY_INVALID")
    assert not world.store.submissions
    assert submitted(vertex) == 0


def test_without_an_idempotency_key_odd_labels_are_refused_as_well(scripted, loopback):
    assert reason(scripted.create(job_body(labels=["a"]))) == "BODY_INVALID"
    assert not loopback.seen
