"""Faults, the request log, the controls, the command."""

import http.client
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from builders import prompt
from functional.vertex_emulator.conftest import PARENT, refusal_of
from patience import PATIENCE

LOCAL = Path(__file__).parents[3] / "infra" / "local"


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
        refusal_of(response, status, names[status])
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

    name = vertex.create([prompt(), prompt()])
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
    connection = http.client.HTTPConnection(vertex.emulator.host, timeout=PATIENCE)
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
        assert requests.get(f"{url}/emulator/health", timeout=PATIENCE).json() == {"status": "ok"}
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
        process.stdout.close()
