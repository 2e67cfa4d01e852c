"""Find the models that were used lately and have no price, from the events that announced them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from batch_gateway.core.notify.events import PRICE_MISSING
from batch_gateway.core.pricing.model_prices import lacks_price
from batch_gateway.core.pricing.price_list import MissingPrice, prices_of
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.ports import Outbox

_MOST_EVENTS = 50
"""Most events that are read: one for each model, location and day."""


class _Data(msgspec.Struct, frozen=True):
    model: str
    name: str
    command: str | None
    terms: dict[str, Any] | None = None
    """None: the event is from before events had them."""


class _Body(msgspec.Struct, frozen=True):
    timestamp: datetime
    data: _Data


def missing_prices(outbox: Outbox, table: PriceTable, now: datetime) -> list[MissingPrice]:
    """Return the models that were announced as unpriced and still have no price there, the latest first.

    A model is returned once, with its latest event from a location in which it has no price.

    Args:
        outbox: The events, which are kept for 30 days.
        table: The prices in force.
        now: The time.
    """
    found: dict[str, MissingPrice] = {}
    for event in outbox.latest_events(PRICE_MISSING, _MOST_EVENTS):
        body = msgspec.json.decode(event.body, type=_Body)
        seen = body.data
        # A name that the table knows since is another name of a model.
        model = table.resolve(seen.model) or seen.model
        entry = prices_of(table, model, _location_of(seen.name), now)
        priced = {rate.item for rate in entry.rates} if entry else set()
        if model not in found and lacks_price(_used(seen.terms), priced):
            found[model] = MissingPrice(
                model=model, name=seen.name, seen_at=body.timestamp, terms=seen.terms, command=seen.command
            )
    return list(found.values())


def _used(terms: dict[str, Any] | None) -> Iterable[str]:
    """Return the keys of the rates that an event asks for."""
    return terms["prices"][0]["batch"] if terms else ()


def _location_of(name: str) -> str:
    """Return the location in a job's name."""
    return name.partition("/locations/")[2].partition("/")[0]
