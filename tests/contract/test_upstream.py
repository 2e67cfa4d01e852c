"""The Upstream port: the adapter to Vertex AI against the emulator of it."""

import json
from types import SimpleNamespace

import pytest

from batch_gateway.adapters import vertex as adapter
from batch_gateway.adapters.vertex import Vertex
from batch_gateway.core.jobs.record import JobKey, observe
from batch_gateway.ports import Absent, UpstreamResponse, UpstreamUnavailableError
from builders import output_folder
from vertex_emulator import VertexEmulator

PARENT = "projects/acme-batch/locations/us-central1"
PLACE = {"project": "acme-batch", "location": "us-central1"}
BODY = {
    "displayName": "nightly",
    "model": "publishers/google/models/gemini-2.5-flash",
    "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": "gs://in/rows.jsonl"}},
    "outputConfig": output_folder("gs://out/run/"),
}


@pytest.fixture(scope="module")
def emulator():
    numbers = {"acme-batch": "123456789012"}
    with VertexEmulator(
        storage_endpoint="http://127.0.0.1:9", auto=False, project_numbers=numbers
    ) as running:
        yield running


@pytest.fixture
def upstream(emulator, monkeypatch):
    monkeypatch.setattr(adapter, "time", SimpleNamespace(sleep=lambda _: None))
    emulator.requests.clear()
    emulator.faults.clear()
    return Vertex({("acme-batch", "us-central1"): None}, emulator.host)


def create(upstream):
    headers = {"Content-Type": "application/json"}
    path = f"/v1/{PARENT}/batchPredictionJobs"
    answer = upstream.send("POST", path, body=json.dumps(BODY).encode(), headers=headers, **PLACE)
    return json.loads(answer.body)


def key_of(job):
    return JobKey("acme-batch", "us-central1", job["name"].rpartition("/")[2])


def test_a_job_is_created_found_and_followed(upstream, emulator):
    job = create(upstream)
    assert upstream.get_job(key_of(job)) == job

    ended = emulator.finish(job["name"], rows=0, state="JOB_STATE_EXPIRED")
    found = upstream.get_job(key_of(job))

    assert found == ended
    assert observe(found).terminal
    assert observe(found).output_prefix == "gs://out/run"


def test_a_job_that_is_not_there_is_missing(upstream):
    assert upstream.get_job(JobKey("acme-batch", "us-central1", "404")) is Absent.MISSING


def test_a_job_that_may_not_be_seen_is_denied(upstream, emulator):
    emulator.faults.add(status=403)

    assert upstream.get_job(JobKey("acme-batch", "us-central1", "403")) is Absent.DENIED


def test_an_answer_has_status_headers_in_lower_case_and_body(upstream, emulator):
    emulator.faults.add(status=429, retry_after=30)

    answer = upstream.send("POST", f"/v1/{PARENT}/batchPredictionJobs", body=b"{}", **PLACE)

    assert isinstance(answer, UpstreamResponse)
    assert (answer.status, answer.headers["retry-after"]) == (429, "30")
    assert answer.headers["content-type"].startswith("application/json")
    assert json.loads(answer.body)["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_what_is_sent_arrives_as_it_is(upstream, emulator):
    path, query, body = f"/v1/{PARENT}/batchPredictionJobs", "$alt=json%3Benum-encoding=int", b' {"a":1.0}\n'

    upstream.send("POST", path, query=query, body=body, headers={"User-Agent": "x/1"}, **PLACE)

    (request,) = emulator.requests.all()
    assert (request.method, request.target, request.body) == ("POST", f"{path}?{query}", body)
    assert (request.header("User-Agent"), request.header("Authorization")) == ("x/1", None)


@pytest.mark.parametrize(("method", "times"), [("GET", 3), ("POST", 1), ("DELETE", 1)])
def test_only_what_is_safe_is_sent_again(upstream, emulator, method, times):
    emulator.faults.add(times=None, status=503)

    answer = upstream.send(method, f"/v1/{PARENT}/batchPredictionJobs/1", **PLACE)

    assert answer.status == 503
    assert len(emulator.requests.all()) == times


@pytest.mark.parametrize("fault", [{"drop": True}, {"drop_after_processing": True}])
def test_a_connection_that_breaks_may_have_been_used(upstream, emulator, fault):
    emulator.faults.add(**fault)

    with pytest.raises(UpstreamUnavailableError) as raised:
        create(upstream)

    assert raised.value.sent
    assert len(emulator.requests.all()) == 1


def test_no_answer_about_a_job_is_not_the_same_as_no_job(upstream, emulator):
    emulator.faults.add(times=None, status=500)

    with pytest.raises(UpstreamUnavailableError):
        upstream.get_job(JobKey("acme-batch", "us-central1", "1"))
