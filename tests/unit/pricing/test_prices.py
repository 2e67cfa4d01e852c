"""The shipped price table against figures worked out by hand, and what its loader refuses.

A price of 1 USD per million units is 1,000,000 pico-USD a unit.
"""

import json
import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import cost_of
from batch_gateway.core.pricing.model_prices import changes_of, midnight
from batch_gateway.core.pricing.price_changes import PriceChange
from batch_gateway.core.pricing.prices import LONGEST_QUEUE, PriceTable
from batch_gateway.core.pricing.query_fees import QueryFee
from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import (
    ENTERPRISE_WEB_SEARCH,
    MAPS_GROUNDING,
    RETRIEVAL,
    UNKNOWN_GROUNDING,
    WEB_SEARCH,
)

TABLE = prices.load()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def price(
    model: str,
    item: str,
    *,
    prompt: int = 1,
    location: str = "global",
    at: datetime = NOW,
    mode: Any = "batch",
) -> int | None:
    key = TABLE.resolve(model)
    assert key is not None
    window = TABLE.context_window(key, prompt)
    return TABLE.unit_price(key, item, context_window=window, location=location, at=at, mode=mode)


GENERATIVE = [
    "gemini-1.5-flash-002",
    "gemini-1.5-pro-002",
    "gemini-2.0-flash",
    "gemini-2.0-flash-001",
    "gemini-2.0-flash-lite-001",
    "gemini-2.0-pro-exp-02-05",
    "gemini-2.5-flash",
    "gemini-2.5-flash-image",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-pro-preview",
    "gemini-3-pro-image",
    "gemini-3-flash-preview",
    "gemini-3.1-pro-preview",
    "gemini-3.1-flash-lite",
    "gemini-3.1-flash-image",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.6-flash",
    "gemini-3.7-flash",
    "gemini-3.8-flash",
    "gemini-4-argon",
    "gemini-4-argon-cyber-permissive",
    "gemini-4-carbon",
    "gemini-4-hydrogen",
    "gemini-4-neon",
    "gemini-nano-banana-2.1",
    "claude-opus-4",
    "claude-opus-4-1",
    "claude-sonnet-4",
    "claude-sonnet-5",
    "claude-opus-5-5",
    "llama-3.1-405b-instruct-maas",
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "llama-4-maverick-17b-128e-instruct-maas",
    "llama-4-scout-17b-16e-instruct-maas",
    "llama-3.3-70b-instruct-maas",
    "gpt-oss-120b-maas",
    "gpt-oss-20b-maas",
    "qwen3-235b-a22b-instruct-2507-maas",
    "qwen3-coder-480b-a35b-instruct-maas",
    "deepseek-v3.1-maas",
    "deepseek-v3.2-maas",
    "deepseek-r1-0528-maas",
]
EMBEDDINGS = [
    "text-embedding-004",
    "text-embedding-005",
    "text-multilingual-embedding-002",
    "gemini-embedding-001",
    "gemini-embedding-2",
]


@pytest.mark.parametrize("model", GENERATIVE)
def test_every_generative_model_has_batch_input_and_output(model):
    for prompt in (1, 10**6):
        assert price(model, "input_text", prompt=prompt)
        assert price(model, "output_text", prompt=prompt)
        assert price(model, "output_thoughts", prompt=prompt) == price(model, "output_text", prompt=prompt)


@pytest.mark.parametrize("model", EMBEDDINGS)
def test_embeddings_charge_input_only(model):
    assert price(model, "input_text")
    assert price(model, "output_text") is None


# Each with the source of the figure; "page" is the Vertex AI pricing page as transcribed in 2026-11.
@pytest.mark.parametrize(
    ("model", "item", "pico"),
    [
        ("gemini-2.5-pro", "input_text", 625_000),  # page, Batch tab: 0.625
        ("gemini-2.5-pro", "input_audio", 625_000),  # page: one rate for all modalities
        ("gemini-2.5-pro", "output_text", 5_000_000),  # page, Batch tab: 5
        ("gemini-2.5-flash", "input_text", 150_000),  # page, Batch tab: 0.15
        ("gemini-2.5-flash", "input_video", 150_000),  # page: text, image and video together
        ("gemini-2.5-flash", "input_audio", 500_000),  # page, Batch tab: 0.50
        ("gemini-2.5-flash", "output_thoughts", 1_250_000),  # page, Batch tab: 1.25, "response and reasoning"
        ("gemini-2.5-flash-lite", "input_text", 50_000),  # page, Batch tab: 0.05
        (
            "gemini-2.5-flash-lite",
            "input_audio",
            150_000,
        ),  # page: 0.15 = half of 0.30; LiteLLM's 0.05 is not taken
        ("gemini-2.5-flash-lite", "output_text", 200_000),  # page 0.20; seen on a bill by OpenRouter
        ("gemini-2.5-flash-image", "output_image", 15_000_000),  # page, Batch tab: 15
        ("gemini-2.5-flash-image", "output_text", 1_250_000),  # page, Batch tab: 1.25
        ("gemini-2.5-flash-image", "input_audio", None),  # no batch price printed
        (
            "gemini-2.0-flash",
            "input_text",
            75_000,
        ),  # LiteLLM 1.106.10 vertex_ai/: 0.075, not 0.05 as on AI Studio
        ("gemini-2.0-flash-001", "input_audio", 500_000),  # LiteLLM 1.106.10 vertex_ai/: 0.5
        ("gemini-2.0-flash-001", "output_text", 300_000),  # LiteLLM 1.106.10 vertex_ai/: 0.3
        ("gemini-2.0-flash-lite-001", "input_audio", 37_500),  # LiteLLM 1.106.10: 0.0375, as its text
        ("gemini-1.5-flash-002", "input_text", 37_500),  # half of 0.075, derived
        ("gemini-1.5-pro-002", "output_text", 2_500_000),  # half of 5, derived
        ("gemini-3-pro-image", "output_image", 60_000_000),  # genai-prices 0.2.3: 0.067 per 1120 tokens = 60
        ("gemini-3.1-flash-image", "output_image", 30_000_000),  # genai-prices 0.2.3: 30
        ("gemini-3.1-flash-lite", "input_audio", 250_000),  # LiteLLM 1.106.10, genai-prices 0.2.3: 0.25
        ("gemini-3.5-flash", "input_audio", 750_000),  # one rate for all modalities
        ("gemini-3.5-flash", "output_thoughts", 4_500_000),  # LiteLLM 1.106.10: 4.5
        ("gemini-embedding-001", "input_text", 120_000),  # page: 0.00012 per 1,000, a discount of 20 %
        ("gemini-embedding-001", "input_image", None),  # text only
        ("gemini-embedding-2", "input_text", 100_000),  # genai-prices 0.2.3, LiteLLM 1.106.10: 0.1
        ("gemini-embedding-2", "input_video", 6_000_000),  # the same: 6
        ("gemini-embedding-2", "input_document", None),  # no source prints it
        ("text-embedding-005", "input_text", 20_000),  # page: 0.00002 per 1,000 characters
        ("claude-haiku-4-5", "input_text", 500_000),  # LiteLLM 1.106.10: 0.5
        ("claude-haiku-4-5", "cached_input_text", 50_000),  # LiteLLM 1.106.10: 0.05
        ("claude-haiku-4-5", "cache_creation_input_text", 625_000),  # LiteLLM 1.106.10: 0.625
        ("claude-sonnet-4-5", "cache_creation_input_text", 1_875_000),  # exact half of 3.75, printed as 1.88
        ("claude-opus-5-5", "input_text", 2_500_000),  # LiteLLM 1.110.2, Tetrate; half of 4 is disputed
        ("claude-opus-5-5", "output_text", 12_500_000),  # the same; half of 20 is disputed
        ("claude-opus-5-5", "cache_creation_1h_input_text", 4_000_000),  # half of 8
        ("claude-haiku-4-5", "cache_creation_1h_input_text", 1_000_000),  # half of 2, Portkey, Tetrate
        ("claude-sonnet-4-6", "cache_creation_1h_input_text", 3_000_000),  # half of 6
        ("claude-sonnet-5", "cache_creation_1h_input_text", 2_000_000),  # half of 4
        ("claude-sonnet-5", "cached_input_text", 100_000),  # half of 0.2
        ("claude-sonnet-5", "cache_creation_input_text", 1_250_000),  # half of 2.5
        ("claude-opus-4-8", "cache_creation_1h_input_text", 5_000_000),  # half of 10
        ("claude-opus-4-1", "cache_creation_1h_input_text", 15_000_000),  # Tetrate
        ("claude-opus-4-1", "input_text", 7_500_000),  # Tetrate, Portkey: 7.5
        ("claude-opus-4-1", "cached_input_text", 750_000),  # 0.75
        ("claude-opus-4-1", "cache_creation_input_text", 9_375_000),  # 9.375
        ("claude-opus-4", "output_text", 37_500_000),  # half of 75, derived
        ("claude-opus-4", "cache_creation_1h_input_text", None),  # no source prints it
        ("claude-sonnet-4", "input_text", 1_500_000),  # half of 3, derived
        ("claude-fable-5-1", "cache_creation_1h_input_text", 10_000_000),  # half of 20
        ("claude-fable-5-2", "cache_creation_1h_input_text", 8_000_000),  # genai-prices 0.2.3: 8
        ("claude-haiku-5-5", "cache_creation_1h_input_text", 100_000),  # half of 0.2
        ("gemini-4-hydrogen", "input_audio", 750_000),  # LiteLLM 1.110.2: 0.75
        ("gemini-4-hydrogen", "cached_input_text", 37_500),  # 0.0375
        ("gemini-4-neon", "output_text", 7_500_000),  # half of 15, derived
        ("gemini-nano-banana-2.1", "output_image", 15_000_000),  # LiteLLM 1.110.2, genai-prices 0.2.3: 15
        ("gemini-nano-banana-2.1", "output_text", 3_750_000),  # 3.75
        ("gemini-nano-banana-2.1", "cached_input_text", 75_000),  # LiteLLM 1.110.2: 0.075
        ("gemini-4-argon-cyber-permissive", "input_audio", 2_000_000),  # LiteLLM 1.110.2: 2
        ("meta/llama-3.1-405b-instruct-maas", "input_text", 2_500_000),  # Portkey: 2.5
        ("meta/llama-3.1-405b-instruct-maas", "output_text", 8_000_000),  # Portkey: 8
        ("gpt-oss-20b-maas", "input_text", 35_000),  # LiteLLM 1.106.10: 0.035
        ("gpt-oss-20b-maas", "cached_input_text", None),  # printed for standard only
    ],
)
def test_batch_price_per_unit(model, item, pico):
    assert price(model, item) == pico


# Input, cached input, output. Page and genai-prices 0.2.3 (2.5, 3.1), page (3), half of standard (1.5).
@pytest.mark.parametrize(
    ("model", "threshold", "short", "long"),
    [
        ("gemini-2.5-pro", 200_000, (625_000, 125_000, 5_000_000), (1_250_000, 250_000, 7_500_000)),
        ("gemini-3-pro-preview", 200_000, (1_000_000, 200_000, 6_000_000), (2_000_000, 400_000, 9_000_000)),
        ("gemini-3.1-pro-preview", 200_000, (1_000_000, 200_000, 6_000_000), (2_000_000, 400_000, 9_000_000)),
        ("gemini-2.0-pro-exp-02-05", 200_000, (625_000, None, 5_000_000), (1_250_000, None, 7_500_000)),
        ("gemini-1.5-flash", 128_000, (37_500, None, 150_000), (75_000, None, 300_000)),
        ("gemini-1.5-pro", 128_000, (625_000, None, 2_500_000), (1_250_000, None, 5_000_000)),
        ("gemini-2.5-flash", 200_000, (150_000, 30_000, 1_250_000), (150_000, 30_000, 1_250_000)),
        ("claude-haiku-5-5", 100_000, (50_000, 5_000, 250_000), (250_000, 25_000, 1_250_000)),
        ("claude-sonnet-4-5", 200_000, (1_500_000, 150_000, 7_500_000), (3_000_000, 300_000, 11_250_000)),
    ],
)
def test_a_prompt_above_the_threshold_prices_the_whole_row_as_long(model, threshold, short, long):
    items = ("input_text", "cached_input_text", "output_text")
    assert tuple(price(model, item, prompt=threshold) for item in items) == short
    assert tuple(price(model, item, prompt=threshold + 1) for item in items) == long


def test_context_windows_have_the_names_of_the_cost_api():
    assert TABLE.context_window("gemini-2.5-flash", 200_000) == "0-200k"
    assert TABLE.context_window("gemini-2.5-flash", 200_001) == "200k-1M"
    assert TABLE.context_window("gemini-1.5-pro", 128_000) == "0-128k"
    assert TABLE.context_window("gemini-1.5-pro", 128_001) == "128k-1M"
    assert TABLE.context_window("text-embedding-005", 10**6) == ""
    assert TABLE.context_window(None, 200_000) == prices.context_window(200_000) == "0-200k"
    assert TABLE.context_window("unheard-of", 200_001) == prices.context_window(200_001) == "200k-1M"


def test_a_window_of_another_model_has_no_price():
    lookup = {"location": "global", "at": NOW}
    assert TABLE.unit_price("gemini-2.5-pro", "input_text", context_window="0-128k", **lookup) is None
    assert TABLE.unit_price("gemini-2.5-pro", "input_text", context_window="", **lookup) is None


# Batch documentation: the discounts of cache and batch don't stack, so up to 3.1 Pro the standard cached rate
# holds; LiteLLM 1.106.10 (..._batches) and genai-prices 0.2.3: from 3.1 Flash-Lite on it is half of that.
@pytest.mark.parametrize(
    ("model", "modality", "standard", "batch"),
    [
        ("gemini-2.5-pro", "text", 125_000, 125_000),
        ("gemini-2.5-flash", "text", 30_000, 30_000),
        ("gemini-2.5-flash", "audio", 100_000, 100_000),
        ("gemini-2.5-flash-lite", "text", 10_000, 10_000),
        ("gemini-2.5-flash-lite", "audio", 30_000, 30_000),
        ("gemini-3-flash-preview", "text", 50_000, 50_000),
        ("gemini-3-flash-preview", "audio", 100_000, 100_000),
        ("gemini-3-pro-preview", "text", 200_000, 200_000),
        ("gemini-3.1-pro-preview", "text", 200_000, 200_000),
        ("gemini-3.1-flash-lite", "text", 25_000, 12_500),
        ("gemini-3.1-flash-lite", "audio", 50_000, 25_000),
        ("gemini-3.5-flash", "text", 150_000, 75_000),
        ("gemini-3.5-flash-lite", "text", 30_000, 15_000),  # 0.02 on the page is 0.015, rounded
        ("gemini-3.8-flash", "text", 75_000, 37_500),
        ("gemini-4-argon", "audio", 100_000, 50_000),
        ("gemini-2.0-flash", "text", 37_500, None),  # no caching in batch for 2.0
        ("gemini-2.0-flash", "audio", None, None),
        ("gemini-1.5-pro", "text", 312_500, None),
    ],
)
def test_cached_tokens(model, modality, standard, batch):
    item = f"cached_input_{modality}"
    assert (price(model, item, mode="standard"), price(model, item)) == (standard, batch)


# genai-prices 0.2.3: introductory through 2026-12-31 and 2026-11-30.
@pytest.mark.parametrize(
    ("model", "day", "before", "after"),
    [
        (
            "gemini-3.6-flash",
            datetime(2027, 1, 1, tzinfo=UTC),
            (375_000, 37_500, 1_875_000),
            (750_000, 75_000, 3_750_000),
        ),
        (
            "gemini-3.7-flash",
            datetime(2027, 1, 1, tzinfo=UTC),
            (375_000, 37_500, 1_875_000),
            (750_000, 75_000, 3_750_000),
        ),
        (
            "gemini-3.8-flash",
            datetime(2027, 1, 1, tzinfo=UTC),
            (375_000, 37_500, 1_875_000),
            (750_000, 75_000, 3_750_000),
        ),
        (
            "gemini-4-argon",
            datetime(2026, 12, 1, tzinfo=UTC),
            (1_000_000, 50_000, 5_000_000),
            (2_000_000, 100_000, 10_000_000),
        ),
        (
            "gemini-4-carbon",
            datetime(2026, 12, 1, tzinfo=UTC),
            (1_000_000, 50_000, 5_000_000),
            (2_000_000, 100_000, 10_000_000),
        ),
        (
            "gemini-3.6-flash",
            datetime(2026, 8, 13, tzinfo=UTC),
            (750_000, 75_000, 3_750_000),
            (375_000, 37_500, 1_875_000),
        ),
    ],
)
def test_prices_change_at_midnight(model, day, before, after):
    items = ("input_text", "cached_input_text", "output_text")
    assert tuple(price(model, item, at=day - SECOND) for item in items) == before
    assert tuple(price(model, item, at=day) for item in items) == after


def test_a_job_older_than_anything_known_gets_the_oldest_batch_price():
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert price("gemini-3.8-flash", "input_text", at=long_ago) == 375_000
    assert price("gemini-3.6-flash", "input_text", at=long_ago) == 750_000


def test_a_change_counts_in_utc_whatever_the_time_zone_given():
    zone_ahead = datetime.fromisoformat("2027-01-01T08:59:59+09:00")
    assert price("gemini-3.8-flash", "input_text", at=zone_ahead) == 375_000
    with pytest.raises(TypeError):
        price("gemini-3.8-flash", "input_text", at=datetime(2027, 1, 1))  # noqa: DTZ001 - that is the point


# Page, Non-global rows (3.1 Pro: 2.20 and 13.20 for 2 and 12); LiteLLM regional_endpoint_uplift_multiplier.
@pytest.mark.parametrize("location", ["us-central1", "europe-west4", "us", "eu"])
@pytest.mark.parametrize(
    ("model", "item", "everywhere", "non_global"),
    [
        ("gemini-3.1-pro-preview", "input_text", 1_000_000, 1_100_000),
        ("gemini-3.1-flash-lite", "cached_input_text", 12_500, 13_750),
        ("gemini-3.1-flash-image", "output_image", 30_000_000, 33_000_000),
        ("gemini-3.8-flash", "output_text", 1_875_000, 2_062_500),
        ("gemini-4-argon", "input_text", 1_000_000, 1_100_000),
        ("gemini-4-neon", "input_text", 1_500_000, 1_650_000),
        ("gemini-nano-banana-2.1", "output_image", 15_000_000, 15_000_000),
        ("claude-haiku-4-5", "input_text", 500_000, 550_000),
        ("gemini-2.5-flash", "input_text", 150_000, 150_000),
        ("gemini-3-flash-preview", "input_text", 250_000, 250_000),
        ("gpt-oss-120b-maas", "input_text", 45_000, 45_000),
    ],
)
def test_the_surcharge_outside_global(model, item, everywhere, non_global, location):
    assert price(model, item) == everywhere
    assert price(model, item, location=location) == non_global
    # Tetrate's price files: from 2026-07-01 on.
    first = datetime(2026, 7, 1, tzinfo=UTC)
    assert price(model, item, location=location, at=first - SECOND) == price(model, item, at=first - SECOND)
    dearer = price(model, item, location=location, at=first), price(model, item, at=first)
    assert dearer[0] * everywhere == dearer[1] * non_global


def test_opus_4_6_lost_its_long_context_premium():
    # genai-prices 0.2.3, after Anthropic's announcement of 2026-03-13.
    day = datetime(2026, 3, 13, tzinfo=UTC)
    assert price("claude-opus-4-6", "input_text", prompt=200_001, at=day - SECOND) == 5_000_000
    assert price("claude-opus-4-6", "input_text", prompt=200_001, at=day) == 2_500_000


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("gemini-2.5-flash", "gemini-2.5-flash"),
        ("Gemini-2.5-Flash", "gemini-2.5-flash"),
        ("gemini-2.5-flash-001", "gemini-2.5-flash"),
        ("gemini-2.0-flash-001@default", "gemini-2.0-flash"),
        ("gemini-2.0-flash-lite-001", "gemini-2.0-flash-lite"),
        ("gemini-1.5-pro-002", "gemini-1.5-pro"),
        ("vertex_ai/gemini-2.5-flash", "gemini-2.5-flash"),
        ("publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("publishers/google/models/gemini-2.5-flash@default", "gemini-2.5-flash"),
        ("gemini-2.5-flash-lite", "gemini-2.5-flash-lite"),
        ("gemini-2.5-flash-lite-preview-09-2025", "gemini-2.5-flash-lite"),
        ("gemini-3.1-flash-lite-preview", "gemini-3.1-flash-lite"),
        ("gemini-embedding-2-preview", "gemini-embedding-2"),
        ("gemini-embedding-001", "gemini-embedding-001"),
        ("text-embedding-004", "text-embedding-004"),
        ("publishers/anthropic/models/claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-opus-4-6-20260205", "claude-opus-4-6"),
        ("publishers/anthropic/models/claude-opus-4-1@20250805", "claude-opus-4-1"),
        ("claude-opus-4-1-20250805", "claude-opus-4-1"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("vertex_ai/claude-sonnet-5-20260701", "claude-sonnet-5"),
        ("gemini-4-argon-20261013", "gemini-4-argon"),
        ("gemini-3.8-flash-20260901", "gemini-3.8-flash"),
        ("gemini-4-argon-preview", "gemini-4-argon"),
        ("gemini-4-carbon-preview-20261020", "gemini-4-carbon"),
        ("gemini-3.1-pro-preview", "gemini-3.1-pro-preview"),
        ("gemini-3-flash-preview-12-2025", "gemini-3-flash-preview"),
        ("gemini-3.1-pro-preview-customtools", "gemini-3.1-pro-preview"),
        ("gemini-3-pro-image-preview", "gemini-3-pro-image"),
        ("gemini-2.5-pro-preview-03-25", "gemini-2.5-pro"),
        ("gemini-2.5-flash-lite-preview-06-17", "gemini-2.5-flash-lite"),
        ("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),  # LiteLLM 1.80.17: 0.30 and 2.50
        ("vertex_ai/meta/llama-3.3-70b-instruct-maas", "llama-3.3-70b-instruct-maas"),
        ("publishers/deepseek-ai/models/deepseek-r1-0528-maas", "deepseek-r1-0528-maas"),
    ],
)
def test_names_of_known_models(name, key):
    assert TABLE.resolve(name) == key


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "gemini",
        "gemini-2.5",
        "gemini-2.5-flash-ultra",
        "gemini-2.5-flash-tts",
        "gemini-2.5-flash-preview-04-17",  # was 0.15 and 0.60: not the price of its successor
        "gemini-2.5-flash-preview",
        "gemini-2.5-flash-preview-tts",
        "gemini-flash-latest",  # moves on from model to model
        "gemini-flash-lite-latest",
        "publishers/google/models/gemini-pro-latest",
        "gemini-4-argon-latest",
        "gemini-4-argon-20261313",  # no date
        "gemini-4-argon-2026101",
        "gemini-4-argon-preview-13",
        "gpt-oss-20b-maas-20261013",  # of no family that is known to do so
        "claude-opus-4-6-preview",
        "gemini-2.5-flash-1",
        "gemini-2.5-flash-0001",
        "gemini-embedding-002",
        "text-embedding-003",
        "claude-opus-3",
        "1234567890123456789",
        "projects/p/locations/us-central1/models/1234567890123456789@1",
        "projects/p/locations/us-central1/models/gemini-2.5-flash",  # an owner's own model may have this id
        "projects/p/locations/us-central1/endpoints/1234567890123456789",
    ],
)
def test_unknown_and_tuned_models_have_no_price(name):
    key = TABLE.resolve(name)
    assert key is None
    assert TABLE.unit(key) == "token"
    for window in ("0-200k", "200k-1M"):
        assert TABLE.unit_price(key, "input_text", context_window=window, location="global", at=NOW) is None


def test_units():
    assert TABLE.unit("text-multilingual-embedding-002") == "character"
    assert TABLE.unit("gemini-embedding-001") == "token"


def test_the_table_is_named_and_read_once():
    assert TABLE.version == "2026-11-28"
    assert prices.load() is TABLE


KINDS = ("text", "image", "video", "audio", "document")
ITEMS = [
    *(f"{family}_{kind}" for family in ("input", "cached_input", "output") for kind in KINDS),
    "output_thoughts",
    "cache_creation_input_text",
    "cache_creation_1h_input_text",
]


@given(
    model=st.sampled_from(sorted(TABLE._models)),
    item=st.sampled_from(ITEMS),
    prompt=st.integers(0, 2_000_000),
    location=st.sampled_from(["global", "us", "us-east5"]),
    at=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - as st wants it
)
def test_a_price_is_a_whole_number_and_batch_never_dearer_than_standard(model, item, prompt, location, at):
    batch = price(model, item, prompt=prompt, location=location, at=at)
    standard = price(model, item, prompt=prompt, location=location, at=at, mode="standard")
    if batch is not None:
        assert type(batch) is int
        assert 0 < batch <= (standard or batch)
        assert price(model, item, prompt=prompt, at=at) <= batch
        assert price(model, item, prompt=0, location=location, at=at) <= batch
        assert price(model, item, prompt=prompt, location=location, at=at, mode="standard") is not None


def table(**changes: Any) -> dict[str, Any]:
    period = {"from": None, "source": "a page", "batch": {"input": "0.15", "output": "1"}}
    model = {"unit": "token", "non_global_multiplier": "1.1", "prices": [period]}
    model["prices"][0].update(changes.pop("period", {}))
    model["prices"] += changes.pop("later", [])
    model.update(changes.pop("model", {}))
    whole = {"version": "v", "currency": "USD", "per": 1_000_000, "models": {"m-1": model}, "aliases": {}}
    return whole | changes


def read(content: dict[str, Any]) -> PriceTable:
    return PriceTable.from_json(json.dumps(content).encode())


def test_a_small_table_is_read():
    small = read(table(aliases={"m-one": "m-1"}))
    assert small.resolve("M-ONE@9") == "m-1"
    lookup = {"context_window": "200k-1M", "at": NOW}
    assert small.unit_price("m-1", "input_audio", location="us", **lookup) == 165_000
    assert small.unit_price("m-1", "input_audio", location="us", mode="standard", **lookup) is None
    assert small.unit_price("m-1", "cached_input_text", location="us", **lookup) is None


def test_an_items_own_price_overrides_its_familys_in_any_order():
    small = read(
        table(period={"batch": {"input_audio": "2", "input": "1", "output_thoughts": "4", "output": "3"}})
    )
    lookup = {"context_window": "0-200k", "location": "global", "at": NOW}
    items = ("input_text", "input_audio", "output_text", "output_thoughts")
    assert [small.unit_price("m-1", item, **lookup) for item in items] == [
        10**6,
        2 * 10**6,
        3 * 10**6,
        4 * 10**6,
    ]


def test_long_context_leaves_unpriced_what_it_leaves_out():
    small = read(table(period={"batch": {"input": "1", "output": "3", "long_context": {"input": "2"}}}))
    lookup = {"context_window": "200k-1M", "location": "global", "at": NOW}
    assert small.unit_price("m-1", "input_text", **lookup) == 2 * 10**6
    assert small.unit_price("m-1", "output_text", **lookup) is None


def batch(**rates: Any) -> dict[str, Any]:
    return table(period={"batch": rates})


def retired(**members: Any) -> dict[str, Any]:
    return {"retired": "2027-02-01", "source": "a page", **members}


def later(*days: Any) -> dict[str, Any]:
    return table(later=[{"from": day, "source": "a page", "batch": {"input": "1"}} for day in days])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "table: must be an object"),
        ({}, "table: .*: missing"),
        (table(currency="EUR"), "table: currency"),
        (table(per=1000), "table: .*per"),
        (table(prices={}), "table: prices: unknown key"),
        (table(models=[]), "models: must be an object"),
        (table(models={"M": {}}), "M: .*: missing"),
        (table(model={"units": "token"}), "m-1: units: unknown key"),
        (table(model={"unit": "word"}), "m-1: unit"),
        (table(model={"unit": "character", "context_threshold": 1000}), "m-1: unit"),
        (table(model={"context_threshold": 128_500}), "m-1: context_threshold: 128500"),
        (table(model={"context_threshold": "128k"}), "m-1: context_threshold: '128k'"),
        (table(model={"non_global_multiplier": 1.1}), r"m-1: non_global_multiplier: 1\.1"),
        (table(model={"non_global_multiplier": "0.9"}), r"m-1: non_global_multiplier: '0\.9'"),
        (table(model={"prices": []}), "m-1: from: the first"),
        (table(model={"prices": 5}), "m-1: from: the first"),
        (table(model={"prices": [{"from": None, "source": "a page"}]}), "m-1: prices: batch: missing"),
        (table(period={"from": "2026-01-01"}), "m-1: from: the first"),
        (table(period={"source": ""}), "m-1: from null: source"),
        (table(period={"derived": ""}), "m-1: from null: derived"),
        (table(period={"disputed": True}), "m-1: from null: disputed"),
        (table(non_global_from="July"), "table: non_global_from: must be a date"),
        (table(model={"retirement": {"retired": "2027-01-01"}}), "m-1: retirement: source: missing"),
        (table(model={"retirement": {"source": "a page"}}), "m-1: retirement: must have closed or retired"),
        (table(model={"retirement": retired(source="")}), "m-1: retirement: source"),
        (table(model={"retirement": retired(retired="soon")}), "m-1: retirement: retired: must be a date"),
        (table(model={"retirement": retired(closed=20270101)}), "m-1: retirement: closed: must be a date"),
        (table(model={"retirement": retired(ends="2027-01-01")}), "m-1: retirement: ends: unknown key"),
        (table(period={"Batch": {}}), "m-1: prices: Batch: unknown key"),
        (later("2027-13-01"), "m-1: from 2027-13-01: must be a date"),
        (later("soon"), "m-1: from soon: must be a date"),
        (later(20270101), "m-1: from 20270101: must be a date"),
        (later("2027-02-01", "2027-01-01"), "m-1: from: dates must ascend"),
        (later("2027-01-01", "2027-01-01"), "m-1: from: dates must ascend"),
        (later(None), "m-1: from: dates must ascend"),
        (batch(), "m-1: from null: batch: has no prices"),
        (batch(input="-0.15"), "m-1: from null: batch: input: '-0.15'"),
        (batch(input=0.15), r"m-1: from null: batch: input: 0\.15"),
        (batch(input=None), "m-1: from null: batch: input: None"),
        (batch(input="NaN"), "m-1: from null: batch: input: 'NaN'"),
        (batch(input="1e-3"), "m-1: from null: batch: input: '1e-3'"),
        (batch(input="0.0000015"), "m-1: from null: batch: input: 0.0000015 times 1 is not a whole"),
        (batch(input="0.000001"), "m-1: from null: batch: input: 0.000001 times 1.1 is not a whole"),
        (batch(imput="1"), "m-1: from null: batch: imput: unknown key"),
        (batch(input="1", long_context={"outputs": "1"}), "m-1: from null: batch: outputs: unknown key"),
        (batch(input="1", long_context={}), "m-1: from null: batch: has no prices"),
        (
            table(
                model={"unit": "character"}, period={"batch": {"input": "1", "long_context": {"input": "1"}}}
            ),
            "m-1: from null: batch: long_context: unknown key",
        ),
        (table(aliases={"other": "m-2"}), "aliases: other"),
        (table(aliases={"m-1": None}), "aliases: m-1"),
        (table(aliases={"m-1": "m-1"}), "aliases: m-1"),
        (table(aliases={"M-One": "m-1"}), "aliases: M-One"),
    ],
)
def test_the_loader_names_what_is_wrong(content, message):
    with pytest.raises(ValueError, match=message):
        read(content)


def test_a_model_under_an_upper_case_key_could_never_be_found():
    with pytest.raises(ValueError, match="M-1: a model's key"):
        read(table(models={"M-1": table()["models"]["m-1"]}))


def test_a_key_given_twice_is_no_price_lost():
    text = json.dumps(table()).replace('"input": "0.15"', '"input": "0.15", "input": "9"')
    with pytest.raises(ValueError, match="input: given twice"):
        PriceTable.from_json(text.encode())


def test_every_shipped_price_names_its_source_and_every_key_is_found_again():
    shipped = json.loads(Path(prices.__file__).with_name("prices.json").read_bytes())
    for key, model in shipped["models"].items():
        assert TABLE.resolve(key) == key
        for period in model["prices"]:
            assert "read 2026-" in period["source"]
            assert period["standard"]


# The dearest price within a time


@pytest.mark.parametrize("location", ["global", "eu"])
@pytest.mark.parametrize(
    ("model", "at", "until", "usd"),
    [
        ("gemini-4-carbon", "2026-11-28T00:00:00", "2026-11-30T23:59:59", "1"),
        ("gemini-4-carbon", "2026-11-28T00:00:00", "2026-12-01T00:00:00", "2"),
        ("gemini-4-carbon", "2026-11-30T12:00:00", "2026-12-03T12:00:00", "2"),
        ("gemini-4-carbon", "2026-12-01T00:00:00", "2026-12-04T00:00:00", "2"),
        ("gemini-3.8-flash", "2026-12-30T00:00:00", "2027-01-02T00:00:00", "0.75"),
        ("gemini-3.6-flash", "2026-08-12T00:00:00", "2026-08-15T00:00:00", "0.75"),  # it fell
        ("gemini-3.6-flash", "2026-08-13T00:00:00", "2026-08-16T00:00:00", "0.375"),
        ("gemini-3.6-flash", "2026-08-12T00:00:00", "2027-02-01T00:00:00", "0.75"),
    ],
)
def test_the_dearest_price_of_a_time(model, at, until, usd, location):
    at, until = (datetime.fromisoformat(f"{day}+00:00") for day in (at, until))
    dearest = TABLE.unit_price(
        model, "input_text", context_window="0-200k", location=location, at=at, until=until
    )
    assert dearest == Decimal(usd) * 10**6 * Decimal("1.1" if location == "eu" else 1)


def test_the_surcharge_begins_within_a_time():
    at = datetime(2026, 6, 30, tzinfo=UTC)
    found = [
        TABLE.unit_price("claude-opus-5", "input_text", context_window="0-200k", location="us", at=at, **more)
        for more in ({}, {"until": at}, {"until": at + timedelta(days=3)})
    ]
    assert found == [2_500_000, 2_500_000, 2_750_000]


def test_what_may_come_without_a_price_has_no_dearest():
    small = read(table(later=[{"from": "2027-01-01", "source": "a page", "batch": {"output": "9"}}]))
    at = datetime(2026, 12, 31, tzinfo=UTC)
    lookup = {"context_window": "0-200k", "location": "global", "at": at, "until": at + LONGEST_QUEUE}
    assert small.unit_price("m-1", "input_text", **lookup) is None
    assert small.unit_price("m-1", "output_text", **lookup) == 9 * 10**6


# What changes


def changes_between(table: PriceTable, after: datetime, until: datetime) -> list[PriceChange]:
    """The changes of all models after one time and up to another, in order."""
    changes = [change for key, model in table._models.items() for change in changes_of(key, model)]
    return sorted(
        (change for change in changes if after < midnight(change.day) <= until),
        key=lambda change: (change.day, change.model, change.kind),
    )


def changes(start: str, days: int = 30) -> list[tuple[str, str, str]]:
    at = datetime.fromisoformat(f"{start}T00:00:00+00:00")
    found = changes_between(TABLE, at, at + timedelta(days=days))
    return [(f"{change.day}", change.model, change.kind) for change in found]


def test_what_changes_within_thirty_days():
    assert changes("2026-11-28") == [
        ("2026-12-01", "gemini-4-argon", "price"),
        ("2026-12-01", "gemini-4-carbon", "price"),
        ("2026-12-24", "claude-sonnet-5", "retired"),
    ]
    assert changes("2026-12-31") == [
        ("2027-01-01", "gemini-3.6-flash", "price"),
        ("2027-01-01", "gemini-3.7-flash", "price"),
        ("2027-01-01", "gemini-3.8-flash", "price"),
        ("2027-01-24", "claude-opus-5", "retired"),
        ("2027-01-28", "gemini-2.5-flash", "retired"),
        ("2027-01-28", "gemini-2.5-flash-lite", "retired"),
        ("2027-01-28", "gemini-2.5-pro", "retired"),
        ("2027-01-28", "gemini-3.7-flash", "retired"),
    ]
    assert ("2026-10-20", "gemini-2.5-pro", "closed") in changes("2026-10-01")
    assert ("2026-11-19", "gemini-3.6-flash", "retired") in changes("2026-11-01")


def test_a_change_is_told_until_its_day():
    day = datetime(2026, 12, 1, tzinfo=UTC)
    table = read(later("2026-12-01"))
    assert len(changes_between(table, day - SECOND, day)) == 1
    assert changes_between(table, day, day + timedelta(days=400)) == []
    assert changes_between(table, day - timedelta(days=40), day - SECOND) == []


def said(content: dict[str, Any]) -> list[str]:
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2100))
    return [change.said for change in changes_between(read(content), begin, end)]


def test_a_step_says_what_it_does():
    def step(**rates: Any) -> dict[str, Any]:
        after = [{"from": "2026-12-01", "source": "a page", "batch": rates}]
        return table(period={"batch": {"input": "1", "output": "3"}}, later=after)

    assert said(step(input="1.5", output="3")) == [
        "The batch price of m-1 rises on 2026-12-01: input_text from 1 to 1.5 (USD per million)."
    ]
    assert "changes on" in said(step(input="1.5", output="2"))[0]
    assert "falls on 2026-12-01: output_text from 3 to 0.25 (" in said(step(input="1", output="0.25"))[0]
    assert "input_text from 1 to none" in said(step(output="3"))[0]
    assert (
        "rises on 2026-12-01: output_image from 3 to 9 ("
        in said(step(input="1", output="3", output_image="9"))[0]
    )
    assert said(step(input="1", output="3")) == []
    long = step(input="1", output="3", long_context={"input": "2", "output": "6"})
    assert "m-1 in its window 200k-1M rises on 2026-12-01: input_text from 1 to 2" in said(long)[0]


def test_the_first_day_of_the_surcharge_is_a_step():
    [step] = said(table(non_global_from="2026-07-01"))
    assert "m-1 outside global rises on 2026-07-01: input_text from 0.15 to 0.165, output_text from 1" in step
    assert said(table(non_global_from="2026-07-01", model={"non_global_multiplier": "1"})) == []


def test_people_are_told_of_a_models_changes_before_they_start_a_job():
    table = read(retiring(closed="2026-11-01", retired="2026-12-20"))

    def notices(day: str) -> list[str]:
        at = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        return [sentence.split(" on ")[0] for sentence in table.notices("m-1", "global", at)]

    closed = "m-1 is closed to projects that have not used it, from 2026-11-01"
    retired = "m-1 is due for retirement"
    rises = "The batch price of m-1 rises"
    assert notices("2026-10-01") == []
    assert notices("2026-10-20") == [closed]
    assert notices("2026-11-03") == [closed, rises]
    assert notices("2026-11-30") == [closed, retired, rises]
    assert notices("2027-06-01") == [closed, retired]
    assert table.notices("unheard-of", "global", NOW) == ()


def retiring(**days: str) -> dict[str, Any]:
    after = [{"from": "2026-12-01", "source": "a page", "batch": {"input": "9", "output": "9"}}]
    return table(later=after, model={"retirement": {**days, "source": "a page"}})


def test_what_is_in_doubt_is_said_as_of_its_time():
    after = [{"from": "2026-12-01", "source": "a page", "batch": {"input": "9"}, "disputed": "Nine or ten."}]
    small = read(table(period={"derived": "Half of it."}, later=after))
    step = datetime(2026, 12, 1, tzinfo=UTC)
    assert small.doubts("m-1", "global", step - SECOND) == ("Prices of m-1, derived: Half of it.",)
    assert small.doubts("m-1", "global", step) == ("Prices of m-1, disputed: Nine or ten.",)
    assert small.doubts("unheard-of", "global", step) == ()
    assert any("12.5" in doubt for doubt in TABLE.doubts("claude-opus-5-5", "global", NOW))


def test_what_changes_soon_is_a_warning_to_whoever_runs_the_tests():
    now = datetime.now(UTC)
    for change in changes_between(TABLE, now, now + timedelta(days=30)):
        warnings.warn(f"prices.json: {change.said}", stacklevel=1)


def test_jobs_of_names_that_move_on_are_priced_by_their_rows():
    tally = Tally(TABLE, "publishers/google/models/gemini-flash-latest")
    usage = {"promptTokenCount": 10, "totalTokenCount": 10}
    for version in ("gemini-3.8-flash", "gemini-4-hydrogen-20261112", None):
        response = {"candidates": [{}], "modelVersion": version, "usageMetadata": usage}
        tally.add(json.dumps({"status": "", "response": response}).encode())
    cost = cost_of(tally.usage, TABLE, location="global", at=NOW)
    # 10 x 0.375 + 10 x 0.75 USD per 1M, and one row of no known model
    assert (cost.amount_nano, cost.unpriced_rows) == (3_750 + 7_500, 1)


# Fees of searches


@pytest.mark.parametrize(
    ("model", "item", "unit", "pico"),
    [
        ("gemini-2.0-flash", WEB_SEARCH, "prompt", 35_000_000_000),  # 35 USD per 1,000
        ("gemini-2.5-pro", WEB_SEARCH, "prompt", 35_000_000_000),
        ("gemini-2.5-pro", ENTERPRISE_WEB_SEARCH, "prompt", 45_000_000_000),
        ("gemini-2.5-flash-lite", MAPS_GROUNDING, "prompt", 25_000_000_000),
        ("gemini-2.5-flash", UNKNOWN_GROUNDING, "prompt", 45_000_000_000),  # the dearest
        ("gemini-3.1-flash-lite", WEB_SEARCH, "query", 14_000_000_000),  # 14 USD per 1,000
        ("gemini-3.8-flash", MAPS_GROUNDING, "query", 14_000_000_000),
        ("gemini-3.8-flash", UNKNOWN_GROUNDING, "query", 14_000_000_000),
        ("gemini-4-argon", WEB_SEARCH, "query", 14_000_000_000),
        ("gemini-4-carbon", WEB_SEARCH, "query", 14_000_000_000),
        ("gemini-4-hydrogen", MAPS_GROUNDING, "query", 14_000_000_000),
        ("gemini-4-neon", UNKNOWN_GROUNDING, "query", 14_000_000_000),
        ("gemini-nano-banana-2.1", WEB_SEARCH, "query", 14_000_000_000),
        ("claude-haiku-4-5", WEB_SEARCH, "query", 10_000_000_000),  # 10 USD per 1,000
        ("claude-fable-5-2", WEB_SEARCH, "query", 10_000_000_000),
    ],
)
def test_fees_of_grounding(model: str, item: str, unit: str, pico: int) -> None:
    assert TABLE.query_fee(model, item) == QueryFee(unit, pico)


@pytest.mark.parametrize(
    ("model", "item"),
    [
        ("gemini-1.5-pro", WEB_SEARCH),
        ("gemini-1.5-pro", UNKNOWN_GROUNDING),
        ("gemini-99", WEB_SEARCH),
        ("", WEB_SEARCH),
        ("gemini-3.8-flash", ENTERPRISE_WEB_SEARCH),
        ("gemini-4-neon", MAPS_GROUNDING),
        ("gemini-2.5-pro", RETRIEVAL),
        ("claude-haiku-4-5", MAPS_GROUNDING),
    ],
)
def test_a_fee_that_no_source_names_is_not_known(model: str, item: str) -> None:
    assert TABLE.query_fee(model, item) is None


def fee(**changes: Any) -> dict[str, Any]:
    given = {"item": "web_search", "unit": "prompt", "price": "35000", "source": "s", "models": ["m-1"]}
    return given | changes


def test_a_small_table_of_fees_is_read() -> None:
    small = read(table(query_fees=[fee(price="0.5"), fee(item="maps_grounding", price="2")]))
    assert small.query_fee("m-1", WEB_SEARCH) == QueryFee("prompt", 500_000)
    assert small.query_fee("m-1", UNKNOWN_GROUNDING) == QueryFee("prompt", 2_000_000)


@pytest.mark.parametrize(
    ("fees", "message"),
    [
        ([fee(item="search")], "item"),
        ([fee(item="unknown_grounding")], "item"),
        ([fee(), fee(item="maps_grounding", unit="query")], "m-1: .*one unit"),
        ([fee(unit="row")], "unit"),
        ([fee(price="-1")], "price"),
        ([fee(price=35)], "price"),
        ([fee(source="")], "source"),
        ([fee(models=["m-2"])], "m-2"),
        ([fee(), fee(price="1")], "m-1"),
        ([fee(models="m-1")], "query_fees"),
        ([fee(more=1)], "more"),
        ([{"unit": "prompt"}], "missing"),
        ([5], "object"),
        ({}, "missing"),
    ],
)
def test_the_loader_names_what_is_wrong_with_a_fee(fees: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"query_fees.*{message}|{message}"):
        read(table(query_fees=fees))


def test_the_shortest_window_is_that_of_the_model_with_the_least() -> None:
    assert TABLE.shortest_window == 100_000
    for key in ("gemini-2.5-pro", "gemini-1.5-pro", "claude-haiku-5-5", "text-embedding-005", "unheard-of"):
        assert TABLE.context_window(key, TABLE.shortest_window) == TABLE.context_window(key, 1)
    assert read(table()).shortest_window == 200_000
