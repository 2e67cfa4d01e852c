"""What Vertex AI charges: a dated table, read once, and the look-up of one unit's price.

The prices are data: ``prices.json`` beside this module says how to read them and where each is from.
Here they become integers of pico-USD (1e-12 USD), fine enough for every price of the table, also with
the surcharge of jobs outside the global location.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

DEFAULT_CONTEXT_THRESHOLD = 200_000
"""Prompt tokens up to which a row is short, for models that name no other threshold."""

Mode = Literal["batch", "standard"]

_MODALITIES = ("text", "image", "video", "audio", "document")
_FAMILIES = {
    "input": _MODALITIES,
    "cached_input": _MODALITIES,
    "cache_creation_input": ("text",),
    "output": (*_MODALITIES, "thoughts"),
}
# Rate key -> the items it prices.
_ITEMS_OF_KEY = {family: tuple(f"{family}_{kind}" for kind in kinds) for family, kinds in _FAMILIES.items()}
_ITEMS_OF_KEY |= {item: (item,) for items in tuple(_ITEMS_OF_KEY.values()) for item in items}
_RATE_KEYS = set(_ITEMS_OF_KEY)

_PER = 10**6  # the table's prices are USD per so many units
_PICO_PER_USD = 10**12
# So few digits that price times multiplier is exact in Decimal's default precision.
_PRICE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")
_MULTIPLIER = re.compile(r"[1-9](\.[0-9]{1,4})?")
_MODEL_KEY = re.compile(r"[a-z0-9][a-z0-9.-]*")
_REVISION = re.compile(r"-[0-9]{3}$")
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@cache
def _windows(threshold: int) -> tuple[str, str]:
    border = f"{threshold // 1000}k"
    return f"0-{border}", f"{border}-1M"


def context_window(prompt_tokens: int, threshold: int = DEFAULT_CONTEXT_THRESHOLD) -> str:
    """Names a row's window as Anthropic's Cost API does: up to ``threshold`` ``0-200k``, then ``200k-1M``."""
    return _windows(threshold)[prompt_tokens > threshold]


@dataclass(frozen=True, slots=True)
class _Period:
    """Prices from ``start`` on. ``rates``: (mode, context window, is it global?) -> item -> pico-USD."""

    start: datetime
    rates: Mapping[tuple[str, str, bool], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class _Model:
    """One model's prices, the latest period first; ``threshold`` is None where windows don't exist."""

    unit: str
    threshold: int | None
    periods: tuple[_Period, ...]


@dataclass(frozen=True, slots=True)
class QueryFee:
    """What grounding with Google Search costs, before what is free by the day and account.

    Attributes:
        unit: ``prompt``: each prompt that searched, however often; ``query``: each search.
        price_pico: pico-USD a unit.
    """

    unit: Literal["prompt", "query"]
    price_pico: int


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices of every known model. Immutable; ``load()`` gives the one that is shipped.

    Attributes:
        version: Names the table in every cost that it priced, e.g. ``2026-11-22``.
    """

    version: str
    _models: Mapping[str, _Model]
    _aliases: Mapping[str, str]
    _query_fees: Mapping[str, QueryFee]

    @classmethod
    def from_json(cls, data: bytes) -> "PriceTable":
        """Reads and checks a table of the form of ``prices.json``.

        Raises:
            ValueError: The table is not well formed; the message names the model and the key.
        """
        table = json.loads(data, object_pairs_hook=_without_duplicates)
        _object("table", table, {"version", "currency", "per", "models", "aliases"}, {"about", "query_fees"})
        if (table["currency"], table["per"]) != ("USD", _PER):
            raise ValueError(f"table: currency and per: only USD per {_PER} units are read")
        models = {key: _model(key, value) for key, value in _object("models", table["models"], set()).items()}
        for alias, key in _object("aliases", table["aliases"], set()).items():
            if str(key) not in models or alias in models or not _MODEL_KEY.fullmatch(alias):
                raise ValueError(f"aliases: {alias}: must be a new lower-case name of a model in the table")
        fees = _query_fees(table.get("query_fees", []), models)
        return cls(str(table["version"]), models, table["aliases"], fees)

    @property
    def shortest_window(self) -> int:
        """Prompt tokens up to which a row of any model is in its model's first context window."""
        thresholds = (model.threshold for model in self._models.values())
        return min((DEFAULT_CONTEXT_THRESHOLD, *(t for t in thresholds if t is not None)))

    def resolve(self, model: str) -> str | None:
        """The table's key for a model as jobs, rows or LiteLLM's configuration name it.

        Takes ``gemini-2.5-flash``, ``gemini-2.0-flash-001@default``, ``vertex_ai/gemini-2.5-flash``,
        ``publishers/google/models/gemini-2.5-flash`` and the full name with project and location.

        Returns:
            A key for the other methods; None for models without prices, such as tuned ones.
        """
        if "/models/" in model and "publishers/" not in model:
            return None  # of the project's own registry, where an owner may choose any id
        name = model.rpartition("/")[2].partition("@")[0].lower()
        for candidate in (name, _REVISION.sub("", name)):
            key = self._aliases.get(candidate, candidate)
            if key in self._models:
                return key
        return None

    def unit(self, model_key: str | None) -> str:
        """What the model is charged by: ``token`` or ``character``; ``token`` for unknown models."""
        return model.unit if (model := self._models.get(model_key or "")) else "token"

    def context_window(self, model_key: str | None, prompt_tokens: int) -> str:
        """The window that prices a whole row, e.g. ``0-200k``.

        Args:
            model_key: From ``resolve``; an unknown model's rows are told apart at the default threshold.
            prompt_tokens: Tokens of the row's prompt, cached ones included.

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
        mode: Mode = "batch",
    ) -> int | None:
        """The price of one unit of an item, in pico-USD.

        Args:
            model_key: From ``resolve``.
            item: E.g. ``input_text``, ``cached_input_audio``, ``output_thoughts``.
            context_window: From ``context_window``.
            location: The job's; everything but ``global`` may cost more, ``us`` and ``eu`` too.
            at: When the work was done, with a time zone.
            mode: ``standard`` for what the same would have cost outside of batch.

        Returns:
            None if the table has no price for it, which is not the same as free.
        """
        if (model := self._models.get(model_key or "")) is None:
            return None
        period = next(period for period in model.periods if period.start <= at)
        return period.rates.get((mode, context_window, location == "global"), {}).get(item)

    def query_fee(self, model_key: str) -> QueryFee | None:
        """What a model's web searches cost; None if the table does not say, which is not the same as free."""
        return self._query_fees.get(model_key)


@cache
def load() -> PriceTable:
    """The table that is shipped with the code."""
    return PriceTable.from_json(Path(__file__).with_name("prices.json").read_bytes())


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON would let the last of two equal keys win, and a price vanish unseen."""
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{max(keys, key=keys.count)}: given twice in one object")
    return result


def _object(where: str, value: Any, required: set[str], allowed: set[str] | None = None) -> dict[str, Any]:
    """Checks that a value is an object with the required keys, and no others than the allowed ones."""
    if not isinstance(value, dict):
        raise ValueError(f"{where}: must be an object")  # noqa: TRY004 - bad data, not a caller's mistake
    if missing := required - value.keys():
        raise ValueError(f"{where}: {min(missing)}: missing")
    if allowed is not None and (unknown := value.keys() - required - allowed):
        raise ValueError(f"{where}: {min(unknown)}: unknown key")
    return value


def _model(key: str, value: Any) -> _Model:
    fields = _object(key, value, {"unit", "non_global_multiplier", "prices"}, {"context_threshold"})
    if not _MODEL_KEY.fullmatch(key):
        raise ValueError(f"{key}: a model's key is its bare name in lower case")
    multiplier, threshold = fields["non_global_multiplier"], None
    if fields["unit"] == "token":
        threshold = fields.get("context_threshold", DEFAULT_CONTEXT_THRESHOLD)
        if not isinstance(threshold, int) or threshold <= 0 or threshold % 1000:
            raise ValueError(f"{key}: context_threshold: {threshold!r} is no whole number of thousands")
    elif fields["unit"] != "character" or "context_threshold" in fields:
        raise ValueError(f"{key}: unit: must be token, or character without a context_threshold")
    if not isinstance(multiplier, str) or not _MULTIPLIER.fullmatch(multiplier):
        raise ValueError(f"{key}: non_global_multiplier: {multiplier!r} is no decimal string from 1 on")
    entries = fields["prices"] if isinstance(fields["prices"], list) else []
    periods = tuple(_period(key, entry, threshold, Decimal(multiplier)) for entry in entries)
    if not periods or periods[0].start != _EARLIEST:
        raise ValueError(f"{key}: from: the first price must start at null, so that none is missing")
    if any(later.start <= earlier.start for earlier, later in pairwise(periods)):
        raise ValueError(f"{key}: from: dates must ascend")
    return _Model(fields["unit"], threshold, periods[::-1])


def _query_fees(value: Any, models: Mapping[str, _Model]) -> dict[str, QueryFee]:
    fees: dict[str, QueryFee] = {}
    for entry in value if isinstance(value, list) else [value]:
        fields = _object("query_fees", entry, {"unit", "price", "models", "source"}, set())
        unit, price = fields["unit"], fields["price"]
        if unit not in {"prompt", "query"}:
            raise ValueError(f"query_fees: unit: {unit!r} is neither prompt nor query")
        if not isinstance(price, str) or not _PRICE.fullmatch(price):
            raise ValueError(f"query_fees: price: {price!r} is no decimal string from 0 on")
        if not isinstance(fields["source"], str) or not fields["source"]:
            raise ValueError("query_fees: source: a price needs one")
        for key in fields["models"]:
            if key not in models or key in fees:
                raise ValueError(f"query_fees: {key}: must be a model in the table, named once")
            fees[key] = QueryFee(unit, int(Decimal(price) * (_PICO_PER_USD // _PER)))
    return fees


def _period(key: str, value: Any, threshold: int | None, multiplier: Decimal) -> _Period:
    fields = _object(f"{key}: prices", value, {"from", "source", "batch"}, {"derived", "standard"})
    where = f"{key}: from {fields['from']}"
    if not isinstance(fields["source"], str) or not fields["source"]:
        raise ValueError(f"{where}: source: a price needs one")
    try:
        day = fields["from"]
        start = _EARLIEST if day is None else datetime.combine(date.fromisoformat(day), time(), UTC)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: no date like 2027-01-31") from None
    rates: dict[tuple[str, str, bool], Mapping[str, int]] = {}
    for mode in fields.keys() & {"batch", "standard"}:
        prices = dict(_object(f"{where}: {mode}", fields[mode], set()))
        windows = {"": prices}
        if threshold is not None:
            long = prices.pop("long_context", prices)
            windows = {context_window(0, threshold): prices, context_window(threshold + 1, threshold): long}
        for window, given in windows.items():
            rates[mode, window, True] = _rates(f"{where}: {mode}", given, Decimal(1))
            rates[mode, window, False] = _rates(f"{where}: {mode}", given, multiplier)
    return _Period(start, rates)


def _rates(where: str, prices: Any, multiplier: Decimal) -> dict[str, int]:
    if not _object(where, prices, set(), _RATE_KEYS):
        raise ValueError(f"{where}: has no prices")
    rates: dict[str, int] = {}
    for key in sorted(prices, key=len):  # a family's key is shorter than those of its items
        price = prices[key]
        if not isinstance(price, str) or not _PRICE.fullmatch(price):
            raise ValueError(f"{where}: {key}: {price!r} is no decimal string from 0 on")
        pico = Decimal(price) * multiplier * (_PICO_PER_USD // _PER)
        if pico != int(pico):
            raise ValueError(f"{where}: {key}: {price} times {multiplier} is no whole number of pico-USD")
        rates |= dict.fromkeys(_ITEMS_OF_KEY[key], int(pico))
    return rates
