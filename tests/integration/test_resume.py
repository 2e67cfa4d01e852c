"""Resumed jobs in the running system: every row is paid for once, and a job is resumed once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from builders import prompt
from integration.harness import Job, jobs_path, nano
from integration.recounting import expected

CREATE = {"method": "POST", "path": "batchPredictionJobs$"}


def ended_early(system, state, count=300, done=120):
    rows = [prompt(f"row {number}", thoughts=number % 7) for number in range(count)]
    job = system.submit([*rows, prompt(hold=True)])
    system.control("POST", f"jobs/{job.id}:finish", state=f"JOB_STATE_{state}", rows=done)
    return job


def resume(system, job, **given):
    return system.stack.request("POST", f"{job.path}:resume", **given)


def resumed(system, job, **given):
    answer = resume(system, job, **given)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    prefix = body["outputConfig"]["gcsDestination"]["outputUriPrefix"]
    return Job(body["name"], job.model, job.location, prefix, job.label)


def jobs_of(system, job):
    """All jobs with a job's label, as Vertex AI has them."""
    found = system.stack.get(f"{jobs_path(job.location)}?filter=labels.test%3D{job.label}")
    return [each["name"] for each in found["batchPredictionJobs"]]


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED", "FAILED"])
def test_two_jobs_cost_what_their_rows_cost_once(system, state):
    old = ended_early(system, state)
    first = system.final(old)
    assert 120 <= first["rows"]["succeeded"] < 300
    new = resumed(system, old)
    system.control("POST", f"jobs/{new.id}:finish")
    second = system.final(new)

    rows = second["rows"]
    assert (rows["succeeded"], rows["carriedOver"]) == (
        301 - first["rows"]["succeeded"],
        first["rows"]["succeeded"],
    )
    assert second["complete"] is True
    once = expected(system.output(second))
    assert once.rows == {"succeeded": 301}
    assert nano(first["amount"]) + nano(second["amount"]) == once.nano > nano(first["amount"]) > 0
    totals = system.totals(old)
    assert sum(sum(cell["quarters"].values()) for cell in totals) == once.nano
    assert (second["resumedFrom"], system.cost(old)["resumedBy"]) == (old.name, new.name)


def test_resumes_at_the_same_time_make_one_job(system):
    old = ended_early(system, "EXPIRED", count=5, done=2)
    barrier = threading.Barrier(6)

    def attempt(number):
        barrier.wait()
        return resume(system, old, headers={"Idempotency-Key": f"{old.label}-{number}"})

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(attempt, range(6)))

    assert sorted(answer.status_code for answer in answers)[0] == 200  # noqa: FURB192 - the first of all
    refused = [answer.json()["error"] for answer in answers if answer.status_code != 200]
    assert len(refused) == 5
    reasons = {error["details"][0]["reason"] for error in refused}
    assert reasons <= {"RESUME_IN_PROGRESS", "JOB_ALREADY_RESUMED"}
    assert len(jobs_of(system, old)) == 2


def test_a_resume_whose_answer_is_lost_makes_one_job(system):
    old = ended_early(system, "FAILED", count=5, done=2)
    action = {"drop_after_processing": True}
    system.control("POST", "faults", match=CREATE, times=1, action=action)
    headers = {"Idempotency-Key": f"{old.label}-once"}
    first, again = (resume(system, old, headers=headers) for _ in range(2))

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["name"] == again.json()["name"] == system.cost(old)["resumedBy"]
    assert len(jobs_of(system, old)) == 2
