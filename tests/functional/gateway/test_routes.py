"""Which paths and methods there are, and what they become upstream."""

import json

import pytest

from functional.gateway.conftest import JOBS, NUMBER, PARENT, job_body, reason
from functional.gateway.loopback import Answer

PREFIXES = ("", "/vertex_ai", "/vertex-ai")
VERSIONS = ("v1", "v1beta1")
CALLS = [
    ("POST", "batchPredictionJobs"),
    ("GET", "batchPredictionJobs"),
    ("GET", "batchPredictionJobs/4242"),
    ("POST", "batchPredictionJobs/4242:cancel"),
    ("DELETE", "batchPredictionJobs/4242"),
    ("GET", "operations/77"),
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_each_method_is_served_behind_each_prefix_and_version(scripted, loopback, prefix, version, call):
    method, rest = call
    given = {"data": json.dumps(job_body())} if call == CALLS[0] else {}

    answer = scripted.call(method, f"{prefix}/{version}/{PARENT}/{rest}", **given)

    assert answer.status_code == 200
    last = loopback.seen[-1]
    assert (last.method, last.target) == (method, f"/{version}/{PARENT}/{rest}")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_operations_are_polled_under_ui_as_generated_clients_do(scripted, loopback, prefix):
    assert scripted.get(f"{prefix}/ui/{PARENT}/operations/77").status_code == 200
    assert [seen.target for seen in loopback.seen] == [f"/v1/{PARENT}/operations/77"]


def test_under_ui_there_are_only_operations(scripted, loopback):
    answer = scripted.get(f"/ui/{PARENT}/batchPredictionJobs")

    assert (answer.status_code, reason(answer)) == (404, "PATH_UNKNOWN")
    assert not loopback.seen


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_cost_is_served_behind_each_prefix_and_version(world, prefix, version):
    job = world.created()

    answer = world.get(f"{prefix}/{version}/{PARENT}/batchPredictionJobs/{job['name'].split('/')[-1]}/cost")

    assert (answer.status_code, answer.json["name"]) == (200, job["name"])


def test_the_colon_of_a_verb_may_be_encoded(scripted, loopback):
    answer = scripted.call(
        "POST", f"{JOBS}/4242%3Acancel", environ_overrides={"RAW_URI": f"{JOBS}/4242%3Acancel"}
    )

    assert answer.status_code == 200
    assert loopback.seen[-1].target == f"{JOBS}/4242:cancel"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/projects/acme-batch/locations/us-central1/batchPredictionJobs",
        f"{JOBS}/",
        f"{JOBS}/4242/costs",
        f"{JOBS}/4242/cost/",
        f"/other{JOBS}",
        f"/vertex_ai/vertex_ai{JOBS}",
        f"/v1/{PARENT}/customJobs",
        f"/v1/{PARENT}/operations",
        "/healthz",
    ],
)
def test_an_unknown_path_is_not_found_and_asks_nobody(scripted, loopback, path):
    answer = scripted.get(path)

    assert (answer.status_code, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    assert reason(answer) == "PATH_UNKNOWN"
    assert not loopback.seen


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", JOBS, ("GET", "POST")),
        ("DELETE", JOBS, ("GET", "POST")),
        ("PATCH", f"{JOBS}/4242", ("GET", "DELETE")),
        ("POST", f"{JOBS}/4242", ("GET", "DELETE")),
        ("POST", f"{JOBS}/4242/cost", ("GET",)),
        ("DELETE", f"/v1/{PARENT}/operations/77", ("GET",)),
        ("POST", "/health", ("GET",)),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(scripted, loopback, method, path, allowed):
    answer = scripted.call(method, path)

    assert (answer.status_code, reason(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert answer.json["error"]["status"] == "UNIMPLEMENTED"
    assert all(name in answer.json["error"]["message"] for name in allowed)
    assert not loopback.seen


def test_a_405_names_the_methods_in_allow_too(scripted):
    answer = scripted.call("PUT", JOBS)

    assert answer.headers["Allow"] == "GET, POST"
    assert answer.json["error"]["message"].endswith("use GET, POST.")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_verb_is_no_part_of_an_id(scripted, loopback, method):
    answer = scripted.call(method, f"{JOBS}/4242:cancel")

    assert (answer.status_code, reason(answer)) == (400, "ID_INVALID")
    assert "such as :cancel, take POST" in answer.json["error"]["message"]
    assert not loopback.seen


def test_a_verb_that_there_is_not_is_told_those_that_there_are(scripted, loopback):
    answer = scripted.call("POST", f"{JOBS}/4242:cancle")

    assert (answer.status_code, reason(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert answer.json["error"]["message"].endswith("a job's path ends in :cancel or :resume.")
    assert not loopback.seen


def test_health_needs_neither_key_nor_books(scripted):
    scripted.store.down = True

    answer = scripted.get("/health", key=None)

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_readiness_says_whether_the_books_answer(scripted):
    assert scripted.get("/health/readiness", key=None).status_code == 200

    scripted.store.down = True
    answer = scripted.get("/health/readiness", key=None)

    assert (answer.status_code, reason(answer)) == (503, "BOOKS_UNAVAILABLE")
    assert answer.headers["Retry-After"]


def test_a_projects_number_may_stand_in_the_path_and_goes_upstream_as_written(world, vertex):
    job = world.created()

    answer = world.get(f"/v1/{job['name']}")

    assert answer.json["name"] == job["name"]
    assert vertex.requests.all()[-1].path == f"/v1/{job['name']}"
    assert f"projects/{NUMBER}/" in job["name"]


def test_an_answer_of_200_without_a_body_is_relayed(scripted, loopback):
    loopback.answers = [Answer(body=b"")]

    assert scripted.call("POST", f"{JOBS}/4242:cancel").data == b""
