"""Predict the length of a model's answers: from earlier jobs of the same team or key, else by default."""

from collections.abc import Iterable
from typing import NamedTuple

from batch_gateway.core.estimating.model_limits import Family, family_of, makes_images, thinks, version_of
from batch_gateway.core.estimating.needs import Needs
from batch_gateway.core.estimating.ranges import Range
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.usage import Usage

_ANSWER = 200
"""Tokens of an answer. Those of LMSYS-Chat-1M have 215 on average (its paper of 2023), those of Azure's
conversation trace of the same year 211."""
_THOUGHTS = 400
"""Tokens of thoughts: a guess."""
_LOW_SHARE = 10


class Habit(NamedTuple):
    """The expected length of a model's answers.

    Attributes:
        low: Tokens of an answer, including thoughts.
        expected: Tokens of an answer without ``thoughts``.
        thoughts: Tokens of thoughts in addition to the expected, unless a row allows fewer.
        item: The item that they are priced as.
        said: The source of the figures, as a sentence.
        input: Tokens of a row's prompt, or characters if it is charged by them, if known from earlier rows;
            else None.
    """

    low: int
    expected: int
    thoughts: int
    item: str
    said: str
    input: Range | None = None

    def output(self, needs: Needs, model_limit: int | None) -> Range:
        """Return the tokens of a row's answers; the high is the expected if no limit is known."""
        thoughts = self.thoughts if needs.thinking is None else min(self.thoughts, needs.thinking)
        expected = self.expected + thoughts
        limit = needs.limit or model_limit or max(expected, self.low)
        return Range(self.low, expected, limit).at_most(limit).times(needs.answers)


def default_habit(model: str) -> Habit:
    """Return the default for a model without history."""
    family = family_of(model)
    if not family.answers:
        return Habit(0, 0, 0, "output_text", "This model writes embeddings, which cost nothing.")
    if family is Family.GEMINI and makes_images(model):
        tokens = 1290 if version_of(model) < (3, 0) else 1120
        said = f"Output: no history; one image of {tokens:,} tokens a row (Google's figure for this model)."
        return Habit(tokens, tokens, 0, "output_image", said)
    thoughts = _THOUGHTS if family is Family.GEMINI and thinks(model) else 0
    thinking = f" and {thoughts} for thoughts" if thoughts else ""
    said = (
        f"Output: no history; by default {_ANSWER} tokens an answer{thinking}, never above maxOutputTokens."
    )
    return Habit(_ANSWER // _LOW_SHARE, _ANSWER, thoughts, "output_text", said)


def habit_of(jobs: Iterable[JobRecord], whose: str, model: str, prices: PriceTable) -> Habit | None:
    """Compute the average of a model's answers in earlier jobs.

    Args:
        jobs: Records of the jobs of one team or key.
        whose: Name of that team or key in the assumptions.
        model: Resource name.
        prices: Price table, whose keys identify models with different names.

    Returns:
        None if none of the jobs has settled rows of this model.
    """
    key = prices.resolve(model)
    name = key or short_name(model)
    used = [
        job.usage
        for job in jobs
        if (prices.resolve(job.priced_model) or short_name(job.priced_model)) == name
        and job.usage.rows.succeeded > job.usage.rows.unmetered
    ]
    if not used:
        return None
    rows = [usage.rows.succeeded - usage.rows.unmetered for usage in used]
    written = [usage.tokens.output for usage in used]
    by_character = prices.unit(key) == "character"
    asked = [_characters(usage) if by_character else usage.tokens.input for usage in used]
    said = (
        f"Output: history of {whose} with {name} ({len(used)} jobs, {sum(rows):,} rows): "
        f"{sum(written) // sum(rows):,} tokens a row, thoughts included."
    )
    return Habit(
        low=min(tokens // number for tokens, number in zip(written, rows, strict=True)) // 2,
        expected=_mean(written, rows),
        thoughts=0,
        item=default_habit(model).item,
        said=said,
        input=Range(
            min(tokens // number for tokens, number in zip(asked, rows, strict=True)),
            _mean(asked, rows),
            max(-(-tokens // number) for tokens, number in zip(asked, rows, strict=True)),
        ),
    )


def _characters(usage: Usage) -> int:
    """Return the characters of input, of a model that is charged by them."""
    return sum(each.quantity for each in usage.quantities if each.item == "input_text")


def _mean(totals: list[int], rows: list[int]) -> int:
    """Return the mean per row, rounded to the nearest whole number."""
    return (2 * sum(totals) + sum(rows)) // (2 * sum(rows))
