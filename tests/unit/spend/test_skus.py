"""Read SKUs' descriptions, which are from bills and from Google's catalogue of SKUs."""

import pytest

from batch_gateway.core.pricing import prices
from batch_gateway.core.spend.skus import is_batch, item_of, kind_of, model_of

MODELS = prices.load().models


@pytest.mark.parametrize(
    ("description", "model", "item"),
    [
        ("Gemini 3.8 Flash Global Text Output - Batch Predictions", "gemini-3.8-flash", "output"),
        ("Gemini 2.5 Flash Text Input - Batch Predictions", "gemini-2.5-flash", "input"),
        ("Gemini 2.5 Flash GA Thinking Text Output - Batch Predictions", "gemini-2.5-flash", "output"),
        ("Gemini 2.5 Flash-Lite Audio Input - Batch Predictions", "gemini-2.5-flash-lite", "input"),
        # Images given to one model, and the text given to another that makes images.
        ("Gemini 2.5 Flash Image Input - Batch Predictions", "gemini-2.5-flash", "input"),
        ("Gemini 2.5 Flash Image Image Output - Batch Predictions", "gemini-2.5-flash-image", "output"),
        ("Gemini 2.5 Pro Thinking Long Text Output - Batch Predictions", "gemini-2.5-pro", "output"),
        ("Gemini 3 Flash Text Input Caching - Batch Predictions", "gemini-3-flash-preview", "cached_input"),
        ("Claude Opus 4.5 Input Tokens - Batch", "claude-opus-4-5", "input"),
        ("Claude Opus 4.5 Cache Write Input Tokens - Batch", "claude-opus-4-5", "cache_creation"),
        # What cannot be told is not guessed.
        ("Gemini 2.5 Ultra Text Input - Batch Predictions", None, "input"),
        ("Gemini 2.5 Flash Live Text Input - Batch Predictions", None, "input"),
        ("Claude Sonnet 4.9 Input Tokens - Batch", None, "input"),
        ("Gemini 3 Flash Text Input Caching Storage", "gemini-3-flash-preview", None),
        ("Batch Prediction", None, None),
        ("", None, None),
    ],
)
def test_model_and_item_are_read_from_the_words(description, model, item):
    assert (model_of(description, MODELS), item_of(description)) == (model, item)


def test_batch_is_a_word():
    assert is_batch("Gemini 3.8 Flash Global Text Output - Batch Predictions")
    assert not is_batch("Gemini 3.8 Flash Global Text Output - Predictions")
    assert not is_batch("Batched things")


def test_our_items_are_compared_by_direction():
    assert [
        kind_of(item)
        for item in ("input_text", "cached_input_audio", "cache_creation_1h_input_text", "output_thoughts")
    ] == [
        "input",
        "cached_input",
        "cache_creation",
        "output",
    ]
