"""Oddities of single clients, each by name: the gateway has to bear with all of them."""

import json
from http import HTTPStatus

import pytest

from builders import input_files, output_folder
from integration.clients.runs import CLIENTS, run_name, upstream
from patience import PATIENCE
from processes import wait_until
from stack import INPUT_BUCKET, LOCATION, OUTPUT_BUCKET, PARENT, PROJECT

JOBS = f"{PARENT}/batchPredictionJobs"
FAILED_STATE = 5
PREFIXED = [name for name, client in CLIENTS.items() if client.prefix]
NUMERIC = [name for name in CLIENTS if name.partition("-")[0] in {"gapic", "aiplatform", "vertexai"}]
NUMERIC += [name for name in CLIENTS if name.startswith("node-aiplatform")]
HIGH_LEVEL = [name for name in CLIENTS if name.partition("-")[0] in {"aiplatform", "vertexai"}]
BEARER_PYTHON = ["genai-3", "genai-1", "gapic-2-v1", *HIGH_LEVEL, "discovery-v1"]


def create_body(name, **more):
    return {
        "displayName": name,
        "model": "gemini-3.5-flash",
        "inputConfig": input_files("gs://batch-in/short.jsonl"),
        "outputConfig": output_folder(f"gs://{OUTPUT_BUCKET}/{name}"),
        **more,
    }


@pytest.mark.parametrize("alt", ["%24alt=json%3Benum-encoding%3Dint", "$alt=json%3Benum-encoding=int"])
def test_alt_enum_encoding_int_numeric_states_are_tracked(stack, alt):
    # This job fails without any output, so no event tells of it: only these answers do.
    source = input_files(f"gs://{INPUT_BUCKET}/missing.jsonl")
    body = create_body("numeric", inputConfig=source)
    job = stack.request("POST", f"{JOBS}?{alt}", json=body).json()
    assert isinstance(job["state"], int)
    path = f"{JOBS}/{job['name'].rpartition('/')[2]}"
    wait_until(lambda: stack.get(f"{path}?{alt}")["state"] == FAILED_STATE, PATIENCE, "the job to fail")
    document = f"jobs/{PROJECT}:{LOCATION}:{path.rpartition('/')[2]}"
    seen = stack.firestore_client().document(document).get().to_dict()["seen"]
    assert seen["state"] == "JOB_STATE_FAILED"
    cost = stack.get(f"{path}/cost")
    assert (cost["state"], cost["status"], cost["amount"]) == ("JOB_STATE_FAILED", "FINAL", "0")


@pytest.mark.parametrize("client", NUMERIC)
def test_alt_enum_encoding_int_is_answered_in_numbers(run, client):  # noqa: ARG001 - `run` is of this client
    jobs = [json.loads(each.answer) for each in run.sent.requests if each.status == HTTPStatus.OK]
    states = [job["state"] for job in jobs if "state" in job]
    assert states
    assert all(isinstance(state, int) for state in states)
    assert all("alt=json" in each.target for each in run.sent.requests if "/operations/" not in each.path)


@pytest.mark.parametrize("client", HIGH_LEVEL)
def test_the_project_s_number_instead_of_its_id_after_create(run, client):  # noqa: ARG001
    number = run.result["jobs"]["short"].split("/")[1]
    assert number.isdigit()
    for method, ending in (("GET", ""), ("POST", ":cancel"), ("DELETE", "")):
        calls = [each for each in run.sent.of(method, f"/projects/{number}/") if ending in each.path]
        assert HTTPStatus.OK in {each.status for each in calls}, method


@pytest.mark.parametrize("client", HIGH_LEVEL)
def test_a_delete_s_operation_is_polled_under_ui_until_it_is_done(run, client):
    polls = run.sent.of("GET", "/ui/projects/")
    assert all(each.path.startswith(f"{CLIENTS[client].prefix}/ui/projects/") for each in polls)
    assert {each.status for each in polls} == {HTTPStatus.OK}
    done = [json.loads(each.answer)["name"] for each in polls if json.loads(each.answer).get("done")]
    assert len(done) == len(set(done)) == len(run.sent.of("DELETE"))


@pytest.mark.parametrize("client", [name for name in CLIENTS if "genai" in name])
def test_genai_keeps_the_last_segment_of_a_name_only(run, client):  # noqa: ARG001 - `run` is of this client
    for name in run.result["jobs"].values():
        assert name.startswith("projects/")
        calls = [each for each in run.sent.requests if name.rpartition("/")[2] in each.path]
        assert calls
        assert all(f"/projects/{PROJECT}/locations/{LOCATION}/" in each.path for each in calls)


@pytest.mark.parametrize("client", ["node-genai", "node-genai-api-key"])
def test_node_s_genai_deletes_with_a_body(run, client):  # noqa: ARG001 - `run` is of this client
    deletions = run.sent.of("DELETE")
    assert [(each.body, each.status) for each in deletions] == [(b"{}", HTTPStatus.OK)] * 2


@pytest.mark.parametrize("client", ["genai-3", "genai-1"])
def test_genai_cancels_without_a_body(run, client):  # noqa: ARG001 - `run` is of this client
    (cancel,) = run.sent.of("POST", ":cancel")
    assert (cancel.body, cancel.status) == (b"", HTTPStatus.OK)


@pytest.mark.parametrize("client", [name for name in CLIENTS if "curl" in name])
def test_curl_s_empty_post_says_that_it_is_a_form(run, client, stack):  # noqa: ARG001
    (cancel,) = run.sent.of("POST", ":cancel")
    assert cancel.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (cancel.body, cancel.status) == (b"", HTTPStatus.OK)
    # What reaches Google must not say so: there a form's content is read as query parameters.
    cancelled = run.result["jobs"]["long"].rpartition("/")[2]
    (relayed,) = [each for each in upstream(stack) if f"{cancelled}:cancel" in each["path"]]
    types = [value for name, value in relayed["headers"] if name.lower() == "content-type"]
    assert types == ["application/json"]


@pytest.mark.parametrize("client", [name for name in CLIENTS if "curl" in name])
def test_uris_as_a_string(run, client):  # noqa: ARG001 - `run` is of this client
    create = run.sent.of("POST", "batchPredictionJobs")[0]
    assert json.loads(create.body)["inputConfig"]["gcsSource"]["uris"] == "gs://batch-in/long.jsonl"
    shown = json.loads(create.answer)["inputConfig"]["gcsSource"]["uris"]
    assert shown == ["gs://batch-in/long.jsonl"]


@pytest.mark.parametrize("client", PREFIXED)
def test_a_base_url_with_a_path(run, client):
    assert run.sent.requests
    assert all(each.path.startswith(f"{CLIENTS[client].prefix}/") for each in run.sent.requests)


@pytest.mark.parametrize("client", BEARER_PYTHON)
def test_a_wrong_key_shows_our_message_and_no_refresh_error(run, client):  # noqa: ARG001
    raised = run.result["errors"]["wrong_key"]
    assert not any("RefreshError" in each for each in raised["classes"])
    assert "The API key is not known to this gateway." in raised["text"]
    refused = [each for each in run.sent.requests if each.headers.get("authorization") == "Bearer sk-wrong"]
    assert [each.status for each in refused] == [HTTPStatus.FORBIDDEN]


def test_no_key_is_401(stack):
    answer = stack.request("GET", JOBS, key="")
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert "No API key was sent." in answer.json()["error"]["message"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("client", ["genai-3", "genai-1", "gapic-2-v1", "aiplatform-2", "node-genai"])
def test_an_exhausted_quota_is_relayed_once_with_its_words(run, client):  # noqa: ARG001
    calls = run.sent.of("POST", "/locations/europe-west1/")
    assert [each.status for each in calls] == [HTTPStatus.TOO_MANY_REQUESTS]
    assert json.loads(calls[0].answer)["error"]["status"] == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("client", CLIENTS)
def test_names_of_jobs_are_those_that_clients_check_for(run, client):
    for each in run.sent.of("POST", "batchPredictionJobs"):
        if each.status == HTTPStatus.OK and ":cancel" not in each.path:
            job = json.loads(each.answer)
            assert job["displayName"].startswith(f"{run_name(client)}-")
            assert job["name"] in run.result["jobs"].values()
