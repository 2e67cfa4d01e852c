"""The BillingExport port: the real client of BigQuery, on real SQL, over rows of the documented schemas."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from batch_gateway.adapters.bigquery_billing import MOST_BYTES, BigQueryBilling
from batch_gateway.core.spend.time_buckets import Span
from batch_gateway.ports import TablesUnavailableError
from batch_gateway.ports.billing import BillingExportError
from contract.bigquery_on_duckdb import BigQueryOnDuckDB
from contract.billing_rows import FLASH_OUT, FOCUS, STANDARD, TABLE, at, focus_row, standard_row
from fakes import MemoryBilling

NOVEMBER = Span(at(1), datetime(2026, 12, 1, tzinfo=UTC))
PROJECTS = frozenset({"acme-batch", "acme-research"})
URI = f"bq://{TABLE}"


@pytest.fixture(scope="module")
def emulator():
    running = BigQueryOnDuckDB()
    yield running
    running.stop()


@pytest.fixture
def bigquery(emulator):
    emulator.asked.clear()
    emulator.bytes_read, emulator.refuse = 1234, None
    return emulator


def read(bigquery, rows, columns=STANDARD, partitioned=""):
    by = partitioned or ("_PARTITIONTIME" if columns == STANDARD else None)
    bigquery.write(URI, columns, rows, partitioned=by, location="EU")
    return BigQueryBilling(TABLE, "gateway-project", bigquery.url).read(NOVEMBER, PROJECTS)


def test_rows_of_the_same_day_project_and_sku_are_added_up(bigquery):
    found = read(bigquery, [standard_row(0.1), standard_row(0.2, hour=6), standard_row(4, day=3)])
    assert found.kind == "standard"
    assert {(row.day, row.project, row.description): row.cost for row in found.rows} == {
        ("2026-11-02", "acme-batch", FLASH_OUT): Decimal("0.3"),
        ("2026-11-03", "acme-batch", FLASH_OUT): Decimal(4),
    }
    assert found.exported == at(4)
    assert found.bytes == 1234


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (STANDARD, standard_row(100.0, credits_=[("DISCOUNT", -7.0), (None, -1.0), ("PROMOTION", -50.0)])),
        (FOCUS, focus_row(42, credits_=[("DISCOUNT", -7), (None, -1), ("PROMOTION", -50)], ListCost=100)),
    ],
)
def test_credits_lower_the_cost_but_promotions_do_not(bigquery, columns, row):
    (found,) = read(bigquery, [row], columns).rows
    assert (found.cost, found.discounts, found.promotions, found.at_list) == (92, -8, -50, 100)
    assert (found.currency, found.rate) == ("USD", 1)


def test_the_focus_export_is_known_by_its_columns(bigquery):
    found = read(
        bigquery, [focus_row(3), focus_row(1, ChargeCategory="Tax")], FOCUS, partitioned="x_ExportTime"
    )
    assert (found.kind, [row.cost for row in found.rows], found.exported) == ("focus", [3], at(3))


def test_a_focus_export_without_the_project_s_record_has_it_as_sub_account(bigquery):
    columns = {name: of for name, of in FOCUS.items() if name != "x_Project"}
    (row,) = read(bigquery, [focus_row(3)], columns).rows
    assert row.project == "acme-batch"


def test_claude_is_a_service_of_its_own_and_other_services_are_not_read(bigquery):
    claude = standard_row(
        2.0, sku="Claude Opus 4.5 Input Tokens - Batch", service=("AAAA", "Claude Opus 4.5")
    )
    renamed = standard_row(1.0, service=("C7E2-9256-1C43", "Another name"))
    storage = standard_row(5.0, sku="Standard Storage", service=("95FF-2EF5-5EA1", "Cloud Storage"))
    assert sorted(row.cost for row in read(bigquery, [claude, renamed, storage]).rows) == [1, 2]


def test_taxes_other_projects_and_other_days_are_left_out(bigquery):
    rows = [
        standard_row(1.0),
        standard_row(2.0, cost_type="tax"),
        standard_row(3.0, cost_type="rounding_error"),
        standard_row(-0.25, cost_type="adjustment"),
        standard_row(4.0, project={"id": "others", "number": "1", "name": "Others"}),
        standard_row(5.0, usage_start_time=datetime(2026, 12, 1, tzinfo=UTC)),
        standard_row(6.0, usage_start_time=datetime(2026, 10, 31, 23, tzinfo=UTC)),
    ]
    assert [row.cost for row in read(bigquery, rows).rows] == [Decimal("0.75")]


def test_another_currency_comes_with_its_rate_and_list_prices_may_be_missing(bigquery):
    columns = {name: of for name, of in STANDARD.items() if name != "cost_at_list"}
    euro = standard_row(9.2, currency="EUR", currency_conversion_rate=0.92)
    (found,) = read(bigquery, [euro, euro], columns, "_PARTITIONTIME").rows
    assert (found.cost, found.currency, found.rate, found.at_list) == (
        Decimal("18.4"),
        "EUR",
        Decimal("0.92"),
        None,
    )


def test_amounts_are_exact_to_the_nano_dollar(bigquery):
    (row,) = read(bigquery, [standard_row(0.000000001) for _ in range(3)]).rows
    assert row.cost == Decimal("0.000000003")


@pytest.mark.parametrize("column", ["_PARTITIONTIME", "export_time"])
def test_only_partitions_of_the_span_are_read(bigquery, column):
    old = standard_row(7.0, **{column: datetime(2026, 10, 30, tzinfo=UTC)})
    late = standard_row(1.0, **{column: datetime(2026, 12, 20, tzinfo=UTC)})
    # A row that is older than its usage cannot be; that it is not found shows that its partition is not read.
    assert [row.cost for row in read(bigquery, [old, late], partitioned=column).rows] == [1]
    assert re.search(rf"`{column}` >= TIMESTAMP '2026-10-31", bigquery.sql()[-1])


def test_one_query_with_a_limit_is_asked(bigquery):
    read(bigquery, [standard_row(1.0)])
    (body,) = [body for method, _, body in bigquery.asked if method == "POST"]
    assert (body["maximumBytesBilled"], body["location"]) == (str(MOST_BYTES), "EU")


def test_a_query_that_would_read_too_much_is_not_run(bigquery):
    bigquery.bytes_read = MOST_BYTES + 1
    with pytest.raises(BillingExportError, match="Ask for fewer days"):
        read(bigquery, [standard_row(1.0)])


def test_an_answer_that_is_too_long_is_refused(bigquery, monkeypatch):
    monkeypatch.setattr("batch_gateway.adapters.bigquery_billing.MOST_ROWS", 1)
    with pytest.raises(BillingExportError, match="Ask for fewer days"):
        read(bigquery, [standard_row(1.0), standard_row(1.0, day=3)])


def test_another_table_is_refused(bigquery):
    with pytest.raises(BillingExportError, match="does not have the columns"):
        read(bigquery, [], {"response": "JSON", "status": "STRING"})


def test_a_missing_table_and_a_missing_right_say_what_to_do(bigquery):
    export = BigQueryBilling("p-1.d.not_there", "gateway-project", bigquery.url)
    with pytest.raises(BillingExportError, match="does not exist"):
        export.read(NOVEMBER, PROJECTS)
    bigquery.refuse = 403, "accessDenied"
    with pytest.raises(BillingExportError, match=r"roles/bigquery\.dataViewer"):
        export.read(NOVEMBER, PROJECTS)


def test_a_silent_bigquery_is_unavailable(bigquery):
    bigquery.refuse = 400, "invalidQuery"
    with pytest.raises(TablesUnavailableError):
        BigQueryBilling(TABLE, "gateway-project", bigquery.url).read(NOVEMBER, PROJECTS)


def test_the_one_in_memory_keeps_the_same_promises(bigquery):
    rows = [standard_row(1.0), standard_row(2.0, day=3), standard_row(3.0, usage_start_time=NOVEMBER.end)]
    memory = MemoryBilling()
    real = read(bigquery, rows)
    memory.rows, memory.exported = real.rows, real.exported
    for span in (NOVEMBER, Span(at(2), at(3)), Span(at(20), at(21))):
        mine = memory.read(span, PROJECTS)
        theirs = BigQueryBilling(TABLE, "gateway-project", bigquery.url).read(span, PROJECTS)
        assert sorted(mine.rows, key=repr) == sorted(theirs.rows, key=repr)
        assert mine.exported is None if not theirs.rows else mine.kind == theirs.kind
    assert memory.read(NOVEMBER, frozenset({"others"})).rows == []
