"""Make a Claude row: an Anthropic message in `response` (Google's page "Batch inference with Claude").

The page names the columns (`custom_id`, `request`, `response`, `status`); the message is that of Anthropic's
Messages API. No live line is public, so all of it is unconfirmed, in particular: whether a message stands in
`response` or in `response.body` (public readers take both), what `status` says of a failed row (a text, or
an object with `message`), and whether `usage.cache_creation` is there.
"""

import random
from typing import Any

from . import options, tokens


def refusal(row: dict[str, Any]) -> str:
    """Return the reason why a row is invalid, or `""`."""
    request = row.get("request")
    if not isinstance(request, dict):
        return "request is required."
    if not isinstance(request.get("messages"), list) or not request["messages"]:
        return "messages: Field required"
    return "" if "max_tokens" in request else "max_tokens: Field required"


def answer(
    model: str, row: dict[str, Any], wishes: dict[str, Any], error: str, rng: random.Random
) -> dict[str, Any]:
    """Return the members of an output row beside the columns of its input.

    Args:
        model: The model's short name.
        row: The input row.
        wishes: Its `emulate`.
        error: Why it fails, or `""`.
        rng: For ids.
    """
    if error:
        status = (
            {"code": 3, "message": error} if wishes.get("status_object") else f"INVALID_ARGUMENT: {error}"
        )
        return {"response": {}, "status": status}
    message = _message(model, row["request"], wishes, rng)
    if wishes.get("in_body"):
        return {
            "response": {"status_code": 200, "request_id": _id("req", rng), "body": message},
            "status": "",
        }
    return {"response": message, "status": ""}


def _message(
    model: str, request: dict[str, Any], wishes: dict[str, Any], rng: random.Random
) -> dict[str, Any]:
    text = tokens.message_text(request)
    limit = request.get("max_tokens")
    output, cut = options.output_tokens(wishes, text, limit if isinstance(limit, int) else None)
    reason = "max_tokens" if cut else "refusal" if wishes.get("blocked") else "end_turn"
    content = [{"type": "text", "text": tokens.reply(output)}]
    if wishes.get("thoughts"):
        content.insert(0, {"type": "thinking", "thinking": "Let me think.", "signature": "c2ln"})
    message: dict[str, Any] = {
        "id": _id("msg_vrtx", rng),
        "type": "message",
        "role": "assistant",
        "model": wishes.get("model_version", model),
        "content": content,
        "stop_reason": wishes.get("finish_reason", reason),
        "stop_sequence": None,
    }
    if not wishes.get("no_usage"):
        message["usage"] = _usage(wishes, tokens.count(text), output)
    return message


def _usage(wishes: dict[str, Any], prompt: int, output: int) -> dict[str, Any]:
    # input_tokens leaves out tokens read from and written to a cache, output_tokens includes thinking
    # (Anthropic's Messages API, "Prompt caching" and "Extended thinking").
    five_minutes, hour = wishes.get("cache_creation", 0), wishes.get("cache_creation_1h", 0)
    usage: dict[str, Any] = {
        "input_tokens": wishes.get("prompt_tokens", prompt),
        "cache_creation_input_tokens": five_minutes + hour,
        "cache_read_input_tokens": wishes.get("cached", 0),
        "output_tokens": output + wishes.get("thoughts", 0),
    }
    if not wishes.get("no_details"):
        parts = {"ephemeral_5m_input_tokens": five_minutes, "ephemeral_1h_input_tokens": hour}
        usage["cache_creation"] = parts
    return usage


def _id(prefix: str, rng: random.Random) -> str:
    return f"{prefix}_{rng.getrandbits(96):024x}"
