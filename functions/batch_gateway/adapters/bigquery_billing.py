"""Read the Cloud Billing export in BigQuery, by one bounded query.

The columns are those of "Structure of Standard data export" (the detailed export has them, too) and of
"Structure of FOCUS data export" (Preview; schema of 2026-07-10) of Google's documentation. Which one a table
is shows in its columns. What they mean by each other is in Google's own FOCUS view for BigQuery (2024-03-19):
``ChargeDescription`` is ``sku.description``, and ``BilledCost`` is ``cost`` with all ``credits``.

Claude models are services of their own (``Claude Opus 4.5``) rather than part of Vertex AI, by public queries
of bills. Taxes and rounding errors (``cost_type``) are no part of a price.

An export is never loaded before the usage, so that partitions from before the span are not read. What the
query may read is limited besides: a table without partitions costs no more than that either.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from google.api_core.exceptions import (
    BadRequest,
    Forbidden,
    GoogleAPICallError,
    InternalServerError,
    NotFound,
    RetryError,
)
from google.auth.exceptions import GoogleAuthError
from google.cloud.bigquery import DEFAULT_RETRY, QueryJobConfig, Table
from requests.exceptions import RequestException

from batch_gateway.adapters.bigquery import connect
from batch_gateway.core.spend.reconcile import Billed
from batch_gateway.core.spend.time_buckets import Span
from batch_gateway.ports import TablesUnavailableError
from batch_gateway.ports.billing import Bill, BillingExportError

MOST_BYTES = 20 * 10**9
"""Most bytes that a query may read: some 12 cents ("BigQuery pricing", USD 6.25 a TiB)."""
MOST_ROWS = 20_000
"""Most rows of an answer: days times projects times SKUs."""
_SECONDS = 15.0
_VERTEX_AI = "C7E2-9256-1C43"
"""Id of the service Vertex AI in Google's catalogue of services; its description may change."""

_KINDS: dict[Literal["standard", "focus"], frozenset[str]] = {
    "standard": frozenset(
        {
            *("cost", "cost_type", "credits", "currency", "currency_conversion_rate", "export_time"),
            *("project", "service", "sku", "usage_start_time"),
        }
    ),
    "focus": frozenset(
        {
            *("billedcost", "billingcurrency", "chargecategory", "chargedescription", "chargeperiodstart"),
            *("listcost", "servicename", "skuid", "subaccountid", "x_credits", "x_currencyconversionrate"),
            *("x_exporttime", "x_serviceid"),
        }
    ),
}
"""Columns that the query needs, by kind of export."""

# No alias is the name of a column: GROUP BY would take the column.
_STANDARD = """
SELECT FORMAT_DATE('%F', DATE(usage_start_time)) AS usage_day, project.id AS project_id, sku.id AS sku_id,
  sku.description AS sku_text, currency AS bill_currency,
  CAST(currency_conversion_rate AS STRING) AS bill_rate,
  SUM(CAST(cost AS NUMERIC)
    + IFNULL((SELECT SUM(CAST(credit.amount AS NUMERIC)) FROM UNNEST(credits) AS credit
      WHERE IFNULL(credit.type, '') != 'PROMOTION'), 0)) AS net,
  {at_list} AS at_list,
  SUM(IFNULL((SELECT SUM(CAST(credit.amount AS NUMERIC)) FROM UNNEST(credits) AS credit
    WHERE IFNULL(credit.type, '') != 'PROMOTION'), 0)) AS discounts,
  SUM(IFNULL((SELECT SUM(CAST(credit.amount AS NUMERIC)) FROM UNNEST(credits) AS credit
    WHERE credit.type = 'PROMOTION'), 0)) AS promotions,
  UNIX_SECONDS(MAX(export_time)) AS exported
FROM `{table}`
WHERE {partition}usage_start_time >= TIMESTAMP '{start}' AND usage_start_time < TIMESTAMP '{end}'
  AND (service.id = '{service}' OR STARTS_WITH(service.description, 'Claude'))
  AND cost_type IN ('regular', 'adjustment') AND project.id IN ({projects})
GROUP BY usage_day, project_id, sku_id, sku_text, bill_currency, bill_rate
LIMIT {limit}"""

_FOCUS = """
SELECT FORMAT_DATE('%F', DATE(ChargePeriodStart)) AS usage_day, {project} AS project_id, SkuId AS sku_id,
  ChargeDescription AS sku_text, BillingCurrency AS bill_currency,
  CAST(x_CurrencyConversionRate AS STRING) AS bill_rate,
  SUM(CAST(BilledCost AS NUMERIC)
    - IFNULL((SELECT SUM(CAST(credit.Amount AS NUMERIC)) FROM UNNEST(x_Credits) AS credit
      WHERE credit.Type = 'PROMOTION'), 0)) AS net,
  SUM(CAST(ListCost AS NUMERIC)) AS at_list,
  SUM(IFNULL((SELECT SUM(CAST(credit.Amount AS NUMERIC)) FROM UNNEST(x_Credits) AS credit
    WHERE IFNULL(credit.Type, '') != 'PROMOTION'), 0)) AS discounts,
  SUM(IFNULL((SELECT SUM(CAST(credit.Amount AS NUMERIC)) FROM UNNEST(x_Credits) AS credit
    WHERE credit.Type = 'PROMOTION'), 0)) AS promotions,
  UNIX_SECONDS(MAX(x_ExportTime)) AS exported
FROM `{table}`
WHERE {partition}ChargePeriodStart >= TIMESTAMP '{start}' AND ChargePeriodStart < TIMESTAMP '{end}'
  AND (x_ServiceId = '{service}' OR STARTS_WITH(ServiceName, 'Claude'))
  AND ChargeCategory != 'Tax' AND {project} IN ({projects})
GROUP BY usage_day, project_id, sku_id, sku_text, bill_currency, bill_rate
LIMIT {limit}"""


class BigQueryBilling:
    """The BillingExport port.

    Args:
        table: ``PROJECT.DATASET.TABLE`` of the export.
        project: Id of the project that runs the query and pays for it.
        emulator: URL of an emulator (``BIGQUERY_EMULATOR_HOST``), which needs no credentials.
    """

    def __init__(self, table: str, project: str, emulator: str | None = None) -> None:
        self._name = table
        self._client = connect(project, emulator)

    def read(self, span: Span, projects: frozenset[str]) -> Bill:
        try:
            return self._read(span, projects)
        except NotFound as error:
            raise BillingExportError(
                f"the table {self._name} does not exist. Check general_settings.billing_export, and whether "
                "the export has begun, which takes some hours"
            ) from error
        except Forbidden as error:
            raise BillingExportError(
                f"the gateway's account lacks permission to read {self._name}: {error.message}. It needs "
                "roles/bigquery.dataViewer on the dataset and bigquery.jobs.create in its own project"
            ) from error
        except (BadRequest, InternalServerError) as error:
            if "bytesBilledLimitExceeded" not in str(error.errors):
                raise TablesUnavailableError(str(error)) from error
            raise BillingExportError(
                f"the query would read more than {MOST_BYTES // 10**9} GB of {self._name}. Ask for fewer "
                "days, or partition the table by day"
            ) from error
        except (GoogleAPICallError, GoogleAuthError, RetryError, RequestException, TimeoutError) as error:
            raise TablesUnavailableError(str(error)) from error

    def _read(self, span: Span, projects: frozenset[str]) -> Bill:
        table = self._client.get_table(
            self._name, retry=DEFAULT_RETRY.with_timeout(_SECONDS), timeout=_SECONDS
        )
        columns = {field.name.lower() for field in table.schema}
        kind = next((kind for kind, needed in _KINDS.items() if needed <= columns), None)
        if kind is None:
            raise BillingExportError(
                f"the table {self._name} does not have the columns of a Cloud Billing export (standard, "
                "detailed or FOCUS)"
            )
        found = self._client.query_and_wait(
            billing_query(self._name, table, kind, span, projects),
            location=table.location,
            job_config=QueryJobConfig(maximum_bytes_billed=MOST_BYTES, job_timeout_ms=int(_SECONDS * 1000)),
            api_timeout=_SECONDS,
            wait_timeout=_SECONDS,
            retry=DEFAULT_RETRY.with_timeout(_SECONDS),
            job_retry=DEFAULT_RETRY.with_predicate(lambda _: False),
        )
        rows = list(found)
        if len(rows) > MOST_ROWS:
            raise BillingExportError(
                f"the bill has more than {MOST_ROWS:,} days, projects and SKUs. Ask for fewer days"
            )
        newest = max((row["exported"] for row in rows), default=None)
        return Bill(
            kind,
            [_billed(row) for row in rows],
            None if newest is None else datetime.fromtimestamp(newest, UTC),
            found.total_bytes_processed or 0,
        )


def billing_query(
    name: str, table: Table, kind: Literal["standard", "focus"], span: Span, projects: frozenset[str]
) -> str:
    """Return the query, in GoogleSQL: a row for each day, project, SKU, currency and rate."""
    columns = {field.name.lower() for field in table.schema}
    return {"standard": _STANDARD, "focus": _FOCUS}[kind].format(
        table=name,
        partition=_partition(table, span),
        at_list="SUM(CAST(cost_at_list AS NUMERIC))" if "cost_at_list" in columns else "NULL",
        project="x_Project.Id" if "x_project" in columns else "SubAccountId",
        projects=", ".join(f"'{project}'" for project in sorted(projects)),
        service=_VERTEX_AI,
        start=_literal(span.start),
        end=_literal(span.end),
        limit=MOST_ROWS + 1,
    )


def _partition(table: Table, span: Span) -> str:
    """Return the condition that leaves out partitions from before the span; a day is for other time zones."""
    partitioning = table.time_partitioning
    if partitioning is None:
        return ""
    column = partitioning.field or "_PARTITIONTIME"
    kinds = {field.name: field.field_type for field in table.schema}
    first = _literal(span.start - timedelta(days=1))
    literal = f"DATE '{first[:10]}'" if kinds.get(column) == "DATE" else f"TIMESTAMP '{first}'"
    return f"`{column}` >= {literal}\n  AND "


def _literal(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _billed(row: Any) -> Billed:
    return Billed(
        row["usage_day"],
        row["project_id"],
        row["sku_id"] or "",
        row["sku_text"] or "",
        row["bill_currency"] or "",
        Decimal(row["bill_rate"]) if row["bill_rate"] else None,
        row["net"] or Decimal(0),
        row["at_list"],
        row["discounts"] or Decimal(0),
        row["promotions"] or Decimal(0),
    )
