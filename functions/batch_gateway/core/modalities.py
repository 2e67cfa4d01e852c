"""Token counts by modality, as usageMetadata has them.

Source: GenerateContentResponse.UsageMetadata of the Vertex AI API, discovery revision 20261106.
"""

import msgspec

LARGEST_COUNT = 2**31 - 1
"""Token counts are int32."""

_UNKNOWN = "other"
"""Stands for all that are not known, so that what is kept does not grow with what rows say."""

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
    """Counts of one row that cannot all be true."""


class ModalityTokenCount(msgspec.Struct, gc=False):
    """Tokens of one modality; proto3 JSON leaves out what is nil."""

    modality: str | None = None
    tokenCount: int | None = None  # noqa: N815 - Google's name


def check_counts(*counts: int) -> None:
    """Refuses counts that Google could not have meant.

    Raises:
        ContradictionError: One is negative or no int32.
    """
    if min(counts) < 0 or max(counts) > LARGEST_COUNT:
        raise ContradictionError("a count that is no int32 of Google's, or negative")


def by_modality(total: int, details: list[ModalityTokenCount] | None) -> dict[str, int]:
    """Splits a count by modality. What details leave out is text; details beyond the count contradict it."""
    if not details:
        return {"text": total}
    if len(details) == 1 and details[0].tokenCount == total:
        return {modality_name(details[0].modality): total}
    split: dict[str, int] = {}
    rest = total
    for detail in details:
        modality = modality_name(detail.modality)
        tokens = detail.tokenCount or 0
        check_counts(tokens, tokens)
        split[modality] = split.get(modality, 0) + tokens
        rest -= tokens
    if rest < 0:
        raise ContradictionError("details add up to more than their count")
    if rest:
        split["text"] = split.get("text", 0) + rest
    return split


def modality_name(modality: str | None) -> str:
    """The modality's name in items: ``text``, ``image``, ..., ``other``."""
    name = _MODALITIES.get(modality)
    return name or _MODALITIES.get((modality or "").upper(), _UNKNOWN)


_CACHE_ORDER = ("text", "document", "image", "video", "audio", _UNKNOWN)
"""Which prompt tokens count as cached first where no details say: those with the most common price."""


def cached_by_modality(
    cached: int, details: list[ModalityTokenCount] | None, inputs: dict[str, int]
) -> dict[str, int]:
    """Splits cached tokens by modality; they are a part of the prompt's, modality by modality."""
    if details:
        split = by_modality(cached, details)
    elif inputs.get("text", 0) >= cached:
        return {"text": cached}
    else:
        split, rest = {}, cached
        for modality in sorted(inputs, key=_CACHE_ORDER.index):
            split[modality] = min(rest, inputs[modality])
            rest -= split[modality]
        if rest:
            raise ContradictionError("more cached tokens than prompt tokens")
    split = {modality: tokens for modality, tokens in split.items() if tokens}
    if any(tokens > inputs.get(modality, 0) for modality, tokens in split.items()):
        raise ContradictionError("more cached tokens than prompt tokens")
    return split
