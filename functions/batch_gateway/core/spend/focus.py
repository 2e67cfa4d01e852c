"""Export spend as a FOCUS dataset (FinOps Open Cost and Usage Specification 1.2: tag v1.2, May 2025).

There is a row for each item of a total or of a job. All columns of the specification are there, in its
(alphabetical) order, then ours. A column without a value is empty, which is FOCUS's null.

Unknown values are empty even where the specification allows no null: ``BilledCost``, since Google's invoice
may include discounts, credits and taxes, ``BillingAccountId``, and the costs of usage without a price, for
which ``x_Unpriced`` is true. A cost with it is a floor: a part of its usage has no price.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from batch_gateway.core.accounting.settlement import DailyTotal, ItemTotal
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.pricing.money import Pico, format_nano, format_pico
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.pricing.units import PRICED_BY
from batch_gateway.core.spend.csv_rows import text
from batch_gateway.core.spend.entries import Entry
from batch_gateway.core.spend.price_matching import is_unpriced, unit_price
from batch_gateway.core.spend.time_buckets import Calendar

COLUMNS = (
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_Model",
    "x_Item",
    "x_ContextWindow",
    "x_Team",
    "x_ApiKey",
    "x_Unpriced",
)
"""Columns of the file, in order."""

_TAG_PREFIX = "batch-gateway/"
"""Prefix of the gateway's tags. Labels of Vertex AI cannot contain a slash, so they cannot clash."""
_MONTHS = Calendar("1mo", UTC)
_CONSTANT = {
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "InvoiceIssuerName": "Google Cloud",
    "PricingCategory": "Standard",
    "PricingCurrency": "USD",
    "ProviderName": "Google Cloud",
    "PublisherName": "Google Cloud",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Vertex AI",
    "ServiceSubcategory": "Generative AI",
    "SubAccountType": "Project",
}


class _Charge(NamedTuple):
    """An item with its price.

    Attributes:
        item: As in LineItem.
        context_window: As in LineItem; None if it is not known.
        quantity: As in LineItem.
        unit: As in LineItem.
        unit_price_pico: pico-USD per unit; None if it is not known.
        amount_nano: nano-USD; None if there is no price.
        list_price_pico: The table's price; the owner's if the table has none; None if it is not known.
        list_nano: nano-USD by that price; None if there is no price.
    """

    item: str
    context_window: str | None
    quantity: int
    unit: str
    unit_price_pico: Pico | None
    amount_nano: int | None
    list_price_pico: Pico | None
    list_nano: int | None
    is_unpriced: bool


def rows(entry: Entry, prices: PriceTable) -> Iterator[list[str]]:
    """Yield the rows of an entry, with a cell for each of COLUMNS; items that add up to zero have none."""
    charges = _of_job(entry.job, entry.total.model) if entry.job else _of_total(entry.total, prices)
    shared = {**_CONSTANT, **_common(entry.total), **(_resource(entry.job) if entry.job else {})}
    for charge in charges:
        if charge.quantity or charge.amount_nano:
            row = {**shared, **_figures(entry.total, charge)}
            yield [row.get(column, "") for column in COLUMNS]


def _of_job(job: JobRecord, model: str) -> Iterator[_Charge]:
    for line in job.cost.line_items:
        if line.model == model:
            yield _Charge(
                line.item,
                line.context_window,
                line.quantity,
                line.unit,
                line.unit_price_pico,
                line.amount_nano,
                line.unit_price_pico if line.list_price_pico is None else line.list_price_pico,
                None if line.amount_nano is None else line.amount_nano + line.discount_nano,
                line.amount_nano is None,
            )


def _of_total(total: DailyTotal, prices: PriceTable) -> Iterator[_Charge]:
    for item, used in sorted(total.items.items()):
        amount = None if is_unpriced(total, item, prices) else used.amount_nano
        price = list_price = unit_price(total, item, prices)
        if used.discount_nano:
            by_table = ItemTotal(used.quantity, used.amount_nano + used.discount_nano)
            list_price = unit_price(replace(total, items={item: by_table}), item, prices.public)
        yield _Charge(
            item,
            None,
            used.quantity,
            prices.unit(total.model),
            price,
            amount,
            list_price,
            None if amount is None else amount + used.discount_nano,
            # Rows of some jobs have no price, and this amount is at no price what the whole quantity costs.
            amount is None or (total.unpriced_rows > 0 and price is None),
        )


def _common(total: DailyTotal) -> dict[str, str]:
    midnight = datetime.fromisoformat(total.day).replace(tzinfo=UTC)
    month = next(_MONTHS.spans(_MONTHS.floor(midnight), midnight + timedelta(days=31)))
    tags = {
        **total.labels,
        **({f"{_TAG_PREFIX}team": total.team} if total.team else {}),
        **({f"{_TAG_PREFIX}api_key": total.api_key} if total.api_key else {}),
    }
    # global is not a region, and FOCUS allows no placeholders.
    region = "" if total.location == "global" else text(total.location)
    return {
        "BillingPeriodStart": _time(month.start),
        "BillingPeriodEnd": _time(month.end),
        "ChargePeriodStart": _time(midnight),
        "ChargePeriodEnd": _time(midnight + timedelta(days=1)),
        "RegionId": region,
        "RegionName": region,
        "SubAccountId": text(total.project),
        "Tags": msgspec.json.encode(tags, order="deterministic").decode(),
        "x_Model": text(total.model),
        "x_Team": text(total.team),
        "x_ApiKey": text(total.api_key),
    }


def _resource(job: JobRecord) -> dict[str, str]:
    return {
        "ResourceId": f"//aiplatform.googleapis.com/{job.key.path}",
        "ResourceName": text(job.seen.display_name),
        "ResourceType": "Batch prediction job",
    }


def _figures(total: DailyTotal, charge: _Charge) -> dict[str, str]:
    per, priced_by = PRICED_BY[charge.unit]
    amount = "" if charge.amount_nano is None else format_nano(charge.amount_nano)
    price = "" if charge.unit_price_pico is None else format_pico(charge.unit_price_pico * per)
    list_price = "" if charge.list_price_pico is None else format_pico(charge.list_price_pico * per)
    sku = f"{total.model}/{charge.item}"
    # A price depends on the mode, on where the job ran and, for some models, on the prompt's length.
    details = {
        "x_Mode": "batch",
        "x_Place": "global" if total.location == "global" else "regional",
        **({"x_ContextWindow": charge.context_window} if charge.context_window else {}),
    }
    return {
        "ChargeDescription": text(f"{total.model}: {charge.item}, batch"),
        "ConsumedQuantity": str(charge.quantity),
        "ConsumedUnit": f"{charge.unit.capitalize()}s",
        # Agreed prices are in overrides or configuration; else the list price is the contracted one.
        "ContractedCost": amount,
        "ContractedUnitPrice": price,
        "EffectiveCost": amount,
        "ListCost": "" if charge.list_nano is None else format_nano(charge.list_nano),
        "ListUnitPrice": list_price,
        "PricingCurrencyContractedUnitPrice": price,
        "PricingCurrencyEffectiveCost": amount,
        "PricingCurrencyListUnitPrice": list_price,
        "PricingQuantity": format_pico(charge.quantity * 10**12 // per),
        "PricingUnit": priced_by,
        "SkuId": text(sku),
        "SkuMeter": text(charge.item),
        "SkuPriceDetails": msgspec.json.encode(details, order="deterministic").decode(),
        "SkuPriceId": text("/".join([sku, *details.values()])),
        "x_ContextWindow": charge.context_window or "",
        "x_Item": text(charge.item),
        "x_Unpriced": "true" if charge.is_unpriced else "false",
    }


def _time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
