"""Measure rows of Claude and of open models (Llama, gpt-oss, Qwen, DeepSeek, E5).

Their answers are at ``response``, ``response.body`` or ``response.message``, and report their tokens as
``usage``; an error is an ``error``, a ``type`` that says so, or an HTTP ``status_code``. No line of
either was captured live: the shapes follow Google's documentation of the output columns
("Batch predictions with Claude", "Batch predictions for open models"), the Messages and Message Batches
APIs of Anthropic and the Chat Completions, Embeddings and Batch APIs of OpenAI, and are unconfirmed.

- Claude: ``{"custom_id", "request", "response": {"model", "stop_reason", "usage": {"input_tokens",
  "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"}}, "status"}``. The input
  tokens do not include those read from or written to a cache.
- Open models: ``{"custom_id", "id", "response": {"model", "choices", "usage": {"prompt_tokens",
  "completion_tokens"}}}``. The prompt's tokens include the cached ones, the completion's the reasoning.
"""

from typing import Any

import msgspec

from batch_gateway.core.json_io import is_given, is_object
from batch_gateway.core.pricing.modalities import check_counts
from batch_gateway.core.rows.measured import ErrorRow, RowUsage, UnrecognizedError
from batch_gateway.core.rows.totals import held_by, reading_of, reason_of
from batch_gateway.core.rows.waste import answer_waste, is_error
from batch_gateway.core.usage import DETAILS_CONTRADICT, TOTAL_CONTRADICTS, WEB_SEARCH

_WITHOUT_CACHES, _CACHED_BESIDE_PROMPT, _REASONING_BESIDE_COMPLETION = "caches", "cached", "reasoning"
"""Relations of the parts that differ from the documentation, if the total shows them."""


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
    total_tokens: int | None = None


class _Choice(msgspec.Struct):
    finish_reason: Any = None


class _Message(msgspec.Struct):
    model: str | None = None
    stop_reason: Any = None
    choices: list[_Choice] | None = None
    content: msgspec.Raw = msgspec.Raw()
    usage: _Usage | None = None
    error: Any = None
    type: Any = None


class _Response(_Message):
    body: msgspec.Raw = msgspec.Raw()
    message: msgspec.Raw = msgspec.Raw()
    status_code: Any = None


class _Row(msgspec.Struct):
    response: _Response | None = None


_decode_row = msgspec.json.Decoder(_Row, strict=False).decode
_decode_message = msgspec.json.Decoder(_Message, strict=False).decode

_FAILURES = {
    "error": None,
    "errored": None,
    "canceled": "CANCELLED",
    "expired": "DEADLINE_EXCEEDED",
}
"""Status names by the types of errors and of results without an answer."""


def measure(line: bytes) -> RowUsage | ErrorRow | None:
    """Return the usage of a row, or its error; None if its response is neither an answer nor an error.

    Raises:
        msgspec.DecodeError: The row is not of this form.
        ContradictionError: A count is not possible.
        UnrecognizedError: The response has both an answer and an error, or two answers.
    """
    response = _decode_row(line).response or _Response()
    inner = [_decode_message(member) for member in (response.body, response.message) if is_object(member)]
    messages: list[_Message] = [*inner, response]
    answers = [message for message in messages if message.usage is not None]
    answered = answers or [
        message
        for message in messages
        if message.choices or is_given(message.content) or message.stop_reason is not None
    ]
    causes = _causes(response.status_code, messages)
    if len(answers) > 1 or (answered and causes):
        raise UnrecognizedError("an answer and another answer or an error")
    if not answered:
        return ErrorRow(causes) if causes else None
    message = answered[0]
    model = message.model or response.model
    usage = message.usage or _Usage()
    measured = (
        _claude(model, usage)
        if usage.prompt_tokens is None and usage.completion_tokens is None
        else _open_model(model, usage)
    )
    reasons = [choice.finish_reason for choice in message.choices or ()] or [message.stop_reason]
    measured.waste = answer_waste(reasons)
    return measured


def _causes(status_code: Any, messages: list[_Message]) -> tuple[Any, ...]:
    """Return the parts of a response that describe its error; empty if it has none."""
    types = [message.type for message in messages if isinstance(message.type, str)]
    return (
        *(message.error for message in messages if is_error(message.error) is not False),
        *(_FAILURES[type_] for type_ in types if type_ in _FAILURES),
        *([] if is_error(status_code) is False else [status_code]),
    )


def _claude(model: str | None, usage: _Usage) -> RowUsage:
    fresh, output = usage.input_tokens or 0, usage.output_tokens or 0
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    creation = usage.cache_creation or _CacheCreation()
    short, long = creation.ephemeral_5m_input_tokens or 0, creation.ephemeral_1h_input_tokens or 0
    searches = (usage.server_tool_use and usage.server_tool_use.web_search_requests) or 0
    if usage.cache_creation_input_tokens is None:
        written = short + long
    check_counts(fresh, output, read, written, short, long, searches)
    prompt = fresh + read + written
    doubt = None if short + long <= written else DETAILS_CONTRADICT
    long = min(long, written - min(short, written))
    items = {
        "input_text": fresh,
        "cached_input_text": read,
        "cache_creation_input_text": written - long,
        "cache_creation_1h_input_text": long,
        "output_text": output,
    }
    # The API reports no total; if there is one, it may or may not include the tokens of caches.
    if reading_of(usage.total_tokens, prompt + output, {_WITHOUT_CACHES: fresh + output}) is None:
        doubt = reason_of(usage.total_tokens, prompt + output)
        if doubt == TOTAL_CONTRADICTS:
            items = dict(zip(items, held_by(usage.total_tokens or 0, *items.values()), strict=True))
    return RowUsage(
        model=model,
        prompt_tokens=prompt,
        items=items,
        input=prompt,
        cached=read,
        output=output,
        metered=usage.input_tokens is not None and prompt > 0,
        doubt=doubt,
        searches={WEB_SEARCH: searches} if searches else {},
    )


def _open_model(model: str | None, usage: _Usage) -> RowUsage:
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    cached = (usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens) or 0
    thoughts = (usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens) or 0
    check_counts(prompt, completion, cached, thoughts)
    others = {
        _CACHED_BESIDE_PROMPT: prompt + completion + cached,
        _REASONING_BESIDE_COMPLETION: prompt + completion + thoughts,
    }
    reading = reading_of(usage.total_tokens, prompt + completion, others)
    doubt = None
    if reading is None:
        doubt = reason_of(usage.total_tokens, prompt + completion)
    elif reading == _CACHED_BESIDE_PROMPT:
        prompt += cached
    elif reading == _REASONING_BESIDE_COMPLETION:
        completion += thoughts
    asked, said = prompt, completion
    if doubt == TOTAL_CONTRADICTS:
        asked, said = held_by(usage.total_tokens or 0, prompt, completion)
    if doubt is None and (cached > prompt or thoughts > completion):
        doubt = DETAILS_CONTRADICT
    return RowUsage(
        model=model,
        prompt_tokens=prompt,
        items={
            "input_text": asked - min(cached, asked),
            "cached_input_text": min(cached, asked),
            "output_text": said - min(thoughts, said),
            "output_thoughts": min(thoughts, said),
        },
        input=prompt,
        cached=min(cached, prompt),
        output=completion,
        thoughts=min(thoughts, completion),
        metered=prompt > 0,
        doubt=doubt,
    )
