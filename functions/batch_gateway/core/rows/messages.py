"""Rows of Claude and of open models (Llama, gpt-oss, Qwen, DeepSeek, E5).

Their answers stand at ``response`` or at ``response.body``, and report their tokens as ``usage``. No
line of either was captured live: the shapes follow Google's documentation of the output columns
("Batch predictions with Claude", "Batch predictions for open models"), the Messages API of Anthropic
and the Chat Completions and Embeddings APIs of OpenAI, and are unconfirmed.

- Claude: ``{"custom_id", "request", "response": {"model", "stop_reason", "usage": {"input_tokens",
  "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"}}, "status"}``. The input
  tokens do not hold those read from or written to a cache.
- Open models: ``{"custom_id", "id", "response": {"model", "choices", "usage": {"prompt_tokens",
  "completion_tokens"}}}``. The prompt's tokens hold the cached ones, the completion's the reasoning.
"""

from typing import Any

import msgspec

from batch_gateway.core.modalities import ContradictionError, check_counts
from batch_gateway.core.rows.measured import Measured, Refused
from batch_gateway.core.rows.waste import answer_waste
from batch_gateway.core.usage import WEB_SEARCH


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _ServerToolUse(msgspec.Struct):
    web_search_requests: int | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    server_tool_use: _ServerToolUse | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Choice(msgspec.Struct):
    finish_reason: Any = None


class _Message(msgspec.Struct):
    model: str | None = None
    stop_reason: Any = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None
    body: msgspec.Raw = msgspec.Raw()


class _Row(msgspec.Struct):
    response: _Message | None = None


_decode_row = msgspec.json.Decoder(_Row, strict=False).decode
_decode_body = msgspec.json.Decoder(_Message | None, strict=False).decode


def measure(line: bytes) -> Measured | Refused:
    """What a row used.

    Raises:
        msgspec.DecodeError: The row is not of this form.
        ContradictionError: Its counts cannot all be true.
    """
    message = _decode_row(line).response or _Message()
    if message.body and (body := _decode_body(message.body)) is not None:
        message = body
    if message.error:
        return Refused(message.error)
    usage = message.usage or _Usage()
    measured = (
        _claude(message.model, usage)
        if usage.prompt_tokens is None and usage.completion_tokens is None
        else _open_model(message.model, usage)
    )
    reasons = [choice.finish_reason for choice in message.choices or ()] or [message.stop_reason]
    measured.waste = answer_waste(reasons)
    return measured


def _claude(model: str | None, usage: _Usage) -> Measured:
    fresh, output = usage.input_tokens or 0, usage.output_tokens or 0
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    creation = usage.cache_creation or _CacheCreation()
    short, long = creation.ephemeral_5m_input_tokens or 0, creation.ephemeral_1h_input_tokens or 0
    searches = (usage.server_tool_use and usage.server_tool_use.web_search_requests) or 0
    if usage.cache_creation_input_tokens is None:
        written = short + long
    check_counts(fresh, output, read, written, short, long, searches)
    if short + long > written:
        raise ContradictionError("more tokens written to caches by lifetime than in all")
    prompt = fresh + read + written
    return Measured(
        model=model,
        prompt_tokens=prompt,
        items={
            "input_text": fresh,
            "cached_input_text": read,
            "cache_creation_input_text": written - long,
            "cache_creation_1h_input_text": long,
            "output_text": output,
        },
        input=prompt,
        cached=read,
        output=output,
        metered=usage.input_tokens is not None,
        searches={WEB_SEARCH: searches} if searches else {},
    )


def _open_model(model: str | None, usage: _Usage) -> Measured:
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    cached = (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0
    thoughts = (usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens) or 0
    check_counts(prompt, completion, cached, thoughts)
    if cached > prompt or thoughts > completion:
        raise ContradictionError("a part of the tokens is more than all of them")
    return Measured(
        model=model,
        prompt_tokens=prompt,
        items={
            "input_text": prompt - cached,
            "cached_input_text": cached,
            "output_text": completion - thoughts,
            "output_thoughts": thoughts,
        },
        input=prompt,
        cached=cached,
        output=completion,
        thoughts=thoughts,
        metered=usage.prompt_tokens is not None,
    )
