"""Make output rows, one for each input row, in the format of the model's family.

Shapes: a live capture of a Gemini job (2025-09-19, in LiteLLM's documentation of batch prediction), Google's
"Batch inference with Gemini" pages for failed rows; each other family's module names its own. What an input
row may say about its own fate is in `options`.
"""

import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from . import claude, embeddings, gemini, openmaas, options, timestamps
from .models import Family, JobModel

_TAKEN = frozenset({"status", "processed_time", "request", "response"})
_OPEN = (Family.OPEN_CHAT, Family.OPEN_EMBEDDING)
_ENCODER = msgspec.json.Encoder()  # a fifth of the time of json


def outcome(family: Family, row: Any) -> str:
    """Return the reason why a row fails, or `""` if it succeeds."""
    wishes = options.options(row)
    wish = wishes.get("fail") or (wishes.get("fail_first") and not row.get("status"))
    if wish:
        return wish if isinstance(wish, str) else "Request contains an invalid argument."
    return "" if family is Family.CUSTOM or carried_over(row) else _REFUSALS[family](row)


def carried_over(row: dict[str, Any]) -> bool:
    """Return whether an input row is an answered row of an earlier job.

    Google's page on resuming a job: such rows are merged into the new output as they are.
    """
    return row.get("status") == "" and bool(row.get("response")) and "processed_time" in row


def unprocessed(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of the output row for an input row that was not processed; unconfirmed."""
    if carried_over(row):
        return dict(row)
    return {**row, "status": "Not processed: the job ended before.", "response": {}}


def answer(model: JobModel, row: Any, error: str, moment: datetime, rng: random.Random) -> dict[str, Any]:
    """Return the columns of the output row for an input row.

    Args:
        model: The job's model.
        row: The input row.
        error: Why it fails, or `""`.
        moment: When it was processed.
        rng: Random numbers for arbitrary values (ids, probabilities, vectors).
    """
    if model.family is Family.CUSTOM:
        return _custom(row, error, rng)
    if not error and carried_over(row):
        return dict(row)
    wishes = options.options(row)
    if model.family is Family.LEGACY_EMBEDDING:
        return embeddings.legacy(row, wishes, error, rng)
    return _kept(model.family, row) | _added(model, row, error, moment, rng)


def encode(row: Any, line: dict[str, Any]) -> bytes:
    """Return an output row as a line, which breaks off if the options of its input row say so."""
    try:
        encoded = _ENCODER.encode(line)
    except (ValueError, OverflowError):  # half a surrogate pair, or a number beyond 64 bits
        encoded = json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    return encoded[: len(encoded) * 3 // 5] if options.options(row).get("malformed") else encoded


def _kept(family: Family, row: dict[str, Any]) -> dict[str, Any]:
    dropped = _TAKEN | openmaas.DROPPED if family in _OPEN else _TAKEN
    return {name: value for name, value in row.items() if name not in dropped}


def _added(
    model: JobModel, row: dict[str, Any], error: str, moment: datetime, rng: random.Random
) -> dict[str, Any]:
    family, wishes = model.family, options.options(row)
    if family is Family.GEMINI_EMBEDDING:
        return embeddings.gemini(row, wishes, error, moment, rng)
    if family is Family.CLAUDE:
        return {"request": row.get("request"), **claude.answer(model.name, row, wishes, error, rng)}
    if family in _OPEN:
        embedding = family is Family.OPEN_EMBEDDING
        return openmaas.answer(model.name, row, wishes, error, rng, embedding=embedding)
    return _gemini(model.name, row, error, moment, rng)


def _refuse_gemini(row: dict[str, Any]) -> str:
    request = row.get("request")
    return gemini.refusal(request) if isinstance(request, dict) else "request is required."


_REFUSALS: dict[Family, Callable[[dict[str, Any]], str]] = {
    Family.GEMINI: _refuse_gemini,
    Family.GEMINI_EMBEDDING: lambda row: (
        "" if isinstance(row.get("request"), dict) else "request is required."
    ),
    Family.LEGACY_EMBEDDING: lambda row: (
        "" if isinstance(row.get("content"), str) else "content is required."
    ),
    Family.CLAUDE: claude.refusal,
    Family.OPEN_CHAT: lambda row: openmaas.refusal(row, "messages"),
    Family.OPEN_EMBEDDING: lambda row: openmaas.refusal(row, "input"),
}


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
        response = gemini.response(model, request, options.options(row), moment, rng)
    return {
        "status": status,
        "processed_time": timestamps.processed_time(moment),
        "request": request,
        "response": response,
    }


def _custom(row: Any, error: str, rng: random.Random) -> dict[str, Any]:
    """Return a custom model's row (Google's page "Get batch inferences from a custom trained model")."""
    if error:
        return {"instance": row, "error": {"code": 3, "message": error}}
    return {"instance": row, "prediction": [round(rng.random(), 9)]}
