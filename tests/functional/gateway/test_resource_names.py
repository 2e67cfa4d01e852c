"""Resources that a create or an estimate names: refused before anything is looked up, or sent."""

import pytest

from functional.gateway.conftest import JOBS, NUMBER, PARENT, job_body, reason
from functional.gateway.scoped import new_key

TUNED = f"{PARENT}/models/77"
BENT = [
    "projects/../locations/x/models/y",
    "projects/acme-batch/locations/us-central1/models/..",
    "projects/acme-batch/locations/us-central1/models/1/../2",
    "projects/acme-batch/locations/us-central1/publishers/google/models/a?b",
    "projects/acme-batch/locations/us-central1:evil/models/1",
]
ELSEWHERE = [
    "projects/somebody-else/locations/us-central1/models/1",
    "projects/999999999999/locations/us-central1/models/1",
    "projects/acme-batch/locations/asia-east1/models/1",
    "projects/somebody-else/locations/us-central1/publishers/google/models/gemini-2.5-flash",
]
PATHS = [JOBS, f"{JOBS}:estimateCost", f"{JOBS}?validateOnly=true"]


@pytest.fixture
def scripted(scripted, loopback):
    scripted.loopback = loopback
    return scripted


@pytest.fixture(params=["administrator", "key"])
def caller(scripted, request):
    """Return the headers of a call: with the master key, or with a key without any limit."""
    return {"key": new_key(scripted)} if request.param == "key" else {}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("model", "refusal"),
    [*((name, "RESOURCE_INVALID") for name in BENT), *((name, "PROJECT_NOT_ALLOWED") for name in ELSEWHERE)],
)
def test_a_model_that_is_bent_or_elsewhere_is_refused(scripted, caller, path, model, refusal):
    answer = scripted.create(job_body(model=model), path=path, **caller)

    assert reason(answer) == refusal
    assert scripted.loopback.seen == [], "nothing was looked up"


@pytest.mark.parametrize("path", PATHS)
def test_a_tuned_model_of_another_location_than_the_keys_is_refused(scripted, loopback, path):
    key = new_key(scripted, locations=["us-central1"])

    answer = scripted.create(job_body(model=TUNED.replace("us-central1", "europe-west4")), path=path, key=key)

    assert reason(answer) == "LOCATION_NOT_ALLOWED"
    assert loopback.seen == []


def test_a_tuned_model_of_its_own_is_looked_up(scripted, loopback):
    scripted.store.remember_project(NUMBER, "acme-batch")
    for model in (TUNED, TUNED.replace("acme-batch", NUMBER)):
        assert scripted.create(job_body(model=model), path=PATHS[1]).status_code == 200
        assert loopback.seen[-1].target.endswith("/models/77")


FIELDS = {
    "endpoint": lambda name: {"endpoint": name},
    "dataset": lambda name: {"inputConfig": {"vertexMultimodalDatasetSource": {"datasetName": name}}},
    "snake": lambda name: {"input_config": {"vertex_multimodal_dataset_source": {"dataset_name": name}}},
}


@pytest.mark.parametrize("field", FIELDS)
def test_endpoints_and_datasets_go_by_the_same_rule(scripted, loopback, field):
    key = new_key(scripted)
    kind = "endpoints" if field == "endpoint" else "datasets"
    for name, refusal in (
        (f"projects/../locations/us-central1/{kind}/1", "RESOURCE_INVALID"),
        (f"projects/somebody-else/locations/us-central1/{kind}/1", "PROJECT_NOT_ALLOWED"),
    ):
        body = {**job_body(), **FIELDS[field](name)}
        if field == "snake":
            del body["inputConfig"]
        assert reason(scripted.create(body, key=key)) == refusal
    assert loopback.seen == []


def test_a_field_in_two_spellings_is_refused(scripted, loopback):
    key = new_key(scripted)
    for body in (
        {**job_body(), "input_config": {}},
        job_body(modelParameters={"maxOutputTokens": 1, "max_output_tokens": 65_536}),
        job_body(inputConfig={"gcsSource": {"uris": []}, "gcs_source": {"uris": ["gs://x/y"]}}),
    ):
        answer = scripted.create(body, key=key)
        assert reason(answer) == "BODY_INVALID"
        assert "twice" in answer.json["error"]["message"]
    assert loopback.seen == []


def test_a_budget_takes_no_machines_by_the_hour(scripted, loopback):
    body = job_body(dedicatedResources={"machineSpec": {"machineType": "a3-ultragpu-8g"}})

    assert reason(scripted.create(body, key=new_key(scripted, max_budget=1))) == "FIELD_NOT_ALLOWED"
    assert loopback.seen == []
