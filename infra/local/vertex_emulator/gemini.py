"""Make a Gemini row's `response`: candidates and usage (Vertex AI API reference, GenerateContentResponse)."""

import base64
import random
from datetime import datetime
from typing import Any

from . import options, timestamps, tokens


def refusal(request: dict[str, Any]) -> str:
    """Return Gemini's reason for refusing a request, in Google's words, or `""`."""
    contents = request.get("contents")
    listed = contents if isinstance(contents, list) else [contents]
    if not contents:
        return "Unable to submit request because at least one contents field is required."
    if any(
        isinstance(content, dict) and content.get("role", "user") not in ("user", "model")
        for content in listed
    ):
        return "Please use a valid role: user, model."
    return ""


def response(
    model: str, request: dict[str, Any], wishes: dict[str, Any], moment: datetime, rng: random.Random
) -> dict[str, Any]:
    """Return a successful row's response.

    Args:
        model: What the row names as its model; `""` for nothing.
        request: The input row's request.
        wishes: The input row's `emulate`.
        moment: When the row was processed.
        rng: For ids and probabilities.
    """
    limit = tokens.output_limit(request)
    parts = tokens.parts(request)
    text = tokens.text_of(parts)
    output, cut = options.output_tokens(wishes, text, limit)
    reason = wishes.get("finish_reason", "MAX_TOKENS" if cut else "STOP")
    result: dict[str, Any] = {}
    if wishes.get("blocked"):
        result["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
        output = 0
    else:
        result["candidates"] = [_candidate(output, reason, wishes, rng)]
    result["createTime"] = timestamps.rfc3339(moment)
    version = wishes.get("model_version", model)
    if version:
        result["modelVersion"] = version
    result["responseId"] = base64.urlsafe_b64encode(rng.randbytes(17)).decode().rstrip("=")
    if not wishes.get("no_usage"):
        result["usageMetadata"] = _usage(_prompt(tokens.prompt_tokens(parts, text), wishes), wishes, output)
    # Live rows have their members in alphabetical order.
    return dict(sorted(result.items()))


def _candidate(output: int, reason: str, wishes: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": tokens.reply(output)}]
    if wishes.get("pad_bytes"):
        parts.append({"inlineData": {"data": "A" * int(wishes["pad_bytes"]), "mimeType": "image/png"}})
    candidate: dict[str, Any] = {
        "avgLogprobs": -rng.random(),
        "content": {"parts": parts, "role": "model"},
        "finishReason": reason,
    }
    if wishes.get("web_search"):
        queries = [f"query {number} that the model made up" for number in range(int(wishes["web_search"]))]
        candidate["groundingMetadata"] = {"webSearchQueries": queries}
    return candidate


def _usage(prompt: dict[str, int], wishes: dict[str, Any], output: int) -> dict[str, Any]:
    """Return usageMetadata; as in proto JSON, zeros are left out."""
    answer = {"TEXT": output, "IMAGE": int(wishes.get("output_image", 0))}
    # A blocked prompt consumes no tokens beyond its own.
    extra = {} if wishes.get("blocked") else wishes
    tool_use, thoughts = int(extra.get("tool_use", 0)), int(extra.get("thoughts", 0))
    if wishes.get("blocked"):
        answer["IMAGE"] = 0
    cached = int(wishes.get("cached", 0))
    usage: dict[str, Any] = {
        "cacheTokensDetails": _details({"TEXT": cached}),
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": sum(answer.values()),
        "candidatesTokensDetails": _details(answer),
        "promptTokenCount": sum(prompt.values()),
        "promptTokensDetails": _details(prompt),
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tool_use,
        "toolUsePromptTokensDetails": _details({"TEXT": tool_use}),
        "totalTokenCount": sum(prompt.values()) + sum(answer.values()) + thoughts + tool_use,
        "trafficType": "ON_DEMAND",
    }
    if wishes.get("no_details"):
        usage = {name: value for name, value in usage.items() if name.endswith("TokenCount")}
    return {name: value for name, value in usage.items() if value}


def _prompt(prompt: dict[str, int], wishes: dict[str, Any]) -> dict[str, int]:
    for name, modality in (("audio", "AUDIO"), ("image", "IMAGE")):
        if wishes.get(name):
            prompt[modality] = int(wishes[name])
    if "prompt_tokens" in wishes:
        others = sum(prompt.values()) - prompt["TEXT"]
        prompt["TEXT"] = max(0, int(wishes["prompt_tokens"]) - others)
    # promptTokenCount includes the cached tokens, so those can't be more.
    prompt["TEXT"] = max(prompt["TEXT"], int(wishes.get("cached", 0)))
    return prompt


def _details(by_modality: dict[str, int]) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": number} for name, number in by_modality.items() if number]
