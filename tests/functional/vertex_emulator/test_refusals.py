"""Refusals, and how Google words them."""

import pytest

from builders import input_files
from functional.vertex_emulator.conftest import FLASH, PARENT, refusal_of

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
            {"inputConfig": input_files("gs://a/b", 7)},
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
    error = refusal_of(
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
    error = refusal_of(
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
    assert text in refusal_of(response, 400, "INVALID_ARGUMENT")["message"]


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
    error = refusal_of(vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?team=x"), 400, "INVALID_ARGUMENT")
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
    error = refusal_of(vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs/12"), 404, "NOT_FOUND")
    assert error["message"] == "The BatchPredictionJob does not exist."
    name = vertex.create()
    elsewhere = name.replace("us-central1", "us-east4")
    refusal_of(vertex.call("GET", f"v1/{elsewhere}"), 404, "NOT_FOUND")
