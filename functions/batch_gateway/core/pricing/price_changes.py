"""Read and describe coming changes of models: of their prices, and of who may use them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from batch_gateway.core.pricing.price_form import PER, PICO_PER_USD, read_day, read_members, read_text


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A change of a model on a day, at midnight UTC.

    Attributes:
        day: The first day that it applies to.
        model: Key in the price table.
        kind: ``price``; ``closed``: refused to projects that have not used it; ``retired``: refused to all.
        said: The change as a sentence, with its source.
    """

    day: date
    model: str
    kind: Literal["price", "closed", "retired"]
    said: str


def read_retirement(model: str, value: Any) -> tuple[PriceChange, ...]:
    """Read a model's ``retirement``.

    Raises:
        ValueError: It is malformed; the message says where.
    """
    where = f"{model}: retirement"
    fields = read_members(where, value, {"source"}, {"closed", "retired"})
    source = read_text(f"{where}: source", fields["source"])
    days = {
        kind: read_day(f"{where}: {kind}", fields[kind]) for kind in ("closed", "retired") if kind in fields
    }
    if not days:
        raise ValueError(f"{where}: must have closed or retired")
    found = []
    if day := days.get("closed"):
        said = f"{model} is closed to projects that have not used it, from {day} on ({source})."
        found.append(PriceChange(day, model, "closed", said))
    if day := days.get("retired"):
        said = f"{model} is due for retirement on {day}; jobs may be refused from then on ({source})."
        found.append(PriceChange(day, model, "retired", said))
    return tuple(found)


def price_change(
    model: str, day: date, before: Mapping[str, int], after: Mapping[str, int], where: str = ""
) -> PriceChange | None:
    """Describe a change of a model's batch prices.

    Args:
        model: Key in the price table.
        day: The first day of the new prices.
        before: pico-USD by item.
        after: pico-USD by item.
        where: Where they apply, such as `` outside global``; empty for everywhere.

    Returns:
        None if they are the same.
    """
    changed = sorted(
        (item for item in before.keys() | after.keys() if before.get(item) != after.get(item)),
        key=lambda item: (not item.endswith("_text"), item.startswith("cache"), item),
    )
    if not changed:
        return None
    rises = [after.get(item, 0) > before.get(item, 0) for item in changed]
    how = "rises" if all(rises) else "changes" if any(rises) else "falls"
    steps = ", ".join(
        f"{item} from {_usd(before.get(item))} to {_usd(after.get(item))}"
        for item in changed
        if item.endswith("_text") or item == changed[0]
    )
    said = f"The batch price of {model}{where} {how} on {day}: {steps} (USD per million)."
    return PriceChange(day, model, "price", said)


def _usd(pico: int | None) -> str:
    return "none" if pico is None else f"{(Decimal(pico) * PER / PICO_PER_USD).normalize():f}"
