"""POST /v1/costs:reprice: settled usage at the present prices, with a trace."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.prices import PriceTable
from functional.gateway.conftest import job_body, path_of, reason
from functional.gateway.scoped import new_key

PATH = "/v1/costs:reprice"
RANGE = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00+01:00"}


def twice_as_dear(model):
    """The shipped table with a model's batch input and output at twice their price."""
    table = json.loads(Path(prices.__file__).with_name("prices.json").read_bytes())
    batch = table["models"][model]["prices"][0]["batch"]
    for item in ("input", "output"):
        batch[item] = str(2 * Decimal(batch[item]))
    return PriceTable.from_json(json.dumps({**table, "version": "2027-01-01"}).encode())


@pytest.fixture
def settled(world, vertex):
    """A job that is settled."""
    job = world.created(job_body())
    vertex.finish(job["name"])
    done = world.get(path_of(job)).json
    world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")
    return job


def amount(world, job):
    return Decimal(world.get(f"{path_of(job)}/cost").json["amount"])


def reprice(world, **fields):
    return world.call("POST", PATH, json={**RANGE, **fields})


@pytest.mark.usefixtures("settled")
def test_nothing_changes_while_the_table_is_the_same(world):
    answer = reprice(world)

    assert answer.status_code == 200
    assert (answer.json["examined"], answer.json["repriced"]) == (1, [])


def test_a_new_table_changes_the_amount_and_leaves_a_trace(world, settled):
    before = amount(world, settled)
    world.prices = twice_as_dear("gemini-2.5-flash")

    answer = reprice(world)

    (changed,) = answer.json["repriced"]
    assert before > 0
    assert changed["name"] == settled["name"]
    assert (Decimal(changed["amount_before"]), Decimal(changed["amount"])) == (before, 2 * before)
    assert (changed["price_table_before"], answer.json["price_table"]) == (
        prices.load().version,
        "2027-01-01",
    )
    assert amount(world, settled) == 2 * before
    (trace,) = world.record(settled).repricings
    assert (trace.by, trace.price_table) == ("master", prices.load().version)
    (earlier,) = world.get(f"{path_of(settled)}/cost").json["earlierCosts"]
    assert (Decimal(earlier["amount"]), earlier["priceTable"]) == (before, trace.price_table)
    day = settled["createTime"][:10]
    total = sum(sum(cell.quarters.values()) for cell in world.store.list_totals(day, day, {}))
    assert total == 2 * before * 10**9
    assert reprice(world).json["repriced"] == [], "once"


@pytest.mark.usefixtures("settled")
def test_another_model_stays_as_it_is(world):
    world.prices = twice_as_dear("gemini-2.5-flash")

    assert reprice(world, model="gemini-2.5-pro").json["repriced"] == []
    assert len(reprice(world, model="gemini-2.5-flash").json["repriced"]) == 1


def test_more_jobs_than_a_call_looks_at_come_page_by_page(world, monkeypatch):
    monkeypatch.setattr("batch_gateway.gateway.costs.repricing._JOBS", 2)
    for _ in range(3):
        world.created(job_body())

    first = reprice(world).json
    second = reprice(world, page=first["next_page"]).json

    assert (first["examined"], second["examined"], second["next_page"]) == (2, 1, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"start_time": "2020-01-01T00:00:00"},
        {"end_time": "2019-01-01T00:00:00Z"},
        {"page": "!"},
        {"modle": "x"},
        {"start_time": None},
    ],
)
def test_a_wrong_field_is_named(world, fields):
    answer = reprice(world, **fields)

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert next(iter(fields)) in answer.json["error"]["message"]


def test_only_the_administrator_may(world):
    answer = world.call("POST", PATH, json=RANGE, key=new_key(world))

    assert (answer.status_code, reason(answer)) == (403, "ADMIN_ONLY")


@pytest.mark.parametrize(
    ("given", "target"),
    [({}, "all models"), ({"model": "gemini-2.5-pro"}, "gemini-2.5-pro"), ({"model": ""}, '""')],
)
def test_the_trail_says_which_models(world, given, target):
    assert world.call("POST", PATH, json={**RANGE, **given}).status_code == 200
    (entry,) = world.get("/audit").json["entries"]
    assert entry["target"].endswith(f"+01:00 {target}")
