"""Budgets over HTTP: what is refused, with which figures, and what becomes of reservations."""

import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from builders import input_files, prompt
from functional.gateway.conftest import JOBS, PROJECT, job_body, path_of, reason
from functional.gateway.scoped import clocked, new_key, new_team

ROWS = 10
MOST_OUTPUT = 1000
HIGH_OUTPUT = Decimal(ROWS * MOST_OUTPUT) * Decimal("0.00000125")
"""The most that the rows may cost in output alone."""


def rows(**generation):
    row = prompt()
    if generation:
        row["request"]["generationConfig"] = generation
    return "".join(json.dumps(row) + "\n" for _ in range(ROWS)).encode()


@pytest.fixture
def world(world):
    world.objects.put("in", "rows.jsonl", rows(maxOutputTokens=MOST_OUTPUT))
    return world


def info(world, key):
    return world.get("/key/info", key=key).json["info"]


def team_info(world, team):
    return world.get(f"/team/info?team_id={team}").json["team_info"]


def test_a_create_within_the_budget_goes_through_and_is_reserved(world):
    key = new_key(world, max_budget=1, budget_duration="1mo")

    answer = world.create(key=key)

    assert answer.status_code == 200
    found = info(world, key)
    assert HIGH_OUTPUT < Decimal(str(found["reserved"])) < HIGH_OUTPUT * 2
    assert found["spend"] == 0
    assert found["budget_reset_at"].endswith("-01T00:00:00Z")
    cost = world.get(f"{path_of(answer.json)}/cost", key=key).json
    assert Decimal(cost["estimate"]["high"]) == Decimal(str(found["reserved"]))


@pytest.mark.parametrize(
    ("now", "usd"), [("2026-11-27T23:00:00", 5), ("2026-11-30T12:00:00", 10), ("2026-12-02T00:00:00", 10)]
)
def test_what_is_reserved_is_enough_if_the_price_rises_while_the_job_waits(world, now, usd):
    # gemini-4-carbon: 5 USD per million output tokens, from 2026-12-01 on 10.
    clocked(world, datetime.fromisoformat(f"{now}+00:00"))
    key = new_key(world, max_budget=1)
    carbon = f"projects/{PROJECT}/locations/global/publishers/google/models/gemini-4-carbon"

    answer = world.create(job_body(model=carbon), key=key, path=JOBS.replace("us-central1", "global"))

    assert answer.status_code == 200
    output = Decimal(ROWS * MOST_OUTPUT * usd) / 10**6
    assert output < Decimal(str(info(world, key)["reserved"])) < output * Decimal("1.1")


def test_a_create_beyond_the_budget_is_refused_with_the_figures(world, vertex):
    new_team(world, "ads", max_budget="0.02", budget_duration="1mo")
    key = new_key(world, team_id="ads")
    assert world.create(key=key).status_code == 200
    sent = len(vertex.requests)

    answer = world.create(key=key)

    assert (answer.status_code, reason(answer)) == (429, "BUDGET_EXCEEDED")
    assert answer.json["error"]["status"] == "RESOURCE_EXHAUSTED"
    (detail,) = answer.json["error"]["details"]
    figures = detail["metadata"]
    assert (figures["owner"], figures["limit"], figures["spent"]) == ("team:ads", "0.02", "0")
    assert Decimal(figures["reserved"]) + Decimal(figures["estimate"]) > Decimal("0.02")
    assert figures["resetTime"].endswith("-01T00:00:00Z")
    message = answer.json["error"]["message"]
    assert all(figures[name] in message for name in ("limit", "spent", "reserved", "estimate", "resetTime"))
    assert len(vertex.requests) == sent, "nothing was submitted"


def test_what_a_job_cost_is_spent_and_the_rest_released(world, vertex):
    key = new_key(world, max_budget=1)
    job = world.create(key=key).json
    vertex.finish(job["name"])
    done = world.get(path_of(job)).json

    world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")

    found = info(world, key)
    amount = world.get(f"{path_of(job)}/cost").json["amount"]
    assert Decimal(str(found["spend"])) == Decimal(amount) > 0
    assert found["reserved"] == 0


def test_a_create_that_vertex_refuses_reserves_nothing(world):
    key = new_key(world, max_budget=1)

    answer = world.create(
        job_body(model="publishers/google/models/gemini-2.5-flash", displayName=""), key=key
    )

    assert answer.status_code == 400
    assert info(world, key)["reserved"] == 0


def test_a_create_of_unknown_cost_is_refused_under_a_budget_only(world):
    body = job_body(inputConfig=input_files("gs://in/none.jsonl"))

    answer = world.create(body, key=new_key(world, max_budget=1))

    assert (answer.status_code, reason(answer)) == (400, "ESTIMATE_UNKNOWN")
    assert "gs://in/none.jsonl" in answer.json["error"]["message"]
    assert world.create(body, key=new_key(world)).status_code == 200


def test_a_soft_budget_refuses_nothing(world):
    key = new_key(world, soft_budget="0.000000001")

    assert world.create(key=key).status_code == 200
    assert info(world, key)["soft_budget"] == 1e-9


def test_the_same_create_again_reserves_once(world):
    key = new_key(world, max_budget=1)
    headers = {"Idempotency-Key": "once"}
    first = world.create(key=key, headers=headers)
    reserved = info(world, key)["reserved"]

    again = world.create(key=key, headers=headers)

    assert again.json["name"] == first.json["name"]
    assert info(world, key)["reserved"] == reserved


def test_what_another_key_of_the_team_sends_again_stays_reserved_for_the_first(world, vertex):
    new_team(world, "ads")
    first, second = [new_key(world, team_id="ads", max_budget=1) for _ in range(2)]
    headers = {"Idempotency-Key": "once"}
    vertex.faults.add(method="POST", path="batchPredictionJobs$", drop=True)
    assert reason(world.create(key=first, headers=headers)) == "CREATE_FATE_UNKNOWN"
    reserved = info(world, first)["reserved"]

    world.skipped += 100
    answer = world.create(key=second, headers=headers)
    world.call("POST", f"{path_of(answer.json)}:cancel")
    world.skipped += timedelta(days=2).total_seconds()
    world.call("POST", "/internal/reconcile")

    assert (answer.status_code, reserved > 0) == (200, True)
    assert [info(world, key)["reserved"] for key in (first, second)] == [0, 0]
    assert world.record(answer.json).api_key == info(world, first)["key_alias"]


def test_an_estimate_submits_nothing(world, vertex):
    before = len(vertex.requests)

    for path in (f"{JOBS}:estimateCost", f"{JOBS}?validateOnly=true"):
        answer = world.create(path=path)
        assert answer.status_code == 200
        assert answer.json["rows"] == {
            "total": ROWS,
            "exact": True,
            "sampled": ROWS,
            "invalid": 0,
            "fatal": 0,
        }
        assert Decimal(answer.json["low"]) <= Decimal(answer.json["expected"]) <= Decimal(answer.json["high"])

    assert len(vertex.requests) == before
    assert world.get("/v1/jobs").json["data"] == []


def test_an_estimate_needs_the_rights_of_a_create(world):
    key = new_key(world, allowed_uri_prefixes=["gs://elsewhere"])

    answer = world.create(path=f"{JOBS}:estimateCost", key=key)

    assert (answer.status_code, reason(answer)) == (403, "URI_NOT_ALLOWED")


@pytest.mark.parametrize("duration", ["12h", "45d", "90s", "32d"])
def test_a_window_that_no_ledger_is_kept_for_is_refused(world, duration):
    answer = world.call("POST", "/key/generate", json={"max_budget": 1, "budget_duration": duration})

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")


def test_a_teams_standing_is_shown_with_it(world):
    new_team(world, "ads", max_budget=5, budget_duration="7d")
    key = new_key(world, team_id="ads")
    world.create(key=key)

    found = team_info(world, "ads")

    # The key has no budget of its own, and its standing is shown all the same.
    assert found["reserved"] == info(world, key)["reserved"] > 0
    (listed,) = world.get("/team/list").json
    assert listed == found
    # Whoever has the key sees the team's budget too: it holds for the key.
    assert world.get("/key/info", key=key).json["team"] == found
    assert world.get("/key/info", key=new_key(world)).json["team"] is None
