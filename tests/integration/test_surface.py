"""The surface that callers see: the documents' examples to the letter, keys, and deletion."""

import json
import os
import subprocess
import time

import pytest

import demo
from builders import prompt
from documents import ROOT, blocks
from integration.harness import jobs_path, nano
from patience import PATIENCE
from processes import HOST, wait_until

NAMES = (
    # The tests of the command line run it.
    "run",
    *("create", "create-labels", "create-idempotent", "list", "get", "cost", "cancel", "resume", "delete"),
    *("team-new", "key-generate", "prices", "reconcile", "reprice", "jobs", "jobs-stats"),
    *("estimate", "costs", "export", "results", "results-usage"),
    *("input-begin", "input-store", "upload"),
)


def example(name):
    examples = blocks("example")
    assert sorted(examples) == sorted(NAMES)
    language, command = examples[name]
    assert language == "bash"
    return command


@pytest.fixture
def reader(system, tmp_path):
    """Runs an example as a reader of the documents would, and returns the JSON that it printed."""
    system.stack.upload(demo.EXAMPLE_INPUT.name, demo.EXAMPLE_INPUT.read_bytes())
    # A folder that has what the examples name, and that they may write to.
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_URL": system.stack.gateway_url,
        "GATEWAY_KEY": system.stack.master_key,
        "PARENT": jobs_path("global").removeprefix("/").rpartition("/")[0],
        "NO_PROXY": HOST,
        "no_proxy": HOST,
    }

    def run(name, job=None, **more):
        answer = subprocess.run(  # noqa: S603 - the documents' own words
            ["bash", "-euo", "pipefail", "-c", example(name)],  # noqa: S607 - the reader's bash
            env=environment | ({"JOB": job} if job else {}) | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        is_object = answer.stdout.startswith("{") and not name.startswith("results")
        return json.loads(answer.stdout) if is_object else answer.stdout

    return run


def wait_for(cost):
    return wait_until(
        lambda: (seen := cost())["status"] == "FINAL" and seen, PATIENCE, "FINAL", interval=0.05
    )


def test_the_documents_from_create_to_delete(reader, system, tmp_path):
    created = reader("create")
    job = created["name"].rpartition("/")[2]
    assert reader("get", job)["displayName"] == "example"
    cost = wait_for(lambda: reader("cost", job))
    assert cost["name"] == created["name"]
    shown = json.loads(blocks("shown")["first-cost"][1])
    assert all(item in cost["lineItems"] for item in shown.pop("lineItems"))
    assert {name: cost[name] for name in shown} == shown
    assert reader("results", job) == ""
    written = (tmp_path / "results.jsonl").read_bytes()
    assert written == system.output(cost)
    rows = [json.loads(line) for line in reader("results-usage", job).splitlines()]
    assert [row["row"] for row in rows] == list(range(1, 11))
    assert created["name"] in {each["name"] for each in reader("list")["batchPredictionJobs"]}
    # It has ended, and api.md says what a cancel answers then.
    refused = reader("cancel", job)["error"]
    assert (refused["code"], refused["status"]) == (400, "FAILED_PRECONDITION")
    # Its one failed row can be run again.
    resumed = reader("resume", job)
    assert resumed["displayName"] == "example (resumed)"
    assert reader("cost", job)["resumedBy"] == resumed["name"]
    cost = reader("cost", job)
    (stats, *_) = reader("jobs-stats")["data"]
    (shown,) = json.loads(blocks("shown")["jobs-stats"][1])["data"]
    assert stats.keys() == shown.keys()
    assert stats["jobs"]["succeeded"] >= 1
    assert reader("delete", job)["name"].startswith(created["name"].partition("/batchPredictionJobs")[0])
    assert reader("get", job)["error"]["status"] == "NOT_FOUND"
    assert reader("cost", job) == cost


def test_the_documents_creates_where_places_and_buckets_have_other_names(reader):
    assert reader("create")["inputConfig"]["gcsSource"]["uris"] == ["gs://batch-in/example_input.jsonl"]
    names = {"PARENT": jobs_path("us-central1").removeprefix("/").rpartition("/")[0]}
    names |= {"INPUT_BUCKET": "their-input", "OUTPUT_BUCKET": "their-output"}
    refused = reader("create", **names)["error"]
    assert "global" in refused["message"], "it is the configuration that says where the model is"
    for name in ("create-labels", "create-idempotent"):
        created = reader(
            name, **{**names, "PARENT": jobs_path("global").removeprefix("/").rpartition("/")[0]}
        )
        assert created["inputConfig"]["gcsSource"]["uris"] == ["gs://their-input/example_input.jsonl"]
        assert created["outputConfig"]["gcsDestination"]["outputUriPrefix"].startswith("gs://their-output/")


def test_the_documents_with_labels(reader, system):
    job = reader("create-labels")["name"].rpartition("/")[2]
    cost = wait_for(lambda: reader("cost", job))
    assert cost["labels"] == {"environment": "production", "campaign": "autumn"}
    (cell,) = system.find("totals", "labels.campaign", "autumn")
    assert cell["labels"] == cost["labels"]
    assert sum(cell["quarters"].values()) == nano(cost["amount"]) > 0
    assert job in {each["id"] for each in reader("jobs")["data"]}


def test_the_documents_create_with_an_idempotency_key_submits_one_job(reader):
    first = reader("create-idempotent")
    again = reader("create-idempotent")
    assert again == first


def test_the_documents_team_and_key(reader, system):
    team = reader("team-new")
    assert team["team_id"] == "search"
    key = reader("key-generate")
    assert (key["key_alias"], key["team_id"], key["rpm_limit"]) == ("search-nightly", "search", 120)
    listed = system.stack.request("GET", jobs_path(), key=key["key"])
    assert listed.status_code == 200, listed.text
    assert listed.json().get("batchPredictionJobs", []) == []


def test_the_documents_uploads(reader, system):
    assert reader("input-begin")["uri"] == "gs://batch-in/master/nightly/2026-11-28.jsonl"
    uri = reader("input-store")["uri"]
    assert b"Say hello." in system.stack.read_under(uri)["master/nightly/small.jsonl"]
    assert reader("input-store")["error"]["status"] == "ALREADY_EXISTS"
    reader("upload")
    name = "master/from-curl/rows.jsonl"
    assert system.stack.read_under(f"gs://batch-in/{name}")[name] == demo.EXAMPLE_INPUT.read_bytes()


def test_the_documents_estimate_costs_and_export(reader, system):
    system.run([prompt()])
    estimate = reader("estimate")
    assert estimate["rows"]["total"] == 20
    assert nano(estimate["low"]) <= nano(estimate["expected"]) <= nano(estimate["high"])
    page = reader("costs")
    assert (page["object"], page["data"][0]["start_time"]) == ("page", 1793491200)
    recent = system.stack.get(f"/v1/costs?start_time={int(time.time()) - 86_400}&group_by=team,model")
    assert "gemini-2.5-flash" in {
        result["model"] for bucket in recent["data"] for result in bucket["results"]
    }
    header, *rows = reader("export").splitlines()
    assert "EffectiveCost" in header
    assert rows


def test_the_documents_sweep_and_repricing(reader, system):
    job = system.submit([prompt()])
    assert reader("reconcile")["problems"] == []
    system.final(job)
    assert reader("reprice")["repriced"] == []
    assert {price["model"] for price in reader("prices")["prices"]} == {"gemini-3.5-flash"}


def test_the_documents_cancel_of_a_job_that_has_not_ended(system, reader):
    system.stack.upload_rows(demo.EXAMPLE_INPUT.name, [prompt(hold=True)])
    job = reader("create")["name"].rpartition("/")[2]
    assert reader("cancel", job) == {}
    wait_until(
        lambda: reader("cost", job)["state"] == "JOB_STATE_CANCELLED",
        PATIENCE,
        "CANCELLED",
        interval=0.05,
    )


def test_the_documents_cost_has_the_members_that_a_cost_has(system):
    written = json.loads(blocks("shown")["cost"][1])
    job = system.submit([prompt(thoughts=5), prompt(fail=True), prompt(hold=True)])
    system.cost(job)  # which estimates it, as nobody else has, before it has ended
    system.control("POST", f"jobs/{job.id}:finish")
    cost = system.final(job)

    def shape(value):
        if isinstance(value, dict):
            return {name: shape(member) for name, member in value.items()}
        return [shape(each) for each in value[:1]] if isinstance(value, list) else None

    for each in (written, cost):
        each["labels"] = {}
    assert shape(written) == shape(cost)
    assert list(written) == list(cost)


@pytest.mark.parametrize("prefix", ["", "/vertex_ai", "/vertex-ai"])
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_every_form_of_a_path(system, prefix, version):
    job = system.submit([prompt()])
    path = f"{prefix}{jobs_path(version=version)}/{job.id}"
    assert system.stack.get(path)["name"] == job.name
    assert system.stack.get(f"{path}/cost")["name"] == job.name
    # By the number that Google's names carry, as clients call back.
    assert system.stack.get(f"{prefix}/{version}/{job.name}")["name"] == job.name
    assert system.stack.get(f"{prefix}/{version}/{job.name}/cost")["name"] == job.name


def test_deleted_right_after_success_before_anybody_looked(system):
    job = system.submit([prompt("a"), prompt("b", thoughts=9)])
    assert system.ended_upstream(job)["state"] == "JOB_STATE_SUCCEEDED"
    operation = system.stack.request("DELETE", job.path)
    assert operation.status_code == 200, operation.text
    assert system.upstream_job(job) is None
    cost = system.final(job)
    system.check_against_output(job, cost)
    assert (cost["state"], cost["complete"]) == ("JOB_STATE_SUCCEEDED", True)
    done = system.stack.get(f"/v1/{operation.json()['name']}")
    assert done["done"] is True


def test_deleted_while_its_event_is_refused(system):
    # The event is turned away as long as nobody may see where the output is; then the job is deleted.
    with system.unfinished():
        job = system.submit([prompt()])
        system.refused(f"/{job.label}/")
    assert system.stack.request("DELETE", job.path).status_code == 200
    system.check_against_output(job, system.final(job))


def test_deleted_after_its_cost_is_final(system):
    job, cost, _ = system.run([prompt()])
    system.handled(cost["outputs"][0]["uri"])
    before = system.books(job)
    assert system.stack.request("DELETE", job.path).status_code == 200
    assert system.stack.request("GET", job.path).status_code == 404
    assert system.cost(job) == cost
    assert system.books(job) == before


def reason(answer):
    (info,) = answer.json()["error"]["details"]
    assert info["domain"] == "batch-gateway"
    return info["reason"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("GET", ""),
        ("GET", "/{job}"),
        ("GET", "/{job}/cost"),
        ("POST", "/{job}:cancel"),
        ("DELETE", "/{job}"),
    ],
)
def test_only_the_master_key_is_let_in(system, method, path):
    job = "1234567890123456789"
    path = f"{jobs_path()}{path.format(job=job)}"
    before = len(system.control("GET", "requests")["requests"])
    none = system.stack.request(method, path, key="", json={})
    assert (none.status_code, none.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert reason(none) == "API_KEY_MISSING"
    key = system.stack.master_key
    for wrong in ("sk-wrong", f"{key}x", key[:-1], key.swapcase()):
        refused = system.stack.request(method, path, key=wrong, json={})
        assert (refused.status_code, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
        assert reason(refused) == "API_KEY_INVALID"
        assert wrong not in refused.text
    assert len(system.control("GET", "requests")["requests"]) == before


@pytest.mark.parametrize("header", ["x-goog-api-key", "x-litellm-api-key"])
def test_the_key_s_other_headers(system, header):
    key = system.stack.master_key
    assert system.stack.get(jobs_path(), key="", headers={header: key}) is not None
    refused = system.stack.request("GET", jobs_path(), key="", headers={header: "wrong"})
    assert refused.status_code == 403


def test_no_key_goes_upstream_or_into_a_log(system):
    key = system.stack.master_key
    for options in ({"params": {"key": key}}, {"headers": {"x-goog-api-key": key}}, {"key": key}):
        assert system.stack.request("GET", jobs_path(), **{"key": "", **options}).status_code == 200
    assert key not in json.dumps(system.control("GET", "requests"))
    for process in (system.stack.gateway, system.stack.settle):
        assert key not in process.log.read_text(errors="replace")


def test_a_job_that_is_not_on_record(system):
    answer = system.stack.request("GET", f"{jobs_path()}/1234567890123456789/cost")
    assert answer.status_code == 404
    assert reason(answer) == "JOB_NOT_ON_RECORD"


def test_a_place_that_is_not_served(system):
    answer = system.stack.request("GET", jobs_path("asia-east1"))
    assert answer.status_code == 403
    assert reason(answer) == "PROJECT_NOT_ALLOWED"
