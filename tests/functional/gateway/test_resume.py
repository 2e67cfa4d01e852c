"""Resume: a job that runs only what an earlier one left undone, created by the path of every create."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import pytest

from batch_gateway.gateway.jobs import create_policy, estimate
from batch_gateway.gateway.jobs.create import _SENDING
from batch_gateway.gateway.jobs.input_bounds import InputBounds
from batch_gateway.gateway.jobs.resume_body import OUTPUT_ONLY
from batch_gateway.ports import ObjectsUnavailableError
from batch_gateway.settings import Alias
from builders import input_files, output_folder, prompt
from functional.gateway.conftest import (
    FULL_FLASH,
    JOBS,
    PARENT,
    PROJECT,
    cost,
    job_body,
    job_id,
    path_of,
    reason,
    settings_for,
)
from functional.gateway.scoped import audit, new_key, new_team, team_keys
from vertex_emulator import schema

ROWS = 10
DONE = 4


@pytest.fixture
def world(world):
    put_rows(world, [prompt(str(number), limit=100 + number) for number in range(ROWS)])
    return world


def put_rows(world, rows):
    world.objects.put("in", "rows.jsonl", "\n".join(map(json.dumps, rows)).encode())


def ended(world, vertex, body=None, *, state="CANCELLED", rows=DONE, **given):
    """A job that has ended after some of its rows."""
    answer = world.create(body, **given)
    assert answer.status_code == 200, answer.data
    return vertex.finish(answer.json["name"], state=f"JOB_STATE_{state}", rows=rows)


def resume(world, job, fields=None, **given):
    data = fields if isinstance(fields, bytes) else json.dumps(fields).encode() if fields else b""
    return world.call("POST", f"{path_of(job)}:resume", data=data, **given)


def resumed(world, job, fields=None, **given):
    answer = resume(world, job, fields, **given)
    assert answer.status_code == 200, answer.data
    return answer.json


def outputs(world, job):
    """The URIs of a job's output."""
    directory = job["outputInfo"]["gcsOutputDirectory"]
    bucket, _, prefix = directory.removeprefix("gs://").partition("/")
    return [f"gs://{bucket}/{info.name}" for info in world.objects.list(bucket, f"{prefix}/")]


def settled(world, job):
    for uri in outputs(world, job):
        world.settle(uri)
    return cost(world, job)


def submitted(vertex):
    return len(vertex.jobs())


# The new job


@pytest.mark.parametrize("state", ["CANCELLED", "EXPIRED", "FAILED"])
def test_the_new_job_is_the_old_one_with_its_output_as_input(world, vertex, state):
    given = job_body(labels={"environment": "test"}, modelParameters={"temperature": 0.5}, displayName="n")
    old = ended(world, vertex, given, state=state)

    new = resumed(world, old)

    assert new["name"] != old["name"]
    assert new["inputConfig"] == input_files(*outputs(world, old))
    assert new["outputConfig"] == output_folder(f"gs://out/run/resumed-{job_id(old)}")
    assert new["displayName"] == "n (resumed)"
    assert (new["model"], new["labels"], new["modelParameters"]) == (
        old["model"],
        {"environment": "test"},
        {"temperature": 0.5},
    )
    assert new["state"] == "JOB_STATE_PENDING"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_fields_that_are_left_out_are_those_that_vertex_sets(version):
    fields = schema.load(version).properties(schema.JOB)
    read_only = {name for name, field in fields.items() if field.get("readOnly")}
    assert read_only == OUTPUT_ONLY & fields.keys()
    assert len(read_only) > 10


def test_name_and_place_may_be_chosen(world, vertex):
    old = ended(world, vertex)
    new = resumed(world, old, {"displayName": "again", "outputUriPrefix": "gs://elsewhere/x"})

    assert new["displayName"] == "again"
    assert new["outputConfig"]["gcsDestination"] == {"outputUriPrefix": "gs://elsewhere/x"}


def test_both_costs_add_up_to_what_the_rows_cost_once(world, vertex):
    whole = ended(world, vertex, state="SUCCEEDED", rows=ROWS)
    old = ended(world, vertex)
    first = settled(world, old)
    new = vertex.finish(resumed(world, old)["name"])
    second = settled(world, new)

    assert (first["rows"]["succeeded"], second["rows"]["succeeded"]) == (DONE, ROWS - DONE)
    assert (second["rows"]["carriedOver"], second["rows"]["failed"]) == (DONE, 0)
    assert (second["status"], second["complete"]) == ("FINAL", True)
    once = Decimal(settled(world, whole)["amount"])
    assert Decimal(first["amount"]) + Decimal(second["amount"]) == once > 0


def test_failed_rows_of_a_job_that_succeeded_are_run_again(world, vertex):
    put_rows(world, [prompt("a"), prompt("b", fail_first=True), prompt("c")])
    old = ended(world, vertex, state="SUCCEEDED", rows=3)
    new = vertex.finish(resumed(world, old)["name"])

    report = settled(world, new)
    assert (report["rows"]["succeeded"], report["rows"]["carriedOver"]) == (1, 2)


def test_both_reports_name_each_other(world, vertex):
    old = ended(world, vertex)
    assert (cost(world, old)["resumedFrom"], cost(world, old)["resumedBy"]) == (None, None)
    new = resumed(world, old)

    assert (cost(world, old)["resumedFrom"], cost(world, old)["resumedBy"]) == (None, new["name"])
    assert (cost(world, new)["resumedFrom"], cost(world, new)["resumedBy"]) == (old["name"], None)
    listed = {each["name"]: each for each in world.get("/v1/jobs").json["data"]}
    assert listed[new["name"]]["resumedFrom"] == old["name"]
    assert listed[old["name"]]["resumedBy"] == new["name"]


def test_a_resumed_job_can_be_resumed_in_turn(world, vertex):
    first = ended(world, vertex)
    second = vertex.finish(resumed(world, first)["name"], state="JOB_STATE_EXPIRED", rows=7)
    third = resumed(world, second)

    assert third["displayName"] == "nightly (resumed)"
    place = third["outputConfig"]["gcsDestination"]["outputUriPrefix"]
    assert place == f"gs://out/run/resumed-{job_id(second)}"
    assert cost(world, second)["resumedFrom"] == first["name"]
    assert cost(world, third)["resumedFrom"] == second["name"]


def test_shards_are_read_all_and_incremental_output_only_without_final(world, vertex):
    labels = {"emulate_shards": "3", "emulate_incremental": "folder"}
    old = ended(world, vertex, job_body(labels=labels))
    new = resumed(world, old)
    assert [uri.rpartition("/")[2] for uri in new["inputConfig"]["gcsSource"]["uris"]] == [
        f"predictions.jsonl-0000{number}-of-00003" for number in range(3)
    ]

    labels = {"emulate_incremental": "file", "emulate_ended": "incremental"}
    answer = world.created(job_body(labels=labels))
    vertex.step(answer["name"])
    vertex.step(answer["name"], rows=2)
    old = vertex.finish(answer["name"], state="JOB_STATE_FAILED", rows=3)
    (uri,) = resumed(world, old)["inputConfig"]["gcsSource"]["uris"]
    assert uri.endswith("/incremental_predictions.jsonl")


def test_a_job_with_output_in_bigquery_goes_on_from_its_table(world, vertex):
    target = {
        "predictionsFormat": "bigquery",
        "bigqueryDestination": {"outputUri": "bq://acme.books.answers"},
    }
    old = ended(world, vertex, job_body(outputConfig=target))
    new = resumed(world, old)

    assert new["inputConfig"] == {
        "instancesFormat": "bigquery",
        "bigquerySource": {"inputUri": "bq://acme.books.answers"},
    }
    assert new["outputConfig"]["bigqueryDestination"] == {"outputUri": "bq://acme.books"}
    done = vertex.finish(new["name"])
    assert done["completionStats"] == {"successfulCount": str(ROWS)}
    estimate = world.record(new).estimate
    assert estimate is None, "rows that are not run again must not be in an estimate"
    assert reason(resume(world, old, {"outputUriPrefix": "gs://out"})) == "FIELD_INVALID"


def test_the_marker_of_the_old_create_does_not_go_on(world, vertex):
    old = ended(world, vertex, headers={"Idempotency-Key": "once"})
    assert "gateway_submission" in old["labels"]
    assert "labels" not in resumed(world, old)


def test_v1beta1_and_paths_without_a_place_resume_too(world, vertex):
    for path in (
        path_of(ended(world, vertex)).replace("/v1/", "/v1beta1/"),
        path_of(ended(world, vertex)).replace("/v1/", "/vertex_ai/v1/"),
    ):
        assert world.call("POST", f"{path}:resume").status_code == 200
    asked = [(request.method, request.path) for request in vertex.requests.all()]
    assert ("POST", f"/v1beta1/{PARENT}/batchPredictionJobs") in asked


def test_a_resume_can_be_tried_without_one(world, vertex):
    old = ended(world, vertex)
    answer = world.call("POST", f"{path_of(old)}:resume?validateOnly=true")

    assert answer.status_code == 200
    assert answer.json["rows"]["total"] == ROWS
    assert submitted(vertex) == 1
    assert cost(world, old)["resumedBy"] is None


def test_rows_that_were_not_run_are_not_said_to_fail_the_resume(world, vertex):
    estimate = world.call("POST", f"{path_of(ended(world, vertex))}:resume?validateOnly=true").json

    assert (estimate["rows"]["invalid"], estimate["invalidRows"]) == (0, [])


def test_the_new_output_may_not_lie_in_the_old_one(world, vertex):
    old = ended(world, vertex)
    directory = old["outputInfo"]["gcsOutputDirectory"]
    for inside in (directory, f"{directory}/", f"{directory}/x"):
        assert reason(resume(world, old, {"outputUriPrefix": inside})) == "FIELD_INVALID"
    assert resumed(world, old, {"outputUriPrefix": f"{directory}x"})["name"]


# What cannot be resumed


@pytest.mark.parametrize(
    "fields", [{"model": "x"}, {"displayName": 1}, {"outputUriPrefix": "out"}, {"labels": {}}]
)
def test_other_fields_and_values_are_refused(world, vertex, fields):
    old = ended(world, vertex)
    assert reason(resume(world, old, fields)) == "FIELD_INVALID"
    assert submitted(vertex) == 1


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_json_object_is_refused(world, vertex, body):
    answer = resume(world, ended(world, vertex), body)
    assert reason(answer) == "BODY_INVALID"
    assert "Send nothing, or displayName and outputUriPrefix." in answer.json["error"]["message"]


def test_a_job_that_has_not_ended(world, vertex):
    job = world.created()
    assert reason(resume(world, job)) == "JOB_NOT_ENDED"
    vertex.step(job["name"])
    answer = resume(world, job)
    assert (answer.status_code, reason(answer)) == (400, "JOB_NOT_ENDED")
    assert answer.json["error"]["status"] == "FAILED_PRECONDITION"


@pytest.mark.parametrize("state", ["SUCCEEDED", "CANCELLED"])
def test_a_job_that_left_nothing(world, vertex, state):
    old = ended(world, vertex, state=state, rows=ROWS)
    assert reason(resume(world, old)) == "NOTHING_TO_RESUME"


def test_without_counts_of_vertex_the_settled_rows_tell_that_nothing_is_left(world, vertex, monkeypatch):
    old = ended(world, vertex, state="SUCCEEDED", rows=ROWS)
    monkeypatch.setattr(vertex._store.find(job_id(old)).__class__, "_stats", lambda _: {})
    settled(world, old)
    assert reason(resume(world, old)) == "NOTHING_TO_RESUME"


def test_a_job_without_output(world, vertex):
    never_ran = ended(world, vertex, rows=0)
    refused = vertex.finish(world.created()["name"], state="JOB_STATE_FAILED", write=False)
    shard = ended(world, vertex, job_body(labels={"emulate_shards": "2"}))
    world.objects.delete("out", outputs(world, shard)[0].removeprefix("gs://out/"))

    left = {job["name"]: reason(resume(world, job)) for job in (never_ran, shard)}
    assert set(left.values()) == {"OUTPUT_NOT_THERE"}
    # All of its rows were answered, but nothing was written.
    assert reason(resume(world, refused)) == "NOTHING_TO_RESUME"


def test_output_in_another_format_or_of_a_custom_model(world, vertex):
    vertex.register_model(PROJECT, "us-central1", id="77", kind="custom", display_name="mine")
    custom = ended(world, vertex, job_body(model=f"{PARENT}/models/77"))
    answer = resume(world, custom)
    assert (answer.status_code, reason(answer)) == (400, "RESUME_NOT_SUPPORTED")


def test_a_job_that_vertex_no_longer_has(world, vertex):
    old = ended(world, vertex)
    world.call("DELETE", path_of(old))
    answer = resume(world, old)
    assert (answer.status_code, reason(answer)) == (404, "JOB_DELETED")
    assert reason(world.call("POST", f"{JOBS}/1234:resume")) == "JOB_NOT_ON_RECORD"


def test_a_job_without_a_record_waits_for_the_sweep(world, vertex):
    old = ended(world, vertex)
    world.store._jobs.clear()
    answer = resume(world, old)
    assert (answer.status_code, reason(answer)) == (404, "JOB_NOT_ON_RECORD")


def test_storage_that_does_not_answer(world, vertex, monkeypatch):
    old = ended(world, vertex)

    def down(*_):
        raise ObjectsUnavailableError("no")

    monkeypatch.setattr(world.objects, "list", down)
    answer = resume(world, old)
    assert (answer.status_code, reason(answer)) == (503, "OUTPUT_UNAVAILABLE")


# Who may


def test_another_teams_job_looks_like_none(world, vertex):
    search, ads = team_keys(world, "search", "ads")
    old = ended(world, vertex, key=search)
    there, missing = resume(world, old, key=ads), world.call("POST", f"{JOBS}/1:resume", key=ads)

    assert (there.status_code, reason(there)) == (403, "JOB_NOT_ALLOWED")
    assert there.data.replace(job_id(old).encode(), b"1") == missing.data
    assert submitted(vertex) == 1


def test_the_new_job_is_the_teams_again(world, vertex):
    search, _ = team_keys(world, "search", "ads")
    old = ended(world, vertex, job_body(labels={"a": "b"}), key=search)
    colleague = new_key(world, team_id="search", key_alias="colleague")
    new = resumed(world, old, key=colleague)

    assert new["labels"] == {"a": "b", "team": "search"}
    assert (world.record(new).team, world.record(new).api_key) == ("search", "colleague")


def test_a_job_that_the_administrator_resumes_stays_its_teams(world, vertex):
    search, _ = team_keys(world, "search", "ads")
    new = resumed(world, ended(world, vertex, key=search))

    assert cost(world, new, key=search)["team"] == "search"


def test_a_key_resumes_what_it_sees_though_it_may_not_name_the_place(world, vertex):
    new_team(world, "search")
    wide = new_key(world, team_id="search")
    narrow = new_key(world, team_id="search", allowed_uri_prefixes=["gs://narrow"])
    old = ended(world, vertex, key=wide)
    assert reason(world.create(key=narrow)) == "URI_NOT_ALLOWED"

    assert reason(resume(world, old, {"outputUriPrefix": "gs://out/else"}, key=narrow)) == "URI_NOT_ALLOWED"
    own = f"gs://out/run/resumed-{job_id(old)}"
    assert reason(resume(world, old, {"outputUriPrefix": own}, key=narrow)) == "URI_NOT_ALLOWED"
    new = resumed(world, old, {"outputUriPrefix": "gs://narrow/x"}, key=narrow)
    vertex.finish(new["name"], state="JOB_STATE_FAILED", rows=0)
    assert resumed(world, old, key=narrow)["outputConfig"]["gcsDestination"]["outputUriPrefix"] == own


def test_the_other_grants_hold_as_for_any_create(world, vertex):
    new_team(world, "search")
    old = ended(world, vertex, key=new_key(world, team_id="search"))
    models = new_key(world, team_id="search", models=["text-*"])
    places = new_key(world, team_id="search", locations=["europe-west4"])

    assert reason(resume(world, old, key=models)) == "MODEL_NOT_ALLOWED"
    assert reason(resume(world, old, key=places)) == "LOCATION_NOT_ALLOWED"
    assert submitted(vertex) == 1


def test_an_alias_is_granted_as_it_was_for_the_first_create(world, vertex, monkeypatch):
    aliases = (Alias("fast", PROJECT, "us-central1", FULL_FLASH),)
    monkeypatch.setattr(
        create_policy.CreatePolicy, "__init__", _with_settings(settings_for(world.host, aliases=aliases))
    )
    client = world.new_client()
    key = new_key(world, models=["fast"])
    old = ended(world, vertex, job_body(model="fast"), key=key, client=client)

    assert resumed(world, old, key=key, client=client)["model"] == FULL_FLASH
    other = new_key(world, models=["slow"])
    assert reason(world.create(job_body(model="fast"), key=other, client=client)) == "MODEL_NOT_ALLOWED"


def _with_settings(settings):
    before = create_policy.CreatePolicy.__init__
    return lambda self, _, places: before(self, settings, places)


def test_resumes_are_in_the_audit_trail(world, vertex):
    old = ended(world, vertex)
    resumed(world, old)
    resume(world, old)

    last, first = [entry for entry in audit(world) if entry["action"] == "job.resume"]
    target = f"{PARENT}/batchPredictionJobs/{job_id(old)}"
    assert (first["target"], last["target"]) == (target, target)
    assert (first["outcome"], last["outcome"]) == ("OK", "FAILED_PRECONDITION JOB_ALREADY_RESUMED")


# Twice


def test_a_job_is_not_resumed_while_it_is_or_when_it_was(world, vertex):
    old = ended(world, vertex)
    new = resumed(world, old)

    tried = world.call("POST", f"{path_of(old)}:resume?validateOnly=true")
    for answer in (resume(world, old), tried):
        assert (answer.status_code, reason(answer)) == (400, "JOB_ALREADY_RESUMED")
        assert new["name"] in answer.json["error"]["message"]
    vertex.finish(new["name"])
    assert reason(resume(world, old)) == "JOB_ALREADY_RESUMED"
    assert submitted(vertex) == 2


@pytest.mark.parametrize("gone", [False, True])
def test_it_may_be_resumed_again_if_that_failed(world, vertex, gone):
    old = ended(world, vertex)
    failed = resumed(world, old)
    vertex.finish(failed["name"], state="JOB_STATE_FAILED", rows=0)
    if gone:
        vertex._store._jobs.pop(vertex.job(failed["name"])["name"])
    assert world.call("POST", f"{path_of(old)}:resume?validateOnly=true").status_code == 200
    again = resumed(world, old)

    assert cost(world, old)["resumedBy"] == again["name"]
    assert world.record(failed).resumed_from == world.record(again).resumed_from == old["name"]


def test_it_may_not_be_resumed_again_if_that_succeeded_and_was_deleted(world, vertex):
    old = ended(world, vertex)
    new = vertex.finish(resumed(world, old)["name"])
    world.get(path_of(new))
    world.call("DELETE", path_of(new))
    assert reason(resume(world, old)) == "JOB_ALREADY_RESUMED"


def test_resumes_at_the_same_time_make_one_job(world, vertex):
    old = ended(world, vertex)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", delay_seconds=0.3, times=None)
    clients = [world.new_client() for _ in range(6)]
    barrier = threading.Barrier(6)

    def attempt(numbered):
        number, client = numbered
        barrier.wait()
        return resume(world, old, client=client, headers={"Idempotency-Key": str(number)})

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(attempt, enumerate(clients)))

    assert submitted(vertex) == 2
    assert min(answer.status_code for answer in answers) == 200
    reasons = {reason(answer) for answer in answers if answer.status_code != 200}
    assert reasons <= {"RESUME_IN_PROGRESS", "JOB_ALREADY_RESUMED"}
    assert len([answer for answer in answers if answer.status_code == 200]) == 1


def test_an_idempotency_key_gives_the_first_answer_again_when_the_old_job_is_deleted(world, vertex):
    old = ended(world, vertex)
    once = {"Idempotency-Key": "once"}
    new = resumed(world, old, headers=once)
    assert world.call("DELETE", path_of(old)).status_code == 200

    again = resume(world, old, headers=once)

    assert (again.status_code, again.json["name"]) == (200, new["name"])
    assert reason(resume(world, old, headers={"Idempotency-Key": "another"})) == "JOB_DELETED"


def test_an_idempotency_key_gives_the_first_answer_again(world, vertex):
    old = ended(world, vertex)
    once = {"Idempotency-Key": "once"}
    first, again = resume(world, old, headers=once), resume(world, old, headers=once)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.status_code, again.data, submitted(vertex)) == (200, first.data, 2)
    other = resume(world, old, {"displayName": "x"}, headers=once)
    assert reason(other) == "IDEMPOTENCY_KEY_REUSED"


def test_a_resume_whose_answer_was_lost_is_found(world, vertex):
    old = ended(world, vertex)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop_after_processing=True)
    new = resumed(world, old, headers={"Idempotency-Key": "once"})

    assert submitted(vertex) == 2
    assert cost(world, old)["resumedBy"] == new["name"]
    assert cost(world, new)["resumedFrom"] == old["name"]


@pytest.mark.parametrize("keyed", [True, False])
def test_a_crash_before_the_job_was_recorded_leaves_no_lie_and_no_second_job(world, vertex, keyed):
    old = ended(world, vertex)
    world.store.failing = {"add_job"}
    headers = {"Idempotency-Key": "once"} if keyed else {}
    assert reason(resume(world, old, headers=headers)) == "JOB_NOT_RECORDED"
    assert submitted(vertex) == 2
    assert cost(world, old)["resumedBy"] is None
    world.store.failing = set()

    assert reason(resume(world, old)) == "RESUME_IN_PROGRESS"
    world.skipped += _SENDING.total_seconds() + 1000
    if keyed:
        new = resumed(world, old, headers=headers)
    else:
        # The sweep adopts it from its submission.
        assert world.call("POST", "/internal/reconcile").status_code == 200
        (new,) = [job for job in vertex.jobs() if job["name"] != old["name"]]
    assert submitted(vertex) == 2
    assert cost(world, old)["resumedBy"] == new["name"]
    assert cost(world, new)["resumedFrom"] == old["name"]
    assert reason(resume(world, old)) == "JOB_ALREADY_RESUMED"


def test_a_create_that_vertex_refuses_leaves_the_job_as_it_was(world, vertex):
    old = ended(world, vertex)
    vertex.faults.add(method="POST", path="batchPredictionJobs$", status=400)
    assert resume(world, old).status_code == 400

    assert cost(world, old)["resumedBy"] is None
    assert resumed(world, old)["name"]


# Budgets


def reserved(world, key):
    return Decimal(str(world.get("/key/info", key=key).json["info"]["reserved"]))


@pytest.mark.parametrize("unprocessed", ["listed", "left_out"])
def test_what_is_left_is_reserved_and_no_more(world, vertex, unprocessed):
    put_rows(world, [prompt("same", limit=1000)] * ROWS)
    key = new_key(world, max_budget=1)
    labels = {"emulate_unprocessed": unprocessed}
    answer = world.create(job_body(labels=labels), key=key)
    whole = reserved(world, key)
    old = vertex.finish(answer.json["name"], state="JOB_STATE_CANCELLED", rows=DONE)
    settled(world, old)
    assert reserved(world, key) == 0

    resumed(world, old, key=key)

    left = Decimal(ROWS - DONE) / ROWS
    assert whole * left <= reserved(world, key) < whole * left * Decimal("1.05")


def test_rows_that_are_nowhere_in_the_output_are_bounded_by_the_longest(world, vertex):
    put_rows(world, [*[prompt("short", limit=10)] * (ROWS - 1), prompt("long", limit=1000)])
    key = new_key(world, max_budget=1)
    answer = world.create(job_body(labels={"emulate_unprocessed": "left_out"}), key=key)
    old = vertex.finish(answer.json["name"], state="JOB_STATE_CANCELLED", rows=ROWS - 1)
    settled(world, old)

    resumed(world, old, key=key)

    assert reserved(world, key) > Decimal(1000) * Decimal("0.00000125")


@pytest.mark.parametrize(("seconds", "said"), [(20, None), (30, "INPUT_TOO_LARGE_TO_WEIGH")])
def test_output_and_input_are_read_in_the_time_of_one_input(world, vertex, monkeypatch, seconds, said):
    key = new_key(world, max_budget=1)
    answer = world.create(job_body(labels={"emulate_unprocessed": "left_out"}), key=key)
    old = vertex.finish(answer.json["name"], state="JOB_STATE_CANCELLED", rows=DONE)
    settled(world, old)
    now, read = [0.0], world.objects.read
    monkeypatch.setattr(estimate, "InputBounds", partial(InputBounds, clock=lambda: now[0]))
    world.client = world.new_client()

    def slowly(*given):
        now[0] += seconds
        return read(*given)

    monkeypatch.setattr(world.objects, "read", slowly)
    answer = resume(world, old, key=key)

    assert (reason(answer) if answer.status_code != 200 else None) == said


def test_a_budget_without_room_refuses_and_the_job_can_be_resumed_later(world, vertex):
    new_team(world, "search")
    old = ended(world, vertex, key=new_key(world, team_id="search"))
    poor = new_key(world, team_id="search", max_budget="0.000001")

    assert reason(resume(world, old, key=poor)) == "BUDGET_EXCEEDED"
    assert submitted(vertex) == 1
    assert resumed(world, old, key=new_key(world, team_id="search", max_budget=1))["name"]


def test_rows_that_say_that_they_are_answered_count_in_a_first_create(world):
    key = new_key(world, max_budget=1)
    row = prompt("x", limit=1000)
    answered = {"status": "", "processed_time": "2020-01-01T00:00:00.000+00:00"}
    put_rows(world, [{**row, **answered, "response": {"candidates": [{}]}}] * ROWS)
    world.create(key=key)
    assert reserved(world, key) >= ROWS * Decimal(1000) * Decimal("0.00000125")


def test_the_estimate_of_a_resumed_job_leaves_out_what_was_answered(world, vertex):
    put_rows(world, [prompt("same", limit=1000)] * ROWS)
    old = ended(world, vertex)
    whole, rest = cost(world, old), resumed(world, old)
    del whole
    full = world.call("POST", f"{JOBS}:estimateCost", data=json.dumps(job_body()).encode()).json["expected"]
    found = cost(world, rest)["estimate"]["expected"]
    assert Decimal(found) < Decimal(full) * (ROWS - DONE + 1) / ROWS


def test_a_resume_keeps_the_jobs_labels_and_gets_those_that_its_key_asks_for(world, vertex):
    first = team_keys(world, "search")[0]
    strict = new_key(
        world, team_id="search", default_labels={"stage": "x", "n": "1"}, required_labels=["campaign"]
    )
    job = ended(world, vertex, job_body(labels={"stage": "live"}), key=first)

    refused = resume(world, job, key=strict)
    contradicted = resume(world, job, key=strict, headers={"X-Batch-Labels": "campaign=a,stage=x"})
    again = resumed(world, job, key=strict, headers={"X-Batch-Labels": "campaign=autumn"})

    assert reason(refused) == "LABELS_REQUIRED"
    assert reason(contradicted) == "LABELS_INVALID"
    assert again["labels"] == {"stage": "live", "n": "1", "campaign": "autumn", "team": "search"}
