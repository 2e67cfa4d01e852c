"""Results: what a job wrote, as it is and row by row, to its own team and to nobody else."""

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pytest

from batch_gateway.core.jobs.labels import TEAM_LABEL
from batch_gateway.core.jobs.record import JobKey, JobRecord, observe
from batch_gateway.gateway.jobs import results as results_module
from batch_gateway.ports import ObjectChangedError, ObjectsUnavailableError, UpstreamUnavailableError
from builders import prompt
from fakes import MemoryTables
from functional.gateway.conftest import JOBS, NUMBER, PROJECT, error_info, job_resource, path_of, reason
from functional.gateway.scoped import START, team_keys

ROWS = [
    {"prompt_tokens": 100, "output_tokens": 10, "thoughts": 5},
    {"fail": True},
    {"prompt_tokens": 10, "blocked": True},
    {"prompt_tokens": 7, "output_tokens": 3},
]


def results(world, job, query="", **given):
    return world.get(f"{path_of(job)}/results{query}", **given)


def usage(world, job, query="", **given):
    answer = results(world, job, f"?view=usage{query}", **given)
    assert answer.status_code == 200, answer.data
    assert answer.content_type == "application/jsonl"
    return [json.loads(line) for line in answer.data.splitlines()]


@pytest.fixture
def world(world):
    content = "\n".join(json.dumps(prompt("x", **wish)) for wish in ROWS)
    world.objects.put("in", "rows.jsonl", content.encode())
    return world


@pytest.fixture
def ended(world, vertex):
    """A job that has ended, with its output settled; and the folder and bytes of that."""
    job = world.created()
    vertex.step()
    directory = vertex.finish(job["name"])["outputInfo"]["gcsOutputDirectory"]
    folder = directory.removeprefix("gs://out/")
    info = world.objects.stat("out", f"{folder}/predictions.jsonl")
    data = b"".join(world.objects.read("out", info.name, info.generation))
    world.settle(f"{directory}/predictions.jsonl")
    return SimpleNamespace(job=job, folder=folder, directory=directory, data=data)


# As it is


def test_the_output_comes_byte_for_byte(world, ended):
    answer = results(world, ended.job)
    assert (answer.status_code, answer.content_type) == (200, "application/jsonl")
    assert answer.data == ended.data
    assert len(answer.data.splitlines()) == len(ROWS)


def test_it_has_no_length_and_is_not_compressed(world, ended):
    """Cloud Run accepts more than 32 MiB in chunks only."""
    answer = results(world, ended.job, headers={"Accept-Encoding": "gzip"})
    assert not {"Content-Length", "Content-Encoding"} & set(answer.headers.keys())
    assert answer.is_streamed
    assert answer.data == ended.data


def test_files_follow_each_other_results_first_and_no_two_rows_are_glued(world, ended):
    world.objects.put("out", f"{ended.folder}/errors_0001.jsonl", b'{"error":{"code":3}}')
    world.objects.put("out", f"{ended.folder}/predictions_0002.jsonl", b'{"a":1}')
    world.objects.put("out", f"{ended.folder}/predictions_0003.jsonl", b"")
    world.objects.put("out", f"{ended.folder}/notes.txt", b"not output")
    answer = results(world, ended.job)
    assert answer.data == ended.data + b'{"a":1}\n{"error":{"code":3}}'


def test_a_directory_within_the_jobs_own_is_another_jobs(world, ended):
    """Anybody may name a job's directory as the prefix of their own output."""
    other = f"{ended.folder}/prediction-model-2026-11-23T10:00:00.000001Z/predictions.jsonl"
    world.objects.put("out", other, b'{"of":"another"}\n')
    assert results(world, ended.job).data == ended.data


def test_incremental_output_counts_only_while_there_are_no_results(world, ended):
    name = f"{ended.folder}/incremental_predictions.jsonl"
    world.objects.put("out", name, b'{"early":1}\n')
    assert results(world, ended.job).data == ended.data


def test_a_running_job_gives_what_it_has_exported(scripted):
    running = recorded(scripted, state="JOB_STATE_RUNNING")
    scripted.objects.delete("out", "run/prediction-model-1/predictions.jsonl")
    scripted.objects.put("out", "run/prediction-model-1/incremental_predictions.jsonl", b'{"early":1}\n')
    assert results(scripted, running).data == b'{"early":1}\n'


def test_results_of_csv_are_csv(world, ended):
    world.objects.delete("out", f"{ended.folder}/predictions.jsonl")
    world.store._outputs.clear()
    world.objects.put("out", f"{ended.folder}/predictions_0001.csv", b'a,prediction\n1,"x\ny"\n2,z')
    assert results(world, ended.job).content_type == "text/csv; charset=utf-8"
    assert results(world, ended.job, "?limit=1").data == b'a,prediction\n1,"x\ny"\n'
    rows = usage(world, ended.job)
    assert [(row["state"], row["reason"], row["amount"]) for row in rows] == [
        ("unpriced", "NO_USAGE", None)
    ] * 2


# Row by row


def test_each_row_says_what_it_used_and_cost(world, ended):
    rows = usage(world, ended.job)
    assert [row["row"] for row in rows] == [1, 2, 3, 4]
    (found,) = [row for row in rows if row["usage"]["inputTokens"] == 100]
    assert found == {
        "row": found["row"],
        "key": None,
        "state": "succeeded",
        "reason": None,
        "model": "gemini-2.5-flash",
        "usage": {"inputTokens": 100, "cachedInputTokens": 0, "outputTokens": 15, "thoughtsTokens": 5},
        "amount": "0.00003375",
    }


def test_the_rows_agree_with_the_cost_of_the_job(world, ended):
    rows = usage(world, ended.job)
    cost = world.get(f"{path_of(ended.job)}/cost").json
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal(cost["amount"]) > 0
    counted = Counter(row["state"] for row in rows)
    assert counted == {"succeeded": 2, "failed": 1, "blocked": 1}
    assert counted["failed"] == cost["rows"]["failed"]
    wasted = {(each["kind"], each["reason"]): each["rows"] for each in cost["waste"]["reasons"]}
    assert wasted == Counter((row["state"], row["reason"]) for row in rows if row["reason"])
    assert sum(row["usage"]["inputTokens"] for row in rows) == cost["usage"]["inputTokens"]


def test_as_csv_the_columns_are_the_same_and_safe_to_open(world, ended):
    world.objects.put(
        "out", f"{ended.folder}/predictions_2.jsonl", b'{"key":"=1+1","response":{},"status":"x"}'
    )
    answer = results(world, ended.job, "?view=usage&format=csv")
    assert answer.content_type.startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(answer.text)))
    rows = usage(world, ended.job)
    assert [(row["row"], row["state"], row["amount"]) for row in table] == [
        (str(row["row"]), row["state"], row["amount"]) for row in rows
    ]
    assert (table[-1]["key"], rows[-1]["key"]) == ("'=1+1", "=1+1")
    assert list(table[0]) == [
        *("row", "key", "state", "reason", "model", "inputTokens"),
        *("cachedInputTokens", "outputTokens", "thoughtsTokens", "amount"),
    ]


@pytest.mark.parametrize(
    ("query", "states", "limit"),
    [
        ("state=failed", {"failed"}, 9),
        ("state=failed&state=blocked", {"failed", "blocked"}, 9),
        ("state=malformed", set(), 9),
        ("limit=1", {"succeeded", "failed", "blocked"}, 1),
        ("limit=9", {"succeeded", "failed", "blocked"}, 9),
        ("state=succeeded&limit=1", {"succeeded"}, 1),
    ],
)
def test_rows_are_chosen_in_both_views(world, ended, query, states, limit):
    wanted = [row for row in usage(world, ended.job) if row["state"] in states][:limit]
    assert usage(world, ended.job, f"&{query}") == wanted
    lines = ended.data.splitlines(keepends=True)
    answer = results(world, ended.job, f"?{query}")
    assert answer.status_code == 200
    assert answer.data == b"".join(lines[row["row"] - 1] for row in wanted)


def test_prices_are_those_that_the_job_was_settled_with(world, ended):
    """A new table changes a job's cost only when it is priced again, and so its rows'."""
    rows = usage(world, ended.job)
    job = world.record(ended.job)
    items = tuple(
        msgspec.structs.replace(item, unit_price_pico=2 * item.unit_price_pico)
        for item in job.cost.line_items
    )
    cost = msgspec.structs.replace(job.cost, line_items=items)
    world.store._jobs[job.key] = msgspec.structs.replace(job, cost=cost)
    doubled = usage(world, ended.job)
    assert [Decimal(row["amount"]) for row in doubled] == [2 * Decimal(row["amount"]) for row in rows]


# Who may


def test_a_key_reads_its_teams_jobs_only(scripted):
    ours, theirs = team_keys(scripted, "ours", "theirs")
    job = recorded(scripted, team="ours")
    assert results(scripted, job, key=ours).data == b'{"a":1}\n'
    refused = results(scripted, job, key=theirs)
    assert (refused.status_code, reason(refused)) == (403, "JOB_NOT_ALLOWED")
    unknown = scripted.get(f"{path_of(job)}1/results", key=theirs)
    assert (unknown.status_code, reason(unknown)) == (403, "JOB_NOT_ALLOWED")
    cost = scripted.get(f"{path_of(job)}/cost", key=theirs)
    assert refused.json == cost.json
    assert results(scripted, job).data == b'{"a":1}\n'


def test_a_job_that_is_not_on_record_is_not_found(scripted):
    answer = scripted.get(f"{JOBS}/999/results")
    assert (answer.status_code, reason(answer)) == (404, "JOB_NOT_ON_RECORD")


def test_a_directory_that_another_job_had_before_is_not_read(scripted):
    _, theirs = team_keys(scripted, "ours", "theirs")
    recorded(scripted, team="ours")
    copy = recorded(scripted, team="theirs", number="4243", createTime="2026-11-22T11:00:00Z")
    answer = results(scripted, copy, key=theirs)
    assert (answer.status_code, reason(answer)) == (400, "OUTPUT_NOT_OWN")


def test_a_directory_outside_the_jobs_prefix_is_not_read(scripted):
    scripted.objects.put("secret", "prediction-model-1/predictions.jsonl", b"secret")
    info = {"gcsOutputDirectory": "gs://secret/prediction-model-1"}
    job = recorded(scripted, outputInfo=info)
    assert reason(results(scripted, job)) == "OUTPUT_NOT_OWN"


def test_a_table_that_was_there_before_the_job_is_not_read(scripted):
    """A caller may name another team's table."""
    tables = MemoryTables()
    scripted.tables = lambda: tables
    tables.put("bq://p.d.theirs", [b'{"secret":1}'])
    created = datetime.now(UTC) + timedelta(hours=1)
    job = recorded(scripted, **to_table("bq://p.d.theirs", created))
    assert reason(results(scripted, job)) == "OUTPUT_NOT_OWN"


def test_a_table_is_read_as_rows_of_json(scripted):
    tables = MemoryTables()
    scripted.tables = lambda: tables
    job = recorded(scripted, **to_table("bq://p.d.t", START))
    assert reason(results(scripted, job)) == "OUTPUT_GONE"
    line = json.dumps(answer_row(7, 3, key="k")).encode()
    tables.put("bq://p.d.t", [line, b'{"status":"INTERNAL"}'])
    assert results(scripted, job).data == line + b'\n{"status":"INTERNAL"}\n'
    assert results(scripted, job, "?state=failed").data == b'{"status":"INTERNAL"}\n'
    first, second = usage(scripted, job)
    assert (first["key"], first["usage"]["inputTokens"], first["amount"]) == ("k", 7, "0.0000048")
    assert (second["state"], second["reason"]) == ("failed", "INTERNAL")


@pytest.mark.parametrize("state", ["JOB_STATE_RUNNING", "JOB_STATE_FAILED"])
def test_a_table_that_vertex_ai_did_not_write_is_not_read(scripted, state):
    tables = MemoryTables()
    scripted.tables = lambda: tables
    tables.put("bq://p.d.t", [b'{"secret":1}'])
    job = recorded(scripted, **{**to_table("bq://p.d.t", START), "state": state})
    answer = results(scripted, job)
    assert (answer.status_code, reason(answer)) == (400, "OUTPUT_NOT_THERE")


# What is not there


def test_a_job_that_has_not_written_says_so(world):
    answer = results(world, world.created())
    assert (answer.status_code, error_info(answer)["reason"]) == (400, "OUTPUT_NOT_THERE")
    assert error_info(answer)["metadata"] == {"state": "JOB_STATE_PENDING"}
    assert "has not written any output yet" in answer.json["error"]["message"]


def test_a_job_that_failed_without_output_says_so(world, vertex):
    job = world.created()
    vertex.finish(job["name"], state="JOB_STATE_FAILED", rows=0)
    answer = results(world, job)
    assert (answer.status_code, error_info(answer)["reason"]) == (400, "OUTPUT_NOT_THERE")
    assert "has ended (JOB_STATE_FAILED)" in answer.json["error"]["message"]


def test_output_that_was_deleted_since_is_gone(world, ended):
    world.objects.delete("out", f"{ended.folder}/predictions.jsonl")
    answer = results(world, ended.job)
    assert (answer.status_code, error_info(answer)["reason"]) == (404, "OUTPUT_GONE")
    assert error_info(answer)["metadata"] == {"uri": f"{ended.directory}/predictions.jsonl"}


def test_a_part_that_was_deleted_is_not_left_out_in_silence(world, ended):
    second = f"{ended.folder}/predictions_0002.jsonl"
    world.objects.put("out", second, b'{"status":"x"}\n')
    world.settle(f"gs://out/{second}")
    world.objects.delete("out", second)
    assert error_info(results(world, ended.job))["metadata"] == {"uri": f"gs://out/{second}"}


def test_an_object_that_goes_before_the_answer_begins_is_an_error(world, ended, monkeypatch):
    def read(*_):
        raise ObjectChangedError("gs://out/x#1")
        yield

    monkeypatch.setattr(world.objects, "read", read)
    for query in ("", "?view=usage", "?limit=1"):
        answer = results(world, ended.job, query)
        assert (answer.status_code, reason(answer)) == (404, "OUTPUT_GONE")


def test_storage_that_does_not_answer_is_an_error(world, ended, monkeypatch):
    def read(*_):
        raise ObjectsUnavailableError("403")
        yield

    monkeypatch.setattr(world.objects, "read", read)
    answer = results(world, ended.job)
    assert (answer.status_code, reason(answer), answer.headers["Retry-After"]) == (
        503,
        "OUTPUT_UNAVAILABLE",
        "5",
    )


def test_rows_of_a_binary_file_cannot_be_told_apart(world, ended):
    world.objects.put("out", f"{ended.folder}/predictions_0002.tfrecord", b"\x10\0\0\0\0\0\0\0")
    for query in ("?view=usage", "?state=failed", "?limit=1"):
        assert reason(results(world, ended.job, query)) == "OUTPUT_UNREADABLE"
    answer = results(world, ended.job)
    assert answer.content_type == "application/octet-stream"
    assert answer.data == ended.data + b"\x10\0\0\0\0\0\0\0"


def test_a_file_that_is_not_text_is_noticed_before_the_answer_begins(world, ended):
    world.objects.put("out", f"{ended.folder}/predictions.jsonl", b"\x1f\x8b\x08 and so on")
    assert reason(results(world, ended.job, "?view=usage")) == "OUTPUT_UNREADABLE"


# Parameters


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("view=all", "full or usage"),
        ("view=", "full or usage"),
        ("view=usage&format=xml", "jsonl or csv"),
        ("format=csv", "view=usage"),
        ("state=ok", "succeeded, failed, blocked, truncated, malformed, unrecognized, carriedOver, unpriced"),
        ("state=succeeded&state=", "succeeded, failed"),
        ("limit=0", "from 1 to"),
        ("limit=-1", "from 1 to"),
        ("limit=1e3", "from 1 to"),
        ("limit=", "from 1 to"),
        ("limit=1&limit=2", "only once"),
        ("page=2", "view, format, state, limit"),
        ("uri=gs://other/x", "view, format, state, limit"),
        ("View=usage", "view, format, state, limit"),
    ],
)
def test_a_parameter_that_is_not_valid_says_what_is(world, ended, query, named):
    answer = results(world, ended.job, f"?{query}")
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert named in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "query", ["key=x", "alt=json&$.xgafv=2&prettyPrint=false", "format=jsonl", "view=full"]
)
def test_parameters_of_every_call_are_accepted(world, ended, query):
    assert results(world, ended.job, f"?{query}").data == ended.data


# Streams


def test_an_object_that_goes_while_it_is_read_breaks_the_answer_off(world, ended, capsys):
    second = f"{ended.folder}/predictions_0002.jsonl"
    world.objects.put("out", second, b'{"a":1}\n')
    answer = results(world, ended.job)
    world.objects.delete("out", second)
    with pytest.raises(ObjectChangedError):
        assert answer.data
    assert '"event":"results.broken"' in capsys.readouterr().out


def test_streams_are_limited_for_a_key_and_in_all_and_a_slot_is_freed(world, ended, monkeypatch):
    monkeypatch.setattr(results_module, "MOST_STREAMS", 2)
    monkeypatch.setattr(results_module, "MOST_STREAMS_OF_ALL", 3)
    client = world.new_client()
    open_ = [results(world, ended.job, client=client, buffered=False) for _ in range(2)]
    refused = results(world, ended.job, client=client)
    assert (refused.status_code, reason(refused), refused.headers["Retry-After"]) == (
        429,
        "TOO_MANY_DOWNLOADS",
        "10",
    )
    open_[0].close()  # unread: its client hung up
    again = results(world, ended.job, client=client)
    assert again.data == ended.data
    again.close()
    assert results(world, ended.job, client=client).status_code == 200


def test_an_error_frees_its_slot(world, monkeypatch):
    monkeypatch.setattr(results_module, "MOST_STREAMS", 1)
    client, job = world.new_client(), world.created()
    for _ in range(3):
        assert reason(results(world, job, client=client)) == "OUTPUT_NOT_THERE"


# Jobs on record


def recorded(world, *, team=None, number="4242", **changes):
    """A job that has ended with one row in its directory."""
    shown = job_resource(
        **{
            "name": f"projects/{NUMBER}/locations/us-central1/batchPredictionJobs/{number}",
            "state": "JOB_STATE_SUCCEEDED",
            "labels": {TEAM_LABEL: team} if team else {},
            "outputInfo": {"gcsOutputDirectory": "gs://out/run/prediction-model-1"},
            **changes,
        }
    )
    seen = observe(shown)
    key = JobKey(PROJECT, "us-central1", number)
    world.store.add_job(JobRecord(key, seen, seen.create_time, team=team, closed=True))
    world.objects.put("out", "run/prediction-model-1/predictions.jsonl", b'{"a":1}\n')
    return shown


def to_table(uri, created):
    """Return a job that writes to a table, as Vertex AI shows it."""
    return {
        "outputConfig": {"predictionsFormat": "bigquery", "bigqueryDestination": {"outputUri": uri}},
        "outputInfo": {},
        "createTime": created.isoformat().replace("+00:00", "Z"),
    }


def answer_row(prompt_tokens, output_tokens, **more):
    counts = {"promptTokenCount": prompt_tokens, "candidatesTokenCount": output_tokens}
    return {"response": {"usageMetadata": counts, "candidates": [{"finishReason": "STOP"}]}, **more}


def test_rows_of_a_tuned_model_are_shown_while_vertex_does_not_say_what_its_base_is(
    world, ended, monkeypatch
):
    def down(*_, **__):
        raise UpstreamUnavailableError("down", sent=True)

    model = f"projects/{NUMBER}/locations/us-central1/models/4242"
    record = world.record(ended.job)
    tuned = msgspec.structs.replace(record, seen=msgspec.structs.replace(record.seen, model=model))
    world.store._jobs[record.key] = tuned
    monkeypatch.setattr(world.upstream, "get", down)

    assert len(usage(world, ended.job)) == len(ROWS)
