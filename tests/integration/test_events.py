"""Events as Eventarc delivers them: twice, at once, late, early, and about objects that changed."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from builders import prompt
from integration.harness import OUTPUT_BUCKET, answer, jsonl, nano
from integration.recounting import expected
from patience import PATIENCE
from processes import wait_until
from vertex_emulator import output, timestamps
from vertex_emulator.catalogue import UNREGISTERED_TUNED

MIB = 1024 * 1024


def overwritten(system, job, cost, content):
    """Overwrites a job's only output and returns the cost once that is in the books."""
    (output,) = cost["outputs"]
    generation = system.overwrite(output["uri"], content)
    return system.cost_when(
        job, lambda now: now["outputs"][0]["generation"] == generation, "follow the new object"
    )


def test_a_second_delivery_changes_nothing(system):
    job, cost, _ = system.run([prompt("a"), prompt("b", fail=True)])
    (output,) = cost["outputs"]
    system.handled(output["uri"])
    before = system.books(job)
    for _ in range(3):
        assert system.deliver(output["uri"], output["generation"]) == 200
    assert system.books(job) == before
    assert system.cost(job) == cost
    system.check_against_output(job, cost)


def test_five_deliveries_at_once_change_nothing(system):
    job, cost, _ = system.run([prompt()])
    (output,) = cost["outputs"]
    system.handled(output["uri"])
    before = system.books(job)
    with ThreadPoolExecutor(5) as pool:
        statuses = list(pool.map(lambda _: system.deliver(output["uri"]), range(5)))
    assert statuses == [200] * 5
    assert system.books(job) == before


def test_five_first_deliveries_at_once_count_once(system):
    job, cost, _ = system.run([prompt()])
    (output,) = cost["outputs"]
    content = jsonl(*[answer()] * 2000)
    generation = system.overwrite(output["uri"], content)
    with ThreadPoolExecutor(5) as pool:
        statuses = list(pool.map(lambda _: system.deliver(output["uri"]), range(5)))
    # None is refused: who comes second finds the work done.
    assert statuses == [200] * 5
    system.handled(output["uri"], times=7)  # with the first object's, and what the relay itself delivers
    cost = system.cost(job)
    assert cost["outputs"][0]["generation"] == generation
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 2000}
    assert own.nano == 2000 * (100 * 150 + 10 * 1250)


def test_an_overwritten_output_replaces_its_sums(system):
    job, cost, _ = system.run([prompt("a"), prompt("b", thoughts=50), prompt("c", fail=True)])
    (old,) = cost["outputs"]
    first = nano(cost["amount"])
    more = overwritten(
        system, job, cost, jsonl(*[answer(1000, 500)] * 10, {**answer(), "status": "bad", "response": {}})
    )
    own = system.check_against_output(job, more)
    assert own.rows == {"succeeded": 10, "failed": 1}
    assert nano(more["amount"]) == 10 * (1000 * 150 + 500 * 1250) > first
    assert len(system.outputs(job)) == 1

    less = overwritten(system, job, more, jsonl(answer(1, 1), {**answer(), "status": "bad", "response": {}}))
    system.check_against_output(job, less)
    assert nano(less["amount"]) == 150 + 1250

    # The first object's event comes late, as events do.
    before = system.books(job)
    assert system.deliver(old["uri"], old["generation"]) == 200
    assert system.books(job) == before


def test_every_answer_agrees_with_itself(system):
    # Asked in the very moment in which an output is replaced, a cost is the old one or the new one.
    job, cost, _ = system.run([prompt()])
    (output,) = cost["outputs"]
    contradictions = []

    def read_until_settled(generation):
        def settled():
            seen = system.cost(job)
            rows = sum(
                seen["rows"][name]
                for name in ("succeeded", "failed", "malformed", "unrecognized", "carriedOver")
            )
            if rows != sum(each["rows"] for each in seen["outputs"]):
                contradictions.append((seen["rows"], seen["outputs"]))
            return seen["outputs"][0]["generation"] == generation

        wait_until(settled, PATIENCE, "the new object to be in the books", interval=0)

    for number in range(2, 22):
        content = jsonl(*[answer()] * number)
        read_until_settled(system.overwrite(output["uri"], content))
    assert contradictions == []


def test_a_second_output_object_adds_to_the_first(system):
    job, cost, _ = system.run([prompt()])
    (first,) = cost["outputs"]
    directory = first["uri"].rpartition("/")[0]
    system.overwrite(f"{directory}/predictions_0001.jsonl", jsonl(answer(1000, 0)))
    both = system.cost_when(job, lambda now: len(now["outputs"]) == 2, "have a second output")
    system.check_against_output(job, both)
    assert nano(both["amount"]) == nano(cost["amount"]) + 150_000


def test_many_output_objects_of_one_job_at_once(system):
    # A sharded output is finished all at once; every event of it belongs into the same books.
    job, cost, _ = system.run([prompt()])
    directory = cost["outputs"][0]["uri"].rpartition("/")[0]
    shards = [f"{directory}/predictions.jsonl-{number:05}-of-00012" for number in range(12)]
    for number, uri in enumerate(shards, 1):
        system.overwrite(uri, jsonl(*[answer(1000, 0)] * number))
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(system.deliver, shards))
    assert statuses == [200] * 12
    both = system.cost_when(job, lambda now: len(now["outputs"]) == 13, "have all outputs")
    system.check_against_output(job, both)
    assert nano(both["amount"]) == nano(cost["amount"]) + sum(range(13)) * 150_000


def test_a_deleted_output_stays_in_the_books(system):
    job, cost, _ = system.run([prompt()])
    (output,) = cost["outputs"]
    system.handled(output["uri"])
    before = system.books(job)
    bucket, _, name = output["uri"].removeprefix("gs://").partition("/")
    system.stack.storage_client().bucket(bucket).blob(name).delete()
    with pytest.raises(Exception, match="404"):
        system.deliver(output["uri"])  # no object, no event of it as it is now
    assert system.deliver(output["uri"], output["generation"]) == 200
    assert system.books(job) == before
    assert system.cost(job) == cost


def test_other_objects_are_no_output(system):
    job, cost, _ = system.run([prompt()])
    directory = cost["outputs"][0]["uri"].rpartition("/")[0]
    for name in ("notes.txt", "incremental_predictions/predictions.jsonl", "predictions.jsonl.bak"):
        system.overwrite(f"{directory}/{name}", jsonl(answer()))
        system.handled(f"{directory}/{name}")
    assert system.cost(job) == cost


def test_an_event_before_the_record(system):
    # The answer of the create is held up, so that the job runs and ends before the gateway knows its name.
    with system.upstream.held("POST", r"/batchPredictionJobs(\?|$)") as hold, ThreadPoolExecutor(1) as pool:
        submitted = pool.submit(system.submit, [prompt("a"), prompt("b")], label="before-the-record")
        name = hold.wait()["name"]
        system.refused("/before-the-record/")
        assert system.find("jobs", "seen.name", name) == []
        hold.release()
        job = submitted.result(PATIENCE)
    assert job.name == name
    system.check_against_output(job, system.final(job))
    assert system.find("submissions", "displayName", job.label) == []


def test_an_event_before_vertex_names_the_output(system):
    # Vertex writes its output first, and says where it is afterwards.
    with system.unfinished():
        job = system.submit([prompt("a"), prompt("b")])
        system.refused(f"/{job.label}/")
        cost = system.cost(job)
        assert (cost["status"], cost["amount"], cost["outputs"]) == ("PENDING", "0", [])
        assert system.outputs(job) == []
    system.check_against_output(job, system.final(job))


def test_an_output_that_is_overwritten_before_the_job_ends(system):
    # An object under the very name while the job still runs: its event is refused until the end.
    job = system.submit([*(prompt(f"row {number}") for number in range(9)), prompt(hold=True)])
    uri = f"{_directory(system, job)}/predictions.jsonl"
    system.overwrite(uri, jsonl(answer(7, 7)))
    system.refused(uri)
    system.control("POST", f"jobs/{job.id}:finish")
    cost = system.final(job)
    assert [each["uri"] for each in cost["outputs"]] == [uri]
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 10}


def _directory(system, job):
    """Where the emulator is going to write, which it does not say before the end."""
    created = timestamps.parse(system.upstream_job(job)["createTime"])
    body = {"outputConfig": {"gcsDestination": {"outputUriPrefix": job.prefix}}}
    job = SimpleNamespace(id=job.id, body=body, create_time=created, model=UNREGISTERED_TUNED)
    return output.location(job)["gcsOutputDirectory"]


def test_output_of_nobodys_job_is_refused_for_a_while(system):
    uri = f"gs://{OUTPUT_BUCKET}/stranger/prediction-model-2026-11-22T16:00:00.000001Z/predictions.jsonl"
    system.overwrite(uri, jsonl(answer()))
    system.refused(uri)
    assert system.deliver(uri) >= 500
    # Once there is nothing any more, it does not come again.
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    system.stack.storage_client().bucket(bucket).blob(name).delete()
    system.handled(uri)


LINE = jsonl(answer())[:-1]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"\n".join([LINE, LINE[:60], LINE, b""]), {"succeeded": 2, "malformed": 1}),
        (b"\n".join([LINE, b"[1, 2]", b"null", b'"text"', LINE]), {"succeeded": 2, "malformed": 3}),
        (b"\n".join([LINE, b"\xff\xfe\x00", LINE]), {"succeeded": 2, "malformed": 1}),
        (b"", {}),
        (b"\n\n \n", {}),
        (b"\n".join([LINE, LINE]), {"succeeded": 2}),
        (b"\r\n".join([LINE, LINE, b"", LINE, b""]), {"succeeded": 3}),
        (LINE, {"succeeded": 1}),
    ],
    ids=["cut", "no-row", "no-text", "empty", "blank", "no-last-line-feed", "crlf", "one-line"],
)
def test_content_of_every_form(system, content, rows):
    job, cost, _ = system.run([prompt()])
    changed = overwritten(system, job, cost, content)
    assert {name: number for name, number in changed["rows"].items() if number} == rows
    system.check(job, changed, rows.get("succeeded", 0) * (100 * 150 + 10 * 1250))
    # Vertex AI has answered one: an output without it lacks something.
    assert changed["complete"] is ("malformed" not in rows and bool(rows))
    assert changed["outputs"][0]["bytes"] == len(content)


def test_a_line_beyond_the_limit_is_counted_not_read(system):
    job, cost, _ = system.run([prompt()])
    padding = b" " * (32 * MIB)
    longest = LINE + padding[len(LINE) :]
    assert len(longest) == 32 * MIB
    content = b"\n".join([LINE, LINE + padding, longest, LINE])
    changed = overwritten(system, job, cost, content)
    assert changed["rows"] == {
        "succeeded": 3,
        "failed": 0,
        "malformed": 1,
        "unrecognized": 0,
        "unpriced": 0,
        "carriedOver": 0,
    }
    assert changed["complete"] is False
    system.check(job, changed, 3 * (100 * 150 + 10 * 1250))


def test_rows_carried_over_from_an_earlier_job_are_not_billed_again(system):
    _, cost, output = system.run([prompt("a"), prompt("b")])
    (earlier,) = cost["outputs"]
    done = output.splitlines(keepends=True)
    assert len(done) == 2
    # The rows are older than the job by more than clocks may differ.
    time.sleep(0.2)
    # Resumed as Google's documentation says: the earlier output is the input, with the rest of the rows.
    job = system.submit([prompt("c")], more_uris=[earlier["uri"]])
    final = system.final(job)
    assert final["rows"] == {
        "succeeded": 1,
        "failed": 0,
        "malformed": 0,
        "unrecognized": 0,
        "unpriced": 0,
        "carriedOver": 2,
    }
    new = [line for line in system.output(final).splitlines(keepends=True) if line not in done]
    amount = expected(b"".join(new)).nano
    assert amount > 0
    system.check(job, final, amount)
