"""A create, its record, and what is known of a job when something breaks in between."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.adapters.vertex import Vertex
from batch_gateway.core.jobs.record import JobKey, observe
from batch_gateway.core.jobs.sent import Sent, sent_of
from batch_gateway.ports import RecordError, UpstreamCredentialsError
from builders import input_files
from fakes import MemoryStore
from functional.gateway.conftest import (
    FLASH,
    JOBS,
    NUMBER,
    PROJECT,
    World,
    error_info,
    job_body,
    job_id,
    job_resource,
    json_answer,
    path_of,
    reason,
)
from functional.gateway.loopback import Answer, closed_port
from functional.gateway.scoped import team_keys


class WatchingVertex(Vertex):
    """Calls `then` between Vertex AI's answer and our handling of it."""

    before = after = staticmethod(lambda: None)

    def send(self, *args, **kwargs):
        self.before()
        answer = super().send(*args, **kwargs)
        self.after()
        return answer


def watched(world):
    upstream = WatchingVertex(world.settings.served, world.host)
    return upstream, world.new_client(upstream)


def test_what_the_record_holds(world):
    labels = {"environment": "production", "größe": "klein"}
    started = datetime.now(UTC)

    job = world.created(job_body(labels=labels))

    record = world.record(job)
    assert record.key == JobKey(PROJECT, "us-central1", job_id(job))
    assert (record.api_key, record.team, record.closed) == ("master", None, False)
    assert abs(record.create_time - started) < timedelta(seconds=10)
    seen = record.seen
    assert (seen.name, seen.state, seen.model) == (job["name"], "JOB_STATE_PENDING", FLASH)
    assert (seen.display_name, seen.labels) == ("nightly", labels)
    assert (seen.input_uris, seen.output_prefix) == (("gs://in/rows.jsonl",), "gs://out/run")
    assert seen.output_directory is None
    assert seen.create_time == record.create_time
    assert f"projects/{NUMBER}/" in seen.name


def test_the_submission_is_noted_before_anything_is_sent_and_the_record_before_the_answer(world):
    upstream, client = watched(world)
    noted = []
    upstream.before = lambda: noted.extend(world.store.submissions.values())

    job = world.create(client=client).json

    (submission,) = noted
    assert (submission.project, submission.location, submission.display_name) == (
        PROJECT,
        "us-central1",
        "nightly",
    )
    assert (submission.api_key, submission.team) == ("master", None)
    assert world.store.calls.index("begin_submission") < world.store.calls.index("add_job")
    assert world.record(job) is not None
    assert not world.store.submissions


def test_what_the_answer_leaves_out_is_recorded_as_it_was_sent(scripted, loopback):
    name = f"projects/{NUMBER}/locations/us-central1/batchPredictionJobs/4242"
    loopback.answers = [json_answer({"name": name})]

    job = scripted.created(job_body(labels={"a": "b"}))

    seen = scripted.record(job).seen
    assert (seen.labels, seen.output_prefix, seen.model) == ({"a": "b"}, "gs://out/run", FLASH)


def test_uris_may_be_a_string(world):
    source = {"instancesFormat": "jsonl", "gcsSource": {"uris": "gs://in/rows.jsonl"}}

    job = world.created(job_body(inputConfig=source))

    assert world.record(job).seen.input_uris == ("gs://in/rows.jsonl",)


@pytest.mark.parametrize("query", ["validateOnly=1", "validateOnly=", "validateOnly=true&validateOnly=true"])
def test_a_validate_only_that_is_not_understood_submits_nothing(world, vertex, query):
    assert reason(world.create(path=f"{JOBS}?{query}")) == "FIELD_INVALID"
    assert not vertex.requests.all()


@pytest.mark.parametrize(("query", "jobs"), [("validate_only=true", 0), ("validateOnly=false", 1)])
def test_validate_only_is_read_in_both_spellings(world, vertex, query, jobs):
    assert world.create(path=f"{JOBS}?{query}").status_code == 200
    assert len([request for request in vertex.requests.all() if request.method == "POST"]) == jobs


def test_books_that_are_down_refuse_a_create_and_nothing_is_sent(world, vertex):
    world.store.down = True

    answer = world.create()

    assert (answer.status_code, reason(answer)) == (503, "BOOKS_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert "not submitted" in answer.json["error"]["message"]
    assert not vertex.requests.all()


def test_a_job_that_cannot_be_recorded_is_named_and_its_submission_kept(world, vertex):
    world.store.failing = {"add_job"}

    answer = world.create()

    assert (answer.status_code, answer.json["error"]["status"]) == (503, "UNAVAILABLE")
    info = error_info(answer)
    (job,), (submission,) = vertex.jobs(), world.store.submissions
    assert info["reason"] == "JOB_NOT_RECORDED"
    assert info["metadata"] == {"job": job["name"], "submission": submission}
    assert job["name"] in answer.json["error"]["message"]
    assert "Retry-After" not in answer.headers, "a client that retries would submit it twice"


def test_books_that_go_down_after_vertex_accepted_say_so_too(world, vertex):
    upstream, client = watched(world)
    upstream.after = lambda: setattr(world.store, "down", True)

    answer = world.create(client=client)

    assert reason(answer) == "JOB_NOT_RECORDED"
    assert len(vertex.jobs()) == 1


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (429, "RESOURCE_EXHAUSTED"),
    ],
)
def test_a_create_that_vertex_refuses_passes_through_and_leaves_no_submission(
    scripted, loopback, status, name
):
    body = {"error": {"code": status, "message": "no", "status": name}}
    loopback.answers = [json_answer(body, status, headers=(("Retry-After", "30"),))]

    answer = scripted.create()

    assert (answer.status_code, answer.json) == (status, body)
    assert answer.headers["Retry-After"] == "30"
    assert len(loopback.seen) == 1, "a create is never sent again"
    assert not scripted.store.submissions
    assert not scripted.store._jobs


def test_a_model_that_does_not_exist_leaves_nothing_behind(world):
    answer = world.create(job_body(model="publishers/google/models/gemini-9"))

    assert (answer.status_code, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    assert not world.store.submissions
    assert not world.store._jobs


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_create_that_vertex_fails_is_not_retried_and_its_submission_stays(
    scripted, loopback, pauses, status
):
    loopback.answers = [json_answer({"error": {"code": status, "message": "x", "status": "X"}}, status)]

    assert scripted.create().status_code == status
    assert len(loopback.seen) == 1
    assert not pauses
    assert len(scripted.store.submissions) == 1, "it may have made a job all the same"


@pytest.mark.parametrize(("fault", "jobs"), [({"drop": True}, 0), ({"drop_after_processing": True}, 1)])
def test_a_connection_that_breaks_leaves_a_creates_fate_unknown(world, vertex, fault, jobs):
    vertex.faults.add(method="POST", **fault)

    answer = world.create()

    assert (answer.status_code, answer.json["error"]["status"]) == (503, "UNAVAILABLE")
    info = error_info(answer)
    (submission,) = world.store.submissions
    assert (info["reason"], info["metadata"]) == ("CREATE_FATE_UNKNOWN", {"submission": submission})
    assert "List" in answer.json["error"]["message"]
    assert "Retry-After" not in answer.headers
    assert len(vertex.requests.all()) == 1
    assert len(vertex.jobs()) == jobs


def test_a_create_that_takes_too_long_leaves_its_fate_unknown(world, vertex, monkeypatch):
    monkeypatch.setattr("batch_gateway.adapters.vertex._READ_SECONDS", 0.05)
    vertex.faults.add(method="POST", delay_seconds=0.2)

    answer = world.create()

    assert (answer.status_code, answer.json["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
    assert reason(answer) == "CREATE_FATE_UNKNOWN"
    assert len(vertex.requests.all()) == 1
    assert len(world.store.submissions) == 1


def test_a_refused_connection_is_unavailable_and_leaves_no_submission():
    world = World(f"127.0.0.1:{closed_port()}")

    answer = world.create()

    assert (answer.status_code, reason(answer)) == (503, "UPSTREAM_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert not world.store.submissions


def test_a_create_without_a_google_token_leaves_no_submission(scripted):
    class NoToken(Vertex):
        def send(self, *_, **__):
            raise UpstreamCredentialsError("no token")

    client = scripted.new_client(NoToken(scripted.settings.served))

    answer = scripted.create(client=client)

    assert (answer.status_code, reason(answer)) == (500, "UPSTREAM_CREDENTIALS")
    assert not scripted.store.submissions


def test_a_submission_that_cannot_be_dropped_does_not_change_the_answer(world):
    world.store.failing = {"drop_submission"}

    answer = world.create(job_body(model="publishers/google/models/gemini-9"))

    assert answer.status_code == 404
    assert len(world.store.submissions) == 1


JOB = json.dumps(job_resource()).encode()


def raw(status_line, *headers, body=JOB):
    return Answer(body=b"\r\n".join([b"HTTP/1.1 " + status_line, *headers, b"", body]), raw=True)


NO_JOBS = {
    "empty object": Answer(body=b"{}"),
    "empty list": Answer(body=b"[]"),
    "list of a job": Answer(body=b"[" + JOB + b"]"),
    "nothing": Answer(body=b""),
    "null": Answer(body=b"null"),
    "another name": Answer(body=b'{"name": "somewhere/else"}'),
    "no text for a name": Answer(body=b'{"name": 4242}'),
    "a name that no document has": Answer(body=JOB.replace(b"/4242", b"/" + b"4" * 5000)),
    "an operation": Answer(body=b'{"name": "projects/1/locations/us-central1/operations/1", "done": true}'),
    "an error": json_answer({"error": {"code": 500, "message": "x", "status": "INTERNAL"}}),
    "HTML": Answer(body=b"<!doctype html><title>OK</title>", content_type="text/html"),
    "cut JSON": Answer(body=JOB[:-1]),
    "no UTF-8": Answer(body=JOB.replace(b"nightly", b"night\xff")),
    "nested": Answer(body=b'{"name":' + b"[" * 100_000),
    "no content": raw(b"204 No Content", body=b""),
    "redirect": Answer(302, headers=(("Location", "https://elsewhere.example/"),)),
    "permanent redirect": Answer(308, body=JOB, headers=(("Location", "/v1/x"),)),
    "not modified": raw(b"304 Not Modified", body=b""),
    "early hints": raw(b"103 Early Hints", body=b""),
    "bad gzip": Answer(body=JOB, headers=(("Content-Encoding", "gzip"),)),
    "cut gzip": Answer(body=gzip.compress(JOB)[:-40], headers=(("Content-Encoding", "gzip"),)),
    "gzip that is corrupt": Answer(
        body=gzip.compress(JOB)[:-8] + b"corrupt!", headers=(("Content-Encoding", "gzip"),)
    ),
    "another encoding": Answer(body=b"\x0b\x02\x80{}\x03", headers=(("Content-Encoding", "br"),)),
    "too short": raw(b"200 OK", b"Content-Length: %d" % (len(JOB) + 1)),
    "too long": raw(b"200 OK", b"Content-Length: %d" % (len(JOB) - 1)),
    "a cut chunk": raw(b"200 OK", b"Transfer-Encoding: chunked", body=b"fff\r\n" + JOB),
    "a bad chunk": raw(b"200 OK", b"Transfer-Encoding: chunked", body=b"zz\r\n" + JOB),
    "no HTTP": Answer(body=JOB, raw=True),
}


@pytest.mark.parametrize("answered", NO_JOBS.values(), ids=NO_JOBS)
def test_an_answer_that_is_no_job_leaves_a_creates_fate_unknown(scripted, loopback, answered):
    loopback.answers = [answered]

    answer = scripted.create()

    assert (answer.status_code, answer.json["error"]["status"]) == (503, "UNAVAILABLE")
    (submission,) = scripted.store.submissions
    info = error_info(answer)
    assert (info["reason"], info["metadata"]) == ("CREATE_FATE_UNKNOWN", {"submission": submission})
    assert "may or may not exist" in answer.json["error"]["message"]
    assert "Retry-After" not in answer.headers
    assert "Location" not in answer.headers
    assert not scripted.store._jobs
    assert len(loopback.seen) == 1, "a create is never sent again"


@pytest.mark.parametrize("answered", NO_JOBS.values(), ids=NO_JOBS)
def test_with_an_idempotency_key_the_job_is_looked_for(scripted, loopback, answered):
    jobs = []

    def respond(seen):
        if seen.method == "GET":
            return json_answer({"batchPredictionJobs": jobs})
        jobs.append({**job_resource(), "labels": json.loads(seen.body)["labels"]})
        return answered

    loopback.respond = respond

    answer = scripted.create(headers={"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json) == (200, jobs[0])
    assert scripted.record(jobs[0]).seen.name == jobs[0]["name"]


@pytest.mark.parametrize(
    "found", [[], [job_resource()], [job_resource(labels={"gateway_submission": "x"})], [7]]
)
def test_and_another_job_is_not_taken_for_it(scripted, loopback, found):
    loopback.respond = lambda seen: (
        Answer() if seen.method == "POST" else json_answer({"batchPredictionJobs": found})
    )

    answer = scripted.create(headers={"Idempotency-Key": "k"})

    assert (answer.status_code, reason(answer)) == (503, "CREATE_FATE_UNKNOWN")
    assert answer.headers["Retry-After"] == "10"
    assert len(scripted.store.submissions) == 1
    assert not scripted.store._jobs


def test_a_name_in_the_body_does_not_make_a_job_of_an_answer_without_one(scripted, loopback):
    loopback.answers = [Answer()]

    answer = scripted.create(job_body(name=job_resource()["name"]))

    assert reason(answer) == "CREATE_FATE_UNKNOWN"
    assert not scripted.store._jobs


@pytest.mark.parametrize("status", [408, 499])
def test_a_create_that_vertex_gave_up_on_may_have_made_a_job(scripted, loopback, status):
    loopback.answers = [json_answer({"error": {"code": status, "message": "x", "status": "X"}}, status)]

    assert scripted.create().status_code == status
    assert len(scripted.store.submissions) == 1


def test_a_create_with_thousands_of_inputs_is_recorded(world):
    uris = [f"gs://in/{'part' * 20}-{number}.jsonl" for number in range(12_000)]
    sent = job_body(inputConfig=input_files(*uris))

    job = world.created(sent)

    assert job["inputConfig"]["gcsSource"]["uris"] == uris
    seen = world.record(job).seen
    assert (list(seen.input_uris), seen.input_uris_cut) == (uris[:50], 11_950)
    assert len(json.dumps(msgspec.to_builtins(world.record(job)))) < 50_000


def test_a_record_that_is_refused_names_the_job(scripted, monkeypatch):
    def refuse(*_):
        raise RecordError("told to refuse")

    monkeypatch.setattr(MemoryStore, "add_job", refuse)

    answer = scripted.create()

    assert (answer.status_code, reason(answer)) == (503, "JOB_NOT_RECORDED")
    assert len(scripted.store.submissions) == 1


def test_what_a_lost_job_is_known_by_is_noted(scripted, loopback):
    loopback.answers = [Answer()]
    (search,) = team_keys(scripted, "search")
    output = {"output_config": {"gcs_destination": {"output_uri_prefix": "gs://out/x/"}}}
    body = job_body(**output, labels={"team": "forged", "other": "x"})
    del body["outputConfig"]

    scripted.create(body, key=search)
    scripted.create(job_body(labels={"team": "ads", "n": "1"}, model="gemini-2.5-flash"))

    sent = [submission.sent for submission in scripted.store.submissions.values()]
    assert sent == [
        Sent({"team": "search"}, "gs://out/x", "gemini-2.5-flash", "nightly"),
        Sent({"team": "ads"}, "gs://out/run", "gemini-2.5-flash", "nightly"),
    ]
    assert sent_of(observe(job_resource(labels={"team": "ads"}))) == sent[1]


@pytest.mark.parametrize(
    "odd",
    [b'"x":1e999', b'"x":' + b"9" * 5000, b'"displayName":"\xff"', b'"x":{"y":["\xe9"]}'],
    ids=["float", "integer", "latin-1", "nested latin-1"],
)
def test_a_job_that_vertex_accepted_is_recorded_whatever_else_its_body_held(scripted, loopback, odd):
    loopback.answers = [json_answer(job_resource())]

    answer = scripted.create(b'{"model":"' + FLASH.encode() + b'",' + odd + b"}")

    if answer.status_code == 400 and not loopback.seen:
        return  # refused before it was sent: nothing is lost
    assert answer.status_code == 200
    assert scripted.record(job_resource()) is not None


def test_the_same_job_answered_twice_keeps_its_first_record(scripted, loopback):
    loopback.answers = [json_answer(job_resource())]
    scripted.created()
    first = scripted.record(job_resource())

    scripted.created(job_body(displayName="again"))

    assert scripted.record(job_resource()) == first
    assert not scripted.store.submissions


def test_a_new_job_can_be_read_and_priced_at_once(world):
    job = world.created()

    assert world.get(path_of(job)).status_code == 200
    assert world.get(f"{path_of(job)}/cost").json["status"] == "PENDING"


def test_creates_of_both_versions_are_recorded(world):
    answer = world.create(path=JOBS.replace("/v1/", "/v1beta1/"))

    assert world.record(answer.json) is not None


def test_a_create_with_a_bigquery_target_is_recorded(world):
    source = {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": "bq://p.d.in"}}
    target = {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": "bq://p.d.out"}}

    job = world.created(job_body(inputConfig=source, outputConfig=target))

    seen = world.record(job).seen
    assert (seen.input_uris, seen.output_prefix) == (("bq://p.d.in",), None)


def test_the_log_names_job_key_and_model(world, capsys):
    capsys.readouterr()

    job = world.created()

    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["severity"], line["message"]) == ("INFO", "job created")
    assert (line["job"], line["gen_ai.request.model"], line["api_key"]) == (
        job["name"],
        "gemini-2.5-flash",
        "master",
    )
