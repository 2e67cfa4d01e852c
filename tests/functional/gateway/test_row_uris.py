"""Files that rows name, held against the grants of key and team when a job is created."""

import json

import pytest

from batch_gateway.core.estimating import sampling
from batch_gateway.gateway.jobs import input_bounds
from batch_gateway.gateway.jobs.input_bounds import InputBounds
from functional.gateway.conftest import JOBS, error_info, job_body, reason
from functional.gateway.scoped import new_key, new_team

PREFIXES = ["gs://in", "gs://out"]
MINE, THEIRS = "gs://in/docs/My file.pdf", "gs://payroll/2026.pdf"


def row(uri=MINE, name="fileUri"):
    part = {"fileData": {name: uri, "mimeType": "application/pdf"}}
    request = {"contents": [{"role": "user", "parts": [part]}], "generationConfig": {"maxOutputTokens": 10}}
    return json.dumps({"request": request}).encode() + b"\n"


def put(world, *rows, name="rows.jsonl"):
    world.objects.put("in", name, b"".join(rows))


def submitted(vertex):
    return [seen for seen in vertex.requests if seen.method == "POST"]


@pytest.fixture
def key(world):
    return new_key(world, allowed_uri_prefixes=PREFIXES)


def test_rows_that_name_granted_files_are_submitted(world, key):
    put(world, row(), row("gs://out/x"), row(f"See {THEIRS}.", "text"), row("https://example.com/x"))
    assert world.create(key=key).status_code == 200


@pytest.mark.parametrize("name", ["fileUri", "file_uri", "gcsUri", "URI"])
@pytest.mark.parametrize("budget", [None, 100])
@pytest.mark.parametrize("path", [JOBS, f"{JOBS}?validateOnly=true", f"{JOBS}:estimateCost"])
def test_a_row_that_names_another_file_is_refused_with_its_line(world, vertex, name, budget, path):
    key = new_key(world, allowed_uri_prefixes=PREFIXES, max_budget=budget)
    put(world, *[row()] * 700, row(THEIRS, name), row())

    answer = world.create(path=path, key=key)

    assert answer.json["error"]["status"] == "PERMISSION_DENIED"
    info = error_info(answer)
    assert info["reason"] == "ROW_URI_NOT_ALLOWED"
    assert info["metadata"] == {"input": "gs://in/rows.jsonl", "line": "701", "uri": THEIRS}
    assert f"Line 701 of gs://in/rows.jsonl names '{THEIRS}'" in answer.json["error"]["message"]
    assert submitted(vertex) == []


def test_the_team_s_prefixes_count_too_and_every_object_is_read(world, vertex):
    new_team(world, "search", allowed_uri_prefixes=["gs://in/s", "gs://out"])
    key = new_key(world, team_id="search", allowed_uri_prefixes=PREFIXES)
    put(world, row("gs://in/s/x"), name="s/1.jsonl")
    put(world, row("gs://in/t/x"), name="s/2.jsonl")
    body = job_body(inputConfig={"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://in/s/*.jsonl"]}})

    assert error_info(world.create(body, key=key))["metadata"]["input"] == "gs://in/s/2.jsonl"
    assert submitted(vertex) == []


def test_a_budget_and_grants_are_served_by_one_reading(world, monkeypatch):
    put(world, row())
    reads = []
    read = type(world.objects).read
    monkeypatch.setattr(
        type(world.objects), "read", lambda self, *args: reads.append(args) or read(self, *args)
    )
    counts = {}
    for name, fields in {
        "both": {"allowed_uri_prefixes": PREFIXES, "max_budget": 100},
        "budget": {"max_budget": 100},
        "grants": {"allowed_uri_prefixes": PREFIXES},
        "neither": {},
    }.items():
        reads.clear()
        assert world.create(key=new_key(world, **fields)).status_code == 200
        counts[name] = len(reads)
    assert counts == {"both": counts["budget"], "budget": counts["budget"], "grants": 1, "neither": 0}


def test_for_the_master_key_and_keys_without_prefixes_nothing_is_read(world, monkeypatch):
    monkeypatch.setattr(InputBounds, "weigh", lambda *_: pytest.fail("the input was read"))
    put(world, row(THEIRS))
    assert world.create().status_code == 200
    assert world.create(key=new_key(world)).status_code == 200


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x1f\x8b\x08" + row(), "compressed"),
        (row().decode().encode("utf-16"), "UTF-8"),
        (b'"gs://in",' * 110_000, "more than 100,000"),
    ],
)
def test_rows_that_cannot_be_checked_are_refused(world, key, data, said):
    put(world, data)
    answer = world.create(key=key)
    assert reason(answer) == "ROWS_NOT_CHECKED"
    assert said in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "source",
    [
        {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": "bq://p.d.in"}},
        {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://in/nothing.jsonl"]}},
        {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://in/rows.jsonl"]}, "bigquery_source": {}},
        {"instancesFormat": "bigquery", "gcsSource": {"uris": ["gs://in/rows.jsonl"]}},
    ],
)
def test_input_that_is_not_read_is_refused(world, vertex, source):
    key = new_key(world, allowed_uri_prefixes=[*PREFIXES, "bq://p.d"])
    assert reason(world.create(job_body(inputConfig=source), key=key)) == "ROWS_NOT_CHECKED"
    assert submitted(vertex) == []


def test_rows_for_custom_code_are_not_looked_at(world, key, monkeypatch):
    monkeypatch.setattr(InputBounds, "weigh", lambda *_: pytest.fail("the input was read"))
    source = {"instancesFormat": "csv", "gcsSource": {"uris": ["gs://in/rows.csv"]}}
    assert world.create(job_body(inputConfig=source), key=key).status_code == 200


def test_an_input_too_large_to_be_read_is_refused_with_what_to_do(world, key, monkeypatch):
    put(world, row() * 3)
    monkeypatch.setattr(input_bounds, "MOST_BYTES", 10)
    answer = world.create(key=key)
    assert reason(answer) == "INPUT_TOO_LARGE_TO_CHECK"
    assert "Split it" in answer.json["error"]["message"]
    monkeypatch.undo()
    monkeypatch.setattr(input_bounds, "SECONDS", -1.0)
    assert reason(world.create(key=key)) == "INPUT_TOO_LARGE_TO_CHECK"


def test_a_job_keeps_the_prefixes_of_its_create(world, key):
    put(world, row())
    job = world.create(key=key, headers={"Idempotency-Key": "once"}).json
    assert world.record(job).uri_grants == {"key": tuple(PREFIXES)}
    assert world.record(world.created()).uri_grants == {}


def test_lines_are_counted_across_blocks(world, key, monkeypatch):
    monkeypatch.setattr(sampling, "MOST_BYTES", 64 * 1024)
    rows = [row()] * 5_000
    put(world, *rows, b"\n", row(THEIRS))
    assert error_info(world.create(key=key))["metadata"]["line"] == "5002"
