"""How jobs live, and how they end: by themselves, by hand, cancelled, deleted."""

import json
import re

import pytest

from builders import input_files, output_folder, prompt
from functional.vertex_emulator.conftest import PARENT, refusal_of
from patience import PATIENCE
from processes import wait_until
from vertex_emulator import Speed


def test_a_job_lives_as_googles_do(vertex):
    body = vertex.body(
        [prompt("a"), prompt("b"), prompt("c", fail=True), prompt("d")], labels={"team": "search"}
    )
    body["inputConfig"]["gcsSource"]["uris"] = body["inputConfig"]["gcsSource"]["uris"][0]
    created = vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=body).json()
    name = created["name"]

    number = vertex.emulator.project_number("acme")
    assert re.fullmatch(rf"projects/{number}/locations/us-central1/batchPredictionJobs/\d{{19}}", name)
    assert re.fullmatch(r"\d{12}", number)
    assert created["state"] == "JOB_STATE_PENDING"
    assert created["inputConfig"]["gcsSource"]["uris"] == [body["inputConfig"]["gcsSource"]["uris"]]
    assert created["labels"] == {"team": "search"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", created["createTime"])
    assert created["updateTime"] == created["createTime"]
    assert not created.keys() & {"startTime", "endTime", "error", "outputInfo", "completionStats"}
    assert vertex.call("GET", f"v1/{name.replace(number, 'acme')}").json() == created

    vertex.emulator.step()
    running = vertex.get(name)
    assert running["state"] == "JOB_STATE_RUNNING"
    assert running["completionStats"] == {"incompleteCount": "4"}
    assert running["updateTime"] == running["startTime"]
    vertex.emulator.step(rows=3)
    running = vertex.get(name)
    assert sum(map(int, running["completionStats"].values())) == 4
    assert running["completionStats"]["incompleteCount"] == "1"
    assert not running.keys() & {"endTime", "outputInfo"}

    vertex.emulator.step()
    done = vertex.get(name)
    assert done["state"] == "JOB_STATE_SUCCEEDED"
    assert done["completionStats"] == {"successfulCount": "3", "failedCount": "1"}
    assert "error" not in done
    directory = done["outputInfo"]["gcsOutputDirectory"]
    assert re.fullmatch(r"gs://batches/out/prediction-model-[\d-]{10}T[\d:]{8}\.\d{6}Z", directory)
    assert created["createTime"] not in directory
    assert len(vertex.output(done).splitlines()) == 4


def test_jobs_move_by_themselves(make):
    vertex = make(speed=Speed(pending_seconds=0.05, seconds_per_row=0.02))
    name = vertex.create([prompt(str(n)) for n in range(10)])
    job = wait_for(vertex, name, lambda job: "endTime" in job)
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    assert job["createTime"] < job["startTime"] < job["endTime"]


def test_the_clock_stops_before_a_row_that_holds(make):
    vertex = make(speed=Speed(pending_seconds=0, seconds_per_row=0))
    name = vertex.create([prompt("a", hold=True), prompt("b"), prompt("c", fail=True)])
    job = wait_for(vertex, name, lambda job: job.get("completionStats", {}).get("successfulCount"))
    assert job["completionStats"] == {"successfulCount": "1", "failedCount": "1", "incompleteCount": "1"}
    assert job["state"] == "JOB_STATE_RUNNING"
    vertex.emulator.step(name)
    assert vertex.get(name)["completionStats"] == {"successfulCount": "2", "failedCount": "1"}


def wait_for(vertex, name, is_true):
    """Wait until a job is as wanted, and return it."""

    def wanted():
        job = vertex.get(name)
        return job if is_true(job) else None

    return wait_until(wanted, PATIENCE, name)


def test_several_inputs_and_wildcards_are_read_and_the_order_changes(vertex):
    for number in range(4):
        lines = [json.dumps({**prompt(), "key": f"{number}/{n}"}) for n in range(5)]
        vertex.bucket.blob(f"wild/part-{number}.jsonl").upload_from_string("\n".join(lines))
    vertex.bucket.blob("wild/readme.txt").upload_from_string("no rows")
    uris = ["gs://batches/wild/part-*.jsonl", "gs://batches/wild/part-0.jsonl"]
    body = vertex.body(inputConfig=input_files(*uris))
    name = vertex.call("POST", f"v1beta1/{PARENT}/batchPredictionJobs", json=body).json()["name"]
    keys = [json.loads(line)["key"] for line in vertex.output(vertex.emulator.finish(name)).splitlines()]
    expected = [f"{number}/{n}" for number in (0, 1, 2, 3, 0) for n in range(5)]
    assert keys != expected
    assert sorted(keys) == sorted(expected)


def test_tests_can_choose_a_jobs_end(vertex):
    expired = vertex.emulator.finish(vertex.create([prompt()]), state="JOB_STATE_EXPIRED", rows=0)
    assert expired["state"] == "JOB_STATE_EXPIRED"
    assert not expired.keys() & {"outputInfo", "startTime", "completionStats"}
    partial = vertex.emulator.finish(
        vertex.create([prompt(), prompt()]),
        state="JOB_STATE_PARTIALLY_SUCCEEDED",
        rows=1,
    )
    assert len(vertex.output(partial).splitlines()) == 1
    refused = {"code": 7, "message": "no storage.objects.create"}
    failed = vertex.emulator.finish(
        vertex.create([prompt()]), state="JOB_STATE_FAILED", error=refused, write=False
    )
    assert failed["error"] == refused
    path = failed["outputInfo"]["gcsOutputDirectory"].removeprefix("gs://batches/")
    assert not vertex.bucket.blob(f"{path}/predictions.jsonl").exists()


@pytest.mark.parametrize(
    ("rows", "changes", "code", "message"),
    [
        ([], {}, 3, "Failed to import data."),
        (None, {}, 3, "Failed to import data. Not found"),
        (['{"request": '], {}, 3, "Failed to import data. Error while reading data"),
        (["[1]"], {}, 3, "Failed to import data. Error while reading data"),
        (
            [{**prompt(), "emulate": {"thougths": 3}}],
            {},
            3,
            "Failed to import data. emulate has no thougths",
        ),
        (
            [prompt()],
            {"outputConfig": output_folder("gs://no-such-bucket/x")},
            9,
            "Failed to get GCS bucket location for no-such-bucket",
        ),
        (
            [prompt()],
            {"inputConfig": input_files("gs://no-such-bucket/x.jsonl")},
            9,
            "Failed to get GCS bucket location for no-such-bucket",
        ),
    ],
)
def test_bad_input_fails_the_job_not_the_create(vertex, rows, changes, code, message):
    name = vertex.create(rows, **changes)
    vertex.emulator.step()
    job = vertex.get(name)
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["code"] == code
    assert job["error"]["message"].startswith(message)
    assert "endTime" in job
    assert not job.keys() & {"outputInfo", "startTime"}


def test_cancel_before_the_start(vertex):
    name = vertex.create([prompt()])
    assert vertex.call("POST", f"v1/{name}:cancel").json() == {}
    job = vertex.get(name)
    assert (job["state"], job["error"]) == ("JOB_STATE_CANCELLED", {"code": 1, "message": "CANCELED"})
    assert not job.keys() & {"completionStats", "outputInfo"}
    refusal_of(vertex.call("POST", f"v1/{name}:cancel"), 400, "FAILED_PRECONDITION")


@pytest.mark.parametrize(
    ("data", "content_type"),
    [(b"", None), (b"", "application/x-www-form-urlencoded"), (b"{}", "application/json"), (b"{}", None)],
)
def test_cancel_in_the_middle_keeps_what_is_done(vertex, data, content_type):
    name = vertex.create([prompt(str(n)) for n in range(5)])
    vertex.emulator.step()
    vertex.emulator.step(rows=2)
    headers = {"Content-Type": content_type} if content_type else {}
    assert vertex.call("POST", f"v1/{name}:cancel", data=data, headers=headers).status_code == 200
    assert vertex.get(name)["state"] == "JOB_STATE_CANCELLING"
    vertex.emulator.step()
    job = vertex.get(name)
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_CANCELLED", 1)
    assert job["completionStats"] == {"successfulCount": "2", "incompleteCount": "3"}
    rows = [json.loads(line) for line in vertex.output(job).splitlines()]
    assert sorted(bool(row["response"]) for row in rows) == [False] * 3 + [True] * 2
    assert all(row["status"] == "Not processed: the job ended before." for row in rows if not row["response"])


def test_delete_is_an_operation(make):
    vertex = make(auto=False, speed=Speed(delete_seconds=60))
    name = vertex.create([prompt()])
    refusal_of(vertex.call("DELETE", f"v1/{name}"), 400, "FAILED_PRECONDITION")
    vertex.emulator.finish(name)
    operation = vertex.call("DELETE", f"v1/{name}", json={}).json()
    parent = name.split("/batch")[0]
    assert re.fullmatch(rf"{parent}/operations/\d+", operation["name"])
    assert operation["metadata"]["@type"].endswith("aiplatform.v1.DeleteOperationMetadata")
    assert "done" not in operation
    assert vertex.call("GET", f"v1/{name}").status_code == 200
    vertex.emulator.step()
    for path in ("v1", "v1beta1", "ui"):
        polled = vertex.call("GET", f"{path}/{operation['name']}").json()
        assert polled["done"] is True
        assert polled["response"] == {"@type": "type.googleapis.com/google.protobuf.Empty"}
    refusal_of(vertex.call("GET", f"v1/{name}"), 404, "NOT_FOUND")
    refusal_of(vertex.call("DELETE", f"v1/{name}"), 404, "NOT_FOUND")
    refusal_of(vertex.call("GET", f"v1/{parent}/operations/1"), 404, "NOT_FOUND")


def test_delete_can_be_done_at_once(vertex):
    name = vertex.create([prompt()])
    vertex.emulator.finish(name)
    assert vertex.call("DELETE", f"v1beta1/{name}").json()["done"] is True
    assert vertex.emulator.jobs() == []
