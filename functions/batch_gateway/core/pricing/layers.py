"""Find the price in force among the operator's prices and the table's, which lie in layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from batch_gateway.core.pricing.model_prices import Period
from batch_gateway.core.pricing.money import Pico, discounted

Origin = Literal["override", "config", "table"]
RateKey = tuple[str, str, bool]
"""Mode, context window, and whether the location is global."""


@dataclass(frozen=True, slots=True)
class Discount:
    """A discount on the table's rates.

    Attributes:
        start: When it begins.
        factor: The part of a rate that remains to be paid: 0.93 for a discount of 7 %.
        source: The agreement or page that says so.
    """

    start: datetime
    factor: Decimal
    source: str


class Layer(NamedTuple):
    """The prices of a model from one origin; where it has none yet, the layer below it counts.

    Attributes:
        origin: Where they are from.
        name: Name of the override; empty for other origins.
        location: The only location they are for; empty for every location.
        steps: Prices by time, the latest first.
    """

    origin: Origin
    name: str
    location: str
    steps: Sequence[Period | Discount]


Layers = tuple[Layer, ...]
"""The layers of a model in a location, the most specific first; a layer of discounts has the table below."""


def in_force(layers: Layers, time: datetime) -> tuple[Layer, Period | Discount] | None:
    """Return the layer that counts at a time, and its prices; None if there is none."""
    for layer in layers:
        for step in layer.steps:
            if step.start <= time:
                return layer, step
    return None


def rate_at(layers: Layers, time: datetime, key: RateKey, item: str) -> Pico | None:
    """Return the price of an item at a time, in pico-USD per unit; None if there is none."""
    found = in_force(layers, time)
    if found is None:
        return None
    step = found[1]
    if isinstance(step, Period):
        return step.rates.get(key, {}).get(item)
    price = rate_at(layers[-1:], time, key, item)
    return None if price is None else discounted(int(price), step.factor)


def period_at(layers: Layers, time: datetime) -> Period | None:
    """Return the rates at a time, the table's if there is a discount on them; None if there are none."""
    found = in_force(layers, time)
    if found and isinstance(found[1], Discount):
        found = in_force(layers[-1:], time)
    return found[1] if found and isinstance(found[1], Period) else None


def starts_between(layers: Layers, after: datetime, until: datetime) -> list[datetime]:
    """Return the times at which any layer changes, after one time and up to another, in order."""
    starts = {step.start for layer in layers for step in layer.steps}
    return sorted(start for start in starts if after < start <= until)
