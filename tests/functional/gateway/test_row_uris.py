"""Files that rows name, held against the grants of key and team when a job is created."""

import json

import msgspec
import pytest

from batch_gateway.core.estimating import sampling
from batch_gateway.gateway.jobs import input_bounds
from batch_gateway.gateway.jobs.input_bounds import InputBounds
from batch_gateway.ports import TablesUnavailableError
from builders import input_files
from fakes import MemoryTables
from functional.gateway.conftest import JOBS, error_info, job_body, reason
from functional.gateway.scoped import new_key, new_team

PREFIXES = ["gs://in", "gs://out"]
TABLE = "bq://p.d.in"
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
    body = job_body(inputConfig=input_files("gs://in/s/*.jsonl"))

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


@pytest.mark.parametrize(("budget", "refused"), [(None, "ROWS_NOT_CHECKED"), (5, "ESTIMATE_UNKNOWN")])
def test_all_but_the_input_is_checked_before_there_is_one(world, budget, refused):
    key = new_key(world, allowed_uri_prefixes=PREFIXES, max_budget=budget)
    body = {name: value for name, value in job_body().items() if name != "inputConfig"}
    for path in (f"{JOBS}:estimateCost", f"{JOBS}?validateOnly=true"):
        assert world.create(body, path=path, key=key).json["high"] is None
        elsewhere = {"gcsDestination": {"outputUriPrefix": "gs://theirs/x"}}
        answer = world.create({**body, "outputConfig": elsewhere}, path=path, key=key)
        assert reason(answer) == "URI_NOT_ALLOWED"
    assert reason(world.create(body, key=key)) == refused


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
        {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": "bq://p.d.none"}},
        {"instancesFormat": "bigquery", "bigquerySource": {}},
        {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": TABLE}, "gcs_source": {}},
        input_files("gs://in/nothing.jsonl"),
        input_files("gs://in/folder/"),
        {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://in/rows.jsonl"]}, "bigquery_source": {}},
        input_files("gs://in/rows.jsonl", form="bigquery"),
    ],
)
def test_input_that_is_not_read_is_refused(world, vertex, source):
    put(world, name="folder/")
    world.tables = MemoryTables
    key = new_key(world, allowed_uri_prefixes=[*PREFIXES, "bq://p.d"])
    assert reason(world.create(job_body(inputConfig=source), key=key)) == "ROWS_NOT_CHECKED"
    assert submitted(vertex) == []


def test_rows_for_custom_code_are_not_looked_at(world, key, monkeypatch):
    monkeypatch.setattr(InputBounds, "weigh", lambda *_: pytest.fail("the input was read"))
    source = input_files("gs://in/rows.csv", form="csv")
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


def test_vertex_gets_the_objects_that_a_wildcard_matched_at_the_check(world, vertex, key):
    put(world, row(), name="p/1.jsonl")
    put(world, row(), name="p/2 of 2.jsonl")
    put(world, name="p/")
    body = job_body(inputConfig=input_files("gs://in/p/*l", "gs://in/p/*", "gs://in/p/1.jsonl", unknown=[1]))

    world.create(body, key=key)

    exact = [*["gs://in/p/1.jsonl", "gs://in/p/2 of 2.jsonl"] * 2, "gs://in/p/1.jsonl"]
    [sent] = submitted(vertex)
    assert json.loads(sent.body)["inputConfig"] == input_files(*exact, unknown=[1])


def test_a_wildcard_as_a_string_in_either_spelling_is_replaced_too(world, vertex, key):
    put(world, row(), name="p/1.jsonl")
    body = job_body()
    del body["inputConfig"]
    body["input_config"] = {"instances_format": "jsonl", "gcs_source": {"uris": "gs://in/p/?.jsonl"}}

    world.create(body, key=key)

    [sent] = submitted(vertex)
    assert json.loads(sent.body)["input_config"]["gcs_source"]["uris"] == ["gs://in/p/1.jsonl"]


@pytest.mark.parametrize("limited", [True, False])
def test_only_what_is_checked_is_changed(world, vertex, key, limited):
    put(world, row(), name="p/1.jsonl")
    source = input_files("gs://in/p/1.jsonl" if limited else "gs://in/p/*")
    world.create(job_body(inputConfig=source), key=key if limited else new_key(world))
    csv = input_files("gs://in/p/*", form="csv")
    world.create(job_body(inputConfig=csv), key=key)

    first, second = (json.loads(seen.body)["inputConfig"] for seen in submitted(vertex))
    assert (first, second) == (source, csv)


@pytest.mark.parametrize("budget", [None, 100])
@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "there is no object gs://in/p/*"),
        ([f"{number}.jsonl" for number in range(101)], "match 101 objects"),
        (["a.jsonl", "[ab].jsonl"], "gs://in/p/[ab].jsonl would be read as a wildcard itself"),
    ],
)
def test_wildcards_that_cannot_be_replaced_are_refused(world, vertex, names, said, budget):
    key = new_key(world, allowed_uri_prefixes=PREFIXES, max_budget=budget)
    for name in names:
        put(world, row(), name=f"p/{name}")
    for path in (JOBS, f"{JOBS}?validateOnly=true", f"{JOBS}:estimateCost"):
        answer = world.create(job_body(inputConfig=input_files("gs://in/p/*")), path=path, key=key)
        assert reason(answer) == "ROWS_NOT_CHECKED"
        assert said in answer.json["error"]["message"]
    assert submitted(vertex) == []


@pytest.fixture
def tables(world):
    made = MemoryTables()
    world.tables = lambda: made
    return made


def create_from_table(world):
    key = new_key(world, allowed_uri_prefixes=[*PREFIXES, "bq://p.d"])
    source = {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": TABLE}}
    return world.create(job_body(inputConfig=source), key=key)


def test_a_table_whose_rows_name_granted_files_is_submitted(world, tables):
    tables.put(TABLE, [row().strip(), row("gs://out/x").strip()])
    assert create_from_table(world).status_code == 200


def test_a_table_whose_row_names_another_file_is_refused(world, vertex, tables):
    # More than a block of rows, and the request as text, as a column of type STRING has it.
    rows = [json.dumps({"request": row(uri).decode().strip()}).encode() for uri in (MINE, THEIRS)]
    tables.put(TABLE, [*rows[:1] * 1_000, rows[1], rows[0]])

    answer = create_from_table(world)

    assert error_info(answer)["reason"] == "ROW_URI_NOT_ALLOWED"
    assert error_info(answer)["metadata"] == {"input": TABLE, "uri": THEIRS}
    assert f"A row of {TABLE} names '{THEIRS}'" in answer.json["error"]["message"]
    assert submitted(vertex) == []


def test_a_table_without_text_is_not_read(world, tables, monkeypatch):
    info = tables.put(TABLE, [row()])
    numbers = msgspec.structs.replace(info, columns={"age": "INTEGER", "born": "DATE"})
    monkeypatch.setattr(tables, "stat", lambda _: numbers)
    monkeypatch.setattr(tables, "rows", lambda *_, **__: pytest.fail("the table was read"))
    assert create_from_table(world).status_code == 200
    texts = msgspec.structs.replace(info, columns={"age": "INTEGER", "words": "REPEATED"})
    monkeypatch.setattr(tables, "stat", lambda _: texts)
    with pytest.raises(pytest.fail.Exception):
        create_from_table(world)


def test_a_table_too_large_to_be_read_is_refused(world, tables, monkeypatch):
    tables.put(TABLE, [row()])
    monkeypatch.setattr(input_bounds, "MOST_BYTES", 10)
    assert reason(create_from_table(world)) == "INPUT_TOO_LARGE_TO_CHECK"
    monkeypatch.undo()
    monkeypatch.setattr(input_bounds, "SECONDS", -1.0)
    assert reason(create_from_table(world)) == "INPUT_TOO_LARGE_TO_CHECK"


def test_a_table_that_cannot_be_read_now_is_refused_for_now(world, vertex, tables, monkeypatch):
    tables.put(TABLE, [row()])

    def fail(*_, **__):
        raise TablesUnavailableError("busy")

    monkeypatch.setattr(tables, "rows", fail)
    answer = create_from_table(world)
    assert reason(answer) == "ROWS_NOT_CHECKED"
    assert "try again" in answer.json["error"]["message"]
    assert submitted(vertex) == []
