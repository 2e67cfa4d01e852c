"""What kinds of models there are, and what their rows and answers are limited to."""

import re
from enum import StrEnum

_PUBLISHED = re.compile(r"publishers/([^/]+)/models/([^/]+)")
_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_LEGACY_EMBEDDINGS = ("text-embedding", "text-multilingual-embedding", "textembedding-gecko")

Version = tuple[int, int]
_LATEST: Version = (99, 0)


class Family(StrEnum):
    """A form of input rows; a custom model's may be anything."""

    GEMINI = "gemini"
    GEMINI_EMBEDDING = "gemini-embedding"
    LEGACY_EMBEDDING = "legacy-embedding"
    CLAUDE = "claude"
    OPEN_CHAT = "open-chat"
    OPEN_EMBEDDING = "open-embedding"
    CUSTOM = "custom"

    @property
    def answers(self) -> bool:
        """Whether its models write tokens."""
        return self in {Family.GEMINI, Family.CLAUDE, Family.OPEN_CHAT}

    @property
    def most_rows(self) -> int | None:
        """Rows that Vertex AI takes in one job; None if no limit is published.

        Sources: "Batch inference with Gemini" and "Batch text embeddings", as of 2026-09.
        """
        return {
            Family.GEMINI: 200_000,
            Family.GEMINI_EMBEDDING: 1_000_000,
            Family.LEGACY_EMBEDDING: 30_000,
        }.get(self)


MOST_BYTES = 10**9
"""Largest input that a Gemini job takes ("Batch inference with Gemini": 1 GB)."""


def family_of(model: str) -> Family:
    """The family of a model.

    Args:
        model: Resource name; of a tuned model the one that it was tuned from.
    """
    published = _PUBLISHED.search(model)
    publisher, name = published.groups() if published else ("google", model.rpartition("/")[2])
    if publisher == "anthropic":
        return Family.CLAUDE
    if publisher != "google":
        return Family.OPEN_EMBEDDING if "-e5-" in name or "embedding" in name else Family.OPEN_CHAT
    if name.startswith("gemini-embedding"):
        return Family.GEMINI_EMBEDDING
    if name.startswith(_LEGACY_EMBEDDINGS):
        return Family.LEGACY_EMBEDDING
    return Family.GEMINI if name.startswith("gemini") else Family.CUSTOM


def version_of(model: str) -> Version:
    """A Gemini model's version; of one that names none, such as ``gemini-embedding-2``, the latest."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else _LATEST


def output_limit(model: str) -> int | None:
    """Tokens that a model writes at most for one answer; None if that is not published.

    Sources: the models' pages of Google's documentation: 65,536 (65,535 of some) from Gemini 2.5 on, 32,768
    of those that make images, 8,192 before.
    """
    if family_of(model) is not Family.GEMINI:
        return None
    if version_of(model) < (2, 5):
        return 8_192
    return 32_768 if makes_images(model) else 65_536


def prompt_limit(model: str) -> int:
    """Tokens that a Gemini prompt has at most: a longer one is refused, and costs nothing."""
    return 2_097_152 if "gemini-1.5-pro" in model else 1_048_576


def makes_images(model: str) -> bool:
    """Whether a Gemini model answers with images."""
    return "-image" in model or "-nano-banana" in model


def thinks(model: str) -> bool:
    """Whether a Gemini model thinks unless it is told not to ("Thinking" of Google's documentation)."""
    return version_of(model) >= (2, 5) and "2.5-flash-lite" not in model and not makes_images(model)
