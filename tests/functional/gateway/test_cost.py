"""The cost of a job, from its first second to its last."""

import json

import pytest

from batch_gateway.core.pricing import prices
from builders import prompt
from functional.gateway.conftest import (
    FLASH,
    JOBS,
    PROJECT,
    cost,
    job_body,
    job_resource,
    json_answer,
    path_of,
    reason,
)

ROW = {"prompt_tokens": 100, "output_tokens": 10, "thoughts": 5}
DIRECTORY = "gs://out/run/prediction-model-2026-11-22T10:00:00.123456Z"
TABLE = prices.load().version


def rows(*wishes):
    return "\n".join(json.dumps(prompt("x", **wish)) for wish in wishes).encode()


@pytest.fixture
def world(world):
    world.objects.put("in", "rows.jsonl", rows(ROW, ROW, {"fail": True}, ROW))
    return world


NOTHING_YET = {
    "currency": "USD",
    "amount": "0",
    "complete": False,
    "model": "gemini-2.5-flash",
    "team": None,
    "apiKey": "master",
    "labels": {"environment": "production"},
    "rows": {"succeeded": 0, "failed": 0, "malformed": 0, "unrecognized": 0, "unpriced": 0, "carriedOver": 0},
    "unpricedReasons": [],
    "usage": {
        "inputTokens": 0,
        "cachedInputTokens": 0,
        "outputTokens": 0,
        "thoughtsTokens": 0,
        "totalTokens": 0,
    },
    "lineItems": [],
    "waste": {"amount": "0", "reasons": []},
    "queryFees": None,
    "priceTable": None,
    "estimate": None,
    "projected": None,
    "outputs": [],
    "resumedFrom": None,
    "resumedBy": None,
}
ESTIMATE = {"low": "0.0001006", "expected": "0.0030006", "high": "0.3276854"}
"""Of four rows of one letter: about 1 token in and 600 out each."""


def item(name, quantity, unit_price, amount):
    return {
        "item": name,
        "model": "gemini-2.5-flash",
        "contextWindow": "0-200k",
        "quantity": quantity,
        "unit": "token",
        "unitPrice": unit_price,
        "amount": amount,
    }


SETTLED = {
    "amount": "0.00010125",
    "rows": {"succeeded": 3, "failed": 1, "malformed": 0, "unrecognized": 0, "unpriced": 0, "carriedOver": 0},
    "usage": {
        "inputTokens": 300,
        "cachedInputTokens": 0,
        "outputTokens": 45,
        "thoughtsTokens": 15,
        "totalTokens": 345,
    },
    "lineItems": [
        item("input_text", 300, "0.00000015", "0.000045"),
        item("output_text", 30, "0.00000125", "0.0000375"),
        item("output_thoughts", 15, "0.00000125", "0.00001875"),
    ],
    "waste": {
        "amount": "0",
        "reasons": [{"kind": "failed", "reason": "INVALID_ARGUMENT", "rows": 1, "amount": "0"}],
    },
    "priceTable": TABLE,
}


def test_a_cost_from_pending_over_partial_to_final_to_the_letter(world, vertex):
    job = world.created(job_body(labels={"environment": "production"}))
    base = {"name": job["name"], **NOTHING_YET, "estimate": ESTIMATE, "projected": ESTIMATE["expected"]}
    assert cost(world, job) == {
        **base,
        "state": "JOB_STATE_PENDING",
        "status": "PENDING",
        "progress": {"completed": None, "total": None},
    }

    vertex.step()
    vertex.step(rows=2)
    assert cost(world, job) == {
        **base,
        "state": "JOB_STATE_RUNNING",
        "status": "PENDING",
        "progress": {"completed": 2, "total": 4},
    }

    directory = vertex.finish(job["name"])["outputInfo"]["gcsOutputDirectory"]
    bucket, _, folder = directory.removeprefix("gs://").partition("/")
    second = world.objects.put(bucket, f"{folder}/predictions_0002.jsonl", b"")
    first = world.objects.stat(bucket, f"{folder}/predictions.jsonl")
    ended = {**base, "state": "JOB_STATE_SUCCEEDED", "progress": {"completed": 4, "total": 4}}
    assert cost(world, job) == {**ended, "status": "PENDING"}

    world.settle(f"{directory}/predictions.jsonl")
    output = {
        "uri": f"{directory}/predictions.jsonl",
        "generation": str(first.generation),
        "bytes": first.size,
        "rows": 4,
    }
    partial = {**ended, **SETTLED, "projected": SETTLED["amount"], "outputs": [output]}
    assert cost(world, job) == {**partial, "status": "PARTIAL"}

    world.settle(f"{directory}/predictions_0002.jsonl")
    other = {
        "uri": f"{directory}/predictions_0002.jsonl",
        "generation": str(second.generation),
        "bytes": 0,
        "rows": 0,
    }
    final = {**partial, "status": "FINAL", "complete": True, "projected": None, "outputs": [output, other]}
    assert cost(world, job) == final
    assert cost(world, job, client=world.new_client()) == final


def test_the_members_are_those_of_the_contract_in_its_order(world):
    assert list(cost(world, world.created())) == [
        *("name", "state", "status", "currency", "amount", "complete", "model", "team", "apiKey", "labels"),
        *("rows", "unpricedReasons", "usage", "lineItems", "waste", "queryFees"),
        *("priceTable", "estimate", "projected", "progress", "outputs"),
        *("resumedFrom", "resumedBy"),
    ]


def test_a_running_job_is_looked_at_upstream(world, vertex):
    job = world.created()
    vertex.requests.clear()

    cost(world, job)

    (request,) = vertex.requests.all()
    assert (request.method, request.target) == ("GET", path_of(job))


def test_a_final_cost_asks_nobody(world, vertex):
    job = world.created()
    directory = vertex.finish(job["name"])["outputInfo"]["gcsOutputDirectory"]
    world.settle(f"{directory}/predictions.jsonl")
    assert cost(world, job)["status"] == "FINAL"
    vertex.requests.clear()
    world.objects._objects.clear()
    writes = world.store.writes

    assert cost(world, job)["status"] == "FINAL"
    assert not vertex.requests.all()
    assert world.store.writes == writes


def test_the_cost_call_itself_finds_that_a_job_is_final(world, vertex):
    job = world.created()
    vertex.finish(job["name"], rows=0, state="JOB_STATE_FAILED", error={"code": 3, "message": "x"})

    found = cost(world, job)

    assert (found["status"], found["state"], found["amount"]) == ("FINAL", "JOB_STATE_FAILED", "0")


def test_a_job_that_succeeded_without_output_so_far_is_not_final(world, vertex):
    job = world.created()
    vertex.finish(job["name"], write=False)

    assert cost(world, job)["status"] == "PENDING"


def test_a_job_that_failed_after_rows_whose_output_was_refused_is_not_complete(world, vertex):
    job = world.created()
    vertex.finish(job["name"], state="JOB_STATE_FAILED", write=False)

    found = cost(world, job)

    assert (found["status"], found["amount"], found["complete"]) == ("PENDING", "0", False)


def test_a_job_that_failed_before_it_ran_is_final_at_once(world, vertex):
    job = world.created()
    vertex.finish(job["name"], state="JOB_STATE_FAILED", rows=0)

    found = cost(world, job)

    assert (found["status"], found["amount"], found["complete"]) == ("FINAL", "0", True)


def test_a_job_that_is_not_on_record_is_not_found(world, vertex):
    answer = world.get(f"{JOBS}/4242/cost")

    assert (answer.status_code, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    assert reason(answer) == "JOB_NOT_ON_RECORD"
    assert not vertex.requests.all()


def test_without_vertex_the_books_say_what_they_know(world, vertex, pauses):
    job = world.created()
    vertex.step()
    world.get(path_of(job))
    vertex.faults.add(times=None, drop=True)

    found = cost(world, job)

    assert (found["state"], found["status"]) == ("JOB_STATE_RUNNING", "PENDING")
    assert pauses


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_whatever_vertex_answers_the_books_say_what_they_know(world, vertex, pauses, status):
    job = world.created()
    vertex.faults.add(times=None, status=status)

    assert cost(world, job)["state"] == "JOB_STATE_PENDING"
    assert isinstance(pauses, list)


@pytest.mark.parametrize("body", [b"no json", b"", b"[]", b"\xff"])
def test_a_garbled_answer_of_vertex_does_not_stop_a_cost(scripted, loopback, pauses, body):
    loopback.answers = [json_answer(job_resource())]
    job = scripted.created()
    loopback.answers = [loopback.answers[0]._replace(body=body)]

    assert cost(scripted, job)["state"] == "JOB_STATE_PENDING"
    assert isinstance(pauses, list)


def test_without_cloud_storage_the_books_say_what_they_know(world, vertex, monkeypatch):
    job = world.created()
    vertex.finish(job["name"])

    def refuse(*_):
        raise OSError("no storage")

    monkeypatch.setattr(world.objects, "list", refuse)

    found = cost(world, job)

    assert (found["status"], found["state"]) == ("PENDING", "JOB_STATE_SUCCEEDED")


def test_without_the_books_there_is_no_cost(world):
    job = world.created()
    world.store.down = True

    answer = world.get(f"{path_of(job)}/cost")

    assert (answer.status_code, reason(answer)) == (503, "BOOKS_UNAVAILABLE")


def running(completed, left, **changes):
    return job_resource(
        state="JOB_STATE_RUNNING",
        updateTime="2026-11-22T10:03:00Z",
        outputInfo={"gcsOutputDirectory": DIRECTORY},
        completionStats={"successfulCount": str(completed), "incompleteCount": str(left)},
        **changes,
    )


def put_output(world, count, line=None):
    usage = {"promptTokenCount": 100, "candidatesTokenCount": 10}
    line = line or {"status": "", "response": {"modelVersion": "gemini-2.5-flash", "usageMetadata": usage}}
    data = (json.dumps(line) + "\n").encode() * count
    name = f"{DIRECTORY.removeprefix('gs://out/')}/predictions.jsonl"
    return world.objects.put("out", name, data)


def created(scripted, loopback, shown):
    loopback.answers = [json_answer(job_resource(model=shown["model"]))]
    job = scripted.created()
    loopback.answers = [json_answer(shown)]
    return job


def test_a_running_jobs_cost_is_carried_on_to_all_its_rows(scripted, loopback):
    job = created(scripted, loopback, running(2, 8))
    put_output(scripted, 2)
    scripted.get(path_of(job))
    scripted.settle(f"{DIRECTORY}/predictions.jsonl")

    found = cost(scripted, job)

    assert (found["status"], found["progress"]) == ("PARTIAL", {"completed": 2, "total": 10})
    assert (found["amount"], found["projected"]) == ("0.000055", "0.000275")


def test_without_a_known_total_and_an_estimate_nothing_is_projected(scripted, loopback):
    job = created(scripted, loopback, running(2, -1))
    put_output(scripted, 2)
    scripted.get(path_of(job))
    scripted.settle(f"{DIRECTORY}/predictions.jsonl")

    found = cost(scripted, job)

    assert (found["projected"], found["progress"]) == (None, {"completed": 2, "total": None})


def test_rows_that_nobody_understands_are_told_and_the_amount_is_not_complete(scripted, loopback):
    usage = {"promptTokenCount": 100, "totalTokenCount": 150}
    odd = {"custom_id": "r1", "answer": {"tokens": 5}}
    line = {"status": "", "response": {"modelVersion": "gemini-2.5-flash", "usageMetadata": usage}}
    job = created(scripted, loopback, running(3, 0))
    content = b"".join(json.dumps(each).encode() + b"\n" for each in (line, odd, line))
    scripted.objects.put("out", f"{DIRECTORY.removeprefix('gs://out/')}/predictions.jsonl", content)
    scripted.get(path_of(job))
    scripted.settle(f"{DIRECTORY}/predictions.jsonl")

    found = cost(scripted, job)

    assert (found["amount"], found["complete"]) == ("0.00003", False)  # 2 x 100 x 0.15/1M
    assert {name: rows for name, rows in found["rows"].items() if rows} == {
        "succeeded": 2,
        "unrecognized": 1,
        "unpriced": 2,
    }
    assert found["unpricedReasons"] == [{"reason": "TOKENS_UNACCOUNTED", "rows": 2}]
    assert [each["rows"] for each in found["outputs"]] == [3]


def test_an_unknown_model_is_unpriced_and_said_to_be(scripted, loopback):
    usage = {"promptTokenCount": 100}
    line = {"status": "", "response": {"modelVersion": "gemini-99", "usageMetadata": usage}}
    job = created(scripted, loopback, running(2, 0, model=f"{FLASH[:-16]}gemini-99"))
    put_output(scripted, 2, line)
    scripted.get(path_of(job))
    scripted.settle(f"{DIRECTORY}/predictions.jsonl")

    found = cost(scripted, job)

    assert (found["amount"], found["complete"], found["rows"]["unpriced"]) == ("0", False, 2)
    (entry,) = found["lineItems"]
    assert (entry["quantity"], entry["unitPrice"], entry["amount"]) == (200, None, None)


def test_an_output_that_was_lost_is_listed_with_its_reason(scripted, loopback):
    job = created(scripted, loopback, running(2, 0))
    scripted.get(path_of(job))
    scripted.settle(f"{DIRECTORY}/predictions.jsonl")

    found = cost(scripted, job)

    (output,) = found["outputs"]
    assert (found["complete"], output["rows"]) == (False, 0)
    assert "deleted" in output["error"]


def test_a_numbers_path_gives_the_same_cost(world):
    job = world.created()

    assert world.get(f"/v1/{job['name']}/cost").json == cost(world, job)


def test_a_job_of_another_location_is_another_job(world):
    job = world.created()

    answer = world.get(f"{path_of(job).replace('us-central1', 'europe-west4')}/cost")

    assert reason(answer) == "JOB_NOT_ON_RECORD"
    assert PROJECT in answer.json["error"]["message"]
