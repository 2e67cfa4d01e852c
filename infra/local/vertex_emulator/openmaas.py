"""Make a row of an open model as a service: an OpenAI chat completion or list of embeddings in `response`.

Google's page "Batch inference with open models": input lines are those of OpenAI's batches, of which only
`body` counts; `response` and `id` are added, `method` and `url` dropped, other columns kept. The answer is
that of OpenAI's API. No live line is public, so all of it is unconfirmed, in particular: whether the answer
stands in `response` or in `response.body` (public readers take both), and how a row fails (`error`, as in
OpenAI's batches, here).
"""

import random
from typing import Any

from . import options, tokens

DROPPED = frozenset({"method", "url"})
_CREATED = 1_758_317_387  # seconds since the epoch; arbitrary
_DIMENSIONS = 8


def refusal(row: dict[str, Any], needed: str) -> str:
    """Return the reason why a row is invalid, or `""`; `needed` is the member that its body must have."""
    body = row.get("body")
    if not isinstance(body, dict):
        return "body is required."
    return "" if body.get(needed) else f"{needed} is required."


def answer(
    model: str,
    row: dict[str, Any],
    wishes: dict[str, Any],
    error: str,
    rng: random.Random,
    *,
    embedding: bool,
) -> dict[str, Any]:
    """Return the members of an output row beside the columns of its input.

    Args:
        model: The model's short name.
        row: The input row.
        wishes: Its `emulate`.
        error: Why it fails, or `""`.
        rng: For ids and vectors.
        embedding: Whether the model embeds.
    """
    added: dict[str, Any] = {"id": f"batch_req_{rng.getrandbits(96):024x}"}
    in_body = bool(wishes.get("in_body"))
    if error:
        failure = {"code": "invalid_request_error", "message": error}
        if in_body:
            return {**added, "response": {"status_code": 400, "body": {"error": failure}}}
        return {**added, "response": None, "error": failure}
    make = _embeddings if embedding else _completion
    made = make(wishes.get("model_version", model), row["body"], wishes, rng)
    return {**added, "response": {"status_code": 200, "body": made} if in_body else made}


def _completion(
    model: str, body: dict[str, Any], wishes: dict[str, Any], rng: random.Random
) -> dict[str, Any]:
    text = tokens.message_text(body)
    limit = body.get("max_tokens") or body.get("max_completion_tokens")
    output, cut = options.output_tokens(wishes, text, limit if isinstance(limit, int) else None)
    reason = "length" if cut else "content_filter" if wishes.get("blocked") else "stop"
    message = {"role": "assistant", "content": tokens.reply(output)}
    result: dict[str, Any] = {
        "id": f"chatcmpl-{rng.getrandbits(96):024x}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [
            {"index": 0, "message": message, "finish_reason": wishes.get("finish_reason", reason)},
        ],
    }
    if wishes.get("no_usage"):
        return result
    thoughts, cached = wishes.get("thoughts", 0), wishes.get("cached", 0)
    prompt = max(wishes.get("prompt_tokens", tokens.count(text)), cached)
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output + thoughts,
        "total_tokens": prompt + output + thoughts,
    }
    if cached:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    if thoughts:
        usage["completion_tokens_details"] = {"reasoning_tokens": thoughts}
    return {**result, "usage": usage}


def _embeddings(
    model: str, body: dict[str, Any], wishes: dict[str, Any], rng: random.Random
) -> dict[str, Any]:
    given = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vectors = [[round(rng.uniform(-0.1, 0.1), 9) for _ in range(_DIMENSIONS)] for _ in given]
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    result: dict[str, Any] = {"object": "list", "model": model, "data": data}
    if not wishes.get("no_usage"):
        counted = sum(tokens.count(text) for text in given if isinstance(text, str))
        prompt = wishes.get("prompt_tokens", counted)
        result["usage"] = {"prompt_tokens": prompt, "total_tokens": prompt}
    return result
