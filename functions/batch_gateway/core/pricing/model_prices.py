"""Read the prices of one model from the price table, and find its changes."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from batch_gateway.core.pricing.price_changes import PriceChange, price_change, read_retirement
from batch_gateway.core.pricing.price_form import members_of, read_day, read_members, read_price, read_text
from batch_gateway.core.pricing.units import Unit

DEFAULT_CONTEXT_THRESHOLD = 200_000
"""Most prompt tokens of a row in the first context window, for models without another threshold."""

_MODALITIES = ("text", "image", "video", "audio", "document")
_ITEM_FAMILIES = {
    "input": _MODALITIES,
    "cached_input": _MODALITIES,
    "cache_creation_input": ("text",),
    "cache_creation_1h_input": ("text",),
    "output": (*_MODALITIES, "thoughts"),
}
ITEMS_OF_KEY = {
    family: tuple(f"{family}_{kind}" for kind in kinds) for family, kinds in _ITEM_FAMILIES.items()
}
ITEMS_OF_KEY |= {item: (item,) for items in tuple(ITEMS_OF_KEY.values()) for item in items}
"""The items that each key of a rate prices, that of text first."""
_RATE_KEYS = set(ITEMS_OF_KEY)

_MULTIPLIER = re.compile(r"[1-9](\.[0-9]{1,4})?")
MODEL_KEY = re.compile(r"[a-z0-9][a-z0-9.-]*")
EARLIEST = datetime.min.replace(tzinfo=UTC)
"""Start of prices that hold for any earlier time."""


@cache
def windows(threshold: int) -> tuple[str, str]:
    """Return the names of a model's two context windows, the short one first."""
    border = f"{threshold // 1000}k"
    return f"0-{border}", f"{border}-1M"


def context_window(prompt_tokens: int, threshold: int = DEFAULT_CONTEXT_THRESHOLD) -> str:
    """Name a row's window as Anthropic's Cost API does: ``0-200k`` up to the threshold, then ``200k-1M``."""
    return windows(threshold)[prompt_tokens > threshold]


Rates = Mapping[tuple[str, str, bool], Mapping[str, int]]
"""pico-USD by (mode, context window, whether the location is global) and item."""


RatesForm = Annotated[
    dict[str, Any],
    Meta(
        description="USD per 1,000,000 units by item or kind of item, as decimal strings of at most 6 digits "
        "before the point and 12 after it; `long_context` holds those of long prompts.",
        extra_json_schema={"propertyNames": {"enum": [*ITEMS_OF_KEY, "long_context"]}},
    ),
]


class PeriodForm(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The rates of a model from a day on.

    Attributes:
        start: First day (UTC); null: always.
        source: The page or agreement that says so.
        standard: Rates of online requests.
        derived: A sentence on what the rates are derived from, if the source does not state them.
        disputed: A sentence on who states other rates.
    """

    start: date | None = msgspec.field(name="from")
    source: Annotated[str, Meta(min_length=1)]
    batch: RatesForm
    standard: RatesForm | UnsetType = UNSET
    derived: str | UnsetType = UNSET
    disputed: str | UnsetType = UNSET


class ModelForm(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The rates of a model, in the form of an entry of ``prices.json``.

    Attributes:
        context_threshold: Most prompt tokens of a row in the first context window.
        non_global_multiplier: On every rate outside the location ``global``; ``1`` for none.
        retirement: Days from which on the model is ``closed`` to new projects or ``retired``, and the
            ``source``.
        prices: By date, in order.
    """

    unit: Unit
    context_threshold: Annotated[int, Meta(ge=1000, multiple_of=1000)] = DEFAULT_CONTEXT_THRESHOLD
    non_global_multiplier: Annotated[str, Meta(pattern=f"^{_MULTIPLIER.pattern}$")]
    retirement: dict[str, str] | UnsetType = UNSET
    prices: Annotated[list[PeriodForm], Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Period:
    """Prices from ``start`` on.

    Attributes:
        start: When they begin.
        rates: Its prices.
        doubts: Sentences on the prices that are derived or disputed.
        source: The page or other source that says so.
    """

    start: datetime
    rates: Rates
    doubts: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """A model's prices, the latest period first; ``threshold`` is None if the model has no windows."""

    unit: Unit
    threshold: int | None
    periods: tuple[Period, ...]
    retirement: tuple[PriceChange, ...]


def lacks_price(used: Iterable[str], priced: Collection[str]) -> bool:
    """Return True if a model has no price at all, or none for its input or output although they are used.

    Args:
        used: The items, or keys of rates, that are used.
        priced: The items that have a price.
    """
    return not priced or bool(_directions(used) - _directions(priced))


def _directions(names: Iterable[str]) -> set[str]:
    return {name.partition("_")[0] for name in names} & {"input", "output"}


def midnight(day: date) -> datetime:
    """Return the beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def read_start(where: str, day: Any) -> datetime:
    """Read the day on which something begins; null means always."""
    return EARLIEST if day is None else midnight(read_day(where, day))


def changes_of(key: str, model: ModelPrices) -> list[PriceChange]:
    """Return the changes of a model: its retirement, then the steps of its prices."""
    found = list(model.retirement)
    threshold = model.threshold
    short, long = ("", "") if threshold is None else windows(threshold)
    # A change that applies everywhere is reported once.
    places = ((short, True, ""), (short, False, " outside global"), (long, True, f" in its window {long}"))
    for before, after in pairwise(model.periods[::-1]):
        steps = (
            price_change(key, after.start.date(), before.rates[place], after.rates[place], where)
            for window, is_global, where in places
            for place in [("batch", window, is_global)]
        )
        found += [step for step in steps if step][:1]
    return found


def read_model(
    key: str, value: Any, non_global_from: datetime, *, may_start_late: bool = False
) -> ModelPrices:
    """Read a model's prices.

    Args:
        key: The model's key in the table.
        value: Its entry.
        non_global_from: When the surcharge outside the global location begins.
        may_start_late: Allow a first price that begins on a day; until then there is another.

    Raises:
        ValueError: The entry is malformed; the message says where.
    """
    fields = read_members(key, value, *members_of(ModelForm))
    if not MODEL_KEY.fullmatch(key):
        raise ValueError(f"{key}: a model's key is its bare name in lower case")
    multiplier, threshold = fields["non_global_multiplier"], None
    if fields["unit"] == "token":
        threshold = fields.get("context_threshold", DEFAULT_CONTEXT_THRESHOLD)
        if not isinstance(threshold, int) or threshold <= 0 or threshold % 1000:
            raise ValueError(f"{key}: context_threshold: {threshold!r} is not a whole number of thousands")
    elif fields["unit"] != "character" or "context_threshold" in fields:
        raise ValueError(f"{key}: unit: must be token, or character without a context_threshold")
    if not isinstance(multiplier, str) or not _MULTIPLIER.fullmatch(multiplier):
        raise ValueError(f"{key}: non_global_multiplier: {multiplier!r} is not a decimal string of 1 or more")
    entries = fields["prices"] if isinstance(fields["prices"], list) else []
    periods = [_read_period(key, entry, threshold, Decimal(multiplier)) for entry in entries]
    if not periods and may_start_late:
        raise ValueError(f"{key}: prices: must be a list of at least one price")
    if not periods or (periods[0].start != EARLIEST and not may_start_late):
        raise ValueError(f"{key}: from: the first price must start at null, so that none is missing")
    if any(later.start <= earlier.start for earlier, later in pairwise(periods)):
        raise ValueError(f"{key}: from: dates must ascend")
    if Decimal(multiplier) > 1:
        plain = [_read_period(key, entry, threshold, Decimal(1)) for entry in entries]
        first = [period for period in periods if period.start <= non_global_from][-1:]
        periods = [
            *(period for period in plain if period.start < non_global_from),
            *(replace(period, start=non_global_from) for period in first),
            *(period for period in periods if period.start > non_global_from),
        ]
    retirement = read_retirement(key, fields["retirement"]) if "retirement" in fields else ()
    return ModelPrices(fields["unit"], threshold, tuple(periods[::-1]), retirement)


def _read_period(key: str, value: Any, threshold: int | None, multiplier: Decimal) -> Period:
    marks = {"derived", "disputed"}
    fields = read_members(f"{key}: prices", value, *members_of(PeriodForm))
    where = f"{key}: from {'null' if fields['from'] is None else fields['from']}"
    source = read_text(f"{where}: source", fields["source"])
    start = read_start(where, fields["from"])
    doubts = tuple(
        f"Prices of {key}, {mark}: {read_text(f'{where}: {mark}', fields[mark])}"
        for mark in sorted(marks & fields.keys())
    )
    rates: dict[tuple[str, str, bool], Mapping[str, int]] = {}
    for mode in fields.keys() & {"batch", "standard"}:
        prices = dict(read_members(f"{where}: {mode}", fields[mode], set()))
        windows = {"": prices}
        if threshold is not None:
            long = prices.pop("long_context", prices)
            windows = {context_window(0, threshold): prices, context_window(threshold + 1, threshold): long}
        for window, given in windows.items():
            rates[mode, window, True] = _read_rates(f"{where}: {mode}", given, Decimal(1))
            rates[mode, window, False] = _read_rates(f"{where}: {mode}", given, multiplier)
    return Period(start, rates, doubts, source)


def _read_rates(where: str, prices: Any, multiplier: Decimal) -> dict[str, int]:
    if not read_members(where, prices, set(), _RATE_KEYS):
        raise ValueError(f"{where}: has no prices")
    rates: dict[str, int] = {}
    for key in sorted(prices, key=len):  # the key of a family is shorter than those of its items
        rates |= dict.fromkeys(ITEMS_OF_KEY[key], read_price(f"{where}: {key}", prices[key], multiplier))
    return rates
