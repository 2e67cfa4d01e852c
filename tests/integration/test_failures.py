"""Parts that die: a function in the middle of its work, Vertex AI."""

import pytest

from builders import prompt
from integration.harness import jobs_path
from patience import PATIENCE
from processes import wait_until


@pytest.fixture
def mortal(system):
    """The system, whose settle function may be killed; it serves again afterwards."""
    yield system
    settle = system.stack.settle
    if settle.exit_code() is not None:
        settle.start()
        settle.wait_ready()


def restarted(system):
    settle = system.stack.settle
    assert settle.exit_code() == -9
    settle.start()
    settle.wait_ready()


def test_settle_dies_before_it_writes(mortal):
    # It asks Vertex where the output is, and dies waiting for the answer.
    job = mortal.submit([prompt("a"), prompt("b", thoughts=7)])
    with mortal.upstream.held("GET", rf"/batchPredictionJobs/{job.id}$") as hold:
        mortal.ended_upstream(job)
        hold.wait()
        mortal.stack.settle.kill()
    assert mortal.outputs(job) == []
    assert mortal.record(job)["cost"]["amountNano"] == 0
    restarted(mortal)
    mortal.handled(f"/{job.label}/")
    mortal.check_against_output(job, mortal.final(job))


def test_vertex_is_gone_while_an_event_comes(mortal):
    # Refused by a Vertex that answers 503, the event comes again until it does not.
    job = mortal.submit([prompt()])
    fault = {"match": {"method": "GET", "path": job.id}, "times": 4, "action": {"status": 503}}
    mortal.control("POST", "faults", **fault)
    wait_until(lambda: not mortal.control("GET", "faults")["faults"], PATIENCE, "the faults to have struck")
    mortal.check_against_output(job, mortal.final(job))


def test_a_create_that_vertex_does_not_answer(system):
    action = {"status": 503, "retry_after": 7, "message": "Vertex is out."}
    match = {"method": "POST", "path": "batchPredictionJobs$"}
    system.control("POST", "faults", match=match, times=1, action=action)
    _, label, answer = system.post([prompt()])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert answer.json()["error"]["message"] == "Vertex is out."
    jobs = system.stack.get(jobs_path(), params={"filter": f'display_name="{label}"'})
    assert jobs == {}


@pytest.mark.parametrize("action", ["drop", "drop_after_processing"])
def test_a_create_whose_fate_is_unknown(system, action):
    match = {"method": "POST", "path": "batchPredictionJobs$"}
    system.control("POST", "faults", match=match, times=1, action={action: True})
    _, label, answer = system.post([prompt(hold=True)])
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (503, "UNAVAILABLE")
    assert [each["reason"] for each in error["details"]] == ["CREATE_FATE_UNKNOWN"]
    # It is kept until somebody has found out.
    assert len(system.find("submissions", "displayName", label)) == 1
    # And its caller finds out as the message says.
    listed = system.stack.get(jobs_path(), params={"filter": f'display_name="{label}"'})
    jobs = listed.get("batchPredictionJobs", [])
    assert len(jobs) == (1 if action == "drop_after_processing" else 0)
    for job in jobs:
        assert system.stack.request("POST", f"/v1/{job['name']}:cancel").status_code == 200


def test_the_gateway_is_restarted(system):
    # A new instance has seen nothing: not even which project Google's number stands for.
    job = system.submit([prompt()])
    gateway = system.stack.gateway
    gateway.kill()
    gateway.start()
    gateway.wait_ready()
    assert system.stack.get(f"/v1/{job.name}")["name"] == job.name
    system.check_against_output(job, system.final(job))
    # By number, and what it makes is put down under the project's id all the same.
    number = job.name.partition("/locations/")[0]
    again = system.submit([prompt()], parent=f"/v1/{number}/locations/us-central1")
    system.check_against_output(again, system.final(again))
