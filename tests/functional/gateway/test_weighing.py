"""Jobs that are created without an estimate get one: when their cost is asked for, or from the sweep."""

import json

import msgspec
import pytest

from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS
from batch_gateway.core.usage import Rows, Tokens, Usage
from batch_gateway.gateway.jobs import estimate, input_objects
from batch_gateway.ports import ObjectsUnavailableError
from builders import input_files
from functional.gateway.conftest import FLASH, JOBS, cost, job_body, job_resource, json_answer
from functional.gateway.scoped import new_key, new_team

PRO = FLASH.replace("flash", "pro")


def row(text="How long is a piece of string?", *parts):
    contents = [{"role": "user", "parts": [{"text": text}, *parts]}]
    return {"request": {"contents": contents, "generationConfig": {"maxOutputTokens": 64}}}


def lines(*rows):
    return "".join(json.dumps(each) + "\n" for each in rows).encode()


@pytest.fixture
def world(world):
    world.objects.put("in", "rows.jsonl", lines(*[row()] * 10))
    return world


@pytest.fixture
def asked(world, monkeypatch):
    """Record the reads of Cloud Storage, which a test may make fail."""
    noted = []
    stat, read = world.objects.stat, world.objects.read
    monkeypatch.setattr(world.objects, "stat", lambda *at: noted.append(("stat", *at)) or stat(*at))
    monkeypatch.setattr(world.objects, "read", lambda *at: noted.append(("read", *at)) or read(*at))
    return noted


def listed(world, job):
    (found,) = [each for each in world.get("/v1/jobs").json["data"] if each["name"] == job["name"]]
    return found


def estimate_of(world, body):
    """Return estimateCost's answer to a body."""
    answer = world.call("POST", f"{JOBS}:estimateCost", data=json.dumps(body).encode()).json
    return {name: answer[name] for name in ("low", "expected", "high")}


def sweep(world):
    answer = world.call("POST", "/internal/reconcile")
    assert answer.status_code == 200, answer.data
    return answer.json


def test_a_create_does_not_wait_for_its_estimate(world, asked):
    job = world.created()

    assert (asked, world.record(job).estimate) == ([], None)
    assert "recent_jobs" not in world.store.calls


@pytest.mark.parametrize("model", [FLASH, PRO])
def test_who_asks_for_a_cost_gets_the_estimate_and_with_it_the_projection(world, model):
    body = job_body(model=model)
    wanted = estimate_of(world, body)
    job = world.created(body)
    assert (listed(world, job)["estimate"], listed(world, job)["projected"]) == (None, None)

    found = cost(world, job)

    assert found["estimate"] == wanted
    assert (found["status"], found["amount"], found["projected"]) == ("PENDING", "0", wanted["expected"])
    assert listed(world, job)["estimate"] == wanted
    assert listed(world, job)["projected"] == wanted["expected"]


def test_the_sweep_puts_estimates_on_record(world):
    wanted = estimate_of(world, job_body())
    jobs = [world.created() for _ in range(7)]

    assert sweep(world)["problems"] == []

    for job in jobs:
        assert listed(world, job)["estimate"] == wanted
        assert listed(world, job)["projected"] == wanted["expected"]


def test_a_job_is_weighed_once(world, asked):
    job = world.created()
    first = cost(world, job)
    read = list(asked)
    assert [what for what, *_ in read] == ["stat", "read"]
    world.objects.put("in", "rows.jsonl", lines(row()))
    world.store.calls.clear()

    assert cost(world, job) == first
    sweep(world)

    assert asked == read
    assert "amend_job" not in world.store.calls


def test_of_two_who_look_at_once_one_reads(world, asked, monkeypatch):
    job = world.created()
    stat = world.objects.stat

    def stat_while_another_looks(*where):
        monkeypatch.setattr(world.objects, "stat", stat)
        cost(world, job)
        return stat(*where)

    monkeypatch.setattr(world.objects, "stat", stat_while_another_looks)
    cost(world, job)

    assert [what for what, *_ in asked] == ["stat", "read"]
    assert world.record(job).estimate.expected_nano


@pytest.mark.parametrize("ask", [cost, lambda world, _: sweep(world)])
def test_an_estimate_that_was_reserved_stays(world, asked, ask):
    key = new_key(world, max_budget=5)
    job = world.create(key=key).json
    before = world.record(job).estimate
    assert before.high_nano
    asked.clear()
    world.objects.put("in", "rows.jsonl", lines(row()))

    ask(world, job)

    assert world.record(job).estimate == before
    assert not asked


def test_an_unpriced_model_has_no_estimate_rather_than_nil(scripted, loopback, monkeypatch):
    scripted.objects.put("in", "rows.jsonl", lines(*[row()] * 10))
    loopback.answers = [json_answer(job_resource(model=FLASH.replace("2.5", "99")))]
    job = scripted.created()
    assert scripted.record(job).estimate is None

    for _ in range(2):
        found = cost(scripted, job)
        assert (found["estimate"], found["projected"], found["amount"]) == (None, None, "0")
        # Only the first look reads the input.
        monkeypatch.setattr(scripted.objects, "stat", lambda *_: pytest.fail("looked at twice"))
    assert (listed(scripted, job)["estimate"], listed(scripted, job)["projected"]) == (None, None)
    assert scripted.record(job).estimate == UNKNOWN_BOUNDS


@pytest.mark.parametrize("ask", [cost, lambda world, _: sweep(world)])
def test_an_input_that_cannot_be_read_is_tried_once(world, monkeypatch, ask):
    job = world.created()
    tried = []

    def refuse(*at):
        tried.append(at)
        raise ObjectsUnavailableError("no storage")

    monkeypatch.setattr(world.objects, "stat", refuse)
    ask(world, job)
    ask(world, job)

    assert tried == [("in", "rows.jsonl")]
    assert cost(world, job)["projected"] is None


def test_inputs_that_are_not_all_on_record_have_no_estimate(world, asked):
    uris = [f"gs://in/{number}.jsonl" for number in range(60)]
    for uri in uris:
        world.objects.put("in", uri.removeprefix("gs://in/"), lines(row()))
    body = job_body(inputConfig=input_files(*uris))
    job = world.created(body)
    assert world.record(job).seen.input_uris_cut

    found = cost(world, job)

    assert (found["estimate"], found["projected"]) == (None, None)
    assert world.record(job).estimate == UNKNOWN_BOUNDS
    assert not asked


def test_a_look_that_does_not_come_to_its_end_is_not_repeated(world, monkeypatch):
    job = world.created()

    def hang(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(world.objects, "stat", hang)
        with pytest.raises(KeyboardInterrupt):
            cost(world, job)

    assert cost(world, job)["estimate"] is None


def test_reading_ends_when_its_time_is_up(world, monkeypatch):
    """Each look at the clock takes half a second, of two that there are."""
    world.objects.put("in", "rows.jsonl", lines(*[row()] * 1000))
    seen = []
    clock = type("Clock", (), {"monotonic": lambda: seen.append(0) or len(seen) / 2})
    for module in (estimate, input_objects):
        monkeypatch.setattr(module, "time", clock)
    job = world.created()

    assert cost(world, job)["estimate"]["expected"]

    assert len(seen) < 10


def test_what_is_settled_first_is_no_longer_estimated(world, vertex, asked):
    job = world.created()
    directory = vertex.finish(job["name"])["outputInfo"]["gcsOutputDirectory"]
    bucket, _, folder = directory.removeprefix("gs://").partition("/")
    world.objects.put(bucket, f"{folder}/predictions_0002.jsonl", b"")
    world.settle(f"{directory}/predictions.jsonl")
    asked.clear()

    found = cost(world, job)

    assert (found["status"], found["estimate"]) == ("PARTIAL", None)
    assert not asked


def test_a_job_that_ended_before_anybody_looked_is_weighed_while_its_output_is_to_come(world, vertex):
    job = world.created()
    vertex.finish(job["name"], write=False)

    found = cost(world, job)

    assert (found["state"], found["status"]) == ("JOB_STATE_SUCCEEDED", "PENDING")
    assert found["projected"] == found["estimate"]["expected"] != "0"


@pytest.mark.parametrize("ask", [cost, lambda world, _: sweep(world)])
def test_history_is_that_of_the_jobs_team(world, ask):
    """Also of a job of the administrator's that is labelled for a team, which the team may see."""
    new_team(world, "search")
    new_team(world, "ads")
    expected = {}
    for team, tokens in (("search", 3), ("ads", 50), (None, 20)):
        done = world.created(job_body(labels={"team": team} if team else {}))
        usage = Usage(Rows(succeeded=10), Tokens(input=100, output=10 * tokens))
        record = msgspec.structs.replace(
            world.record(done), usage=usage, estimate=UNKNOWN_BOUNDS, settled_outputs=1
        )
        world.store._jobs[record.key] = record
        # 10 rows, with the rate of output of gemini-2.5-flash's batch jobs
        expected[team] = tokens * 10 * 1250
    for team, caller in (("search", new_key(world, team_id="search")), ("ads", None)):
        job = world.create(key=caller).json if caller else world.created(job_body(labels={"team": team}))

        ask(world, job)

        found = world.record(job)
        assert found.team == team
        input_nano = found.estimate.expected_nano - expected[team]
        assert 0 < input_nano < 10 * 40 * 150


def test_files_that_rows_name_are_not_looked_at(world, asked):
    audio = {"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://in/payroll/memo.mp3"}}
    world.objects.put("in", "rows.jsonl", lines(row("x", audio)))
    world.objects.put("in", "payroll/memo.mp3", b"x" * 959_999)
    job = world.created()

    assert cost(world, job)["projected"] != "0"

    assert {at[1] for _, *at in asked} == {"rows.jsonl"}
