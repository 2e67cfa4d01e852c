"""The Vertex emulator against a real storage emulator: what it promises to the tests that build on it."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from vertex_emulator import Speed, VertexEmulator

LOCAL = Path(__file__).parents[2] / "infra" / "local"
PARENT = "projects/acme/locations/us-central1"
FLASH = "publishers/google/models/gemini-2.5-flash"


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def endpoint():
    port = _free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1"]
    process = subprocess.Popen([*command, "--port", str(port), "--in-memory", "-q"])  # noqa: S603
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 20
    while True:
        try:
            requests.get(url, timeout=1)
            break
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the storage emulator does not start"
            time.sleep(0.05)
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="module")
def bucket(endpoint):
    client = Client("acme", AnonymousCredentials(), client_options={"api_endpoint": endpoint})
    return client.create_bucket("batches")


class Vertex:
    """The emulator with the few calls that these tests make over and over."""

    def __init__(self, emulator, bucket):
        self.emulator = emulator
        self.bucket = bucket
        self.session = requests.Session()

    def call(self, method, path, **given):
        return self.session.request(method, f"{self.emulator.url}/{path}", timeout=10, **given)

    def body(self, rows=None, **changes):
        name = f"in/{time.monotonic_ns()}.jsonl"
        if rows is not None:
            lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
            self.bucket.blob(name).upload_from_string("\n".join(lines) + "\n")
        return {
            "displayName": "nightly",
            "model": FLASH,
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [f"gs://batches/{name}"]}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": "gs://batches/out"},
            },
            **changes,
        }

    def create(self, rows=None, **changes):
        response = self.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=self.body(rows, **changes))
        assert response.status_code == 200, response.text
        return response.json()["name"]

    def get(self, name):
        return self.call("GET", f"v1/{name}").json()

    def output(self, job):
        uri = job["outputInfo"]["gcsOutputDirectory"] + "/predictions.jsonl"
        return self.bucket.blob(uri.removeprefix("gs://batches/")).download_as_bytes()

    def rows(self, *given, **changes):
        """Run a job over rows and return its output rows in the order of their `n`."""
        numbered = [{**row, "n": number} for number, row in enumerate(given)]
        name = self.create(numbered, **changes)
        job = self.emulator.finish(name)
        assert job["state"] == "JOB_STATE_SUCCEEDED", job
        answers = [json.loads(line) for line in self.output(job).splitlines()]
        return sorted(answers, key=lambda row: row["n"] if "n" in row else row["instance"]["n"])


@pytest.fixture
def make(endpoint, bucket):
    with ExitStack() as stack:
        yield lambda **given: Vertex(
            stack.enter_context(VertexEmulator(storage_endpoint=endpoint, **given)), bucket
        )


@pytest.fixture
def vertex(make):
    return make(auto=False)


def _row(text="Hello world!", limit=None, **emulate):
    request = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    if limit is not None:
        request["generationConfig"] = {"maxOutputTokens": limit}
    return {"request": request, **({"emulate": emulate} if emulate else {})}


def _error(response, http, status):
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (http, http, status), response.text
    return error


# Life cycle


def test_a_job_lives_as_googles_do(vertex):
    body = vertex.body([_row("a"), _row("b"), _row("c", fail=True), _row("d")], labels={"team": "search"})
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
    name = vertex.create([_row(str(n)) for n in range(10)])
    seen = []
    deadline = time.monotonic() + 10
    while not seen or seen[-1] != "JOB_STATE_SUCCEEDED":
        state = vertex.get(name)["state"]
        seen += [state] if state not in seen else []
        assert time.monotonic() < deadline, seen
    assert seen == ["JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"]


def test_several_inputs_and_wildcards_are_read_and_the_order_changes(vertex):
    for number in range(4):
        lines = [json.dumps({**_row(), "key": f"{number}/{n}"}) for n in range(5)]
        vertex.bucket.blob(f"wild/part-{number}.jsonl").upload_from_string("\n".join(lines))
    vertex.bucket.blob("wild/readme.txt").upload_from_string("no rows")
    uris = ["gs://batches/wild/part-*.jsonl", "gs://batches/wild/part-0.jsonl"]
    body = vertex.body(inputConfig={"instancesFormat": "jsonl", "gcsSource": {"uris": uris}})
    name = vertex.call("POST", f"v1beta1/{PARENT}/batchPredictionJobs", json=body).json()["name"]
    keys = [json.loads(line)["key"] for line in vertex.output(vertex.emulator.finish(name)).splitlines()]
    expected = [f"{number}/{n}" for number in (0, 1, 2, 3, 0) for n in range(5)]
    assert keys != expected
    assert sorted(keys) == sorted(expected)


def test_tests_can_choose_a_jobs_end(vertex):
    expired = vertex.emulator.finish(vertex.create([_row()]), state="JOB_STATE_EXPIRED", rows=0)
    assert expired["state"] == "JOB_STATE_EXPIRED"
    assert not expired.keys() & {"outputInfo", "startTime", "completionStats"}
    partial = vertex.emulator.finish(
        vertex.create([_row(), _row()]), state="JOB_STATE_PARTIALLY_SUCCEEDED", rows=1
    )
    assert len(vertex.output(partial).splitlines()) == 1
    refused = {"code": 7, "message": "no storage.objects.create"}
    failed = vertex.emulator.finish(
        vertex.create([_row()]), state="JOB_STATE_FAILED", error=refused, write=False
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
        ([{**_row(), "emulate": {"thougths": 3}}], {}, 3, "Failed to import data. emulate has no thougths"),
        (
            [_row()],
            {
                "outputConfig": {
                    "predictionsFormat": "jsonl",
                    "gcsDestination": {"outputUriPrefix": "gs://no-such-bucket/x"},
                }
            },
            9,
            "Failed to get GCS bucket location for no-such-bucket",
        ),
        (
            [_row()],
            {
                "inputConfig": {
                    "instancesFormat": "jsonl",
                    "gcsSource": {"uris": ["gs://no-such-bucket/x.jsonl"]},
                }
            },
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


# Rows


def test_a_gemini_row_looks_like_a_live_one(vertex):
    given = _row("x" * 33)
    [row] = vertex.rows({**given, "custom_id": "a"})
    assert row["status"] == ""
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}\+00:00", row["processed_time"])
    assert (row["request"], row["custom_id"]) == (given["request"], "a")
    response = row["response"]
    assert list(response) == ["candidates", "createTime", "modelVersion", "responseId", "usageMetadata"]
    assert response["modelVersion"] == "gemini-2.5-flash"
    assert response["candidates"][0]["finishReason"] == "STOP"
    output = response["usageMetadata"]["candidatesTokenCount"]
    assert response["usageMetadata"] == {
        "candidatesTokenCount": output,
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": output}],
        "promptTokenCount": 9,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
        "totalTokenCount": 9 + output,
        "trafficType": "ON_DEMAND",
    }


def test_counts_are_repeatable_and_limits_hold(vertex):
    snake = _row()
    snake["request"]["generation_config"] = {"max_output_tokens": 3}
    free, again, limited, short = vertex.rows(_row(), _row(), _row(limit=5), snake)
    assert free["response"]["usageMetadata"] == again["response"]["usageMetadata"]
    for row, limit in ((limited, 5), (short, 3)):
        assert row["response"]["usageMetadata"]["candidatesTokenCount"] == limit
        assert row["response"]["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_every_kind_of_token_can_be_asked_for(vertex):
    [row] = vertex.rows(
        _row(prompt_tokens=1000, audio=500, image=258, cached=64, thoughts=120, tool_use=30, output_tokens=40)
    )
    usage = row["response"]["usageMetadata"]
    assert usage == {
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 64}],
        "cachedContentTokenCount": 64,
        "candidatesTokenCount": 40,
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
        "promptTokenCount": 1000,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 242},
            {"modality": "AUDIO", "tokenCount": 500},
            {"modality": "IMAGE", "tokenCount": 258},
        ],
        "thoughtsTokenCount": 120,
        "toolUsePromptTokenCount": 30,
        "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 30}],
        "totalTokenCount": 1190,
        "trafficType": "ON_DEMAND",
    }


def test_rows_fail_block_and_leave_things_out_as_asked(vertex):
    bad_role = _row()
    bad_role["request"]["contents"][0]["role"] = "tester"
    failed, worded, refused, blocked, bare, plain, renamed, image = vertex.rows(
        _row(fail=True),
        _row(fail="too hot"),
        bad_role,
        _row(blocked=True, thoughts=9),
        _row(no_usage=True),
        _row(no_details=True, output_tokens=7),
        _row(model_version="gemini-2.5-flash-001@default"),
        _row(output_image=1290, output_tokens=10, web_search=True),
    )
    for row in (failed, worded, refused):
        assert row["response"] == {}
        inner = json.loads(row["status"].removeprefix("Bad Request: "))["error"]
        assert (inner["code"], inner["status"]) == (400, "INVALID_ARGUMENT")
    assert '"message": "too hot"' in worded["status"]
    assert "Please use a valid role: user, model." in refused["status"]
    assert "candidates" not in blocked["response"]
    assert blocked["response"]["promptFeedback"]
    usage = blocked["response"]["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] == 3
    assert not usage.keys() & {"candidatesTokenCount", "thoughtsTokenCount"}
    assert "usageMetadata" not in bare["response"]
    assert plain["response"]["usageMetadata"] == {
        "candidatesTokenCount": 7,
        "promptTokenCount": 3,
        "totalTokenCount": 10,
    }
    assert renamed["response"]["modelVersion"] == "gemini-2.5-flash-001@default"
    assert image["response"]["usageMetadata"]["candidatesTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 10},
        {"modality": "IMAGE", "tokenCount": 1290},
    ]
    assert image["response"]["candidates"][0]["groundingMetadata"]["webSearchQueries"]


def test_lines_can_be_broken_and_long(vertex):
    name = vertex.create([_row(malformed=True), _row("Grüße", pad_bytes=1_000_000)])
    lines = vertex.output(vertex.emulator.finish(name)).splitlines()
    broken, long = sorted(lines, key=len)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(broken)
    assert len(long) > 1_000_000
    assert json.loads(long)["request"]["contents"][0]["parts"][0]["text"] == "Grüße"


def test_large_output_survives_a_resumable_upload(vertex):
    name = vertex.create([_row(pad_bytes=3_000_000) for _ in range(4)])
    lines = vertex.output(vertex.emulator.finish(name)).splitlines()
    assert [len(json.loads(line)["response"]["candidates"][0]["content"]["parts"]) for line in lines] == [
        2
    ] * 4


def test_rows_answered_by_an_earlier_job_are_carried_over(vertex):
    done, failed = vertex.rows(_row(), _row(fail=True))
    del failed["emulate"]
    carried, answered = vertex.rows(done, failed)
    assert carried == done
    assert answered["status"] == ""
    assert answered["response"]["usageMetadata"]


def test_embedding_rows_have_their_own_shapes(vertex):
    model = "publishers/google/models/text-embedding-005"
    ok, bad = vertex.rows({"content": "x" * 30}, {"content": "y", "emulate": {"fail": True}}, model=model)
    assert ok["instance"] == {"content": "x" * 30, "n": 0}
    [prediction] = ok["predictions"]
    assert prediction["embeddings"]["statistics"] == {"token_count": 8, "truncated": False}
    assert prediction["embeddings"]["values"]
    assert (ok["status"], bad["predictions"]) == ("", [])
    assert bad["status"].startswith("INVALID_ARGUMENT")

    request = {"content": {"parts": [{"text": "Hello World"}]}}
    live, documented, failed = vertex.rows(
        {"key": "a", "request": request},
        {"key": "b", "request": request, "emulate": {"docs_shape": True}},
        {"key": "c", "request": request, "emulate": {"fail": "no"}},
        model="publishers/google/models/gemini-embedding-001",
    )
    assert (live["key"], live["status"], live["response"]["usageMetadata"]) == (
        "a",
        "",
        {"promptTokenCount": 3},
    )
    assert live["processed_time"].endswith("Z")
    assert documented["response"]["tokenCount"] == "3"
    assert not documented.keys() & {"status", "processed_time"}
    assert failed["status"] == "INVALID_ARGUMENT: no"
    assert "response" not in failed


# Refusals


JOB = "batch_prediction_job"
UNKNOWN = "Invalid JSON payload received. Unknown name "
ONEOF = "oneof), oneof field 'source' is already set"
INPUT_CONFIG = "type.googleapis.com/google.cloud.aiplatform.v1.BatchPredictionJob.InputConfig"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"inputConfig": {"instancesFormat": "jsonl", "x": 1}},
            f"{UNKNOWN}\"x\" at '{JOB}.input_config': Cannot find field.",
        ),
        ({"y": None}, f"{UNKNOWN}\"y\" at '{JOB}': Cannot find field."),
        # v1beta1 has it
        ({"modelMonitoringConfig": {}}, f"{UNKNOWN}\"modelMonitoringConfig\" at '{JOB}': Cannot find field."),
        ({"displayName": 5}, f"Invalid value at '{JOB}.display_name' (TYPE_STRING), 5"),
        ({"labels": {"a": 1}}, f"Invalid value at '{JOB}.labels[0].value' (TYPE_STRING), 1"),
        ({"inputConfig": "jsonl"}, f"Invalid value at '{JOB}.input_config' ({INPUT_CONFIG}), \"jsonl\""),
        (
            {"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://a/b", 7]}}},
            f"Invalid value at '{JOB}.input_config.gcs_source.uris[1]' (TYPE_STRING), 7",
        ),
        (
            {"manualBatchTuningParameters": {"batchSize": "many"}},
            f"Invalid value at '{JOB}.manual_batch_tuning_parameters.batch_size' (TYPE_INT32), \"many\"",
        ),
        (
            {"inputConfig": {"instancesFormat": "jsonl", "gcsSource": {}, "bigquerySource": {}}},
            f"Invalid value at '{JOB}.input_config' ({ONEOF}. Cannot set 'bigquerySource'",
        ),
    ],
)
def test_googles_schema_is_enforced(vertex, change, message):
    body = vertex.body(**change)
    error = _error(
        vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=body), 400, "INVALID_ARGUMENT"
    )
    assert error["message"] == message
    [detail] = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert detail["fieldViolations"][0]["description"] == message
    assert not vertex.emulator.jobs()


@pytest.mark.parametrize(
    ("missing", "field"),
    [
        ("displayName", "display_name"),
        ("model", "model"),
        ("inputConfig", "input_config"),
        ("outputConfig", "output_config"),
    ],
)
def test_required_fields_are_required(vertex, missing, field):
    body = vertex.body()
    del body[missing]
    error = _error(
        vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=body), 400, "INVALID_ARGUMENT"
    )
    assert error["details"][0]["fieldViolations"][0]["field"] == f"batch_prediction_job.{field}"


def test_either_spelling_and_output_only_fields_are_taken(vertex):
    body = vertex.body()
    body["display_name"] = body.pop("displayName")
    body |= {"state": "JOB_STATE_SUCCEEDED", "createTime": "2020-01-01T00:00:00Z", "name": "mine"}
    created = vertex.call("POST", f"v1beta1/{PARENT}/batchPredictionJobs", json=body).json()
    assert (created["displayName"], created["state"]) == ("nightly", "JOB_STATE_PENDING")
    assert created["name"] != "mine"


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        (b'{"displayName": ', "application/json", "Unexpected end of string."),
        (b"[1]", "application/json", "Root element must be a message."),
        (b'{"displayName":"x"}', "application/x-www-form-urlencoded", "Cannot bind query parameter."),
        (b"", "application/json", "Required field is not set."),
    ],
)
def test_bodies_that_are_no_json_object(vertex, data, content_type, text):
    response = vertex.call(
        "POST", f"v1/{PARENT}/batchPredictionJobs", data=data, headers={"Content-Type": content_type}
    )
    assert text in _error(response, 400, "INVALID_ARGUMENT")["message"]


@pytest.mark.parametrize(
    ("model", "http"),
    [
        (FLASH, 200),
        ("projects/acme/locations/us-central1/publishers/google/models/gemini-2.5-pro", 200),
        ("projects/acme/locations/us-central1/models/1234567890@2", 200),
        ("publishers/google/models/my-own", 200),
        ("publishers/google/models/gemini-does-not-exist", 404),
        ("projects/acme/locations/europe-west4/publishers/google/models/gemini-2.5-pro", 400),
        ("gemini-2.5-flash", 400),
    ],
)
def test_only_models_that_exist(make, model, http):
    vertex = make(auto=False, models=["my-own"])
    body = vertex.body(model=model)
    response = vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=body)
    assert response.status_code == http, response.text
    if http == 404:
        assert response.json()["error"] == {
            "code": 404,
            "message": "The PublisherModel gemini-does-not-exist does not exist.",
            "status": "NOT_FOUND",
        }


def test_unknown_parameters_urls_and_jobs(vertex):
    error = _error(vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?team=x"), 400, "INVALID_ARGUMENT")
    assert error["message"] == (
        'Invalid JSON payload received. Unknown name "team": Cannot bind query parameter. '
        "Field 'team' could not be found in request message."
    )
    accepted = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?key=k&quotaUser=q&$.xgafv=2&alt=json")
    assert accepted.json() == {}
    for path in (f"v1/{PARENT}/customJobs", "v2/x", f"v1/{PARENT}/batchPredictionJobs/1:pause"):
        unknown = vertex.call("GET", path)
        assert unknown.status_code == 404
        assert unknown.headers["Content-Type"].startswith("text/html")
    error = _error(vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs/12"), 404, "NOT_FOUND")
    assert error["message"] == "The BatchPredictionJob does not exist."
    name = vertex.create()
    elsewhere = name.replace("us-central1", "us-east4")
    _error(vertex.call("GET", f"v1/{elsewhere}"), 404, "NOT_FOUND")


# Answers cut to measure


def test_numeric_states_fields_and_pretty_printing(vertex):
    name = vertex.create(labels={"a": "b"})
    path = f"v1/{name}"
    alt = "$alt=json;enum-encoding=int"
    assert vertex.call("GET", f"{path}?{alt}").json()["state"] == 2
    assert vertex.call("GET", f"{path}?{quote(alt, safe='=')}").json()["state"] == 2
    listed = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?{alt}").json()
    assert listed["batchPredictionJobs"][0]["state"] == 2

    fields = "name,inputConfig/instancesFormat,outputConfig(gcsDestination.outputUriPrefix),labels"
    assert vertex.call("GET", path, params={"fields": fields}).json() == {
        "name": name,
        "inputConfig": {"instancesFormat": "jsonl"},
        "outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://batches/out"}},
        "labels": {"a": "b"},
    }
    cut = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?fields=batchPredictionJobs(name,state)").json()
    assert cut == {"batchPredictionJobs": [{"name": name, "state": "JOB_STATE_PENDING"}]}
    masked = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?readMask=state,displayName").json()
    assert masked == {"batchPredictionJobs": [{"displayName": "nightly", "state": "JOB_STATE_PENDING"}]}
    for query in ("fields=nme", "fields=name(", "fields=batchPredictionJobs/x", "readMask=x"):
        _error(vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?{query}"), 400, "INVALID_ARGUMENT")

    assert vertex.call("GET", path).text.startswith('{\n  "name"')
    assert vertex.call("GET", f"{path}?prettyPrint=false").text.startswith('{"name":"')
    missing = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs/1?prettyPrint=false")
    assert missing.text.startswith('{"error":{"code":404,')


@pytest.fixture
def listed(vertex):
    for name, labels in (
        ("my_job_a", {"team": "search"}),
        ("my_job_b", {"team": "ads", "env": "p"}),
        ("other", {}),
    ):
        vertex.create([_row()], displayName=name, labels=labels)
    vertex.emulator.finish(vertex.emulator.jobs()[0]["name"])  # "other" is the newest
    return vertex


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["other", "my_job_b", "my_job_a"]),
        ('display_name="my_job_a"', ["my_job_a"]),
        ("display_name=my_job_a", ["my_job_a"]),
        ('display_name!="my_job_a"', ["other", "my_job_b"]),
        ('display_name:"my_job_*"', ["my_job_b", "my_job_a"]),
        ("display_name:job", ["my_job_b", "my_job_a"]),
        ('NOT display_name="my_job_a"', ["other", "my_job_b"]),
        ("-display_name:job", ["other"]),
        ('state="JOB_STATE_SUCCEEDED"', ["other"]),
        ('state!="JOB_STATE_SUCCEEDED" AND labels.env:*', ["my_job_b"]),
        ("labels.team=ads OR display_name=other", ["other", "my_job_b"]),
        ("labels.team!=ads", ["other", "my_job_a"]),
        ('labels."team"="ads"', ["my_job_b"]),
        ("labels.team:* AND (labels.team=search OR labels.team=x)", ["my_job_a"]),
        ("labels.team=ads (display_name=other OR labels.env=p)", ["my_job_b"]),
        ('model_display_name="gemini-2.5-flash" AND display_name=other', ["other"]),
        ('create_time>"2021-05-18T00:00:00Z"', ["other", "my_job_b", "my_job_a"]),
        ('create_time<="2021-05-18T00:00:00+02:00"', []),
    ],
)
def test_filters(listed, text, expected):
    response = listed.call("GET", f"v1/{PARENT}/batchPredictionJobs", params={"filter": text})
    assert [job["displayName"] for job in response.json().get("batchPredictionJobs", [])] == expected


@pytest.mark.parametrize(
    "text",
    [
        "display_name>x",
        "colour=red",
        'create_time>"yesterday"',
        "state=",
        "(state=x",
        "state=x)",
        'state="x',
        "AND",
    ],
)
def test_filters_that_make_no_sense(vertex, text):
    response = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs", params={"filter": text})
    _error(response, 400, "INVALID_ARGUMENT")


def test_pages_hold_still_while_jobs_come(vertex):
    names = [vertex.create() for _ in range(5)][::-1]
    path = f"v1/{PARENT}/batchPredictionJobs"
    seen, token = [], ""
    while True:
        query = {"pageSize": 2, **({"pageToken": token} if token else {})}
        page = vertex.call("GET", path, params=query).json()
        seen.append([job["name"] for job in page["batchPredictionJobs"]])
        token = page.get("nextPageToken")
        if not token:
            break
        vertex.create()
    assert seen == [names[:2], names[2:4], names[4:]]
    first = vertex.call("GET", path, params={"pageSize": 1}).json()["nextPageToken"]
    for query in (
        {"pageToken": "nonsense"},
        {"pageSize": -1},
        {"pageSize": "x"},
        {"pageToken": first, "filter": "labels.a:*"},
    ):
        _error(vertex.call("GET", path, params=query), 400, "INVALID_ARGUMENT")


# Cancel and delete


def test_cancel_before_the_start(vertex):
    name = vertex.create([_row()])
    assert vertex.call("POST", f"v1/{name}:cancel").json() == {}
    job = vertex.get(name)
    assert (job["state"], job["error"]) == ("JOB_STATE_CANCELLED", {"code": 1, "message": "CANCELED"})
    assert not job.keys() & {"completionStats", "outputInfo"}
    _error(vertex.call("POST", f"v1/{name}:cancel"), 400, "FAILED_PRECONDITION")


@pytest.mark.parametrize(
    ("data", "content_type"),
    [(b"", None), (b"", "application/x-www-form-urlencoded"), (b"{}", "application/json"), (b"{}", None)],
)
def test_cancel_in_the_middle_keeps_what_is_done(vertex, data, content_type):
    name = vertex.create([_row(str(n)) for n in range(5)])
    vertex.emulator.step()
    vertex.emulator.step(rows=2)
    headers = {"Content-Type": content_type} if content_type else {}
    assert vertex.call("POST", f"v1/{name}:cancel", data=data, headers=headers).status_code == 200
    assert vertex.get(name)["state"] == "JOB_STATE_CANCELLING"
    vertex.emulator.step()
    job = vertex.get(name)
    assert (job["state"], job["error"]["code"]) == ("JOB_STATE_CANCELLED", 1)
    assert job["completionStats"] == {"successfulCount": "2", "incompleteCount": "3"}
    assert len(vertex.output(job).splitlines()) == 2


def test_delete_is_an_operation(make):
    vertex = make(auto=False, speed=Speed(delete_seconds=60))
    name = vertex.create([_row()])
    _error(vertex.call("DELETE", f"v1/{name}"), 400, "FAILED_PRECONDITION")
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
    _error(vertex.call("GET", f"v1/{name}"), 404, "NOT_FOUND")
    _error(vertex.call("DELETE", f"v1/{name}"), 404, "NOT_FOUND")
    _error(vertex.call("GET", f"v1/{parent}/operations/1"), 404, "NOT_FOUND")


def test_delete_can_be_done_at_once(vertex):
    name = vertex.create([_row()])
    vertex.emulator.finish(name)
    assert vertex.call("DELETE", f"v1beta1/{name}").json()["done"] is True
    assert vertex.emulator.jobs() == []


# Faults, the request log, the controls, the command


@pytest.mark.parametrize("status", [429, 500, 503])
def test_faults_answer_as_google_does_and_run_out(vertex, status):
    vertex.emulator.faults.add(
        method="GET", path="batchPredictionJobs", times=2, status=status, retry_after=1
    )
    names = {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
    path = f"v1/{PARENT}/batchPredictionJobs"
    vertex.create()
    for _ in range(2):
        response = vertex.call("GET", path)
        _error(response, status, names[status])
        assert response.headers["Retry-After"] == "1"
    assert vertex.call("GET", path).status_code == 200


def test_faults_of_the_connection(vertex):
    path = f"v1/{PARENT}/batchPredictionJobs"
    vertex.emulator.faults.add(drop=True, method="POST")
    with pytest.raises(requests.ConnectionError):
        vertex.call("POST", path, json=vertex.body())
    assert vertex.emulator.jobs() == []
    vertex.emulator.faults.add(drop_after_processing=True)
    with pytest.raises(requests.ConnectionError):
        vertex.call("POST", path, json=vertex.body())
    assert len(vertex.emulator.jobs()) == 1
    vertex.emulator.faults.add(delay_seconds=0.2)
    started = time.monotonic()
    assert vertex.call("GET", path).status_code == 200
    assert time.monotonic() - started >= 0.2
    vertex.emulator.faults.add(status="html404")
    assert vertex.call("GET", path).headers["Content-Type"].startswith("text/html")


def test_controls_over_http(vertex):
    rule = {"match": {"method": "GET", "path": "operations"}, "times": 3, "action": {"status": 503}}
    assert vertex.call("POST", "emulator/faults", json=rule).status_code == 200
    assert vertex.call("GET", "emulator/faults").json() == {"faults": [rule]}
    vertex.call("DELETE", "emulator/faults")
    assert vertex.call("GET", "emulator/faults").json() == {"faults": []}
    for bad in (
        {"action": {"status": "soon"}},
        {"action": {"explode": True}},
        {"match": {"path": "("}},
        {"x": 1},
        [],
    ):
        assert vertex.call("POST", "emulator/faults", json=bad).status_code == 400

    name = vertex.create([_row(), _row()])
    assert vertex.call("POST", "emulator/step").status_code == 200
    assert vertex.call("POST", "emulator/step", json={"job": name, "rows": 1}).status_code == 200
    assert vertex.get(name)["completionStats"] == {"successfulCount": "1", "incompleteCount": "1"}
    identity = name.rpartition("/")[2]
    assert vertex.call("POST", f"emulator/jobs/{identity}:finish").json()["state"] == "JOB_STATE_SUCCEEDED"
    assert vertex.call("POST", "emulator/jobs/1:finish").status_code == 404
    assert vertex.call("POST", f"emulator/jobs/{identity}:finish", json={"state": "DONE"}).status_code == 400
    assert vertex.call("GET", "emulator/nothing").status_code == 404
    assert vertex.call("GET", "emulator/health").json() == {"status": "ok"}


def test_requests_are_logged_as_they_came(vertex):
    path = f"/v1/{PARENT}/batchPredictionJobs?filter=a%2Fb&key=secret"
    connection = http.client.HTTPConnection(vertex.emulator.host, timeout=5)
    connection.request("POST", path, iter([b'{"x"', b":1}"]), {"X-Twice": "a"}, encode_chunked=True)
    connection.getresponse().read()
    connection.request("GET", "/v1/other")  # on the same connection
    connection.getresponse().read()
    connection.close()
    first, second = vertex.emulator.requests.all()
    assert (first.method, first.target, first.body) == ("POST", path, b'{"x":1}')
    assert first.query == "filter=a%2Fb&key=secret"
    assert (first.header("x-twice"), first.header("x-none")) == ("a", None)
    assert second.path == "/v1/other"
    logged = vertex.call("GET", "emulator/requests").json()["requests"]
    assert [entry["path"] for entry in logged] == [path, "/v1/other"]
    assert logged[0]["body"] == '{"x":1}'
    vertex.call("DELETE", "emulator/requests")
    assert len(vertex.emulator.requests) == 0


def test_project_numbers_can_be_chosen(make):
    vertex = make(auto=False, project_numbers={"acme": "123456789012"})
    name = vertex.create()
    assert name.startswith("projects/123456789012/")
    assert vertex.call("GET", "v1/projects/123456789012/locations/us-central1/batchPredictionJobs").json()
    assert vertex.call("GET", "v1/projects/other/locations/us-central1/batchPredictionJobs").json() == {}


def test_the_command_says_where_it_listens(endpoint):
    command = [sys.executable, "-m", "vertex_emulator", "--port", "0", "--storage-emulator-host", endpoint]
    process = subprocess.Popen(  # noqa: S603
        command, cwd=LOCAL, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(LOCAL)}
    )
    try:
        line = process.stdout.readline()
        url = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)[1]
        assert requests.get(f"{url}/emulator/health", timeout=5).json() == {"status": "ok"}
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()
