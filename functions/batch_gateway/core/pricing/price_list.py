"""List what is charged: the prices in force by model, location, item and context window."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from batch_gateway.core.pricing.layers import Discount, Layers, in_force, period_at, rate_at, starts_between
from batch_gateway.core.pricing.model_prices import EARLIEST, windows
from batch_gateway.core.pricing.money import format_pico
from batch_gateway.core.pricing.overrides import Override
from batch_gateway.core.pricing.prices import PriceTable

ELSEWHERE = "*"
"""Stands for every location that is not listed by its name."""
_END = datetime.max.replace(tzinfo=UTC)


def prices_of(prices: PriceTable, model: str, location: str, at: datetime) -> dict[str, Any] | None:
    """Return the batch prices of a model in a location at a time, ready for JSON; None if it has none then.

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
        {"from": start.date().isoformat(), **(_charged(layers, names, location, start) or {})}
        for start in starts_between(layers, at, _END)
    )
    change = next((step for step in later if step["rates"] != now["rates"]), None)
    return {"model": model, "location": location, "unit": unit, **now, "nextChange": change}


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
        "override": {"name": layer.name, "location": layer.location or None} if layer.name else None,
        "page": f"{discount.source}; list prices: {period.source}" if discount else period.source,
        "since": None if since == EARLIEST else since.date().isoformat(),
        "discount": f"{1 - discount.factor:f}" if discount else None,
        "rates": [
            {"item": item, "contextWindow": window or None, "unitPrice": format_pico(price)}
            for window in names
            for item in sorted(period.rates.get(("batch", window, location == "global"), ()))
            if (price := rate_at(layers, at, ("batch", window, location == "global"), item)) is not None
        ],
    }


def override_view(override: Override) -> dict[str, Any]:
    """Return an override, ready for JSON."""
    return {
        "name": override.name,
        "location": override.location or None,
        "terms": msgspec.json.decode(override.terms),
        "setBy": override.set_by,
        "setAt": override.set_at,
    }
