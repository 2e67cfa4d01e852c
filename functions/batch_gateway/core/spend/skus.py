"""Tell which model and item a SKU of Google's bill is for, by the words of its description.

Google publishes no list of the SKUs of a model. Descriptions in public sources: ``Gemini 3.8 Flash Global
Text Output - Batch Predictions`` (a bill of 2026-10), ``Gemini 2.5 Flash GA Thinking Text Output -
Predictions`` and ``Gemini 3 Flash Text Input Caching`` (Google's catalogue of SKUs, 2026-09). So a SKU of a
batch job has the word Batch, and the model's name comes before modality and direction. What cannot be told
stays None.
"""

import re
from collections.abc import Iterable
from functools import cache

INPUT, CACHED_INPUT, CACHE_WRITE, OUTPUT = "input", "cached_input", "cache_creation", "output"

_WORDS = re.compile(r"[a-z]+|[0-9]+")
_MODALITIES = {"text", "image", "video", "audio", "document"}
_DIRECTIONS = {"input", "output"}
_WRITES = {"write", "writes", "creation"}
_VARIANTS = {"lite", "pro", "ultra", "nano", "mini", "image", "live", "tts"}
"""Words that set a model apart, also from models that are not in the price table."""
_UNSAID = {"preview", "exp", "instruct", "maas"}
"""Words of a model's name that descriptions leave out."""


def is_batch(description: str) -> bool:
    """Return whether a SKU is for batch jobs."""
    return "batch" in _words(description)


def model_of(description: str, models: Iterable[str]) -> str | None:
    """Return the model that a SKU is for; None if it cannot be told.

    ``Gemini 2.5 Flash Image Input`` is the input of images to Gemini 2.5 Flash: what stands before modality
    and direction names the model. A number or a word of any model's name that is left over shows that it is
    another model: Claude Sonnet 4.9 is not claude-sonnet-4.
    """
    words = _words(description)
    at = _direction(words)
    named = words if at is None else words[:at]
    if named and named[-1] in _MODALITIES:
        named = named[:-1]
    names = {_name(model): model for model in models}
    distinctive = {word for name in names for word in name} | _VARIANTS
    for name in sorted(names, key=len, reverse=True):
        rest = _without(named, name)
        if rest is not None:
            left_over = [word for word in rest if word in distinctive or word.isdigit()]
            return None if left_over else names[name]
    return None


def item_of(description: str) -> str | None:
    """Return INPUT, CACHED_INPUT, CACHE_WRITE or OUTPUT; None if the description says none of them.

    The storage of caches is none of them: it is billed by the hour, and no part of a job's cost.
    """
    words = _words(description)
    at = _direction(words)
    if at is None or "storage" in words:
        return None
    if words[at] == INPUT and any(word.startswith("cach") for word in words):
        return CACHE_WRITE if _WRITES & {*words} else CACHED_INPUT
    return words[at]


def kind_of(item: str) -> str:
    """Return what an item of ours is compared as: all modalities of a direction together.

    The totals do not tell long prompts from short ones either, which have SKUs of their own.
    """
    return next((kind for kind in (CACHED_INPUT, CACHE_WRITE, INPUT, OUTPUT) if item.startswith(kind)), item)


@cache
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORDS.findall(text.lower()))


@cache
def _name(model: str) -> tuple[str, ...]:
    return tuple(word for word in _words(model) if word not in _UNSAID)


def _direction(words: tuple[str, ...]) -> int | None:
    """Return the position of the last input or output; None if there is none."""
    return max((at for at, word in enumerate(words) if word in _DIRECTIONS), default=None)


def _without(words: tuple[str, ...], part: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the words around a part; None if it is not in them."""
    for at in range(len(words) - len(part) + 1):
        if part and words[at : at + len(part)] == part:
            return words[:at] + words[at + len(part) :]
    return None
