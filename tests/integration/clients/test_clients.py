"""Every client of Vertex AI's batch jobs, as it is, from create to delete and into each documented error."""

import json

import pytest

from integration.clients.runs import CLIENTS, run_name, upstream
from recount import recount

every_client = pytest.mark.parametrize("client", CLIENTS)
# These have no page size to set: the library fetches all pages by itself.
PAGES_BY_ITSELF = {"aiplatform-1", "aiplatform-2", "vertexai-1", "vertexai-2"}
# What each library raises, by the HTTP status of the answer.
RAISES = {
    "genai": dict.fromkeys((400, 403, 404, 429), "google.genai.errors.ClientError"),
    "core": {
        400: "google.api_core.exceptions.BadRequest",
        403: "google.api_core.exceptions.Forbidden",
        404: "google.api_core.exceptions.NotFound",
        429: "google.api_core.exceptions.TooManyRequests",
    },
    "discovery": dict.fromkeys((400, 403, 404, 429), "googleapiclient.errors.HttpError"),
    "node-genai": dict.fromkeys((400, 403, 404, 429), "ApiError"),
    "node-aiplatform": dict.fromkeys((400, 403, 404, 429), "GaxiosError"),
    "curl": {status: f"HTTP {status}" for status in (400, 403, 404, 429)},
}
# Which mistake leads to which status and to a text in which these words occur: Google's, or ours.
ERRORS = {
    "invalid": (
        400,
        "batch_prediction_job.input_config.gcs_source.uris[0]; Message: Must be a Cloud Storage",
    ),
    "wrong_key": (403, "The API key is not known to this gateway. Check that it was copied whole"),
    "unserved": (403, "does not serve projects/local-project/locations/asia-east1. Ask its administrator"),
    "unknown": (404, "The BatchPredictionJob does not exist."),
    "deleted": (404, "The BatchPredictionJob does not exist."),
    "exhausted": (429, "Resource exhausted. Please try again later."),
}


def raises(client):
    for family in ("node-genai", "node-aiplatform", "genai", "discovery", "curl"):
        if client.startswith(family):
            return RAISES[family]
    return RAISES["core"]


@every_client
def test_create_and_get(run, client):
    created, seen = run.result["created"], run.result["seen"]
    assert created["name"] == run.result["jobs"]["short"]
    assert created["displayName"] == f"{run_name(client)}-short"
    # Some libraries get the job once more by themselves, and it may have moved on.
    assert created["state"] in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"}
    assert seen["name"] == run.result["jobs"]["long"]
    assert seen["displayName"] == f"{run_name(client)}-long"
    assert seen["state"] in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING"}


@every_client
def test_list_by_pages_and_filters(run, client):
    newest_first = [run.result["jobs"]["short"], run.result["jobs"]["long"]]
    pages = [newest_first] if client in PAGES_BY_ITSELF else [[name] for name in newest_first]
    assert run.result["pages"] == pages
    assert run.result["filtered"] == [run.result["jobs"]["short"]]


@every_client
def test_one_job_succeeds_and_one_is_cancelled(run, client):  # noqa: ARG001 - `run` is of this client
    assert run.result["ended"] == {"short": "JOB_STATE_SUCCEEDED", "long": "JOB_STATE_CANCELLED"}


@every_client
@pytest.mark.parametrize("mistake", ERRORS)
def test_errors(run, client, mistake):
    status, words = ERRORS[mistake]
    raised = run.result["errors"][mistake]
    assert raised["classes"][:1] == [raises(client)[status]], raised
    assert words in (raised["text"] if isinstance(raised["text"], str) else json.dumps(raised["text"]))


@every_client
@pytest.mark.parametrize("job", ["short", "long"])
def test_the_cost_becomes_right(run, client, stack, job):
    name = run.result["jobs"][job]
    output = stack.read_under(f"gs://batch-out/{client}/{job}/")
    # Of a job that was cancelled before it wrote anything more may come: its cost is final a day later.
    cost = stack.wait_for_cost(name) if output else stack.get(f"/v1/{name}/cost")
    assert cost["state"] == run.result["ended"][job]
    assert cost["complete"] is bool(output)
    own = recount(b"".join(output.values()).splitlines())
    assert cost["rows"]["succeeded"] == own.succeeded
    assert cost["rows"]["failed"] == own.failed
    assert f"{own.amount.normalize():f}" == cost["amount"]
    if job == "short":
        assert (own.succeeded, own.failed) == (18, 2)
        assert own.amount > 0


def test_the_programs_ran_with_the_libraries_that_they_name(runner):
    versions = {name: runner.run(name).result.get("versions", {}) for name in CLIENTS if "node" not in name}
    for name, found in versions.items():
        major = name.partition("-")[2].partition("-")[0]
        if major.isdigit():
            assert [version.partition(".")[0] for version in found.values()] == [major]


def test_no_client_s_key_goes_upstream(stack, runner):
    for name in CLIENTS:
        if "node" not in name:
            runner.run(name)
    log = json.dumps(upstream(stack))
    assert stack.master_key not in log
    assert "sk-wrong" not in log
