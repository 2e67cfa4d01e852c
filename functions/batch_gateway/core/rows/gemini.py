"""Measure rows of Gemini and of gemini-embedding.

- Gemini: ``{"status", "processed_time", "request", "response": GenerateContentResponse}``; live
  captures of 2025-09 and 2026-09, and "Batch inference with Gemini" of Google's documentation.
- gemini-embedding: ``{"key", "request", "response": {"tokenCount": "2", "embedding"}}`` in the
  documentation, ``{"response": {"usageMetadata": {"promptTokenCount"}}}`` as seen live.

Members and their meaning: GenerateContentResponse of the Vertex AI API, discovery revision 20261106. Rows
that depart from it:

- A count that is missing beside its details is their sum (``cacheTokensDetails`` without
  ``cachedContentTokenCount``: python-genai#795).
- If the total shows it, thoughts are contained in the answer's tokens, tool use in the prompt's, or cached
  tokens are not contained in the prompt's. None is charged twice.
- If no such reading explains the total, or details exceed their count, the row is not wholly priced.
"""

from typing import Any

import msgspec

from batch_gateway.core.json_io import decode_member, is_given
from batch_gateway.core.pricing.modalities import (
    ModalityTokenCount,
    by_modality,
    cached_by_modality,
    check_counts,
    count_of,
)
from batch_gateway.core.rows.grounding import Grounding, searches_of
from batch_gateway.core.rows.measured import ErrorRow, RowUsage, UnrecognizedError
from batch_gateway.core.rows.totals import AS_DOCUMENTED, held_by, reading_of, reason_of
from batch_gateway.core.rows.waste import answer_waste, is_error, prompt_waste
from batch_gateway.core.usage import DETAILS_CONTRADICT, TOTAL_CONTRADICTS

UNBILLED_TOOL_USE = "input_grounding"
"""Item of tool-use tokens of a row grounded with Google Search: billed per query, not per token."""


class UsageMetadata(msgspec.Struct, rename="camel", gc=False):
    """Tokens of a row; proto3 JSON leaves out zeros.

    ``promptTokenDetails`` is another spelling of ``promptTokensDetails``, seen with gemini-embedding-2.
    """

    cache_tokens_details: list[ModalityTokenCount] | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    candidates_tokens_details: list[ModalityTokenCount] | None = None
    prompt_token_count: int | None = None
    prompt_token_details: list[ModalityTokenCount] | None = None
    prompt_tokens_details: list[ModalityTokenCount] | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    tool_use_prompt_tokens_details: list[ModalityTokenCount] | None = None
    total_token_count: int | None = None


class Candidate(msgspec.Struct, rename="camel", gc=False):
    """One of the answers to a prompt."""

    finish_reason: Any = None
    grounding_metadata: Grounding | None = None


class _PromptFeedback(msgspec.Struct, rename="camel", gc=False):
    block_reason: Any = None


class Response(msgspec.Struct, rename="camel", gc=False):
    """A response of any family; ``usage`` and ``body`` belong to that of messages, ``error`` to all."""

    candidates: list[Candidate] | None = None
    embedding: msgspec.Raw = msgspec.Raw()
    model_version: str | None = None
    prompt_feedback: _PromptFeedback | None = None
    token_count: int | None = None
    usage_metadata: UsageMetadata | None = None
    usage: msgspec.Raw = msgspec.Raw()
    body: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Counts(msgspec.Struct, gc=False):
    """Tokens by part, as documented: the prompt's include the cached ones; no other part contains another."""

    prompt: int
    answered: int
    thoughts: int
    tool_use: int
    cached: int

    @property
    def total(self) -> int:
        return self.prompt + self.answered + self.thoughts + self.tool_use


_THOUGHTS_IN_ANSWER, _TOOL_USE_IN_PROMPT, _CACHED_BESIDE_PROMPT = "thoughts", "tool use", "cached"
"""Other relations of the parts, if the total shows them."""


def is_answer(response: Response) -> bool:
    """Return True if a response is of these models, whether or not it reports usage."""
    return (
        response.usage_metadata is not None
        or response.candidates is not None
        or response.model_version is not None
        or response.prompt_feedback is not None
        or response.token_count is not None
        or is_given(response.embedding)
    )


def measure(response: Response, line: bytes) -> RowUsage | ErrorRow:
    """Return the usage of a row, or its error.

    Args:
        response: Response of the row.
        line: The row; the tools of its request tell the kind of grounding.

    Raises:
        ContradictionError: A count is not possible.
        UnrecognizedError: The response has both an answer and an error.
    """
    usage = response.usage_metadata or UsageMetadata()
    candidates = response.candidates or []
    if (error := decode_member(response.error)) and is_error(error) is not False:
        if is_answer(msgspec.structs.replace(response, candidates=candidates or None, model_version=None)):
            raise UnrecognizedError("an answer and an error")
        return ErrorRow((error,))
    prompt = usage.prompt_token_count if usage.prompt_token_count is not None else response.token_count
    prompt = count_of(prompt, usage.prompt_tokens_details or usage.prompt_token_details)
    counts = _Counts(
        prompt=prompt or 0,
        answered=count_of(usage.candidates_token_count, usage.candidates_tokens_details) or 0,
        thoughts=usage.thoughts_token_count or 0,
        tool_use=count_of(usage.tool_use_prompt_token_count, usage.tool_use_prompt_tokens_details) or 0,
        cached=count_of(usage.cached_content_token_count, usage.cache_tokens_details) or 0,
    )
    check_counts(*msgspec.structs.astuple(counts))
    groundings = [c.grounding_metadata for c in candidates if c.grounding_metadata]
    searched = any(grounding.web_search_queries for grounding in groundings)
    reading = _reading(usage.total_token_count, counts, searched=searched)
    doubt, priced = None, counts
    if reading is None:
        doubt = reason_of(usage.total_token_count, counts.total)
    if doubt == TOTAL_CONTRADICTS:
        held = held_by(usage.total_token_count or 0, *msgspec.structs.astuple(counts)[:-1])
        priced = _Counts(held[0], held[1], held[2], held[3], counts.cached)
    items, agrees = _items(usage, priced, reading, searched=searched)
    whole_prompt = counts.prompt + (counts.cached if reading == _CACHED_BESIDE_PROMPT else 0)
    feedback = response.prompt_feedback
    return RowUsage(
        model=response.model_version,
        prompt_tokens=whole_prompt,
        items=items,
        input=whole_prompt + (0 if reading == _TOOL_USE_IN_PROMPT else counts.tool_use),
        cached=counts.cached,
        output=counts.answered + (0 if reading == _THOUGHTS_IN_ANSWER else counts.thoughts),
        thoughts=counts.thoughts,
        metered=whole_prompt > 0,
        doubt=doubt if agrees else doubt or DETAILS_CONTRADICT,
        searches=searches_of(groundings, line) if groundings else {},
        waste=prompt_waste(feedback.block_reason)
        if feedback and feedback.block_reason
        else answer_waste([c.finish_reason for c in candidates]),
    )


def _reading(total: int | None, counts: _Counts, *, searched: bool) -> str | None:
    """Return the relation of the parts, as ``totals.reading_of``."""
    if total is None:
        return AS_DOCUMENTED
    others = {}
    if 0 < counts.thoughts <= counts.answered:
        others[_THOUGHTS_IN_ANSWER] = counts.total - counts.thoughts
    # Tool-use tokens of a search are free, so it would have to be known which of the prompt's they are.
    if 0 < counts.tool_use <= counts.prompt and not searched:
        others[_TOOL_USE_IN_PROMPT] = counts.total - counts.tool_use
    if counts.cached:
        others[_CACHED_BESIDE_PROMPT] = counts.total + counts.cached
    return reading_of(total, counts.total, others)


def _items(
    usage: UsageMetadata, counts: _Counts, reading: str | None, *, searched: bool
) -> tuple[dict[str, int], bool]:
    """Return tokens by item, and whether the details fit the counts."""
    details, more = usage.prompt_tokens_details, usage.prompt_token_details
    agrees = [not (details and more) or details == more]
    fresh, fits = by_modality(counts.prompt, details or more)
    agrees.append(fits)
    if reading == _CACHED_BESIDE_PROMPT:
        cached, fits = by_modality(counts.cached, usage.cache_tokens_details)
    else:
        cached, fits = cached_by_modality(counts.cached, usage.cache_tokens_details, fresh)
        fresh = _less(fresh, cached)
    agrees.append(fits)
    items = {f"cached_input_{modality}": tokens for modality, tokens in cached.items()}
    items |= {f"input_{modality}": tokens for modality, tokens in fresh.items()}
    used, fits = by_modality(counts.tool_use, usage.tool_use_prompt_tokens_details)
    agrees.append(fits)
    if searched:
        items[UNBILLED_TOOL_USE] = counts.tool_use
    elif reading != _TOOL_USE_IN_PROMPT:
        for modality, tokens in used.items():
            items[f"input_{modality}"] = items.get(f"input_{modality}", 0) + tokens
    said, fits = by_modality(counts.answered, usage.candidates_tokens_details)
    agrees.append(fits)
    if reading == _THOUGHTS_IN_ANSWER:
        agrees.append(counts.thoughts <= said.get("text", 0))
        said = _less(said, cached_by_modality(counts.thoughts, None, said).tokens)
    items |= {f"output_{modality}": tokens for modality, tokens in said.items()}
    items["output_thoughts"] = counts.thoughts
    return items, all(agrees)


def _less(whole: dict[str, int], part: dict[str, int]) -> dict[str, int]:
    return {modality: tokens - part.get(modality, 0) for modality, tokens in whole.items()}
