"""/v1/prices: what is charged, and the operator's own prices."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.settlement.missing_prices import note_missing_prices
from functional.gateway.conftest import FLASH, PARENT, job_body, path_of, reason
from functional.gateway.scoped import new_key

TABLE = prices.load()
PATH = "/v1/prices"
ALL_TIME = {"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"}
GLM = "publishers/zai-org/models/glm-9-maas"
"""A model that the table lacks."""
YEARS = range(1000, 2000)
NEW = {
    "unit": "token",
    "non_global_multiplier": "1",
    "prices": [{"from": None, "source": "the agreement of 2026", "batch": {"input": "7", "output": "11"}}],
}

CACHED_ONLY = {**NEW, "prices": [{"from": None, "source": "a slip", "batch": {"cached_input": "1"}}]}


def at_rate(text):
    return {**NEW, "prices": [{**NEW["prices"][0], "batch": {"input": text}}]}


def put(world, name, body, query="", **given):
    return world.call("PUT", f"{PATH}/{name}{query}", json=body, **given)


def listed(world, query="", **given):
    answer = world.get(f"{PATH}{query}", **given)
    assert answer.status_code == 200, answer.data
    return answer.json


def rate(entry, item="input_text", window="0-200k"):
    (found,) = [each for each in entry["rates"] if (each["item"], each["contextWindow"]) == (item, window)]
    return Decimal(found["unitPrice"])


def only(world, model, location="us-central1", **given):
    (entry,) = listed(world, f"?model={model}&location={location}", **given)["prices"]
    return entry


@pytest.fixture
def settled(world, vertex):
    """Settles a job, and returns it."""

    def settle(model=FLASH):
        job = world.created(job_body(model=model))
        vertex.finish(job["name"])
        done = world.get(path_of(job)).json
        world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")
        return job

    return settle


def put_chats(world):
    """Put an input for models that take chats."""
    rows = [
        {"custom_id": str(n), "body": {"messages": [{"role": "user", "content": "Hello"}]}} for n in (1, 2)
    ]
    world.objects.put("in", "rows.jsonl", "\n".join(map(json.dumps, rows)).encode())


def cost(world, job):
    return world.get(f"{path_of(job)}/cost").json


def test_the_table_is_listed_with_its_sources(world):
    entry = only(world, "gemini-2.5-flash")

    assert (entry["source"], entry["override"], entry["since"], entry["discount"]) == ("table",) + (None,) * 3
    assert "Vertex AI pricing page" in entry["page"]
    assert rate(entry) == Decimal("0.00000015")
    assert listed(world)["priceTable"] == TABLE.version
    assert {each["model"] for each in listed(world)["prices"]} == set(TABLE.models)
    assert entry["publisher"] == "google"
    assert only(world, "claude-opus-5")["publisher"] == "anthropic"


def test_the_next_change_that_is_known_is_listed(world):
    entry = listed(world, "?model=gemini-4-argon&location=global&at=2026-11-28T00:00:00Z")["prices"][0]

    assert entry["nextChange"]["from"] == "2026-12-01"
    assert rate(entry["nextChange"]) == 2 * rate(entry)
    later = listed(world, "?model=gemini-4-argon&location=global&at=2026-12-01T00:00:00Z")["prices"][0]
    assert rate(later) == rate(entry["nextChange"])
    assert later["since"] == "2026-12-01"


@pytest.mark.parametrize(
    "query", ["?modle=x", "?location=nowhere", "?at=soon", "?model=a&model=b", "?location=us/../x"]
)
def test_a_wrong_parameter_is_refused(world, query):
    answer = world.get(PATH + query)

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")


def test_a_key_sees_the_prices_of_its_models_only(world):
    key = new_key(
        world, models=["gemini-2.5-*", "publishers/anthropic/models/claude-opus-5", "gemini-2.0-flash-001"]
    )

    found = listed(world, key=key)

    assert {each["model"] for each in found["prices"]} == {
        "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-flash-image",
        "claude-opus-5", "gemini-2.0-flash",
    }  # fmt: skip
    assert found.keys().isdisjoint({"overrides", "missing"})
    assert listed(world, "?model=gemini-3.5-flash", key=key)["prices"] == []
    answer = put(world, "gemini-2.5-flash", NEW, key=key)
    assert (answer.status_code, reason(answer)) == (403, "ADMIN_ONLY")


def test_rates_of_a_new_model_price_it(world, settled):
    put_chats(world)
    before = cost(world, settled(GLM))
    assert before["complete"] is False
    assert before["rows"]["unpriced"] > 0
    (missing,) = listed(world)["missing"]
    assert (missing["model"], missing["name"]) == ("glm-9-maas", before["name"])
    assert missing["terms"]["prices"][0]["batch"].keys() == {"input", "output"}
    assert missing["command"].endswith(f"-d '{json.dumps(missing['terms'], separators=(',', ':'))}'")
    assert put(world, "glm-9-maas", NEW, "?location=europe-west4").status_code == 200
    assert len(listed(world)["missing"]) == 1
    put(world, "glm-9-maas", at_rate("7"))
    assert len(listed(world)["missing"]) == 1, "its output has no price"

    answer = put(world, "glm-9-maas", NEW)

    assert answer.status_code == 200, answer.data
    version = answer.json["priceTable"]
    assert version.startswith(f"{TABLE.version}+")
    entry = only(world, "glm-9-maas")
    assert (entry["source"], entry["page"], rate(entry)) == (
        "override",
        "the agreement of 2026",
        Decimal("0.000007"),
    )
    assert listed(world)["missing"] == []
    for current in world._current:
        current._good_until = 0
    after = cost(world, settled(GLM))
    assert after["priceTable"] == version
    assert after["rows"]["unpriced"] == 0
    usage = after["usage"]
    assert Decimal(after["amount"]) == (7 * usage["inputTokens"] + 11 * usage["outputTokens"]) / Decimal(
        10**6
    )


def test_a_model_is_missing_while_a_location_that_used_it_has_no_price(world, settled):
    put_chats(world)
    here = world.record(settled(GLM))
    there = msgspec.structs.replace(
        here,
        key=msgspec.structs.replace(here.key, location="us-east5"),
        seen=msgspec.structs.replace(here.seen, name=here.seen.name.replace("us-central1", "us-east5")),
    )
    now = here.create_time
    for job in (there, here):
        note_missing_prices(job, world.settlement, now)
        now += timedelta(seconds=1)
    assert [each["name"] for each in listed(world)["missing"]] == [here.seen.name]

    put(world, "glm-9-maas", NEW, "?location=us-central1")
    assert [each["name"] for each in listed(world)["missing"]] == [there.seen.name]
    put(world, "glm-9-maas", NEW, "?location=us-east5")
    assert listed(world)["missing"] == []


def test_history_changes_by_a_reprice_only_and_can_be_looked_at_before(world, settled):
    job = settled()
    before = cost(world, job)
    assert put(world, "publishers/google", {"discount": "0.07"}).status_code == 200
    assert cost(world, job) == before

    shown = world.call("POST", "/v1/costs:reprice", json={**ALL_TIME, "validate_only": True}).json
    assert cost(world, job) == before
    done = world.call("POST", "/v1/costs:reprice", json=ALL_TIME).json

    assert shown["repriced"] == done["repriced"]
    (changed,) = done["repriced"]
    exact = Decimal(before["amount"]) * Decimal("0.93")
    assert abs(Decimal(changed["amount"]) - exact) <= Decimal("1e-9")
    after = cost(world, job)
    assert after["priceTable"] == done["price_table"]
    assert sum(Decimal(item["amount"]) for item in after["lineItems"]) == Decimal(after["amount"])
    assert world.call("POST", "/v1/costs:reprice", json=ALL_TIME).json["repriced"] == []


def test_a_reprice_says_which_amounts_lack_a_price(world, settled):
    settled()
    put(world, "gemini-2.5-flash", CACHED_ONLY)

    (lost,) = world.call("POST", "/v1/costs:reprice", json=ALL_TIME).json["repriced"]
    assert (lost["amount"], lost["unpriced"], lost["unpriced_before"]) == ("0", True, False)
    world.call("DELETE", f"{PATH}/gemini-2.5-flash")
    (found,) = world.call("POST", "/v1/costs:reprice", json=ALL_TIME).json["repriced"]
    assert (found["amount_before"], found["unpriced_before"], found["unpriced"]) == ("0", True, False)
    assert found["amount"] == lost["amount_before"] != "0"


def test_focus_has_list_and_contracted_cost(world, settled):
    put(world, "publishers/-", {"discount": "0.5"})
    for current in world._current:
        current._good_until = 0
    settled()

    today = datetime.now(UTC).date()
    span = f"start_time={today - timedelta(days=2)}T00:00:00Z&end_time={today + timedelta(days=2)}T00:00:00Z"
    for query in ("", "&group_by=job"):
        answer = world.get(f"/v1/costs:export?format=focus&{span}{query}")
        assert answer.status_code == 200, answer.data
        rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
        assert rows
        for cells in rows:
            contracted = Decimal(cells["ContractedCost"])
            # Each row is rounded to a nano-dollar.
            assert abs(Decimal(cells["ListCost"]) - 2 * contracted) <= Decimal("1e-9")
            assert contracted > 0
            assert cells["EffectiveCost"] == cells["ContractedCost"]
            assert Decimal(cells["ListUnitPrice"]) == 2 * Decimal(cells["ContractedUnitPrice"]) > 0


def test_the_more_specific_override_counts(world):
    put(world, "publishers/-", {"discount": "0.1"})
    assert only(world, "gemini-2.5-flash")["discount"] == "0.1"
    put(world, "publishers/google", {"discount": "0.2"})
    assert only(world, "gemini-2.5-flash")["discount"] == "0.2"
    assert only(world, "claude-opus-5")["discount"] == "0.1"
    put(world, "gemini-2.5-flash", {"discount": "0.3"})
    put(world, "gemini-2.5-flash", {"discount": "0.4"}, "?location=europe-west4")
    assert only(world, "gemini-2.5-flash")["discount"] == "0.3"
    assert only(world, "gemini-2.5-flash", "europe-west4")["discount"] == "0.4"
    put(world, "gemini-2.5-flash-001@default", NEW)
    entry = only(world, "gemini-2.5-flash")
    assert (entry["source"], rate(entry)) == ("override", Decimal("0.000007"))

    for name, query in (
        ("gemini-2.5-flash", "?location=europe-west4"),
        ("gemini-2.5-flash", ""),
        ("publishers/google", ""),
        ("publishers/-", ""),
    ):
        assert world.call("DELETE", f"{PATH}/{name}{query}").status_code == 200
    assert only(world, "gemini-2.5-flash")["source"] == "table"
    assert listed(world)["priceTable"] == TABLE.version
    answer = world.call("DELETE", f"{PATH}/publishers/-")
    assert (answer.status_code, reason(answer)) == (404, "OVERRIDE_UNKNOWN")


def test_an_override_from_before_the_table_knew_the_model_can_be_deleted(world):
    put(world, "gemini-9-001", NEW)
    table = json.loads(Path(prices.__file__).with_name("prices.json").read_bytes())
    table["models"]["gemini-9"] = table["models"]["gemini-3.5-flash"]
    world.prices = PriceTable.from_json(json.dumps({**table, "version": "2027-01-01"}).encode())
    assert only(world, "gemini-9")["source"] == "table"
    assert only(world, "gemini-9-001")["source"] == "override"

    assert world.call("DELETE", f"{PATH}/gemini-9-001").status_code == 200

    assert only(world, "gemini-9-001")["model"] == "gemini-9"


def test_what_callers_ask_for_does_not_fill_the_memory(world):
    put(world, "publishers/google", {"discount": "0.1"}, "?location=europe-west4")
    table = world._current[0]()
    for number in range(50):
        listed(world, f"?location=us-central{number}")
        table.layers(f"nobody-{number}", "global")

    assert len(table._layers) <= 2 * len(table.models)


def test_dates_hold(world):
    steps = [{"from": "2026-12-01", "discount": "0.07"}, {"from": "2027-01-01", "discount": "0.1"}]
    assert put(world, "gemini-3.5-flash", {"discounts": steps}).status_code == 200

    def at(day):
        return listed(world, f"?model=gemini-3.5-flash&location=global&at={day}T00:00:00Z")["prices"][0]

    assert [at(day)["discount"] for day in ("2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01")] == [
        None, "0.07", "0.07", "0.1",
    ]  # fmt: skip
    assert at("2026-11-30")["nextChange"]["from"] == "2026-12-01"
    assert rate(at("2026-12-01")) == rate(at("2026-11-30")) * Decimal("0.93")


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        ("gemini-2.5-flash", {"discount": 0.07}, "discount"),
        ("gemini-2.5-flash", {"discount": "1"}, "discount"),
        ("gemini-2.5-flash", {"discount": "-0.1"}, "discount"),
        ("gemini-2.5-flash", {"discount": "0.07", "until": "2027-01-01"}, "until"),
        ("gemini-2.5-flash", {"discount": "0.07", "from": "soon"}, "from"),
        ("gemini-2.5-flash", {"discounts": []}, "discounts"),
        ("gemini-2.5-flash", {}, "missing"),
        ("gemini-2.5-flash", {**NEW, "unit": "character"}, "unit"),
        ("gemini-2.5-flash", {**NEW, "context_threshold": 128000}, "context_threshold"),
        ("gemini-2.5-flash", {**NEW, "prices": []}, "prices"),
        ("gemini-9-new", {"discount": "0.07"}, "discount"),
        ("gemini-flash-latest", NEW, "stands for different models"),
        ("publishers/google", NEW, 'must have "discount"'),
        ("publishers/google", {}, '"from" and "source"'),
        ("gemini-9", at_rate("1000000"), "at most 6 digits before the point"),
        ("gemini-9", at_rate("1e6"), "gemini-9: from null: batch"),
        ("publishers/gogle", {"discount": "0.07"}, "publishers/google"),
        ("publishers", NEW, "publishers/google"),
        ("a~b", NEW, "name of a model"),
        ("other", NEW, "name of a model"),
        ("x" * 129, NEW, "name of a model"),
        ("gemini-9", {"discounts": [{"from": f"{n}-01-01", "discount": "0.1"} for n in YEARS]}, "bytes"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_refused(world, name, body, named):
    answer = put(world, name, body)

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert named in answer.json["error"]["message"]
    assert listed(world)["overrides"] == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"discount": "0.1", "discount": "0.2"}',
        b"{",
        b"[]",
        b"\xff",
        b'{"discount":"0.1","source":"\\ud800"}',
        b"[" * 50_000,
    ],
)
def test_a_body_that_is_no_json_is_refused(world, body):
    assert world.call("PUT", f"{PATH}/gemini-2.5-flash", data=body).status_code == 400
    assert listed(world)["overrides"] == []


def test_every_change_is_in_the_audit_trail(world):
    put(world, "publishers/google", {"discount": "0.07"})
    put(world, "publishers/google", {"discount": "0.08"}, "?location=global")
    put(world, "publishers/google", {"discount": "0.09"})
    world.call("DELETE", f"{PATH}/publishers/google")

    entries = [each for each in world.get("/audit").json["entries"] if each["action"].startswith("price.")]

    assert [each["action"] for each in entries] == ["price.delete", *["price.set"] * 3]
    assert [each["target"] for each in entries] == [
        "publishers/google in all locations",
        "publishers/google in all locations",
        "publishers/google in global",
        "publishers/google in all locations",
    ]

    def discount(side):
        return [each["change"][side] and each["change"][side]["terms"]["discount"] for each in entries]

    assert discount("before") == ["0.09", "0.07", None, None]
    assert discount("after") == [None, "0.09", "0.08", "0.07"]
    assert {each["actor"] for each in entries} == {"master"}


def test_overrides_are_read_at_most_once_a_minute_and_not_where_nothing_is_priced(world):
    job = world.created(job_body())
    world.get(path_of(job))
    world.get("/v1/costs?start_time=1600000000")
    assert world.price_store.reads == 0

    for _ in range(3):
        listed(world)
        world.create(job_body(), path=f"/v1/{PARENT}/batchPredictionJobs:estimateCost")
    assert world.price_store.reads == 1


def test_nothing_is_priced_while_the_overrides_are_unknown(world, settled):
    world.price_store.down = True

    answer = world.create(job_body(), path=f"/v1/{PARENT}/batchPredictionJobs:estimateCost")

    assert (answer.status_code, reason(answer)) == (503, "BOOKS_UNAVAILABLE")
    with pytest.raises(Exception, match="down"):
        settled()
    world.price_store.down = False
    assert cost(world, settled())["complete"]
