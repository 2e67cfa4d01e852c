"""From a file to its cost with a gateway key alone, and what keeps teams' files apart."""

import json
import secrets

import pytest
import requests

from builders import input_files, output_folder, prompt
from integration.harness import REGION, Job, jobs_path, jsonl
from patience import PATIENCE
from processes import wait_until
from stack import INPUT_BUCKET, OUTPUT_BUCKET


class Team:
    """A team with a folder of its own for input and output, and a key."""

    def __init__(self, system):
        self.system = system
        self.id = f"t{secrets.token_hex(4)}"
        self.output = f"gs://{OUTPUT_BUCKET}/{self.id}"
        prefixes = [f"gs://{INPUT_BUCKET}/{self.id}", self.output]
        self._admin("/team/new", team_id=self.id, allowed_uri_prefixes=prefixes)
        self.key = self._admin("/key/generate", team_id=self.id)["key"]

    def _admin(self, path, **fields):
        answer = self.system.stack.request("POST", path, json=fields)
        assert answer.ok, answer.text
        return answer.json()

    def upload(self, rows, name="nightly/rows.jsonl"):
        """Uploads as anybody would, and returns the file's URI."""
        begun = self.system.stack.request("POST", "/v1/inputs", key=self.key, json={"name": name})
        assert begun.ok, begun.text
        with requests.Session() as outside:
            outside.trust_env = False
            outside.put(begun.json()["uploadUrl"], jsonl(*rows), timeout=PATIENCE).raise_for_status()
        return begun.json()["uri"]

    def create(self, uri):
        body = {
            "displayName": self.id,
            "model": "gemini-2.5-flash",
            "inputConfig": input_files(uri),
            "outputConfig": output_folder(self.output),
        }
        return self.system.stack.request("POST", jobs_path(), key=self.key, json=body)


@pytest.fixture
def teams(system):
    return Team(system), Team(system)


def reading(uri):
    row = prompt("Sum this up.")
    row["request"]["contents"][0]["parts"].append(
        {"fileData": {"fileUri": uri, "mimeType": "application/pdf"}}
    )
    return row


def reason(answer):
    return answer.json()["error"]["details"][0]["reason"]


def test_a_key_alone_takes_a_file_to_its_cost_and_other_teams_have_no_part_in_it(system, teams):
    mine, theirs = teams
    uri = mine.upload([prompt("a"), reading(f"gs://{INPUT_BUCKET}/{mine.id}/docs/My report.pdf")])

    assert uri == f"gs://{INPUT_BUCKET}/{mine.id}/nightly/rows.jsonl"
    created = mine.create(uri)
    assert created.status_code == 200, created.text
    cost = system.final(Job(created.json()["name"], "gemini-2.5-flash", REGION, mine.output, mine.id))
    assert (cost["complete"], cost["team"], cost["rows"]["succeeded"]) == (True, mine.id, 2)

    assert reason(theirs.create(uri)) == "URI_NOT_ALLOWED"
    assert reason(theirs.create(theirs.upload([prompt("a"), reading(uri)]))) == "ROW_URI_NOT_ALLOWED"
    taken = system.stack.request("POST", "/v1/inputs", key=mine.key, json={"name": "nightly/rows.jsonl"})
    assert reason(taken) == "INPUT_EXISTS"


def test_vertex_reads_the_objects_that_were_checked_and_none_that_came_later(system, teams):
    mine, _ = teams
    first = mine.upload([prompt("a")], "shards/1.jsonl")

    created = mine.create(f"gs://{INPUT_BUCKET}/{mine.id}/shards/*.jsonl")

    assert created.status_code == 200, created.text
    assert created.json()["inputConfig"]["gcsSource"]["uris"] == [first]
    job = Job(created.json()["name"], "gemini-2.5-flash", REGION, mine.output, mine.id)
    mine.upload([prompt("b")], "shards/2.jsonl")
    assert system.final(job)["rows"]["succeeded"] == 1


def test_a_row_that_was_changed_after_the_create_is_told_of(system, teams):
    mine, theirs = teams
    created = mine.create(mine.upload([reading(f"gs://{INPUT_BUCKET}/{mine.id}/x.pdf")]))
    job = Job(created.json()["name"], "gemini-2.5-flash", REGION, mine.output, mine.id)
    cost = system.final(job)
    (output,) = cost["outputs"]
    row = json.loads(system.output(cost))
    stolen = f"gs://{INPUT_BUCKET}/{theirs.id}/secret.pdf"
    row["request"] = reading(stolen)["request"]

    system.overwrite(output["uri"], jsonl(row))

    message = "rows named a file that the job's key may not read"
    (line,) = wait_until(lambda: system.logged(message, mine.id), PATIENCE, "the alert", interval=0.05)
    assert stolen in line
    (event,) = system.find("events", "type", "batch.uri_not_allowed")
    assert event["team"] == mine.id
