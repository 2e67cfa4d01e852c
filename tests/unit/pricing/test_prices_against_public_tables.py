"""Our price table against two that the public keeps: LiteLLM's and genai-prices'.

Each rate that one of them prints is compared with ours. Where we differ on purpose, the difference stands
in fixtures/prices/disagreements.py with the reason; one that has gone away fails the test just as a new one
does, so the lists stay true. test_amounts_against_public_tables.py compares what a batch comes to.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import pytest

from batch_gateway.core.pricing import prices
from fixtures.prices.disagreements import (
    GENAI,
    GENAI_WITHOUT_BATCH,
    IN_NO_EXTRACT,
    LITELLM,
    LITELLM_NEW,
    LITELLM_OLD,
    LITELLM_SURCHARGES,
    PRINTED,
)
from fixtures.prices.public_tables import GENAI_ITEMS, LITELLM_ITEMS, UPLIFT, genai_in_force, models

TABLE = prices.load()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
PROMPT_TOKENS = {"short": 1, "long": 10**6}


class Rate(NamedTuple):
    """A price that a table prints: USD per million units."""

    model: str
    mode: Literal["batch", "standard"]
    length: Literal["short", "long"]
    item: str
    usd: Decimal


def our_usd(rate: Rate, at: datetime = NOW, location: str = "global") -> Decimal | None:
    key = TABLE.resolve(rate.model)
    window = TABLE.context_window(key, PROMPT_TOKENS[rate.length])
    pico = TABLE.unit_price(key, rate.item, context_window=window, location=location, at=at, mode=rate.mode)
    return None if pico is None else Decimal(pico) / 10**6


def differences(rates: Iterable[Rate], at: datetime = NOW) -> set[tuple[str, ...]]:
    """Return the differences, as (model, mode, length, item, theirs, ours)."""
    return {
        (*rate[:4], f"{rate.usd.normalize():f}", "none" if mine is None else f"{mine.normalize():f}")
        for rate in rates
        if (mine := our_usd(rate, at)) != rate.usd
    }


def litellm_rates(entries: dict[str, Any]) -> Iterator[Rate]:
    for model, entry in entries.items():
        for key in entry.keys() - {UPLIFT}:
            what, long, batches = re.fullmatch(r"(.*?)(_above_\d+k_tokens)?(_batches)?", key).groups()
            mode, length = "batch" if batches else "standard", "long" if long else "short"
            yield Rate(model, mode, length, LITELLM_ITEMS[what], entry[key] * 10**6)


@pytest.mark.parametrize("name", [LITELLM, LITELLM_NEW, LITELLM_OLD])
def test_rates_of_litellm(name):
    assert differences(litellm_rates(models(name))) == set().union(*PRINTED[name].values())


def test_surcharges_outside_global_of_litellm():
    found = set()
    for model, entry in (models(LITELLM) | models(LITELLM_NEW)).items():
        rate = Rate(model, "batch", "short", "input_text", Decimal(0))
        mine, theirs = our_usd(rate, location="us-east5") / our_usd(rate), entry.get(UPLIFT, 1)
        if mine != theirs:
            found.add((model, str(theirs), str(mine)))
    assert found == LITELLM_SURCHARGES


def genai_days(entry: dict[str, Any]) -> Iterator[datetime]:
    yield from (LONG_AGO, NOW)
    for day, _ in entry["standard"] + entry.get("batch", []):
        if day:
            start = datetime.fromisoformat(day).replace(tzinfo=UTC)
            yield from (start - timedelta(seconds=1), start)


def genai_rates(model: str, entry: dict[str, Any], at: datetime) -> Iterator[Rate]:
    """All rates at a time; a batch variant replaces what it names and leaves the rest as in standard."""
    standard, batch = genai_in_force(entry["standard"], at), genai_in_force(entry.get("batch", []), at)
    for mode, rates in (("standard", standard), ("batch", batch and standard | batch)):
        for key, price in (rates or {}).items():
            flat = isinstance(price, str)
            yield Rate(model, mode, "short", GENAI_ITEMS[key], Decimal(price if flat else price["base"]))
            yield Rate(
                model, mode, "long", GENAI_ITEMS[key], Decimal(price if flat else price["tiers"][0][1])
            )


def test_rates_of_genai_prices_around_every_day_that_one_starts():
    found = set()
    for model, entry in models(GENAI).items():
        for at in genai_days(entry):
            found |= differences(genai_rates(model, entry, at), at)
    assert found == set().union(*PRINTED[GENAI].values())


def test_a_batch_is_cheaper_also_where_genai_prices_has_no_variant():
    without = {model for model, entry in models(GENAI).items() if "batch" not in entry}
    assert without == GENAI_WITHOUT_BATCH
    for model in without:
        for at in (LONG_AGO, NOW):
            batch, standard = (
                our_usd(Rate(model, mode, "short", "input_text", Decimal(0)), at)
                for mode in ("batch", "standard")
            )
            assert batch < standard


def test_each_of_our_models_is_in_a_public_table():
    names = [name for table in PRINTED for name in models(table)]
    assert {TABLE.resolve(name) for name in names} == set(TABLE._models) - IN_NO_EXTRACT
