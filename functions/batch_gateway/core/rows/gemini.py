"""Rows of Gemini and of gemini-embedding.

- Gemini: ``{"status", "processed_time", "request", "response": GenerateContentResponse}``; live
  captures of 2025-09 and 2026-09, and "Batch inference with Gemini" of Google's documentation.
- gemini-embedding: ``{"key", "request", "response": {"tokenCount": "2", "embedding"}}`` in the
  documentation, ``{"response": {"usageMetadata": {"promptTokenCount"}}}`` as seen live.

Members and their meaning: GenerateContentResponse of the Vertex AI API, discovery revision 20261106.
"""

from typing import Any

import msgspec

from batch_gateway.core.modalities import (
    ModalityTokenCount,
    by_modality,
    cached_by_modality,
    check_counts,
)
from batch_gateway.core.rows.grounding import Grounding, searches_of
from batch_gateway.core.rows.measured import Measured
from batch_gateway.core.rows.waste import answer_waste, prompt_waste

UNBILLED_TOOL_USE = "input_grounding"
"""Tool-use tokens of a row grounded with Google Search: billed per query, not per token."""


class UsageMetadata(msgspec.Struct, rename="camel", gc=False):
    """Tokens of a row; proto3 JSON leaves out what is nil."""

    cache_tokens_details: list[ModalityTokenCount] | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    candidates_tokens_details: list[ModalityTokenCount] | None = None
    prompt_token_count: int | None = None
    prompt_tokens_details: list[ModalityTokenCount] | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    tool_use_prompt_tokens_details: list[ModalityTokenCount] | None = None


class Candidate(msgspec.Struct, rename="camel", gc=False):
    """One of the answers to a prompt."""

    finish_reason: Any = None
    grounding_metadata: Grounding | None = None


class _PromptFeedback(msgspec.Struct, rename="camel", gc=False):
    block_reason: Any = None


class Response(msgspec.Struct, rename="camel", gc=False):
    """Of any family; ``usage`` and ``body`` are for that of messages, ``error`` for any."""

    candidates: list[Candidate] | None = None
    model_version: str | None = None
    prompt_feedback: _PromptFeedback | None = None
    token_count: int | None = None
    usage_metadata: UsageMetadata | None = None
    usage: msgspec.Raw = msgspec.Raw()
    body: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


def measure(response: Response, line: bytes) -> Measured:
    """What a row used.

    Args:
        response: Of the row.
        line: The row, of whose request a grounded answer needs the tools.

    Raises:
        ContradictionError: Its counts cannot all be true.
    """
    usage = response.usage_metadata or UsageMetadata()
    if usage.prompt_token_count is None:
        usage.prompt_token_count = response.token_count
    prompt = usage.prompt_token_count or 0
    cached = usage.cached_content_token_count or 0
    answered = usage.candidates_token_count or 0
    thoughts = usage.thoughts_token_count or 0
    tool_use = usage.tool_use_prompt_token_count or 0
    check_counts(prompt, cached, answered, thoughts, tool_use)
    candidates = response.candidates or []
    groundings = [c.grounding_metadata for c in candidates if c.grounding_metadata]
    items = _input_items(usage, prompt, cached)
    if tool_use:
        searched = any(grounding.web_search_queries for grounding in groundings)
        _add_tool_use(items, tool_use, usage, searched=searched)
    for modality, tokens in by_modality(answered, usage.candidates_tokens_details).items():
        items[f"output_{modality}"] = tokens
    items["output_thoughts"] = thoughts
    feedback = response.prompt_feedback
    return Measured(
        model=response.model_version,
        prompt_tokens=prompt,
        items=items,
        input=prompt + tool_use,
        cached=cached,
        output=answered + thoughts,
        thoughts=thoughts,
        metered=usage.prompt_token_count is not None,
        searches=searches_of(groundings, line) if groundings else {},
        waste=prompt_waste(feedback.block_reason)
        if feedback and feedback.block_reason
        else answer_waste([c.finish_reason for c in candidates]),
    )


def _input_items(usage: UsageMetadata, prompt: int, cached: int) -> dict[str, int]:
    """The prompt's tokens by item; its count holds the cached ones."""
    fresh = by_modality(prompt, usage.prompt_tokens_details)
    items: dict[str, int] = {}
    if cached:
        for modality, tokens in cached_by_modality(cached, usage.cache_tokens_details, fresh).items():
            fresh[modality] -= tokens
            items[f"cached_input_{modality}"] = tokens
    for modality, tokens in fresh.items():
        items[f"input_{modality}"] = tokens
    return items


def _add_tool_use(items: dict[str, int], tool_use: int, usage: UsageMetadata, *, searched: bool) -> None:
    """Adds tool-use prompt tokens, which the prompt's count does not hold, to the items."""
    if searched:
        items[UNBILLED_TOOL_USE] = tool_use
        return
    for modality, tokens in by_modality(tool_use, usage.tool_use_prompt_tokens_details).items():
        item = f"input_{modality}"
        items[item] = items.get(item, 0) + tokens
