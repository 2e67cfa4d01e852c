"""A FOCUS file, held against the columns of the specification (tests/fixtures/focus says where from)."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.accounting.settlement import DailyTotal, ItemTotal
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import cost_of
from batch_gateway.core.spend import focus
from batch_gateway.core.spend.entries import Entry, entries_of_job
from batch_gateway.core.usage import Rows, Tokens, Usage, quantities_of

SPECIFICATION = json.loads((Path(__file__).parents[2] / "fixtures" / "focus" / "focus_1_2.json").read_text())
COLUMNS = SPECIFICATION["columns"]
TABLE = prices.load()
FLASH, PRO, LITE, EMBEDDING = (
    "gemini-2.5-flash",
    "gemini-2.5-pro",
    "gemini-3.1-flash-lite",
    "text-embedding-005",
)
NOT_OURS_TO_KNOW = {"BilledCost", "BillingAccountId", "BillingAccountType"}
"""May not be null by the specification, and are: see the module."""
OF_UNPRICED = {
    *("EffectiveCost", "ListCost", "ContractedCost", "ListUnitPrice", "ContractedUnitPrice"),
    *("PricingCurrencyListUnitPrice", "PricingCurrencyContractedUnitPrice"),
}
"""Likewise, of usage without a price."""
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def cell(items, model=FLASH, **changes):
    given = {
        "day": "2026-12-31",
        "model": model,
        "api_key": "nightly",
        "team": "search",
        "project": "acme-batch",
        "location": "us-central1",
        "labels": {"env": "prod"},
        "quarters": {"40": sum(item.amount_nano for item in items.values())},
        "items": items,
    }
    return DailyTotal(**{**given, **changes})


def job(*quantities, model=FLASH, location="us-central1"):
    used = [((model, *key), (units, 1)) for *key, units in quantities]
    usage = Usage(Rows(succeeded=1), Tokens(), quantities_of(used))
    created = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    name = "projects/1/locations/x/batchPredictionJobs/7"
    seen = Observation(name, "JOB_STATE_SUCCEEDED", display_name="nightly")
    key = JobKey("acme-batch", location, "7")
    cost = cost_of(usage, TABLE, location=location, at=created)
    return JobRecord(key, seen, created, api_key="nightly", team="search", usage=usage, cost=cost)


def rows(entry):
    return [dict(zip(focus.COLUMNS, row, strict=True)) for row in focus.rows(entry, TABLE)]


def of_job(record):
    return [row for entry in entries_of_job(record) for row in rows(entry)]


def check(row):
    """Everything that the specification's table of each column asks."""
    unpriced = row["x_Unpriced"] == "true"
    excused = NOT_OURS_TO_KNOW | (OF_UNPRICED if unpriced else set())
    for name, column in COLUMNS.items():
        value = row[name]
        if value == "":
            needed = not column["nullable"] or name in SPECIFICATION["usage"]
            assert not needed or name in excused, name
        elif column["type"] == "Decimal":
            assert NUMBER.fullmatch(value), name
        elif column["type"] == "Date/Time":
            assert TIME.fullmatch(value), name
        elif column["type"] == "JSON":
            assert all(isinstance(each, str) for each in json.loads(value).values()), name
        if value and "allowed" in column:
            assert value in column["allowed"], name
    if not unpriced:
        product = Decimal(row["ListUnitPrice"]) * Decimal(row["PricingQuantity"])
        assert abs(product - Decimal(row["ListCost"])) <= Decimal("1e-9")


def test_the_columns_are_the_specifications_in_its_order_then_ours():
    assert list(focus.COLUMNS[: len(COLUMNS)]) == list(COLUMNS)
    assert all(name.startswith("x_") for name in focus.COLUMNS[len(COLUMNS) :])
    assert len(COLUMNS) == 57


def test_a_row_of_a_cell():
    entry = Entry(cell({"input_text": ItemTotal(1_500_000, 225_000_000)}))
    (row,) = rows(entry)
    check(row)
    assert {name: value for name, value in row.items() if value} == {
        "BillingCurrency": "USD",
        "BillingPeriodEnd": "2027-01-01T00:00:00Z",
        "BillingPeriodStart": "2026-12-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeDescription": "gemini-2.5-flash: input_text, batch",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2027-01-01T00:00:00Z",
        "ChargePeriodStart": "2026-12-31T00:00:00Z",
        "ConsumedQuantity": "1500000",
        "ConsumedUnit": "Tokens",
        "ContractedCost": "0.225",
        "ContractedUnitPrice": "0.15",
        "EffectiveCost": "0.225",
        "InvoiceIssuerName": "Google Cloud",
        "ListCost": "0.225",
        "ListUnitPrice": "0.15",
        "PricingCategory": "Standard",
        "PricingCurrency": "USD",
        "PricingCurrencyContractedUnitPrice": "0.15",
        "PricingCurrencyEffectiveCost": "0.225",
        "PricingCurrencyListUnitPrice": "0.15",
        "PricingQuantity": "1.5",
        "PricingUnit": "1000000 Tokens",
        "ProviderName": "Google Cloud",
        "PublisherName": "Google Cloud",
        "RegionId": "us-central1",
        "RegionName": "us-central1",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "Vertex AI",
        "ServiceSubcategory": "Generative AI",
        "SkuId": "gemini-2.5-flash/input_text",
        "SkuMeter": "input_text",
        "SkuPriceDetails": '{"x_Mode":"batch","x_Place":"regional"}',
        "SkuPriceId": "gemini-2.5-flash/input_text/batch/regional",
        "SubAccountId": "acme-batch",
        "SubAccountType": "Project",
        "Tags": '{"batch-gateway/api_key":"nightly","batch-gateway/team":"search","env":"prod"}',
        "x_ApiKey": "nightly",
        "x_Item": "input_text",
        "x_Model": "gemini-2.5-flash",
        "x_Team": "search",
        "x_Unpriced": "false",
    }


def test_rows_of_a_job_know_window_and_job():
    short, long = of_job(job(("0-200k", "input_text", 1000), ("200k-1M", "input_text", 1000), model=PRO))
    check(short)
    check(long)
    assert [row["x_ContextWindow"] for row in (short, long)] == ["0-200k", "200k-1M"]
    assert [row["ListUnitPrice"] for row in (short, long)] == ["0.625", "1.25"]
    assert short["SkuId"] == long["SkuId"]
    assert long["SkuPriceId"] == "gemini-2.5-pro/input_text/batch/regional/200k-1M"
    assert long["ResourceId"] == (
        "//aiplatform.googleapis.com/projects/acme-batch/locations/us-central1/batchPredictionJobs/7"
    )
    assert (long["ResourceName"], long["ResourceType"]) == ("nightly", "Batch prediction job")
    assert long["ChargePeriodStart"] == "2026-11-22T00:00:00Z"
    assert long["ChargePeriodEnd"] == "2026-11-23T00:00:00Z"


def test_a_job_of_two_models_has_each_line_once():
    one, other = job(("0-200k", "input_text", 10)), job(("0-200k", "input_text", 10), model=PRO)
    both = msgspec.structs.replace(one.cost, line_items=one.cost.line_items + other.cost.line_items)
    found = of_job(msgspec.structs.replace(one, cost=both))
    assert [(row["x_Model"], row["SkuId"]) for row in found] == [
        (FLASH, f"{FLASH}/input_text"),
        (PRO, f"{PRO}/input_text"),
    ]


def test_characters_are_priced_by_the_thousand():
    (row,) = of_job(job(("", "input_text", 1500), model=EMBEDDING))
    check(row)
    assert (row["ConsumedUnit"], row["PricingUnit"]) == ("Characters", "1000 Characters")
    assert (row["PricingQuantity"], row["ListUnitPrice"], row["ListCost"]) == ("1.5", "0.00002", "0.00003")


def test_global_is_no_region():
    (row,) = rows(Entry(cell({"input_text": ItemTotal(10, 1500)}, location="global")))
    assert (row["RegionId"], row["RegionName"]) == ("", "")
    assert json.loads(row["SkuPriceDetails"])["x_Place"] == "global"


def test_a_blended_price_is_no_price():
    """A cell with short and long prompts has no unit price; what it cost stands all the same."""
    mixed = ItemTotal(2000, 1000 * 625 + 1000 * 1250)
    (row,) = rows(Entry(cell({"input_text": mixed}, PRO)))
    assert (row["ListUnitPrice"], row["EffectiveCost"], row["x_Unpriced"]) == ("", "0.001875", "false")


def test_usage_without_a_price_costs_nothing_that_is_known():
    entry = Entry(cell({"input_text": ItemTotal(10, 0)}, "mystery-1"))
    (row,) = rows(entry)
    check(row)
    assert (row["EffectiveCost"], row["ListCost"], row["x_Unpriced"]) == ("", "", "true")


def test_usage_of_which_a_part_has_no_price_is_a_floor():
    """The cost of one job's rows stands, and that another's have no price is said."""
    items = {"input_text": ItemTotal(20, 20 * 150), "output_text": ItemTotal(20, 7)}
    found = {row["x_Item"]: row for row in rows(Entry(cell(items, unpriced_rows=1)))}
    assert (found["output_text"]["EffectiveCost"], found["output_text"]["x_Unpriced"]) == (
        "0.000000007",
        "true",
    )
    assert found["input_text"]["x_Unpriced"] == "false", "all of it has a price"


def test_what_is_free_costs_nought():
    (row,) = rows(Entry(cell({"input_grounding": ItemTotal(10, 0)})))
    check(row)
    assert (row["EffectiveCost"], row["ListUnitPrice"], row["x_Unpriced"]) == ("0", "0", "false")


def test_what_was_taken_back_has_no_row():
    assert rows(Entry(cell({"input_text": ItemTotal(0, 0)}))) == []


def test_no_label_can_pass_for_a_tag_of_ours():
    labels = {"team": "x", "api_key": "k0"}
    (row,) = rows(Entry(cell({"input_text": ItemTotal(10, 1500)}, labels=labels, team="", api_key="")))
    assert json.loads(row["Tags"]) == labels


@pytest.mark.parametrize("day", ["2026-02-28", "2026-02-01", "2024-02-29", "2026-01-31"])
def test_the_billing_period_is_the_month(day):
    (row,) = rows(Entry(cell({"input_text": ItemTotal(10, 1500)}, day=day)))
    assert row["BillingPeriodStart"] == f"{day[:7]}-01T00:00:00Z"
    month = int(day[5:7]) + 1
    assert row["BillingPeriodEnd"] == f"{day[:5]}{month:02d}-01T00:00:00Z"


quantities = st.lists(
    st.tuples(
        st.sampled_from(["0-200k", "200k-1M"]),
        st.sampled_from(["input_text", "cached_input_text", "output_text", "input_audio"]),
        st.integers(1, 10**9),
    ),
    max_size=4,
)


@given(
    quantities, st.sampled_from([FLASH, PRO, LITE, "mystery-1"]), st.sampled_from(["global", "us-central1"])
)
def test_rows_of_any_job_conform_and_add_up(quantities, model, location):
    record = job(*quantities, model=model, location=location)
    found = of_job(record)
    for row in found:
        check(row)
    assert sum(Decimal(row["EffectiveCost"] or 0) for row in found) * 10**9 == record.cost.amount_nano
    used = sum(each.quantity for each in record.usage.quantities)
    assert sum(int(row["ConsumedQuantity"]) for row in found) == used


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=20), st.sampled_from([FLASH, LITE]))
def test_a_cell_of_one_price_has_it(sizes, model):
    jobs = [job(("0-200k", "cached_input_text", size), model=model, location="global") for size in sizes]
    total = ItemTotal(sum(sizes), sum(each.cost.amount_nano for each in jobs))
    quarters = {str(number): each.cost.amount_nano for number, each in enumerate(jobs)}
    of_cell = cell({"cached_input_text": total}, model, location="global", quarters=quarters)
    (row,) = rows(Entry(of_cell))
    assert row["ListUnitPrice"] == of_job(jobs[0])[0]["ListUnitPrice"] != ""
