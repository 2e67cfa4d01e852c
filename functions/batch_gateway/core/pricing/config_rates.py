"""Read LiteLLM's rate fields of the configuration, and lay them over the table's prices of a model.

LiteLLM's own rules hold (its ``batch_cost_calculator``, 1.110.2): a field that ends with ``_batches`` is the
price in batch jobs; where only the standard price is given, batch is half of it. Prices that are not given
are the table's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

from batch_gateway.core.pricing.layers import RateKey
from batch_gateway.core.pricing.model_prices import (
    DEFAULT_CONTEXT_THRESHOLD,
    EARLIEST,
    ITEMS_OF_KEY,
    ModelPrices,
    Period,
    windows,
)
from batch_gateway.core.pricing.price_form import PICO_PER_USD

_KEYS = {
    "input_cost_per_token": "input",
    "input_cost_per_audio_token": "input_audio",
    "input_cost_per_image_token": "input_image",
    "cache_read_input_token_cost": "cached_input",
    "cache_read_input_audio_token_cost": "cached_input_audio",
    "cache_creation_input_token_cost": "cache_creation_input",
    "output_cost_per_token": "output",
    "output_cost_per_image_token": "output_image",
}
_LONG = "_above_200k_tokens"
_BATCH = "_batches"
FIELDS = {
    f"{name}{long}{batch}": (key, bool(long), bool(batch))
    for name, key in _KEYS.items()
    for long in ("", _LONG)
    for batch in ("", _BATCH)
}
"""LiteLLM's field -> the key of the price, whether it is for long prompts, and whether it is for batch."""
_NUMBER = re.compile(r"[0-9]{0,6}\.?[0-9]{1,18}([eE][-+]?[0-9]{1,2})?")

Given = Mapping[tuple[str, bool, bool], int]
"""pico-USD by (key, whether for long prompts, whether for batch)."""


@dataclass(frozen=True, slots=True)
class ConfigRates:
    """The rates that the configuration gives for a model in a location.

    Attributes:
        given: The rates.
        source: File and line.
    """

    given: Given
    source: str


def read_rate(text: str) -> int:
    """Return a rate in USD per token, as it is written in the file, in pico-USD.

    Raises:
        ValueError: It is not a number of 0 or more, or too fine to be halved in whole pico-USD.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"must be USD per token, such as 1.5e-07, not {text!r}")
    pico = Decimal(text) * PICO_PER_USD
    # Half of it has to be a whole number, too.
    if pico % 2 or pico >= PICO_PER_USD:
        raise ValueError(f"must be less than 1 USD per token, in steps of 2e-12, not {text!r}")
    return int(pico)


def apply_rates(model: ModelPrices | None, own: ConfigRates) -> ModelPrices:
    """Return a model's prices with the configuration's in their place, at any time.

    Args:
        model: The table's prices; None if it has none.
        own: The rates. One for a kind of token holds for the modalities that cost as much as text in the
            table, and at any length if the table has one price for all lengths.
    """
    if model is None:
        model = ModelPrices("token", DEFAULT_CONTEXT_THRESHOLD, (Period(EARLIEST, {}, (), ""),), ())
    short, *long = [""] if model.threshold is None else windows(model.threshold)
    return replace(model, periods=tuple(_apply(period, own, short, long) for period in model.periods))


def _apply(period: Period, own: ConfigRates, short: str, long: Sequence[str]) -> Period:
    rates: dict[RateKey, Mapping[str, int]] = {}
    for mode, is_global in product(("batch", "standard"), (True, False)):
        base = period.rates.get((mode, short, is_global), {})
        price = _short_prices(period, own.given, mode, short)
        rates[mode, short, is_global] = {**base, **_by_item(price, base)}
        for window in long:
            above = period.rates.get((mode, window, is_global), {})
            same = {
                item: each
                for item, each in _by_item(price, base).items()
                if above.get(item) == base.get(item)
            }
            explicit = _by_item(_given_prices(own.given, mode, is_long=True), above)
            rates[mode, window, is_global] = {**above, **same, **explicit}
    source = f"{own.source}; other items: {period.source}" if period.source else own.source
    return replace(period, rates=rates, source=source)


def _by_item(prices: Mapping[str, int], base: Mapping[str, int]) -> dict[str, int]:
    """Return prices by item; those of a whole family leave out items that differ from text in the table."""
    found: dict[str, int] = {}
    for key in sorted(prices, key=len):  # the key of a family is shorter than those of its items
        first, *others = ITEMS_OF_KEY[key]
        found |= dict.fromkeys(
            (first, *(item for item in others if base.get(item) == base.get(first))), prices[key]
        )
    return found


def _short_prices(period: Period, given: Given, mode: str, short: str) -> dict[str, int]:
    """Return the prices of short prompts by key.

    A standard price of cached tokens is not halved where the table's is not: discounts do not stack then.
    """
    prices = _given_prices(given, mode, is_long=False)
    for key in ("cached_input", "cached_input_audio"):
        item = ITEMS_OF_KEY[key][0]
        listed = {period.rates.get((each, short, True), {}).get(item) for each in ("batch", "standard")}
        is_flat = len(listed) == 1 and None not in listed
        if mode == "batch" and is_flat and (key, False, True) not in given and key in prices:
            prices[key] = given[key, False, False]
    return prices


def _given_prices(given: Given, mode: str, *, is_long: bool) -> dict[str, int]:
    standard = {key: price for (key, long, batch), price in given.items() if long == is_long and not batch}
    batch = {key: price for (key, long, batch), price in given.items() if long == is_long and batch}
    halves = {key: price // 2 for key, price in standard.items()}
    return {**halves, **batch} if mode == "batch" else standard
