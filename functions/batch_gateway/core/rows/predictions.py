"""Measure rows with predictions: of text embeddings, and of custom and AutoML models.

- text-embedding-00x: ``{"instance": {"content"}, "predictions": [{"embeddings": {"statistics":
  {"token_count"}}}], "status"}``; "Batch text embeddings" of Google's documentation.
- Custom and AutoML models: ``{"instance", "prediction"}`` or ``{"key", "prediction"}``, where a
  prediction may be any JSON; "Get batch predictions" of the documentation. They are billed by the hour
  of their machines, which rows do not report.
"""

from typing import Any

import msgspec

from batch_gateway.core.json_io import UNREADABLE
from batch_gateway.core.pricing.modalities import check_counts
from batch_gateway.core.rows.measured import RowUsage


class _Statistics(msgspec.Struct):
    token_count: int | None = None


class _Embeddings(msgspec.Struct):
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct):
    embeddings: _Embeddings | None = None


class _Instance(msgspec.Struct):
    content: str | None = None


_decode_predictions = msgspec.json.Decoder(list[_Prediction] | None, strict=False).decode
_decode_instance = msgspec.json.Decoder(_Instance).decode


def measure(predictions: msgspec.Raw, instance: msgspec.Raw, *, by_character: bool) -> RowUsage:
    """Return the usage of a row; a custom model's row does not report any.

    Args:
        predictions: The row's predictions; empty if it has none.
        instance: The input; empty if the row does not echo it.
        by_character: Whether its model is charged by the character.

    Raises:
        msgspec.DecodeError: They are embeddings, but not of the documented form.
        ContradictionError: A count is not possible.
    """
    counts = _token_counts(predictions)
    tokens = sum(count or 0 for count in counts)
    check_counts(tokens, *(count or 0 for count in counts))
    quantity = tokens or None
    if by_character:
        quantity = _characters(instance)
    return RowUsage(
        model=None,
        prompt_tokens=tokens,
        items={"input_text": quantity or 0},
        input=tokens,
        metered=quantity is not None,
    )


def _token_counts(predictions: msgspec.Raw) -> list[int | None]:
    if not predictions:
        return []
    try:
        decoded = _decode_predictions(predictions)
    except msgspec.ValidationError:
        if _are_embeddings(msgspec.json.decode(predictions)):
            raise
        return []
    return [
        p.embeddings.statistics.token_count for p in decoded or () if p.embeddings and p.embeddings.statistics
    ]


def _are_embeddings(predictions: Any) -> bool:
    return isinstance(predictions, list) and any(
        isinstance(p, dict) and "embeddings" in p for p in predictions
    )


def _characters(instance: msgspec.Raw) -> int | None:
    """Count the billable characters of an embedded text; return None if the line does not echo it.

    "Characters are counted by UTF-8 code points and white space is excluded from the count": Vertex
    AI pricing page, on text models.
    """
    try:
        content = _decode_instance(instance).content
    except UNREADABLE:
        return None
    return None if content is None else len("".join(content.split()))
