"""Token counts by modality, as usageMetadata has them.

Source: GenerateContentResponse.UsageMetadata of the Vertex AI API, discovery revision 20261106.
"""

import msgspec

_MOST = 2**31 - 1
"""Token counts are int32."""


_MODALITIES = {
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


class ModalityTokenCount(msgspec.Struct):
    """Tokens of one modality; proto3 JSON leaves out what is nil."""

    modality: str | None = None
    tokenCount: int | None = None  # noqa: N815 - Google's name


def check_counts(*counts: int) -> None:
    """Refuses counts that Google could not have meant.

    Raises:
        ContradictionError: One is negative or no int32.
    """
    if min(counts) < 0 or max(counts) > _MOST:
        raise ContradictionError("a count that is no int32 of Google's, or negative")


def by_modality(total: int, details: list[ModalityTokenCount] | None) -> dict[str, int]:
    """Splits a count by modality. What details leave out is text; details beyond the count contradict it."""
    if not details:
        return {"text": total}
    if len(details) == 1 and details[0].tokenCount == total:
        return {_name(details[0]): total}
    split: dict[str, int] = {}
    rest = total
    for detail in details:
        modality = _name(detail)
        tokens = detail.tokenCount or 0
        check_counts(tokens, tokens)
        split[modality] = split.get(modality, 0) + tokens
        rest -= tokens
    if rest < 0:
        raise ContradictionError("details add up to more than their count")
    if rest:
        split["text"] = split.get("text", 0) + rest
    return split


def _name(detail: ModalityTokenCount) -> str:
    return _MODALITIES.get(detail.modality or "") or str(detail.modality).lower()


def _cache_order(modality: str) -> int:
    """Which prompt tokens count as cached first where no details say: those with the most common price."""
    order = ("text", "document", "image", "video", "audio", modality)
    return order.index(modality)


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
        for modality in sorted(inputs, key=_cache_order):
            split[modality] = min(rest, inputs[modality])
            rest -= split[modality]
        split = {modality: tokens for modality, tokens in split.items() if tokens}
        if rest:
            raise ContradictionError("more cached tokens than prompt tokens")
    if any(tokens > inputs.get(modality, 0) for modality, tokens in split.items()):
        raise ContradictionError("more cached tokens than prompt tokens")
    return split
