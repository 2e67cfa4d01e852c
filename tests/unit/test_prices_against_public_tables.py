"""Our price table against two that the public keeps: LiteLLM's and genai-prices'.

Each rate that one of them prints is compared with ours. Where we differ on purpose, the difference stands
below with the reason; one that has gone away fails the test just as a new one does, so the lists stay true.
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from batch_gateway.core import prices

FIXTURES = Path(__file__).parents[1] / "fixtures" / "prices"
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


def models(name: str) -> dict[str, Any]:
    return json.loads((FIXTURES / name).read_bytes(), parse_float=Decimal)["models"]


def our_usd(rate: Rate, at: datetime = NOW, location: str = "global") -> Decimal | None:
    key = TABLE.resolve(rate.model)
    window = TABLE.context_window(key, PROMPT_TOKENS[rate.length])
    pico = TABLE.unit_price(key, rate.item, context_window=window, location=location, at=at, mode=rate.mode)
    return None if pico is None else Decimal(pico) / 10**6


def differences(rates: Iterable[Rate], at: datetime = NOW) -> set[tuple[str, ...]]:
    """What differs, as (model, mode, length, item, theirs, ours)."""
    return {
        (*rate[:4], f"{rate.usd.normalize():f}", "none" if mine is None else f"{mine.normalize():f}")
        for rate in rates
        if (mine := our_usd(rate, at)) != rate.usd
    }


LITELLM_ITEMS = {
    "input_cost_per_token": "input_text",
    "input_cost_per_character": "input_text",
    "input_cost_per_audio_token": "input_audio",
    "input_cost_per_image_token": "input_image",
    "input_cost_per_video_token": "input_video",
    "cache_read_input_token_cost": "cached_input_text",
    "cache_read_input_audio_token_cost": "cached_input_audio",
    "cache_creation_input_token_cost": "cache_creation_input_text",
    "output_cost_per_token": "output_text",
    "output_cost_per_image_token": "output_image",
    "output_cost_per_reasoning_token": "output_thoughts",
}
UPLIFT = "regional_endpoint_uplift_multiplier"


def litellm_rates(entries: dict[str, Any]) -> Iterator[Rate]:
    for model, entry in entries.items():
        for key in entry.keys() - {UPLIFT}:
            what, long, batches = re.fullmatch(r"(.*?)(_above_\d+k_tokens)?(_batches)?", key).groups()
            mode, length = "batch" if batches else "standard", "long" if long else "short"
            yield Rate(model, mode, length, LITELLM_ITEMS[what], entry[key] * 10**6)


LITELLM_KNOWN = {
    "litellm_1.106.10.json": {
        "Half of standard, as the pricing page and genai-prices have it; theirs repeats the text rate.": {
            ("gemini-2.5-flash-lite", "batch", "short", "input_audio", "0.05", "0.15"),
        },
        "Half of standard, as their own batch cache rates are; theirs are those of Opus 5.": {
            ("vertex_ai/claude-opus-5-5", "batch", "short", "input_text", "2.5", "2"),
            ("vertex_ai/claude-opus-5-5", "batch", "short", "output_text", "12.5", "10"),
        },
        "The exact half of 3.75; theirs is rounded.": {
            ("vertex_ai/claude-sonnet-4-5", "batch", "short", "cache_creation_input_text", "1.88", "1.875"),
            ("vertex_ai/claude-sonnet-4-6", "batch", "short", "cache_creation_input_text", "1.88", "1.875"),
        },
        "The model takes 65,536 tokens at most, and genai-prices has no second tier.": {
            ("vertex_ai/gemini-3-pro-image", "standard", "long", "input_text", "4", "2"),
            ("vertex_ai/gemini-3-pro-image", "standard", "long", "cached_input_text", "0.4", "0.2"),
            ("vertex_ai/gemini-3-pro-image", "standard", "long", "output_text", "18", "12"),
        },
    },
    "litellm_1.80.17.json": {
        "Theirs is a slip: every other price doubles above 128k, and genai-prices has 0.15.": {
            ("gemini-1.5-flash-002", "standard", "long", "input_text", "1", "0.15"),
        },
        "Theirs are the Gemini Developer API's; for Vertex 1.106.10 and their own -001 have ours.": {
            ("gemini-2.0-flash", "standard", "short", "input_text", "0.1", "0.15"),
            ("gemini-2.0-flash", "standard", "short", "input_audio", "0.7", "1"),
            ("gemini-2.0-flash", "standard", "short", "cached_input_text", "0.025", "0.0375"),
            ("gemini-2.0-flash", "standard", "short", "output_text", "0.4", "0.6"),
        },
        "Theirs are of 2025; the pricing page, 1.106.10 and genai-prices agree on ours.": {
            ("gemini-2.5-flash-lite", "standard", "short", "input_audio", "0.5", "0.3"),
            ("gemini-2.5-flash-lite", "standard", "short", "cached_input_text", "0.025", "0.01"),
        },
    },
}


@pytest.mark.parametrize("name", LITELLM_KNOWN)
def test_rates_of_litellm(name):
    assert differences(litellm_rates(models(name))) == set().union(*LITELLM_KNOWN[name].values())


UPLIFT_KNOWN = {
    # The pricing page has Non-global rows for it: 2.20 and 13.20 instead of 2 and 12.
    ("vertex_ai/gemini-3.1-pro-preview", "1", "1.1"),
    # Theirs has the surcharge under the final name only.
    ("vertex_ai/gemini-3.1-flash-lite-preview", "1", "1.1"),
}


def test_surcharges_outside_global_of_litellm():
    found = set()
    for model, entry in models("litellm_1.106.10.json").items():
        rate = Rate(model, "batch", "short", "input_text", Decimal(0))
        mine, theirs = our_usd(rate, location="us-east5") / our_usd(rate), entry.get(UPLIFT, 1)
        if mine != theirs:
            found.add((model, str(theirs), str(mine)))
    assert found == UPLIFT_KNOWN


GENAI_ITEMS = {
    "input_mtok": "input_text",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "input_video_mtok": "input_video",
    "cache_read_mtok": "cached_input_text",
    "cache_audio_read_mtok": "cached_input_audio",
    "cache_write_mtok": "cache_creation_input_text",
    "output_mtok": "output_text",
    "output_image_mtok": "output_image",
}


def genai_days(entry: dict[str, Any]) -> Iterator[datetime]:
    yield from (LONG_AGO, NOW)
    for day, _ in entry["standard"] + entry.get("batch", []):
        if day:
            start = datetime.fromisoformat(day).replace(tzinfo=UTC)
            yield from (start - timedelta(seconds=1), start)


def genai_rates(model: str, entry: dict[str, Any], at: datetime) -> Iterator[Rate]:
    """All rates at a time; a batch variant replaces what it names and leaves the rest as in standard."""

    def in_force(periods: list[Any]) -> dict[str, Any] | None:
        days = [(day or "0001-01-01", rates) for day, rates in periods]
        return next((rates for day, rates in reversed(days) if day <= f"{at:%Y-%m-%d}"), None)

    standard, batch = in_force(entry["standard"]), in_force(entry.get("batch", []))
    for mode, rates in (("standard", standard), ("batch", batch and standard | batch)):
        for key, price in (rates or {}).items():
            flat = isinstance(price, str)
            yield Rate(model, mode, "short", GENAI_ITEMS[key], Decimal(price if flat else price["base"]))
            yield Rate(
                model, mode, "long", GENAI_ITEMS[key], Decimal(price if flat else price["tiers"][0][1])
            )


GENAI_KNOWN = {
    "Theirs are the Gemini Developer API's; LiteLLM has Vertex's, with no price for cached audio.": {
        ("gemini-2.0-flash", "standard", length, item, theirs, mine)
        for length in ("short", "long")
        for item, theirs, mine in (
            ("input_text", "0.1", "0.15"),
            ("input_audio", "0.7", "1"),
            ("cached_input_text", "0.025", "0.0375"),
            ("cached_input_audio", "0.175", "none"),
            ("output_text", "0.4", "0.6"),
        )
    },
    "The exact half of 0.03, as LiteLLM has it; theirs is rounded.": {
        ("gemini-3.5-flash-lite", "batch", "short", "cached_input_text", "0.02", "0.015"),
        ("gemini-3.5-flash-lite", "batch", "long", "cached_input_text", "0.02", "0.015"),
    },
}


def test_rates_of_genai_prices_around_every_day_that_one_starts():
    found = set()
    for model, entry in models("genai_prices_0.2.3.json").items():
        for at in genai_days(entry):
            found |= differences(genai_rates(model, entry, at), at)
    assert found == set().union(*GENAI_KNOWN.values())


# It charges a batch of these, as any batch before its first variant starts, the full price: we never do.
GENAI_WITHOUT_BATCH = {
    "claude-fable-5",
    "claude-fable-5-1",
    "claude-haiku-4-5",
    "claude-haiku-5-5",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-opus-5-5",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-sonnet-5-5",
    "gemini-1.5-flash",
    "gemini-1.5-pro",
    "gemini-2.0-flash",
    "gemini-2.0-flash-lite",
    "gemini-2.5-flash-image",
    "gemini-3-pro-preview",
    "gemini-3.5-flash",
    "gemini-3.7-flash",
    "gemini-embedding-001",
}


def test_a_batch_is_cheaper_also_where_genai_prices_has_no_variant():
    without = {model for model, entry in models("genai_prices_0.2.3.json").items() if "batch" not in entry}
    assert without == GENAI_WITHOUT_BATCH
    for model in without:
        for at in (LONG_AGO, NOW):
            batch, standard = (
                our_usd(Rate(model, mode, "short", "input_text", Decimal(0)), at)
                for mode in ("batch", "standard")
            )
            assert batch < standard


def test_each_of_our_models_is_in_a_public_table():
    names = [name for file in FIXTURES.glob("*.json") for name in models(file.name)]
    assert {TABLE.resolve(name) for name in names} == set(TABLE._models)
