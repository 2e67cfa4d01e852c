"""Which models exist, and which of them write which kind of row."""

from enum import Enum

KNOWN_MODELS = frozenset(
    {
        "gemini-1.5-flash",
        "gemini-1.5-flash-001",
        "gemini-1.5-flash-002",
        "gemini-1.5-pro",
        "gemini-1.5-pro-001",
        "gemini-1.5-pro-002",
        "gemini-2.0-flash",
        "gemini-2.0-flash-001",
        "gemini-2.0-flash-lite",
        "gemini-2.0-flash-lite-001",
        "gemini-2.0-pro-exp-02-05",
        "gemini-2.5-flash",
        "gemini-2.5-flash-image",
        "gemini-2.5-flash-lite",
        "gemini-2.5-pro",
        "gemini-3-flash-preview",
        "gemini-3-pro-image",
        "gemini-3-pro-preview",
        "gemini-3.1-flash-image",
        "gemini-3.1-flash-lite",
        "gemini-3.1-pro-preview",
        "gemini-3.5-flash",
        "gemini-3.5-flash-lite",
        "gemini-3.6-flash",
        "gemini-3.7-flash",
        "gemini-3.8-flash",
        "gemini-4-argon",
        "gemini-embedding-001",
        "gemini-embedding-2",
        "text-embedding-004",
        "text-embedding-005",
        "text-multilingual-embedding-002",
    }
)

TUNED_BASE_MODEL = "gemini-2.5-flash"  # no source says what a tuned job's rows name; its resource doesn't


class Family(Enum):
    """A kind of output row."""

    GEMINI = "gemini"
    GEMINI_EMBEDDING = "gemini-embedding"
    LEGACY_EMBEDDING = "legacy-embedding"


def family(model: str) -> Family:
    """Return the kind of row that a model's jobs write."""
    if model.startswith("gemini-embedding"):
        return Family.GEMINI_EMBEDDING
    if model.startswith(("text-embedding", "text-multilingual-embedding", "textembedding-gecko")):
        return Family.LEGACY_EMBEDDING
    return Family.GEMINI
