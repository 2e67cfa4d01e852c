"""Output rows, one for each input row, in the shape of the model's family.

Shapes: a live capture of a Gemini job (2025-09-19, in LiteLLM's documentation of batch prediction), Google's
"Batch inference with Gemini" pages for failed rows, Google's and LiteLLM's documentation for embeddings.

An input row may say by `"emulate": {...}`, beside its `request` (or `content`), what becomes of it. Vertex AI
echoes such unknown siblings, and so the answer carries it too:

- `fail`: true or a message; the row fails and has no usage
- `prompt_tokens`, `output_tokens`: instead of the counts by length; a given output isn't cut by the limit
- `audio`, `image`: prompt tokens of that modality; within `prompt_tokens` if that is given, else on top
- `cached`, `thoughts`, `tool_use`, `output_image`: tokens of that kind; cached ones are part of the prompt's
- `web_search`: true; the candidate is grounded by Google Search
- `blocked`: true; prompt feedback instead of candidates
- `no_usage`: true; no usage at all; `no_details`: true; usage as in rows of 2024
- `model_version`: what the row names as its model
- `malformed`: true; the line breaks off in the middle
- `pad_bytes`: that much base64 in the reply (Gemini only), as image output has
- `docs_shape`: true; a gemini-embedding row as documented, not as seen live
"""

import json
import random
from datetime import datetime
from typing import Any

from . import gemini, timestamps, tokens
from .models import Family

_DIMENSIONS = 8  # not 768: nobody reads the values, and files stay small
_OPTIONS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("audio", "cached", "image", "output_image", "output_tokens"), (int,)),
    **dict.fromkeys(("pad_bytes", "prompt_tokens", "thoughts", "tool_use"), (int,)),
    **dict.fromkeys(("blocked", "docs_shape", "malformed", "no_details", "no_usage", "web_search"), (bool,)),
    "fail": (bool, str),
    "model_version": (str,),
}
_TAKEN = frozenset({"status", "processed_time", "request", "response"})


def outcome(family: Family, row: dict[str, Any]) -> str:
    """Return why a row fails, or `""` if it succeeds."""
    wish = options(row).get("fail")
    if wish:
        return wish if isinstance(wish, str) else "Request contains an invalid argument."
    if carried_over(row):
        return ""
    if family is Family.LEGACY_EMBEDDING:
        return "" if isinstance(row.get("content"), str) else "content is required."
    request = row.get("request")
    if not isinstance(request, dict):
        return "request is required."
    return gemini.refusal(request) if family is Family.GEMINI else ""


def options(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row wishes to become."""
    wishes = row.get("emulate")
    return wishes if isinstance(wishes, dict) else {}


def check_options(row: dict[str, Any]) -> None:
    """Refuse a wish that can't come true, so that a slip of the pen in a test doesn't pass unseen.

    Raises:
        ValueError: If `emulate` is no object, or has an unknown key or a value of another type.
    """
    wishes = row.get("emulate", {})
    if not isinstance(wishes, dict):
        raise ValueError("emulate must be an object")  # noqa: TRY004 - a value of the input's author
    for name, value in wishes.items():
        if type(value) not in _OPTIONS.get(name, ()):
            raise ValueError(f"emulate has no {name}: {value!r}")


def carried_over(row: dict[str, Any]) -> bool:
    """Return whether an input row is an answered row of an earlier job.

    Google's page on resuming a job: such rows are merged into the new output as they are.
    """
    return row.get("status") == "" and bool(row.get("response")) and "processed_time" in row


def line(family: Family, model: str, row: dict[str, Any], moment: datetime, rng: random.Random) -> bytes:
    """Return the output line for an input row.

    Args:
        family: What kind of row the model writes.
        model: The model's short name, for `modelVersion`.
        row: The input row.
        moment: When it was processed.
        rng: For values that nobody counts on (ids, probabilities, vectors).
    """
    error = outcome(family, row)
    if carried_over(row) and not error:
        answer = row
    elif family is Family.LEGACY_EMBEDDING:
        answer = _legacy_embedding(row, error, rng)
    elif family is Family.GEMINI_EMBEDDING:
        answer = _gemini_embedding(row, error, moment, rng)
    else:
        answer = _gemini(model, row, error, moment, rng)
    encoded = json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return encoded[: len(encoded) * 3 // 5] if options(row).get("malformed") else encoded


def _siblings(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _TAKEN}


def _gemini(
    model: str, row: dict[str, Any], error: str, moment: datetime, rng: random.Random
) -> dict[str, Any]:
    request = row.get("request")
    status, response = "", {}
    if error:
        # The HTTP error of the single request, as JSON in a string after a prefix.
        inner = {"error": {"code": 400, "message": error, "status": "INVALID_ARGUMENT"}}
        status = f"Bad Request: {json.dumps(inner)}"
    elif isinstance(request, dict):
        response = gemini.response(model, request, options(row), moment, rng)
    return {
        **_siblings(row),
        "status": status,
        "processed_time": timestamps.processed_time(moment),
        "request": request,
        "response": response,
    }


def _gemini_embedding(
    row: dict[str, Any], error: str, moment: datetime, rng: random.Random
) -> dict[str, Any]:
    wishes = options(row)
    answer = {**_siblings(row), "request": row.get("request")}
    if error:
        processed = timestamps.rfc3339(moment)
        return {**answer, "status": f"INVALID_ARGUMENT: {error}", "processed_time": processed}
    counted = wishes.get("prompt_tokens", tokens.count(tokens.prompt_text(row["request"])))
    embedding = {"values": _vector(rng)}
    if wishes.get("docs_shape"):
        return {**answer, "response": {"tokenCount": str(counted), "embedding": embedding}}
    usage = {} if wishes.get("no_usage") else {"usageMetadata": {"promptTokenCount": counted}}
    return {
        **answer,
        "status": "",
        "processed_time": timestamps.rfc3339(moment),
        "response": {"embedding": embedding, **usage},
    }


def _legacy_embedding(row: dict[str, Any], error: str, rng: random.Random) -> dict[str, Any]:
    if error:
        return {"instance": row, "predictions": [], "status": f"INVALID_ARGUMENT: {error}"}
    wishes = options(row)
    counted = wishes.get("prompt_tokens", tokens.count(row["content"]))
    embeddings: dict[str, Any] = {"values": _vector(rng)}
    if not wishes.get("no_usage"):
        embeddings = {"statistics": {"token_count": counted, "truncated": False}, **embeddings}
    return {"instance": row, "predictions": [{"embeddings": embeddings}], "status": ""}


def _vector(rng: random.Random) -> list[float]:
    return [round(rng.uniform(-0.1, 0.1), 9) for _ in range(_DIMENSIONS)]
