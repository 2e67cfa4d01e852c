"""List what is charged: the prices in force by model, location, item and context window."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from batch_gateway.core.answers import Money, Time
from batch_gateway.core.pricing.layers import Discount, Layers, in_force, period_at, rate_at, starts_between
from batch_gateway.core.pricing.model_prices import EARLIEST, windows
from batch_gateway.core.pricing.money import format_pico
from batch_gateway.core.pricing.overrides import Override, publisher_of
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.pricing.units import Unit

ELSEWHERE = "*"
"""Stands for every location that is not listed by its name."""
_END = datetime.max.replace(tzinfo=UTC)


_Source = Annotated[
    str,
    Meta(
        description="Where the prices are from.",
        extra_json_schema={"enum": ["override", "config", "table"]},
    ),
]
_Page = Annotated[str, Meta(description="The page, agreement or file that says so.")]
_Since = Annotated[date | None, Meta(description="First day of these prices, UTC; null: always.")]
_Discount = Annotated[
    str | None, Meta(description="The discount on the table's rates, such as `0.07`; null: none.")
]


class OverrideName(msgspec.Struct, frozen=True):
    """The override that prices are from.

    Attributes:
        location: The only location that it is for; null: all.
    """

    name: str
    location: str | None


class PriceRate(msgspec.Struct, frozen=True, rename="camel"):
    """The price of a unit.

    Attributes:
        item: As in line items.
        context_window: As in line items.
        unit_price: USD per unit.
    """

    item: str
    context_window: str | None
    unit_price: Money


class PriceChange(msgspec.Struct, frozen=True, kw_only=True):
    """The next change that is known.

    Attributes:
        start: Its first day, UTC.
    """

    start: date = msgspec.field(name="from")
    source: _Source
    override: OverrideName | None
    page: _Page
    since: _Since
    discount: _Discount
    rates: list[PriceRate]


class PriceEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The prices of a model in a location.

    Attributes:
        publisher: As in the names of overrides; null: the model's name does not tell.
        location: ``*`` stands for all locations that are not listed.
    """

    model: str
    publisher: str | None
    location: str
    unit: Unit
    source: _Source
    override: OverrideName | None
    page: _Page
    since: _Since
    discount: _Discount
    rates: list[PriceRate]
    next_change: PriceChange | None


class PriceOverride(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An override of prices.

    Attributes:
        name: A model, ``publishers/NAME``, or ``publishers/-`` for everything.
        location: The only location that it is for; null: all.
        terms: The body that set it.
        set_by: Alias of the key that set it.
        price_table: The table and overrides in force since the change.
    """

    name: str
    location: str | None
    terms: dict[str, Any]
    set_by: str
    set_at: Time
    price_table: str | UnsetType = UNSET


class MissingPrice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A model that was used where it has no price, or none for its input or output.

    Attributes:
        name: The last job that used it there.
        seen_at: When it was announced last: once a day for each model and location.
        terms: The body of ``PUT /v1/prices/{model}``, in which the rates are to be filled in; null: it cannot
            have a price.
        command: The command that sends it; null likewise.
    """

    model: str
    name: str
    seen_at: Time
    terms: dict[str, Any] | None
    command: str | None


class PriceList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The prices in force.

    Attributes:
        price_table: Version of the table and, after a plus, a hash of the operator's prices.
        overrides: All overrides; only for keys that see everything.
        missing: Models without a price that were announced within 30 days, the latest first; only for keys
            that see everything.
    """

    price_table: str
    currency: Literal["USD"] = "USD"
    at: Time
    prices: list[PriceEntry]
    overrides: list[PriceOverride] | UnsetType = UNSET
    missing: list[MissingPrice] | UnsetType = UNSET


def prices_of(prices: PriceTable, model: str, location: str, at: datetime) -> PriceEntry | None:
    """Return the batch prices of a model in a location at a time; None if it has none then.

    Args:
        prices: The prices in force.
        model: Its key.
        location: A location, or ELSEWHERE.
        at: The time.
    """
    layers, counting = prices.layers(model, location), prices.counting(model)
    if counting is None:
        return None
    unit, threshold = counting
    names = ("",) if threshold is None else windows(threshold)
    now = _charged(layers, names, location, at)
    if now is None:
        return None
    later = (
        PriceChange(start=start.date(), **charged)
        for start in starts_between(layers, at, _END)
        if (charged := _charged(layers, names, location, start))
    )
    change = next((step for step in later if step.rates != now["rates"]), None)
    return PriceEntry(
        model=model,
        publisher=publisher_of(model),
        location=location,
        unit=unit,
        **now,
        next_change=change,
    )


def _charged(layers: Layers, names: tuple[str, ...], location: str, at: datetime) -> dict[str, Any] | None:
    """Return what is charged at a time, and who says so."""
    found, period = in_force(layers, at), period_at(layers, at)
    if found is None or period is None:
        return None
    layer, step = found
    discount = step if isinstance(step, Discount) else None
    since = max(step.start, period.start)
    return {
        "source": layer.origin,
        "override": OverrideName(layer.name, layer.location or None) if layer.name else None,
        "page": f"{discount.source}; list prices: {period.source}" if discount else period.source,
        "since": None if since == EARLIEST else since.date(),
        "discount": f"{1 - discount.factor:f}" if discount else None,
        "rates": [
            PriceRate(item, window or None, format_pico(price))
            for window in names
            for item in sorted(period.rates.get(("batch", window, location == "global"), ()))
            if (price := rate_at(layers, at, ("batch", window, location == "global"), item)) is not None
        ],
    }


def override_view(override: Override) -> PriceOverride:
    """Return an override as it is answered."""
    return PriceOverride(
        name=override.name,
        location=override.location or None,
        terms=msgspec.json.decode(override.terms),
        set_by=override.set_by,
        set_at=override.set_at,
    )
