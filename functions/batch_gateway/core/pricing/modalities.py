"""Split token counts by modality, as in usageMetadata.

Source: GenerateContentResponse.UsageMetadata of the Vertex AI API, discovery revision 20261106.
"""

from typing import NamedTuple

import msgspec

LARGEST_COUNT = 2**31 - 1
"""Largest token count: they are int32."""

_UNKNOWN = "other"
"""Stands for all unknown modalities, so that rows cannot add any number of them to the records."""

_MODALITIES: dict[str | None, str] = {
    "": "text",
    "MODALITY_UNSPECIFIED": "text",
    "TEXT": "text",
    "IMAGE": "image",
    "VIDEO": "video",
    "AUDIO": "audio",
    "DOCUMENT": "document",
}


class ContradictionError(ValueError):
    """The counts of a row cannot all be true."""


class ModalityTokenCount(msgspec.Struct, gc=False):
    """Tokens of one modality; proto3 JSON leaves out zeros."""

    modality: str | None = None
    tokenCount: int | None = None  # noqa: N815 - Google's name


def check_counts(*counts: int) -> None:
    """Check that counts are possible.

    Raises:
        ContradictionError: One is negative or not an int32.
    """
    if min(counts) < 0 or max(counts) > LARGEST_COUNT:
        raise ContradictionError("a count is negative or not an int32")


class Split(NamedTuple):
    """A count by modality.

    Attributes:
        tokens: Tokens by modality; they add up to the count.
        agrees: Whether the details fit the count.
    """

    tokens: dict[str, int]
    agrees: bool


def count_of(count: int | None, details: list[ModalityTokenCount] | None) -> int | None:
    """Return a count, or the sum of its details if only they are given; None if neither is."""
    if count is None and details:
        return sum(max(detail.tokenCount or 0, 0) for detail in details)
    return count


def by_modality(total: int, details: list[ModalityTokenCount] | None) -> Split:
    """Split a count by modality.

    Tokens that the details leave out are text. If the details exceed the count, as many count as fit into it,
    those with the most common price first, so that no more is charged than was used.
    """
    if not details:
        return Split({"text": total}, agrees=True)
    if len(details) == 1 and details[0].tokenCount == total:
        return Split({modality_name(details[0].modality): total}, agrees=True)
    named, agrees = _named(details)
    split: dict[str, int] = {}
    rest = total
    for modality in sorted(named, key=_ORDER.index):
        split[modality] = min(named[modality], rest)
        agrees &= split[modality] == named[modality]
        rest -= split[modality]
    if rest:
        split["text"] = split.get("text", 0) + rest
    return Split(split, agrees)


def _named(details: list[ModalityTokenCount]) -> tuple[dict[str, int], bool]:
    """Return the tokens that details name by modality, and whether each of them is possible."""
    named: dict[str, int] = {}
    for detail in details:
        modality = modality_name(detail.modality)
        named[modality] = named.get(modality, 0) + max(detail.tokenCount or 0, 0)
    return named, all((detail.tokenCount or 0) >= 0 for detail in details)


def modality_name(modality: str | None) -> str:
    """Return the modality's name in items: ``text``, ``image``, ..., ``other``."""
    name = _MODALITIES.get(modality)
    return name or _MODALITIES.get((modality or "").upper(), _UNKNOWN)


_ORDER = ("text", "document", "image", "video", "audio", _UNKNOWN)
"""Modalities, those with the most common price first."""


def cached_by_modality(
    cached: int, details: list[ModalityTokenCount] | None, inputs: dict[str, int]
) -> Split:
    """Split cached tokens by modality; they are part of the prompt's, modality by modality.

    Tokens that the details leave out are of the modality with the most common price. A modality has no more
    cached tokens than input tokens.
    """
    if not details and inputs.get("text", 0) >= cached:
        return Split({"text": cached}, agrees=True)
    if details and len(details) == 1 and details[0].tokenCount == cached:
        modality = modality_name(details[0].modality)
        if inputs.get(modality, 0) >= cached:
            return Split({modality: cached}, agrees=True)
    named, agrees = _named(details or [])
    split: dict[str, int] = {}
    rest = cached
    for modality in sorted(named, key=_ORDER.index):
        split[modality] = min(named[modality], inputs.get(modality, 0), rest)
        agrees &= split[modality] == named[modality]
        rest -= split[modality]
    for modality in sorted(inputs, key=_ORDER.index):
        more = min(rest, inputs[modality] - split.get(modality, 0))
        split[modality] = split.get(modality, 0) + more
        rest -= more
    return Split({modality: tokens for modality, tokens in split.items() if tokens}, agrees and not rest)
