"""GET /v1/costs:reconcile, and the daily comparison of the sweep."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from batch_gateway.adapters.bigquery_billing import BigQueryBilling
from batch_gateway.core.accounting.settlement import DailyTotal, ItemTotal
from batch_gateway.core.spend.reconcile import Billed
from batch_gateway.ports import StoreUnavailableError, TablesUnavailableError
from batch_gateway.ports.billing import BillingExportError
from contract.bigquery_on_duckdb import BigQueryOnDuckDB
from contract.billing_rows import STANDARD, TABLE, standard_row
from functional.gateway.conftest import PROJECT, reason
from functional.gateway.scoped import new_key

FLASH = "gemini-3.8-flash"
OUTPUT = "Gemini 3.8 Flash Global Text Output - Batch Predictions"
NOW = datetime(2026, 12, 10, 12, tzinfo=UTC)
PATH = "/v1/costs:reconcile?start_time=2026-11-01T00:00:00Z&end_time=2026-12-01T00:00:00Z"


def configure(world, export=TABLE, **settings):
    world.settings = msgspec.structs.replace(world.settings, billing_export=export, **settings)
    world.client = world.new_client()


@pytest.fixture
def billed(world, monkeypatch):
    """A gateway that knows its bill, on a day in December."""
    configure(world)
    monkeypatch.setattr(world, "now", lambda: NOW)
    world.client = world.new_client()
    return world


def book(world, nano, day="2026-11-02", *, project=PROJECT, unpriced=0):
    """Has a total in the books."""
    total = DailyTotal(
        day=day,
        model=FLASH,
        api_key="k",
        team="",
        project=project,
        location="global",
        labels={},
        quarters={"0": nano},
        items={"output_text": ItemTotal(10, nano)},
        unpriced_rows=unpriced,
    )
    booked = [*world.store.list_totals("2000-01-01", "2100-01-01", {}), total]
    world.store.list_totals = lambda first, last, _: iter(
        [each for each in booked if first <= each.day <= last]
    )


def bill(world, cost, day="2026-11-02", **changes):
    """Has a row in the bill."""
    row = Billed(day, PROJECT, "SKU1", OUTPUT, "USD", Decimal(1), Decimal(cost), None, Decimal(0), Decimal(0))
    world.billing.rows.append(msgspec.structs.replace(row, **changes))
    world.billing.exported = NOW


def test_both_amounts_their_ratio_and_how_far_they_agree(billed):
    book(billed, 99_500_000_000)
    bill(billed, "100")
    answer = billed.get(PATH)
    assert answer.status_code == 200
    found = answer.json
    assert (found["ours"], found["google"], found["difference"], found["ratio"]) == (
        "99.5",
        "100",
        "-0.5",
        "0.995",
    )
    assert found["agrees_within_percent"] == "0.5"
    assert found["summary"] == "Our books and Google's bill agree within 0.5 %."
    assert found["lines"] == [
        {
            "day": "2026-11-02",
            "project": PROJECT,
            "model": FLASH,
            "item": "output",
            "ours": "99.5",
            "google": "100",
            "difference": "-0.5",
            "ratio": "0.995",
            "reasons": [],
            "skus": [{"sku": "SKU1", "description": OUTPUT, "amount": "100"}],
        }
    ]
    assert found["export"] == {
        "table": TABLE,
        "kind": "standard",
        "newest": int(NOW.timestamp()),
        "bytes_read": 1234,
    }


def test_within_is_rounded_up(billed):
    book(billed, 3_000_000_000_001)
    bill(billed, "3000")
    assert billed.get(PATH).json["agrees_within_percent"] == "0.01"


def test_reasons_come_with_what_they_mean(billed):
    book(billed, 10**9, unpriced=3)
    bill(billed, "2")
    found = billed.get(PATH).json
    assert found["lines"][0]["reasons"] == ["UNPRICED_ROWS"]
    assert "floor" in found["reasons"]["UNPRICED_ROWS"]


@pytest.mark.parametrize(
    ("ours", "google", "percent", "summary"),
    [
        (95, "100", "5", "Our books and Google's bill agree within 5 %."),
        (
            94,
            "100",
            "6",
            "Our books and Google's bill differ by 6 %: our books have 94 USD, and the bill has 100 USD.",
        ),
        (
            10,
            "1",
            "90",
            "Our books and Google's bill differ by 90 %: our books have 10 USD, and the bill has 1 USD.",
        ),
        (
            1,
            "10",
            "90",
            "Our books and Google's bill differ by 90 %: our books have 1 USD, and the bill has 10 USD.",
        ),
        (
            10,
            None,
            "100",
            "Google's bill has nothing for batch jobs on these days, and our books have 10 USD.",
        ),
        (
            10,
            "0",
            "100",
            "Google's bill comes to 0 for batch jobs on these days, and our books have 10 USD.",
        ),
        (
            0,
            "10",
            "100",
            "Our books have no amount for batch jobs on these days, and the bill has 10 USD.",
        ),
        (
            10,
            "-3",
            "100",
            "Credits or corrections are more than the costs: our books have 10 USD, and the bill has -3 USD.",
        ),
        (
            0,
            None,
            "0",
            "Neither our books nor Google's bill has an amount for batch jobs on these days.",
        ),
    ],
)
def test_the_summary_says_agree_only_where_the_sums_do(billed, ours, google, percent, summary):
    if ours:
        book(billed, ours * 10**9)
    if google:
        bill(billed, google)
    found = billed.get(PATH).json
    assert (found["agrees_within_percent"], found["summary"]) == (percent, summary)


def test_a_difference_just_above_the_limit_is_none_that_agrees(billed):
    book(billed, 94_999_999_999)
    bill(billed, "100")
    assert "differ by 5.01 %" in billed.get(PATH).json["summary"]


def test_a_currency_without_a_rate_is_shown_and_nothing_is_claimed(billed):
    book(billed, 10**9)
    bill(billed, "1")
    bill(billed, "150", currency="JPY", rate=None)
    found = billed.get(PATH).json
    assert [(row["amount"], row["currency"]) for row in found["unconverted"]] == [("150", "JPY")]
    assert "agree" not in found["summary"]
    assert found["agrees_within_percent"] is None
    assert [line["reasons"] for line in found["lines"]] == [["CURRENCY"]]
    assert "see unconverted" in found["reasons"]["CURRENCY"]


def test_only_the_projects_that_are_served_and_the_days_asked_for_are_compared(billed):
    book(billed, 10**9)
    book(billed, 5 * 10**9, project="not-served-any-more")
    book(billed, 7 * 10**9, day="2026-12-01")
    bill(billed, "1")
    assert billed.get(PATH).json["ours"] == "1"
    ((span, projects),) = billed.billing.asked
    assert (span.start.isoformat(), span.end.isoformat()) == (
        "2026-11-01T00:00:00+00:00",
        "2026-12-01T00:00:00+00:00",
    )
    assert projects == {PROJECT}


def test_the_last_midnight_is_the_end_by_default(billed):
    assert billed.get("/v1/costs:reconcile?start_time=2026-12-01T00:00:00Z").status_code == 200
    assert billed.billing.asked[0][0].end == datetime(2026, 12, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "start_time"),
        ("start_time=2026-11-01T01:00:00Z", "midnight"),
        ("start_time=2026-11-01T00:00:00Z&end_time=2026-11-02T00:00:01Z", "midnight"),
        ("start_time=2026-11-02T00:00:00Z&end_time=2026-11-02T00:00:00Z", "end_time"),
        ("start_time=2026-08-01T00:00:00Z", "93 days"),
        ("start_time=2026-12-01T00:00:00Z&model=x", "model"),
    ],
)
def test_a_wrong_parameter_is_named(billed, query, named):
    answer = billed.get(f"/v1/costs:reconcile?{query}")
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert named in answer.json["error"]["message"]
    assert billed.billing.asked == []


def test_more_groups_of_jobs_than_can_be_read_in_time_are_refused(billed, monkeypatch):
    monkeypatch.setattr("batch_gateway.gateway.costs.reconcile._MOST_TOTALS", 1)
    book(billed, 1)
    book(billed, 1, day="2026-11-03")
    answer = billed.get(PATH)
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")


def test_only_the_administrator_may_compare(billed):
    answer = billed.get(PATH, key=new_key(billed))
    assert (answer.status_code, reason(answer)) == (403, "ADMIN_ONLY")


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (BillingExportError("the table is gone"), 400, "BILLING_EXPORT_UNUSABLE"),
        (TablesUnavailableError("secret details"), 503, "BILLING_EXPORT_UNAVAILABLE"),
    ],
)
def test_a_bill_that_cannot_be_read(billed, error, status, expected):
    billed.billing.error = error
    answer = billed.get(PATH)
    assert (answer.status_code, reason(answer)) == (status, expected)
    assert "secret details" not in answer.text


def test_without_a_setting_there_is_nothing_to_compare_with(world):
    answer = world.get(PATH)
    assert (answer.status_code, reason(answer)) == (400, "BILLING_EXPORT_NOT_CONFIGURED")
    assert world.billing.asked == []


def test_the_whole_way_with_the_real_client(billed):
    emulator = BigQueryOnDuckDB()
    try:
        emulator.write(
            f"bq://{TABLE}", STANDARD, [standard_row(100.0, credits_=[("DISCOUNT", -1.0)])], partitioned=""
        )
        billed.billing = BigQueryBilling(TABLE, "gateway-project", emulator.url)
        book(billed, 99 * 10**9)
        found = billed.get(PATH).json
        assert (found["ours"], found["google"], found["discounts"]) == ("99", "99", "-1")
    finally:
        emulator.stop()


# The daily comparison


def sweep(world, capsys):
    """Run a sweep; return the lines about the bill."""
    capsys.readouterr()
    assert world.call("POST", "/internal/reconcile").status_code == 200
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event", "").startswith("bill.")]


def test_the_sweep_compares_once_a_day(billed, capsys):
    book(billed, 95_000_000_000, day="2026-11-20")
    bill(billed, "100", day="2026-11-20")
    (line,) = sweep(billed, capsys)
    assert line["event"] == "bill.compared"
    assert (line["ours_usd"], line["google_usd"], line["drift_percent"]) == (95, 100, 5)
    # Days that are late in the export, or whose jobs may still run, are left out.
    assert (line["start"], line["end"]) == ("2026-11-09", "2026-12-07")
    assert sweep(billed, capsys) == []
    billed.now = lambda: NOW + timedelta(days=1)
    billed.client = billed.new_client()
    assert len(sweep(billed, capsys)) == 1


def test_a_bill_without_anything_is_all_drift_and_two_empty_sides_are_none(billed, capsys):
    (line,) = sweep(billed, capsys)
    assert line["drift_percent"] == 0
    book(billed, 10**9, day="2026-11-20")
    billed.now = lambda: NOW + timedelta(days=1)
    billed.client = billed.new_client()
    (line,) = sweep(billed, capsys)
    assert line["drift_percent"] == 100


def test_a_drift_is_of_the_larger_side_and_not_told_while_a_currency_has_no_rate(billed, capsys):
    book(billed, 10**9, day="2026-11-20")
    bill(billed, "10", day="2026-11-20")
    (line,) = sweep(billed, capsys)
    assert line["drift_percent"] == 90
    bill(billed, "1500", day="2026-11-20", currency="JPY", rate=None)
    billed.now = lambda: NOW + timedelta(days=1)
    billed.client = billed.new_client()
    (line,) = sweep(billed, capsys)
    assert line["drift_percent"] is None


@pytest.mark.parametrize(
    "error", [BillingExportError("gone"), TablesUnavailableError("down"), StoreUnavailableError("down")]
)
def test_a_failure_does_not_fail_the_sweep_and_is_tried_again_tomorrow(billed, capsys, error):
    billed.billing.error = error
    (line,) = sweep(billed, capsys)
    assert (line["event"], line["severity"]) == ("bill.failed", "ERROR")
    assert sweep(billed, capsys) == []


def test_without_a_setting_the_sweep_compares_nothing(world, capsys):
    assert sweep(world, capsys) == []
    assert world.billing.asked == []
