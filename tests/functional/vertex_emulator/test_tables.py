"""Jobs that read from BigQuery, write to it, or both."""

import json
import re

import pytest

from builders import prompt
from functional.vertex_emulator.conftest import PARENT, refusal_of


def to_bigquery(uri):
    return {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": uri}}


def from_bigquery(uri):
    return {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": uri}}


def table_of(job):
    info = job["outputInfo"]
    assert info.keys() == {"bigqueryOutputDataset", "bigqueryOutputTable"}
    return f"{info['bigqueryOutputDataset']}.{info['bigqueryOutputTable']}"


@pytest.mark.parametrize(
    ("uri", "pattern"),
    [
        ("bq://acme", r"bq://acme\.prediction_model_[\dTZ_]+\.predictions_\d+"),
        ("bq://acme.books", r"bq://acme\.books\.predictions_\d+"),
        ("bq://acme.books.answers", r"bq://acme\.books\.answers"),
    ],
)
def test_gemini_rows_land_in_a_table(vertex, uri, pattern):
    rows = [{**prompt("a"), "key": 1}, {**prompt("b", fail=True), "key": 2}]
    job = vertex.emulator.finish(vertex.create(rows, outputConfig=to_bigquery(uri)))
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    table = table_of(job)
    assert re.fullmatch(pattern, table)
    written = vertex.call("GET", "emulator/tables").json()["tables"]
    good, bad = sorted(written[table], key=lambda row: row["key"])
    assert good.keys() == {"key", "request", "response", "status", "processed_time"}
    assert good["status"] == ""
    assert good["response"]["usageMetadata"]["promptTokenCount"] == 1
    assert bad["status"].startswith("Bad Request")


def test_a_table_can_be_read(vertex):
    row = prompt("x" * 33)
    given = [{"key": 1, "request": json.dumps(row["request"])}, {"key": 2, "request": row["request"]}]
    given.append({"key": 3, "request": row["request"], "emulate": '{"fail": true}'})
    vertex.control("tables", table="bq://acme.books.prompts", rows=given)
    name = vertex.create(
        inputConfig=from_bigquery("bq://acme.books.prompts"), outputConfig=to_bigquery("bq://acme.books.out")
    )
    job = vertex.emulator.finish(name)
    assert job["completionStats"] == {"successfulCount": "2", "failedCount": "1"}
    written = sorted(vertex.emulator.tables.read("bq://acme.books.out"), key=lambda row: row["key"])
    counts = [row["response"].get("usageMetadata", {}).get("promptTokenCount") for row in written]
    assert counts == [9, 9, None]
    to_object = vertex.create(inputConfig=from_bigquery("bq://acme.books.prompts"))
    assert len(vertex.output(vertex.emulator.finish(to_object)).splitlines()) == 3


def test_sources_and_sinks_can_be_plugged_in(make):
    seen = []
    tables = {"bq://a.b.c": [{"request": prompt()["request"], "n": n} for n in range(12_000)]}
    vertex = make(auto=False, source=tables.get, sink=lambda table, rows: seen.append((table, len(rows))))
    name = vertex.create(inputConfig=from_bigquery("bq://a.b.c"), outputConfig=to_bigquery("bq://a.b.d"))
    assert vertex.emulator.finish(name)["state"] == "JOB_STATE_SUCCEEDED"
    assert seen == [("bq://a.b.d", 10_000), ("bq://a.b.d", 2_000)]


def test_tables_that_are_not_there_or_break(make):
    def broken(*_):
        raise OSError("no quota")

    vertex = make(auto=False, sink=broken)
    missing = vertex.emulator.finish(vertex.create(inputConfig=from_bigquery("bq://a.b.c")))
    assert missing["error"] == {"code": 3, "message": "Failed to import data. Not found: Table a:b.c"}
    refused = vertex.emulator.finish(vertex.create([prompt()], outputConfig=to_bigquery("bq://a")))
    assert refused["error"] == {"code": 13, "message": "Failed to export data. no quota"}
    assert "outputInfo" not in refused


def test_a_table_holds_what_was_done_when_a_job_ends_early(vertex):
    rows = [prompt(str(n)) for n in range(4)]
    for ended, unprocessed, count in (
        ("final", "listed", 4),
        ("final", "left_out", 2),
        ("nothing", "listed", None),
    ):
        target = to_bigquery(f"bq://acme.books.{ended}_{unprocessed}")
        labels = {"emulate_ended": ended, "emulate_unprocessed": unprocessed}
        name = vertex.create(rows, outputConfig=target, labels=labels)
        vertex.emulator.finish(name, state="JOB_STATE_CANCELLED", rows=2)
        written = vertex.emulator.tables.read(f"bq://acme.books.{ended}_{unprocessed}")
        assert (written and len(written)) == count
        assert not written or sum(bool(row["response"]) for row in written) == 2


def test_embeddings_and_custom_models_have_columns_of_their_own(vertex):
    embedding = "publishers/google/models/text-embedding-005"
    target = to_bigquery("bq://acme.books.vectors")
    vertex.emulator.finish(vertex.create([{"content": "x"}], model=embedding, outputConfig=target))
    [row] = vertex.emulator.tables.read("bq://acme.books.vectors")
    assert row.keys() == {"content", "predictions", "status"}

    vertex.control(
        "models", project="acme", location="us-central1", id="7", kind="custom", display_name="a b"
    )
    rows = [{"area": 1}, {"area": 2, "emulate": {"fail": "no"}}]
    name = vertex.create(rows, model=f"{PARENT}/models/7", outputConfig=to_bigquery("bq://acme"))
    job = vertex.emulator.finish(name)
    dataset = job["outputInfo"]["bigqueryOutputDataset"]
    assert re.fullmatch(r"bq://acme\.prediction_a_b_[\dTZ_]+", dataset)
    [good] = vertex.emulator.tables.read(f"{dataset}.predictions")
    assert good.keys() == {"area", "prediction"}
    [bad] = vertex.emulator.tables.read(f"{dataset}.errors")
    assert bad["errors"] == {"code": 3, "message": "no"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"inputConfig": from_bigquery("bq://a.b")}, "input_config.bigquery_source.input_uri"),
        ({"inputConfig": from_bigquery("a.b.c")}, "input_config.bigquery_source.input_uri"),
        ({"outputConfig": to_bigquery("bq://a.b.c.d")}, "output_config.bigquery_destination.output_uri"),
        ({"outputConfig": to_bigquery("gs://a")}, "output_config.bigquery_destination.output_uri"),
    ],
)
def test_names_of_tables_are_checked(vertex, change, field):
    response = vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=vertex.body(**change))
    error = refusal_of(response, 400, "INVALID_ARGUMENT")
    assert error["details"][0]["fieldViolations"][0]["field"] == f"batch_prediction_job.{field}"
