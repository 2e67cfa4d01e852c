"""Make rows of Google's embedding models, of both generations.

Sources: Google's page "Batch text embeddings", and what LiteLLM's tests call the live shape of a
gemini-embedding row.
"""

import random
from datetime import datetime
from typing import Any

from . import timestamps, tokens

_DIMENSIONS = 8  # not 768, to keep files small: the values are not read


def gemini(
    row: dict[str, Any], wishes: dict[str, Any], error: str, moment: datetime, rng: random.Random
) -> dict[str, Any]:
    """Return the members of a gemini-embedding row beside the columns of its input.

    Args:
        row: The input row.
        wishes: Its `emulate`.
        error: Why it fails, or `""`.
        moment: When it was processed.
        rng: For the vector.
    """
    request = row.get("request")
    if error:
        processed = timestamps.rfc3339(moment)
        return {"request": request, "status": f"INVALID_ARGUMENT: {error}", "processed_time": processed}
    counted = wishes.get("prompt_tokens", tokens.count(tokens.text_of(tokens.parts(row["request"]))))
    embedding = {"values": _vector(rng)}
    if wishes.get("docs_shape"):
        return {"request": request, "response": {"tokenCount": str(counted), "embedding": embedding}}
    usage = {} if wishes.get("no_usage") else {"usageMetadata": {"promptTokenCount": counted}}
    return {
        "request": request,
        "status": "",
        "processed_time": timestamps.rfc3339(moment),
        "response": {"embedding": embedding, **usage},
    }


def legacy(row: dict[str, Any], wishes: dict[str, Any], error: str, rng: random.Random) -> dict[str, Any]:
    """Return the line of a row of text-embedding-004, 005 or text-multilingual-embedding-002.

    Args:
        row: The input row, which is the instance.
        wishes: Its `emulate`.
        error: Why it fails, or `""`.
        rng: For the vector.
    """
    if error:
        return {"instance": row, "predictions": [], "status": f"INVALID_ARGUMENT: {error}"}
    counted = wishes.get("prompt_tokens", tokens.count(row["content"]))
    embeddings: dict[str, Any] = {"values": _vector(rng)}
    if not wishes.get("no_usage"):
        statistics = {"token_count": counted, "truncated": bool(wishes.get("truncated"))}
        embeddings = {"statistics": statistics, **embeddings}
    return {"instance": row, "predictions": [{"embeddings": embeddings}], "status": ""}


def _vector(rng: random.Random) -> list[float]:
    return [round(rng.uniform(-0.1, 0.1), 9) for _ in range(_DIMENSIONS)]
