"""google-genai without a project: what a client does that knows an API key only."""

from http import HTTPStatus

import pytest

from functions_process import function_process
from integration.clients.runs import HERE
from patient_firestore import FUNCTIONS
from processes import free_ports
from stack import PROJECT

ENVIRONMENTS = ["python-current", "python-1"]


@pytest.fixture(scope="module")
def one_place(stack, tmp_path_factory):
    """The URL of a second gateway, whose configuration names one project and location."""
    (port,) = free_ports(1)
    env = stack.gateway._env | {"GATEWAY_CONFIG": str(HERE / "one_place.yaml")}
    logs = tmp_path_factory.mktemp("one_place")
    process = function_process(
        "gateway", "http", port, env=env, logs=logs, source=FUNCTIONS, health="/health"
    )
    process.start()
    try:
        process.wait_ready()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


@pytest.fixture(scope="module")
def runs(stack, runner, one_place):
    """The program's run with each version of the library."""
    return {
        environment: runner.submit(
            lambda environment=environment: runner.run_command(
                f"placeless-{environment}",
                environment,
                "client_genai_placeless.py",
                gateway_url=one_place,
                key=stack.master_key,
                MANY_PLACES_URL=stack.gateway_url,
            )
        )
        for environment in ENVIRONMENTS
    }


@pytest.fixture(params=ENVIRONMENTS)
def run(runs, request):
    return runs[request.param].result()


def test_an_api_key_alone_is_enough_for_a_gateway_of_one_place(run):
    assert run.result["errors"]["flow"]["classes"] == [], run.result["errors"]["flow"]["text"]
    created = run.result["created"]
    assert created["name"].startswith("projects/")
    assert "/locations/global/batchPredictionJobs/" in created["name"]
    assert run.result["seen"]["name"] == run.result["by_digits"]["name"] == created["name"]
    assert run.result["listed"] == [created["name"]]
    assert run.result["ended"] == "JOB_STATE_CANCELLED"


def test_these_requests_name_no_project(run):
    sent = [each for each in run.sent.requests if each.path != "/"]
    assert {each.method for each in sent} == {"GET", "POST", "DELETE"}
    assert not any(PROJECT in each.path for each in sent)
    assert all("/batchPredictionJobs" in each.path and "x-goog-api-key" in each.headers for each in sent)


def test_their_cost_is_on_record_too(run, stack):
    cost = stack.get(f"/v1/{run.result['created']['name']}/cost")
    assert cost["state"] == "JOB_STATE_CANCELLED"


def test_a_gateway_of_many_places_says_that_one_is_missing(run):
    raised = run.result["errors"]["many_places"]
    assert raised["classes"][:1] == ["google.genai.errors.ClientError"]
    assert "400 INVALID_ARGUMENT" in raised["text"]
    assert "PLACE_MISSING" in raised["text"]


def test_a_base_url_without_project_and_location_is_told_what_is_wrong(run):
    # The library then drops the path and sends everything to "/".
    assert [each.status for each in run.sent.requests if each.path == "/"] == [HTTPStatus.NOT_FOUND]
    raised = run.result["errors"]["base_url_only"]
    assert raised["classes"][:1] == ["google.genai.errors.ClientError"]
    assert "404 NOT_FOUND" in raised["text"]
    assert "projects/PROJECT/locations/LOCATION" in raised["text"]
