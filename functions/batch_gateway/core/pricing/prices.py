"""Look up Vertex AI's unit prices in a dated table that is read once.

The prices are data: ``prices.json`` beside this module says how to read them and where each is from. Here
they become integers in pico-USD (1e-12 USD), which is exact for every price of the table, also with the
surcharge for jobs outside the global location.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from batch_gateway.core.pricing.price_changes import PriceChange, price_change, read_retirement
from batch_gateway.core.pricing.price_form import (
    PER,
    read_day,
    read_members,
    read_price,
    read_text,
    refuse_duplicates,
)
from batch_gateway.core.pricing.query_fees import QueryFee, QueryFees, query_fee, read_query_fees

DEFAULT_CONTEXT_THRESHOLD = 200_000
"""Most prompt tokens of a row in the first context window, for models without another threshold."""

LONGEST_QUEUE = timedelta(hours=72)
"""Longest wait of a job before it starts, whose price applies ("Batch inference with Gemini")."""

Mode = Literal["batch", "standard"]

_MODALITIES = ("text", "image", "video", "audio", "document")
_ITEM_FAMILIES = {
    "input": _MODALITIES,
    "cached_input": _MODALITIES,
    "cache_creation_input": ("text",),
    "cache_creation_1h_input": ("text",),
    "output": (*_MODALITIES, "thoughts"),
}
# Rate key -> the items it prices.
_ITEMS_OF_KEY = {
    family: tuple(f"{family}_{kind}" for kind in kinds) for family, kinds in _ITEM_FAMILIES.items()
}
_ITEMS_OF_KEY |= {item: (item,) for items in tuple(_ITEMS_OF_KEY.values()) for item in items}
_RATE_KEYS = set(_ITEMS_OF_KEY)

_MULTIPLIER = re.compile(r"[1-9](\.[0-9]{1,4})?")
_MODEL_KEY = re.compile(r"[a-z0-9][a-z0-9.-]*")
_SUFFIXES = (
    # gemini-2.0-flash-001, claude-opus-4-1-20250805, gemini-2.5-pro-preview-03-25, gemini-4-argon-preview
    ("", re.compile(r"-[0-9]{3}$")),
    (("claude-", "gemini-"), re.compile(r"-20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$")),
    ("gemini-", re.compile(r"(?<=-preview)-[0-9]{2}-([0-9]{2}|[0-9]{4})$")),
    ("gemini-", re.compile(r"-preview$")),
)
"""Endings of model names by how the names begin, in the order in which they are removed."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_NOTICE = timedelta(days=30)
"""Time before a change from which it is announced."""


@cache
def _windows(threshold: int) -> tuple[str, str]:
    border = f"{threshold // 1000}k"
    return f"0-{border}", f"{border}-1M"


def context_window(prompt_tokens: int, threshold: int = DEFAULT_CONTEXT_THRESHOLD) -> str:
    """Name a row's window as Anthropic's Cost API does: ``0-200k`` up to the threshold, then ``200k-1M``."""
    return _windows(threshold)[prompt_tokens > threshold]


@dataclass(frozen=True, slots=True)
class _Period:
    """Prices from ``start`` on.

    Attributes:
        start: When they begin.
        rates: pico-USD by (mode, context window, whether the location is global) and item.
        doubts: Sentences on the prices that are derived or disputed.
    """

    start: datetime
    rates: Mapping[tuple[str, str, bool], Mapping[str, int]]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Model:
    """A model's prices, the latest period first; ``threshold`` is None if the model has no windows."""

    unit: str
    threshold: int | None
    periods: tuple[_Period, ...]
    retirement: tuple[PriceChange, ...]

    def in_force(self, at: datetime, until: datetime) -> tuple[_Period, ...]:
        """Return the periods that overlap a span of time, the latest first."""
        first = next(number for number, period in enumerate(self.periods) if period.start <= at)
        return tuple(period for period in self.periods[: first + 1] if period.start <= max(at, until))


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of all known models; ``load()`` returns the table that is shipped.

    Attributes:
        version: Identifies the table in every cost that it priced, e.g. ``2026-11-28``.
    """

    version: str
    _models: Mapping[str, _Model]
    _aliases: Mapping[str, str | None]
    _query_fees: QueryFees

    @classmethod
    def from_json(cls, data: bytes) -> "PriceTable":
        """Read and check a table in the form of ``prices.json``.

        Raises:
            ValueError: The table is malformed; the message names the model and the key.
        """
        table = json.loads(data, object_pairs_hook=refuse_duplicates)
        optional = {"about", "non_global_from", "query_fees"}
        read_members("table", table, {"version", "currency", "per", "models", "aliases"}, optional)
        if (table["currency"], table["per"]) != ("USD", PER):
            raise ValueError(f"table: currency and per: only USD per {PER} units are read")
        non_global_from = _read_start("table: non_global_from", table.get("non_global_from"))
        models = {
            key: _read_model(key, value, non_global_from)
            for key, value in read_members("models", table["models"], set()).items()
        }
        for alias, key in read_members("aliases", table["aliases"], set()).items():
            if not (key is None or str(key) in models) or alias in models or not _MODEL_KEY.fullmatch(alias):
                raise ValueError(f"aliases: {alias}: must be a new lower-case name of a model in the table")
        fees = read_query_fees(table.get("query_fees", []), models)
        return cls(str(table["version"]), models, table["aliases"], fees)

    @property
    def shortest_window(self) -> int:
        """Most prompt tokens with which a row of any model is in the model's first context window."""
        thresholds = (model.threshold for model in self._models.values())
        return min((DEFAULT_CONTEXT_THRESHOLD, *(t for t in thresholds if t is not None)))

    def resolve(self, model: str) -> str | None:
        """Return the table's key for a model as jobs, rows or LiteLLM's configuration name it.

        Accepts ``gemini-2.5-flash``, ``gemini-2.0-flash-001@default``, ``vertex_ai/gemini-2.5-flash``,
        ``publishers/google/models/gemini-2.5-flash`` and the full name with project and location; and
        names that end with a revision, a date or ``-preview``, at the price of the name without it.

        Returns:
            A key for the other methods; None for models without prices, such as tuned ones, and for names
            that stand for a different model over time, such as ``gemini-flash-latest``.
        """
        if "/models/" in model and "publishers/" not in model:
            return None  # in the project's own registry, where an owner may choose any id
        name = model.rpartition("/")[2].partition("@")[0].lower()
        for prefix, suffix in (("", None), *_SUFFIXES):
            if suffix and name.startswith(prefix):
                name = suffix.sub("", name)
            if name in self._models or name in self._aliases:
                return self._aliases.get(name, name)
        return None

    def unit(self, model_key: str | None) -> str:
        """Return the unit that a model is charged by: ``token`` or ``character``; ``token`` if unknown."""
        return model.unit if (model := self._models.get(model_key or "")) else "token"

    def context_window(self, model_key: str | None, prompt_tokens: int) -> str:
        """Return the window that prices a whole row, e.g. ``0-200k``.

        Args:
            model_key: From ``resolve``; rows of an unknown model are split at the default threshold.
            prompt_tokens: Tokens of the row's prompt, including cached ones.

        Returns:
            The window's name; empty for models that are charged by the character.
        """
        model = self._models.get(model_key or "")
        threshold = model.threshold if model else DEFAULT_CONTEXT_THRESHOLD
        return "" if threshold is None else context_window(prompt_tokens, threshold)

    def unit_price(
        self,
        model_key: str | None,
        item: str,
        *,
        context_window: str,
        location: str,
        at: datetime,
        until: datetime | None = None,
        mode: Mode = "batch",
    ) -> int | None:
        """Return the price of one unit of an item, in pico-USD.

        Args:
            model_key: From ``resolve``.
            item: E.g. ``input_text``, ``cached_input_audio``, ``output_thoughts``.
            context_window: From ``context_window``.
            location: The job's location; all but ``global`` may cost more, even ``us`` and ``eu``.
            at: When the work was done, with a time zone.
            until: End of the time in which it may be done, from ``at`` on; the highest price is returned.
            mode: ``standard`` for the price of the same work outside batch jobs.

        Returns:
            None if the table has no price for it (with ``until``: at some time), which does not mean free.
        """
        if (model := self._models.get(model_key or "")) is None:
            return None
        key, dearest = (mode, context_window, location == "global"), 0
        for period in model.in_force(at, until or at):
            price = period.rates.get(key, {}).get(item)
            if price is None:
                return None
            dearest = max(dearest, price)
        return dearest

    def query_fee(self, model_key: str, item: str) -> QueryFee | None:
        """Return the fee of a model's grounding; None if the table has none, which does not mean free.

        Args:
            model_key: From ``resolve``.
            item: A kind of grounding, one of those in ``core.usage``.
        """
        return query_fee(self._query_fees, model_key, item)

    def doubts(self, model_key: str, at: datetime) -> tuple[str, ...]:
        """Return sentences on the derived or disputed prices of a model in force at a time."""
        model = self._models.get(model_key)
        return model.in_force(at, at)[0].doubts if model else ()

    def changes_between(self, after: datetime, until: datetime) -> list[PriceChange]:
        """Return the changes of all models after one time and up to another, in order."""
        changes = [change for key, model in self._models.items() for change in _changes(key, model)]
        return sorted(
            (change for change in changes if after < _midnight(change.day) <= until),
            key=lambda change: (change.day, change.model, change.kind),
        )

    def notices(self, model_key: str, at: datetime) -> tuple[str, ...]:
        """Return sentences on what people should know about a model before they start a job.

        That is whether it is closed or retired, and what changes within 30 days.
        """
        model = self._models.get(model_key)
        return tuple(
            change.said
            for change in (_changes(model_key, model) if model else ())
            if _midnight(change.day) <= at + _NOTICE
            and (change.kind != "price" or _midnight(change.day) > at)
        )


@cache
def load() -> PriceTable:
    """Return the table that is shipped with the code."""
    return PriceTable.from_json(Path(__file__).with_name("prices.json").read_bytes())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _read_start(where: str, day: Any) -> datetime:
    """Read the day on which something begins; null means always."""
    return _EARLIEST if day is None else _midnight(read_day(where, day))


def _changes(key: str, model: _Model) -> list[PriceChange]:
    found = list(model.retirement)
    threshold = model.threshold
    short, long = ("", "") if threshold is None else _windows(threshold)
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


def _read_model(key: str, value: Any, non_global_from: datetime) -> _Model:
    required = {"unit", "non_global_multiplier", "prices"}
    fields = read_members(key, value, required, {"context_threshold", "retirement"})
    if not _MODEL_KEY.fullmatch(key):
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
    if not periods or periods[0].start != _EARLIEST:
        raise ValueError(f"{key}: from: the first price must start at null, so that none is missing")
    if any(later.start <= earlier.start for earlier, later in pairwise(periods)):
        raise ValueError(f"{key}: from: dates must ascend")
    if Decimal(multiplier) > 1:
        plain = [_read_period(key, entry, threshold, Decimal(1)) for entry in entries]
        *_, first = (period for period in periods if period.start <= non_global_from)
        periods = [
            *(period for period in plain if period.start < non_global_from),
            replace(first, start=non_global_from),
            *(period for period in periods if period.start > non_global_from),
        ]
    retirement = read_retirement(key, fields["retirement"]) if "retirement" in fields else ()
    return _Model(fields["unit"], threshold, tuple(periods[::-1]), retirement)


def _read_period(key: str, value: Any, threshold: int | None, multiplier: Decimal) -> _Period:
    marks = {"derived", "disputed"}
    fields = read_members(f"{key}: prices", value, {"from", "source", "batch"}, marks | {"standard"})
    where = f"{key}: from {fields['from']}"
    read_text(f"{where}: source", fields["source"])
    start = _read_start(where, fields["from"])
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
    return _Period(start, rates, doubts)


def _read_rates(where: str, prices: Any, multiplier: Decimal) -> dict[str, int]:
    if not read_members(where, prices, set(), _RATE_KEYS):
        raise ValueError(f"{where}: has no prices")
    rates: dict[str, int] = {}
    for key in sorted(prices, key=len):  # the key of a family is shorter than those of its items
        rates |= dict.fromkeys(_ITEMS_OF_KEY[key], read_price(f"{where}: {key}", prices[key], multiplier))
    return rates
