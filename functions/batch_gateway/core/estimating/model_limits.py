"""Find a model's family and version by its name, and the limits of its jobs, prompts and answers."""

import re
from enum import StrEnum

_PUBLISHED = re.compile(r"publishers/([^/]+)/models/([^/]+)")
_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_LEGACY_EMBEDDINGS = ("text-embedding", "text-multilingual-embedding", "textembedding-gecko")

Version = tuple[int, int]
_LATEST: Version = (99, 0)


class Family(StrEnum):
    """A family of models with one form of input rows; those of custom models may have any."""

    GEMINI = "gemini"
    GEMINI_EMBEDDING = "gemini-embedding"
    LEGACY_EMBEDDING = "legacy-embedding"
    CLAUDE = "claude"
    OPEN_CHAT = "open-chat"
    OPEN_EMBEDDING = "open-embedding"
    CUSTOM = "custom"

    @property
    def answers(self) -> bool:
        """True if its models write tokens."""
        return self in {Family.GEMINI, Family.CLAUDE, Family.OPEN_CHAT}

    @property
    def most_rows(self) -> int | None:
        """Most rows that Vertex AI accepts in one job; None if no limit is published.

        Sources: "Batch inference with Gemini" and "Batch text embeddings", as of 2026-09.
        """
        return {
            Family.GEMINI: 200_000,
            Family.GEMINI_EMBEDDING: 1_000_000,
            Family.LEGACY_EMBEDDING: 30_000,
        }.get(self)


MOST_BYTES = 10**9
"""Largest input of a Gemini job in bytes ("Batch inference with Gemini": 1 GB)."""


def family_of(model: str) -> Family:
    """Return the family of a model.

    Args:
        model: Resource name; for a tuned model, that of its base.
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
    """Return a Gemini model's version; the latest if its name has none, as in ``gemini-embedding-2``."""
    found = _VERSION.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else _LATEST


def output_limit(model: str) -> int | None:
    """Return the most tokens of one answer of a model; None if that is not published.

    Sources: the models' pages of Google's documentation: 65,536 (some: 65,535) from Gemini 2.5 on, 32,768
    for those that make images, 8,192 before.
    """
    if family_of(model) is not Family.GEMINI:
        return None
    if version_of(model) < (2, 5):
        return 8_192
    return 32_768 if makes_images(model) else 65_536


def prompt_limit(model: str) -> int:
    """Return the most tokens of a Gemini prompt: a longer one is refused and costs nothing."""
    return 2_097_152 if "gemini-1.5-pro" in model else 1_048_576


def makes_images(model: str) -> bool:
    """Return True if a Gemini model answers with images."""
    return "-image" in model or "-nano-banana" in model


def thinks(model: str) -> bool:
    """Return True if a Gemini model thinks unless told not to ("Thinking" of Google's documentation)."""
    return version_of(model) >= (2, 5) and "2.5-flash-lite" not in model and not makes_images(model)
