"""Results of real jobs, from a create to the last row, with keys of several teams."""

import json
from collections import Counter
from decimal import Decimal

import pytest

from builders import input_files, output_folder, prompt
from integration.harness import jobs_path
from patience import PATIENCE
from processes import wait_until

ROWS = [
    prompt("good", prompt_tokens=100, output_tokens=10, thoughts=7),
    prompt("cached", prompt_tokens=500, cached=400),
    prompt("long", prompt_tokens=200_001, output_tokens=3),
    prompt("bad", fail=True),
    prompt("refused", prompt_tokens=10, blocked=True),
    prompt("heard", prompt_tokens=900, audio=800),
]


def results(system, job, query="", key=None):
    return system.stack.request("GET", f"{job.path}/results{query}", **({"key": key} if key else {}))


def team_key(system, team):
    system.stack.request("POST", "/team/new", json={"team_id": team})
    made = system.stack.request("POST", "/key/generate", json={"team_id": team})
    return made.json()["key"]


def test_rows_come_as_they_were_written_and_add_up_to_the_cost(system):
    job, cost, output = system.run(ROWS, model="gemini-2.5-pro", location="global")
    answer = results(system, job)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/jsonl")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in answer.headers
    assert answer.content == output
    rows = [json.loads(line) for line in results(system, job, "?view=usage").text.splitlines()]
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal(cost["amount"]) > 0
    counted = Counter(row["state"] for row in rows)
    assert counted == {"succeeded": 4, "failed": 1, "blocked": 1}
    assert counted["failed"] == cost["rows"]["failed"]
    assert sum(row["usage"]["thoughtsTokens"] for row in rows) == cost["usage"]["thoughtsTokens"]


def test_a_team_reads_its_own_jobs_only_and_a_deleted_job_still(system):
    ours, theirs = (team_key(system, f"results-{name}") for name in ("ours", "theirs"))
    body = {
        "displayName": "ours",
        "model": "gemini-2.5-flash",
        "inputConfig": input_files(system.stack.upload_rows("results-ours.jsonl", [prompt("a")])),
        "outputConfig": output_folder("gs://batch-out/results-ours"),
    }
    created = system.stack.request("POST", jobs_path(), json=body, key=ours)
    assert created.status_code == 200, created.text
    path = f"{jobs_path()}/{created.json()['name'].rpartition('/')[2]}"
    early = system.stack.request("GET", f"{path}/results", key=ours)
    assert early.status_code == 200 or reason(early) == "OUTPUT_NOT_THERE"
    wait_for_end(system, path, ours)
    whole = system.stack.request("GET", f"{path}/results", key=ours)
    assert whole.status_code == 200
    for key, tail in ((theirs, ""), (theirs, "?view=usage"), (theirs, "?no=such")):
        refused = system.stack.request("GET", f"{path}/results{tail}", key=key)
        assert (refused.status_code, reason(refused)) == (403, "JOB_NOT_ALLOWED")
    nobody = system.stack.request("GET", f"{path}1/results", key=theirs)
    assert (nobody.status_code, reason(nobody)) == (403, "JOB_NOT_ALLOWED")
    assert system.stack.request("DELETE", path, key=ours).status_code == 200
    assert system.stack.request("GET", f"{path}/results", key=ours).content == whole.content


def test_what_is_not_there_is_not_found(system):
    unknown = system.stack.request("GET", f"{jobs_path()}/999/results")
    assert (unknown.status_code, reason(unknown)) == (404, "JOB_NOT_ON_RECORD")
    job, cost, _ = system.run([prompt("a")])
    (output,) = cost["outputs"]
    bucket, _, name = output["uri"].removeprefix("gs://").partition("/")
    system.stack.storage_client().bucket(bucket).blob(name).delete()
    gone = results(system, job)
    assert (gone.status_code, reason(gone)) == (404, "OUTPUT_GONE")


@pytest.mark.parametrize("query", ["?view=rows", "?state=bad", "?limit=0", "?format=csv", "?x=1"])
def test_a_wrong_parameter_is_refused(system, query):
    job, _, _ = system.run([prompt("a")])
    answer = results(system, job, query)
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")


def wait_for_end(system, path, key):
    """Waits until a job's cost is final."""
    wait_until(
        lambda: system.stack.request("GET", f"{path}/cost", key=key).json()["status"] == "FINAL" or None,
        PATIENCE,
        "the job to be FINAL",
    )


def reason(answer):
    return answer.json()["error"]["details"][0]["reason"]
