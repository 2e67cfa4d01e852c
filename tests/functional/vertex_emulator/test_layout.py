"""The files that jobs leave: shards, incremental files, and those of a job that did not succeed."""

import json
import time

import pytest

from builders import output_folder, prompt
from functional.vertex_emulator.conftest import PARENT, refusal_of
from patience import PATIENCE
from processes import wait_until
from vertex_emulator import Layout, Speed

ROWS = [{**prompt(str(number), fail=number == 0), "n": number} for number in range(10)]


def numbers(content):
    return [json.loads(line)["n"] for line in content.splitlines()]


def test_output_may_be_in_shards(vertex):
    job = vertex.emulator.finish(vertex.create(ROWS, labels={"emulate_shards": "3"}))
    files = vertex.files(job["outputInfo"]["gcsOutputDirectory"])
    assert sorted(files) == [f"predictions.jsonl-{shard:05}-of-00003" for shard in range(3)]
    assert sorted(numbers(b"".join(files.values()))) == list(range(10))
    assert all(files.values())


def test_there_may_be_more_shards_than_rows(vertex):
    job = vertex.emulator.finish(vertex.create(ROWS[:1], labels={"emulate_shards": "2"}))
    files = vertex.files(job["outputInfo"]["gcsOutputDirectory"])
    assert sorted(map(len, map(numbers, files.values()))) == [0, 1]


def test_a_growing_file_repeats_rows_of_the_final_one(make):
    vertex = make(auto=False, layout=Layout(incremental="file", shown="running"))
    name = vertex.create(ROWS)
    vertex.emulator.step()
    directory = vertex.get(name)["outputInfo"]["gcsOutputDirectory"]
    assert vertex.files(directory) == {}

    vertex.emulator.step(rows=3)
    first = vertex.files(directory)["incremental_predictions.jsonl"]
    assert len(numbers(first)) == 3
    vertex.emulator.step(rows=4)
    assert vertex.get(name)["state"] == "JOB_STATE_RUNNING"
    second = vertex.files(directory)["incremental_predictions.jsonl"]
    assert second.startswith(first)
    assert len(numbers(second)) == 7

    vertex.emulator.step()
    assert vertex.get(name)["outputInfo"]["gcsOutputDirectory"] == directory
    files = vertex.files(directory)
    assert files.keys() == {"incremental_predictions.jsonl", "predictions.jsonl"}
    assert files["incremental_predictions.jsonl"] == second
    assert files["predictions.jsonl"].startswith(second)
    assert sorted(numbers(files["predictions.jsonl"])) == list(range(10))


def test_a_folder_of_lots_repeats_rows_of_the_final_file(vertex):
    name = vertex.create(ROWS, labels={"emulate_incremental": "folder"})
    vertex.emulator.step()
    for _ in range(3):
        vertex.emulator.step(rows=3)
    assert "outputInfo" not in vertex.get(name)
    job = vertex.emulator.finish(name)
    files = vertex.files(job["outputInfo"]["gcsOutputDirectory"])
    final = files.pop("predictions.jsonl")
    assert [len(numbers(files[lot])) for lot in sorted(files)] == [3, 3, 3]
    assert all(lot.startswith("incremental_predictions/") for lot in files)
    assert final.startswith(b"".join(files[lot] for lot in sorted(files)))


def test_jobs_that_move_by_themselves_export_as_they_go(make):
    vertex = make(speed=Speed(pending_seconds=0, running_seconds=5))
    labels = {"emulate_incremental": "file", "emulate_shown": "running"}
    rows = [prompt(str(number)) for number in range(600)]
    name = vertex.create([*rows, prompt(hold=True)], labels=labels)

    def files():
        info = vertex.get(name).get("outputInfo")
        return info and vertex.files(info["gcsOutputDirectory"])

    found = wait_until(files, PATIENCE, "an export")
    assert vertex.get(name)["state"] == "JOB_STATE_RUNNING"
    # Not one row at a time: that would write a large file again and again.
    assert len(found["incremental_predictions.jsonl"].splitlines()) >= 60


@pytest.mark.parametrize("end", ["CANCELLED", "EXPIRED", "FAILED"])
@pytest.mark.parametrize(
    ("labels", "expected", "shown"),
    [
        ({}, {"incremental_predictions.jsonl": 2, "predictions.jsonl": 10}, True),
        (
            {"emulate_unprocessed": "left_out"},
            {"incremental_predictions.jsonl": 2, "predictions.jsonl": 4},
            True,
        ),
        ({"emulate_ended": "incremental"}, {"incremental_predictions.jsonl": 4}, True),
        ({"emulate_ended": "nothing"}, {"incremental_predictions.jsonl": 2}, False),
        ({"emulate_ended": "nothing", "emulate_incremental": "none"}, {}, False),
        (
            {"emulate_shown": "succeeded"},
            {"incremental_predictions.jsonl": 2, "predictions.jsonl": 10},
            False,
        ),
    ],
)
def test_what_a_job_leaves_that_did_not_succeed(vertex, end, labels, expected, shown):
    prefix = f"gs://batches/ended/{time.monotonic_ns()}"
    config = output_folder(prefix)
    name = vertex.create(ROWS, labels={"emulate_incremental": "file", **labels}, outputConfig=config)
    vertex.emulator.step()
    vertex.emulator.step(rows=2)
    vertex.emulator.finish(name, state=f"JOB_STATE_{end}", rows=4)
    job = vertex.get(name)
    assert job["state"] == f"JOB_STATE_{end}"
    assert ("outputInfo" in job) == shown
    assert job["completionStats"]["incompleteCount"] == "6"
    files = vertex.files(prefix)
    assert {name.split("/", 1)[1]: len(numbers(content)) for name, content in files.items()} == expected


def test_a_cancelled_job_leaves_what_it_had_exported(vertex):
    labels = {"emulate_incremental": "folder", "emulate_ended": "incremental", "emulate_shown": "running"}
    name = vertex.create(ROWS, labels=labels)
    vertex.emulator.step()
    vertex.emulator.step(rows=2)
    vertex.call("POST", f"v1/{name}:cancel")
    vertex.emulator.step()
    job = vertex.get(name)
    assert job["state"] == "JOB_STATE_CANCELLED"
    [file] = vertex.files(job["outputInfo"]["gcsOutputDirectory"])
    assert file.startswith("incremental_predictions/")


def test_counts_are_strings_and_zero_is_missing(vertex):
    refused = {"code": 7, "message": "no storage.objects.create"}
    name = vertex.create(ROWS[1:3])
    job = vertex.emulator.finish(name, state="JOB_STATE_FAILED", error=refused, write=False)
    assert job["completionStats"] == {"successfulCount": "2"}
    failed = vertex.emulator.finish(vertex.create(ROWS[:1]))
    assert failed["completionStats"] == {"failedCount": "1"}
    started = vertex.emulator.finish(vertex.create(ROWS), state="JOB_STATE_EXPIRED", rows=4)
    assert started["completionStats"]["incompleteCount"] == "6"


def test_rows_are_processed_while_the_job_runs(vertex):
    name = vertex.create(ROWS)
    vertex.emulator.step()
    time.sleep(0.05)
    vertex.emulator.step(rows=5)
    half = vertex.get(name)["updateTime"][:23]
    job = vertex.emulator.finish(name)
    times = [json.loads(line)["processed_time"] for line in vertex.output(job).splitlines()]
    assert times == sorted(times)
    assert job["startTime"][:23] <= times[0][:23] < times[4][:23] <= half
    assert half <= times[5][:23] <= times[-1][:23] <= job["endTime"][:23]


def test_settings_over_http_hold_for_jobs_to_come(vertex):
    before = vertex.create(ROWS)
    vertex.control("layout", shards=2)
    after = vertex.create(ROWS)
    listed = vertex.call("GET", "emulator/layout").json()
    assert listed == {
        "shards": 2,
        "incremental": "none",
        "ended": "final",
        "shown": "ended",
        "unprocessed": "listed",
    }
    for name, count in ((before, 1), (after, 2)):
        job = vertex.emulator.finish(name)
        assert len(vertex.files(job["outputInfo"]["gcsOutputDirectory"])) == count


@pytest.mark.parametrize(
    "wrong", [{"shards": "0"}, {"shards": "x"}, {"incremental": "yes"}, {"ended": "well"}, {"colour": "red"}]
)
def test_settings_that_make_no_sense(vertex, wrong):
    labels = {f"emulate_{name}": value for name, value in wrong.items()}
    response = vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=vertex.body(labels=labels))
    refusal_of(response, 400, "INVALID_ARGUMENT")
    assert vertex.call("POST", "emulator/layout", json=wrong).status_code == 400
