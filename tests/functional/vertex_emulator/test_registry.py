"""Models of a project's own registry: tuned ones, and custom ones with output of their own shape."""

import json
import re

import pytest

from builders import input_files, output_folder, prompt
from functional.vertex_emulator.conftest import PARENT, refusal_of

LABEL = "google-vertex-llm-tuning-base-model-id"
REGION = {"project": "acme", "location": "us-central1"}
RESULTS = "prediction.results-00000-of-00001"
ERRORS = "prediction.errors_stats-00000-of-00001"


def test_a_tuned_models_resource_names_its_base(vertex):
    created = vertex.control(
        "models", **REGION, id="42", base_model="gemini-2.0-flash-001", labels={"a": "b"}
    )
    number = vertex.emulator.project_number("acme")
    assert created["name"] == f"projects/{number}/locations/us-central1/models/42"
    assert created["labels"] == {"a": "b", LABEL: "gemini-2.0-flash-001"}
    assert created["modelSourceInfo"] == {"sourceType": "GENIE"}
    assert created["versionId"] == "1"
    assert "baseModelSource" not in created
    for path in (f"v1/{PARENT}/models/42", f"v1beta1/{created['name']}@1", f"v1/{created['name']}@default"):
        assert vertex.call("GET", path).json() == created
    assert vertex.call("GET", f"v1/{created['name']}%401").json() == created
    assert vertex.call("GET", "emulator/models").json() == {"models": [created]}


def test_the_base_may_stand_elsewhere(vertex):
    bases = {"genie": {"genieSource": {"baseModelUri": "publishers/google/models/gemini-2.5-pro"}}}
    bases["model_garden"] = {
        "modelGardenSource": {"publicModelName": "publishers/google/models/gemini-2.5-pro"}
    }
    for source, expected in bases.items():
        model = {"id": "1", "base_model": "gemini-2.5-pro", "base_label": "", "base_source": source}
        created = vertex.emulator.register_model("acme", "us-central1", **model)
        assert created["baseModelSource"] == expected
        assert "labels" not in created


@pytest.mark.parametrize("model", ["1", "42@2", "42@golden", "43"])
def test_models_that_nobody_registered(vertex, model):
    vertex.control("models", **REGION, id="42")
    refusal_of(vertex.call("GET", f"v1/{PARENT}/models/{model}"), 404, "NOT_FOUND")
    refusal_of(vertex.call("GET", "v1/projects/other/locations/us-central1/models/42"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "own"},
        {"base_source": "x"},
        {"id": "a/b"},
        {"version": "x"},
        {"version": 2},
        {"colour": "red"},
    ],
)
def test_models_that_cannot_be(vertex, wrong):
    response = vertex.call("POST", "emulator/models", json={**REGION, "id": "1", **wrong})
    assert response.status_code == 400
    assert vertex.emulator.models() == []


@pytest.mark.parametrize(
    ("row_model", "expected"),
    [({}, None), ({"row_model": "gemini-2.5-pro"}, "gemini-2.5-pro"), ({"row_model": ""}, "")],
)
def test_a_tuned_models_job_writes_gemini_rows(vertex, row_model, expected):
    resource = vertex.control(
        "models", **REGION, id="42", version="3", base_model="gemini-2.5-pro", **row_model
    )
    [row] = vertex.rows(prompt(), model=f"{PARENT}/models/42@3")
    version = resource["name"] if expected is None else expected
    assert row["response"].get("modelVersion", "") == version
    assert row["response"]["usageMetadata"]["totalTokenCount"]
    [job] = vertex.emulator.jobs()
    assert job["modelVersionId"] == "3"
    assert "/prediction-model-" in job["outputInfo"]["gcsOutputDirectory"]
    assert "gemini" not in json.dumps(job)
    wrong = vertex.body(model=f"{PARENT}/models/42@4")
    refusal_of(vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=wrong), 404, "NOT_FOUND")


@pytest.fixture
def custom(vertex):
    model = {"id": "house-prices", "kind": "custom", "display_name": "house prices"}
    vertex.control("models", **REGION, **model)
    return vertex


def test_a_custom_models_output_has_results_and_errors(custom):
    rows = [[1, 2], {"area": 3}, {"area": 4, "emulate": {"fail": "no rooms"}}, '"text"', {"area": 5}]
    name = custom.create(rows, model=f"{PARENT}/models/house-prices", labels={"emulate_shards": "2"})
    job = custom.emulator.finish(name)
    assert job["completionStats"] == {"successfulCount": "4", "failedCount": "1"}
    directory = job["outputInfo"]["gcsOutputDirectory"]
    stamp = r"\d{4}_\d\d_\d\dT\d\d_\d\d_\d\d_\d{3}Z"
    assert re.fullmatch(rf"gs://batches/out/prediction-house prices-{stamp}", directory)
    files = custom.files(directory)
    shards = [f"prediction.results-{shard:05}-of-00002" for shard in range(2)]
    assert sorted(files) == [ERRORS, *shards]
    results = [json.loads(line) for shard in shards for line in files[shard].splitlines()]
    assert all(row.keys() == {"instance", "prediction"} for row in results)
    assert len(results) == 4
    for instance in ([1, 2], {"area": 3}, "text", {"area": 5}):
        assert instance in [row["instance"] for row in results]
    [error] = files[ERRORS].splitlines()
    assert json.loads(error) == {"instance": rows[2], "error": {"code": 3, "message": "no rooms"}}


def test_a_clean_run_has_a_file_of_errors_too(custom):
    job = custom.emulator.finish(custom.create([[1]], model=f"{PARENT}/models/house-prices"))
    files = custom.files(job["outputInfo"]["gcsOutputDirectory"])
    assert files[ERRORS] == b""
    assert len(files[RESULTS].splitlines()) == 1


@pytest.mark.parametrize(("form", "suffix"), [("jsonl", ""), ("csv", ".csv")])
def test_a_custom_model_reads_and_writes_csv(custom, form, suffix):
    custom.bucket.blob("in/houses.csv").upload_from_string('area,town\n27,"Bonn, am Rhein"\n\n30,Ulm\n')
    job = custom.emulator.finish(
        custom.create(
            model=f"{PARENT}/models/house-prices",
            inputConfig=input_files("gs://batches/in/houses.csv", form="csv"),
            outputConfig=output_folder("gs://batches/out/", form=form),
        )
    )
    lines = custom.files(job["outputInfo"]["gcsOutputDirectory"])[RESULTS + suffix].decode().splitlines()
    if form == "csv":
        header, *lines = sorted(lines, reverse=True)
        assert header == "f0,f1,predicted_value"
        assert [line.rpartition(",")[0] for line in lines] == ["30,Ulm", '27,"Bonn, am Rhein"']
    else:
        instances = [json.loads(line)["instance"] for line in lines]
        assert sorted(instances) == [["27", "Bonn, am Rhein"], ["30", "Ulm"]]


def test_a_job_with_a_container_of_its_own_is_a_custom_one(vertex):
    body = vertex.body([[1]], unmanagedContainerModel={"artifactUri": "gs://batches/model"})
    del body["model"]
    name = vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=body).json()["name"]
    job = vertex.emulator.finish(name)
    assert RESULTS in vertex.files(job["outputInfo"]["gcsOutputDirectory"])
