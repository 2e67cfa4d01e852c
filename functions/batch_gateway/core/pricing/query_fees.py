"""Read and look up the fees of grounding: per prompt or per query, before the free quota."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from batch_gateway.core.pricing.price_form import read_members, read_price, read_text
from batch_gateway.core.usage import ENTERPRISE_WEB_SEARCH, MAPS_GROUNDING, UNKNOWN_GROUNDING, WEB_SEARCH

Unit = Literal["prompt", "query"]


@dataclass(frozen=True, slots=True)
class QueryFee:
    """The fee for one kind of grounding, before the free quota per day and account.

    Attributes:
        unit: ``prompt``: each grounded prompt, however often it searched; ``query``: each search.
        price_pico: pico-USD per unit.
    """

    unit: Unit
    price_pico: int


QueryFees = Mapping[str, Mapping[str, QueryFee]]
"""Fees by model and kind of grounding (``core.usage``)."""


def read_query_fees(entries: Any, models: Collection[str]) -> QueryFees:
    """Read the table's ``query_fees``.

    Raises:
        ValueError: They are malformed; the message says where.
    """
    fees: dict[str, dict[str, QueryFee]] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        fields = read_members("query_fees", entry, {"item", "unit", "price", "models", "source"}, set())
        item, unit = fields["item"], fields["unit"]
        if item not in {WEB_SEARCH, ENTERPRISE_WEB_SEARCH, MAPS_GROUNDING}:
            raise ValueError(f"query_fees: item: {item!r} is not a known kind of grounding")
        if unit not in get_args(Unit):
            raise ValueError(f"query_fees: unit: {unit!r} is neither prompt nor query")
        fee = QueryFee(unit, read_price("query_fees: price", fields["price"]))
        read_text("query_fees: source", fields["source"])
        for key in fields["models"]:
            known = fees.setdefault(key, {})
            if key not in models or item in known:
                raise ValueError(f"query_fees: {key}: must be a model in the table, named once for {item}")
            if any(other.unit != unit for other in known.values()):
                # Otherwise the highest fee would depend on the row.
                raise ValueError(f"query_fees: {key}: all fees of a model must have one unit")
            known[item] = fee
    return fees


def query_fee(fees: QueryFees, model: str, item: str) -> QueryFee | None:
    """Return a model's fee; if the kind of grounding is not known, the model's highest."""
    known = fees.get(model, {})
    if item == UNKNOWN_GROUNDING:
        return max(known.values(), key=lambda fee: fee.price_pico, default=None)
    return known.get(item)
