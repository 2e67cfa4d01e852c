"""Cancel and delete, and what stays in the books."""

import pytest

from functional.gateway.conftest import JOBS, World, job_resource, json_answer, path_of, reason
from functional.gateway.loopback import closed_port


def test_a_cancel_is_relayed_and_the_next_read_notes_it(world):
    job = world.created()

    answer = world.call("POST", f"{path_of(job)}:cancel")

    assert (answer.status_code, answer.json) == (200, {})
    world.get(path_of(job))
    seen = world.record(job).seen
    assert (seen.state, seen.error) == ("JOB_STATE_CANCELLED", {"code": 1, "message": "CANCELED"})


def test_a_cancel_of_an_ended_job_is_refused_in_vertexs_words(world, vertex):
    job = world.created()
    vertex.finish(job["name"], rows=0, state="JOB_STATE_FAILED")

    answer = world.call("POST", f"{path_of(job)}:cancel")

    assert (answer.status_code, answer.json["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert "details" not in answer.json["error"]


@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}])
def test_a_cancel_is_sent_once(world, vertex, pauses, fault):
    job = world.created()
    vertex.requests.clear()
    vertex.faults.add(method="POST", **fault)

    assert world.call("POST", f"{path_of(job)}:cancel").status_code == 503
    assert len(vertex.requests.all()) == 1
    assert not pauses


def test_a_cancel_needs_no_books(world):
    job = world.created()
    world.store.down = True

    assert world.call("POST", f"{path_of(job)}:cancel").status_code == 200


def test_a_deleted_job_keeps_its_cost(world, vertex):
    job = world.created()
    done = vertex.finish(job["name"])
    world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")
    before = world.get(f"{path_of(job)}/cost").json

    assert world.call("DELETE", path_of(job)).status_code == 200

    assert world.get(path_of(job)).status_code == 404
    after = world.get(f"{path_of(job)}/cost")
    assert (after.status_code, after.json) == (200, before)
    assert after.json["amount"] != "0"


def test_a_jobs_last_state_is_noted_before_it_is_deleted(world, vertex):
    job = world.created()
    done = vertex.finish(job["name"])

    world.call("DELETE", path_of(job))

    seen = world.record(job).seen
    assert seen.state == "JOB_STATE_SUCCEEDED"
    assert seen.output_directory == done["outputInfo"]["gcsOutputDirectory"]


def test_a_job_deleted_before_its_output_was_settled_is_settled_all_the_same(world, vertex):
    job = world.created()
    done = vertex.finish(job["name"])
    world.call("DELETE", path_of(job))

    world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")

    cost = world.get(f"{path_of(job)}/cost").json
    assert (cost["status"], cost["rows"]["succeeded"]) == ("FINAL", 3)


def test_a_running_job_is_not_deleted_and_vertex_says_why(world, vertex):
    job = world.created()
    vertex.step()

    answer = world.call("DELETE", path_of(job))

    assert (answer.status_code, answer.json["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert world.record(job).seen.state == "JOB_STATE_RUNNING"


def test_a_job_that_is_not_there_is_not_found_in_vertexs_words(world):
    answer = world.call("DELETE", f"{JOBS}/4242")

    assert (answer.status_code, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    assert "details" not in answer.json["error"]


def test_a_job_that_is_not_on_record_can_be_deleted(scripted, loopback):
    loopback.answers = [
        json_answer(job_resource(state="JOB_STATE_FAILED")),
        json_answer({"name": "operation"}),
    ]

    answer = scripted.call("DELETE", f"{JOBS}/4242")

    assert (answer.status_code, answer.json) == (200, {"name": "operation"})
    assert [seen.method for seen in loopback.seen] == ["GET", "DELETE"]


def test_without_books_nothing_is_deleted_since_the_last_state_would_be_lost(world, vertex):
    job = world.created()
    vertex.finish(job["name"], rows=0, state="JOB_STATE_FAILED")
    world.store.down = True

    answer = world.call("DELETE", path_of(job))

    assert (answer.status_code, reason(answer)) == (503, "BOOKS_UNAVAILABLE")
    assert len(vertex.jobs()) == 1


@pytest.mark.parametrize("status", [400, 401, 409])
def test_a_delete_that_vertex_refuses_is_refused_in_its_words_although_it_is_read_first(
    scripted, loopback, status
):
    body = {"error": {"code": status, "message": "no", "status": "X"}}
    loopback.answers = [json_answer(body, status)]

    answer = scripted.call("DELETE", f"{JOBS}/4242")

    assert (answer.status_code, answer.json) == (status, body)


def test_a_delete_is_sent_once(world, vertex, pauses):
    job = world.created()
    vertex.finish(job["name"], rows=0, state="JOB_STATE_FAILED")
    vertex.requests.clear()
    vertex.faults.add(method="DELETE", drop_after_processing=True)

    answer = world.call("DELETE", path_of(job))

    assert (answer.status_code, reason(answer)) == (503, "UPSTREAM_UNAVAILABLE")
    assert [request.method for request in vertex.requests.all()] == ["GET", "DELETE"]
    assert not pauses


def test_without_vertex_a_delete_is_unavailable(pauses):
    answer = World(f"127.0.0.1:{closed_port()}").call("DELETE", f"{JOBS}/4242")

    assert (answer.status_code, reason(answer)) == (503, "UPSTREAM_UNAVAILABLE")
    assert pauses


def test_the_colon_of_a_cancel_reaches_vertex_plain(world, vertex):
    job = world.created()

    world.call("POST", f"{path_of(job)}:cancel")

    assert vertex.requests.all()[-1].target == f"{path_of(job)}:cancel"
