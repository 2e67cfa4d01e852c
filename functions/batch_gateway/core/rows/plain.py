"""Add up the most common form of Gemini rows, at a fraction of the cost of the general path.

The result must be the same as with ``gemini.measure`` and ``Tally``; tests compare the two.
"""

import msgspec

from batch_gateway.core.pricing.modalities import LARGEST_COUNT, modality_name
from batch_gateway.core.rows.gemini import Response

_REASONS = ("STOP", "MAX_TOKENS")
_MAX_KINDS = 256
"""Most kinds of rows that are summed apart, since rows may name any version and modality; further kinds
are not plain."""


class PlainSums(msgspec.Struct, gc=False):
    """Sums over plain rows that name the same version, finish reason and modalities.

    Attributes:
        rows: Number of rows.
        prompt: Prompt tokens of the first modality.
        others: Prompt tokens of other modalities, and the number of rows that had any, by modality.
        cached: Prompt tokens that came from a cache, all of the first modality.
        cached_rows: Number of rows that had any.
        answered: Tokens of the answers.
        thoughts: Tokens of thoughts.
        thought_rows: Number of rows that had any.
    """

    rows: int = 0
    prompt: int = 0
    others: dict[str, tuple[int, int]] = {}
    cached: int = 0
    cached_rows: int = 0
    answered: int = 0
    thoughts: int = 0
    thought_rows: int = 0


PlainKey = tuple[str | None, str, str | None, str | None]
"""(version, finish reason, the prompt's first modality, the answer's), each as rows name it."""


class PlainRows:
    """Sums over plain rows.

    Args:
        limit: Most prompt tokens of a plain row: all must be in their models' first windows.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sums: dict[PlainKey, PlainSums] = {}

    @property
    def rows(self) -> int:
        """Number of rows that were added since the last drain."""
        return sum(plain.rows for plain in self._sums.values())

    def drain(self) -> list[tuple[PlainKey, PlainSums]]:
        """Return the sums since the last drain, and start again from zero."""
        drained = list(self._sums.items())
        self._sums.clear()
        return drained

    def add(  # noqa: C901, PLR0911, PLR0912 - calls cost as much as what they would hold
        self, response: Response
    ) -> bool:
        """Add a row if it is plain: one answer without searches, few modalities, no long prompt.

        Returns:
            False if the row is not plain; nothing was added then.
        """
        usage, candidates = response.usage_metadata, response.candidates
        if (
            usage is None
            or not candidates
            or len(candidates) != 1
            or (reason := candidates[0].finish_reason) not in _REASONS
            or candidates[0].grounding_metadata is not None
            or usage.tool_use_prompt_token_count
            or usage.tool_use_prompt_tokens_details
            or usage.prompt_token_details
            or response.prompt_feedback is not None
            or response.error
        ):
            return False
        prompt, answered = usage.prompt_token_count or 0, usage.candidates_token_count or 0
        thoughts, cached = usage.thoughts_token_count or 0, usage.cached_content_token_count or 0
        if not (
            0 < prompt <= self._limit
            and 0 < answered <= LARGEST_COUNT
            and 0 <= thoughts <= LARGEST_COUNT
            and 0 <= cached < prompt
        ):
            return False
        total = usage.total_token_count
        if total is not None and total != prompt + answered + thoughts:
            return False
        asked = said = other = None
        others = 0
        if details := usage.prompt_tokens_details:
            asked = details[0].modality
            if details[0].tokenCount != prompt:
                if len(details) != 2 or cached:  # noqa: PLR2004 - this modality and another
                    return False
                other, others = details[1].modality, details[1].tokenCount or 0
                if details[0].tokenCount != prompt - others or not 0 < others < prompt:
                    return False
                if modality_name(asked) == modality_name(other):
                    return False
            elif len(details) != 1:
                return False
        if details := usage.candidates_tokens_details:
            said = details[0].modality
            if len(details) != 1 or details[0].tokenCount != answered:
                return False
        details = usage.cache_tokens_details
        if details and (len(details) != 1 or details[0].tokenCount != cached or details[0].modality != asked):
            return False
        key = (response.model_version, reason, asked, said)
        plain = self._sums.get(key)
        if plain is None:
            if len(self._sums) >= _MAX_KINDS:
                return False
            plain = self._sums[key] = PlainSums()
        plain.rows += 1
        plain.prompt += prompt - others
        plain.answered += answered
        if others:
            name = modality_name(other)
            tokens, rows = plain.others.get(name, (0, 0))
            plain.others[name] = (tokens + others, rows + 1)
        if cached:
            plain.cached += cached
            plain.cached_rows += 1
        if thoughts:
            plain.thoughts += thoughts
            plain.thought_rows += 1
        return True
