"""Rows of Cloud Billing exports, in the documented schema.

"Structure of Standard data export" and "Structure of FOCUS data export" (Preview) of Google's documentation;
only the columns that are read and some beside them.
"""

from datetime import UTC, datetime

TABLE = "billing-project.billing.gcp_billing_export_v1_01AB23_45CD67_89EF01"
FLASH_OUT = "Gemini 3.8 Flash Global Text Output - Batch Predictions"
VERTEX_AI = ("C7E2-9256-1C43", "Vertex AI")
_CREDIT = "name VARCHAR, amount DOUBLE, full_name VARCHAR, id VARCHAR, type VARCHAR"
STANDARD = {
    "billing_account_id": "STRING",
    "service": ("NULLABLE", "STRUCT(id VARCHAR, description VARCHAR)"),
    "sku": ("NULLABLE", "STRUCT(id VARCHAR, description VARCHAR)"),
    "usage_start_time": "TIMESTAMP",
    "usage_end_time": "TIMESTAMP",
    "project": ("NULLABLE", "STRUCT(id VARCHAR, number VARCHAR, name VARCHAR)"),
    "labels": ("REPEATED", "STRUCT(key VARCHAR, value VARCHAR)[]"),
    "export_time": "TIMESTAMP",
    "cost": "FLOAT",
    "currency": "STRING",
    "currency_conversion_rate": "FLOAT",
    "usage": ("NULLABLE", "STRUCT(amount DOUBLE, unit VARCHAR)"),
    "credits": ("REPEATED", f"STRUCT({_CREDIT})[]"),
    "invoice": ("NULLABLE", "STRUCT(month VARCHAR)"),
    "cost_type": "STRING",
    "cost_at_list": "FLOAT",
    "_PARTITIONTIME": "TIMESTAMP",
}
FOCUS = {
    "BilledCost": "NUMERIC",
    "BillingAccountId": "STRING",
    "BillingCurrency": "STRING",
    "ChargeCategory": "STRING",
    "ChargeDescription": "STRING",
    "ChargePeriodStart": "TIMESTAMP",
    "ChargePeriodEnd": "TIMESTAMP",
    "ListCost": "NUMERIC",
    "ServiceName": "STRING",
    "SkuId": "STRING",
    "SubAccountId": "STRING",
    "x_Credits": (
        "REPEATED",
        "STRUCT(Name VARCHAR, Amount DECIMAL(38, 9), FullName VARCHAR, Id VARCHAR, Type VARCHAR)[]",
    ),
    "x_CurrencyConversionRate": "FLOAT",
    "x_ExportTime": "TIMESTAMP",
    "x_Project": ("NULLABLE", "STRUCT(Id VARCHAR, Number VARCHAR, Name VARCHAR)"),
    "x_ServiceId": "STRING",
}


def at(day, hour=0):
    """A time in November 2026, UTC."""
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def standard_row(cost, day=2, hour=5, *, credits_=(), sku=FLASH_OUT, service=VERTEX_AI, **changes):
    """A row of the standard export; credits are (type, amount)."""
    row = {
        "billing_account_id": "01AB23-45CD67-89EF01",
        "service": dict(zip(("id", "description"), service, strict=True)),
        "sku": {"id": f"{sum(sku.encode()):04X}-0000-0000", "description": sku},
        "usage_start_time": at(day, hour),
        "usage_end_time": at(day, hour),
        "project": {"id": "acme-batch", "number": "123456789012", "name": "Acme"},
        "labels": [],
        "export_time": at(day + 1),
        "cost": cost,
        "currency": "USD",
        "currency_conversion_rate": 1.0,
        "usage": {"amount": 1000.0, "unit": "requests"},
        "credits": [
            {"name": kind, "amount": amount, "full_name": kind, "id": kind, "type": kind}
            for kind, amount in credits_
        ],
        "invoice": {"month": "202611"},
        "cost_type": "regular",
        "cost_at_list": cost,
        "_PARTITIONTIME": at(day),
    }
    return {**row, **changes}


def focus_row(billed, day=2, hour=5, *, credits_=(), sku=FLASH_OUT, **changes):
    """A row of the FOCUS export, whose billed cost has its credits in it."""
    row = {
        "BilledCost": billed,
        "BillingAccountId": "01AB23-45CD67-89EF01",
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "ChargeDescription": sku,
        "ChargePeriodStart": at(day, hour),
        "ChargePeriodEnd": at(day, hour),
        "ListCost": billed,
        "ServiceName": "Vertex AI",
        "SkuId": f"{sum(sku.encode()):04X}-0000-0000",
        "SubAccountId": "acme-batch",
        "x_Credits": [
            {"Name": kind, "Amount": amount, "FullName": kind, "Id": kind, "Type": kind}
            for kind, amount in credits_
        ],
        "x_CurrencyConversionRate": 1.0,
        "x_ExportTime": at(day + 1),
        "x_Project": {"Id": "acme-batch", "Number": "123456789012", "Name": "Acme"},
        "x_ServiceId": "C7E2-9256-1C43",
    }
    return {**row, **changes}
