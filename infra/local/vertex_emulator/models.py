"""The models of publishers, and the kinds of rows that they write."""

from dataclasses import dataclass
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
        "gemini-4-argon-cyber-permissive",
        "gemini-4-carbon",
        "gemini-4-hydrogen",
        "gemini-4-neon",
        "gemini-embedding-001",
        "gemini-embedding-2",
        "gemini-nano-banana-2.1",
        "text-embedding-004",
        "text-embedding-005",
        "text-multilingual-embedding-002",
    }
)

TUNED_BASE_MODEL = "gemini-2.5-flash"  # for tuned models that are not registered


class Family(Enum):
    """A kind of output row."""

    GEMINI = "gemini"
    GEMINI_EMBEDDING = "gemini-embedding"
    LEGACY_EMBEDDING = "legacy-embedding"
    CLAUDE = "claude"
    OPEN_CHAT = "open-chat"
    OPEN_EMBEDDING = "open-embedding"
    CUSTOM = "custom"


@dataclass(frozen=True)
class JobModel:
    """The model that a job runs.

    Attributes:
        family: The kind of row that it writes.
        name: What its rows name as their model; `""` if they name none.
        display_name: What the output directory is named after. For all that live captures show of
            Gemini jobs, tuned ones included, that is `model`.
        version: The job's `modelVersionId`.
    """

    family: Family
    name: str
    display_name: str = "model"
    version: str = "1"


def exists(publisher: str, name: str, known: frozenset[str]) -> bool:
    """Return whether a publisher has a model.

    Args:
        publisher: As in `publishers/PUBLISHER/models/NAME`.
        name: The short name, without a version.
        known: The names of Google's models; of others the form of the name has to do, since their list
            is long and moves (Claude models are `claude-...`, open models as a service `...-maas`).
    """
    if publisher == "google":
        return name in known
    return name.startswith("claude-") if publisher == "anthropic" else name.endswith("-maas")


def family(publisher: str, name: str) -> Family:
    """Return the kind of row that a publisher's model writes."""
    if publisher == "anthropic":
        return Family.CLAUDE
    if publisher != "google":
        return Family.OPEN_EMBEDDING if "-e5-" in name or "embedding" in name else Family.OPEN_CHAT
    if name.startswith("gemini-embedding"):
        return Family.GEMINI_EMBEDDING
    if name.startswith(("text-embedding", "text-multilingual-embedding", "textembedding-gecko")):
        return Family.LEGACY_EMBEDDING
    return Family.GEMINI
