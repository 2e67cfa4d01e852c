"""Compute the most that the rows of a job may cost: every row is read, and always at its most expensive.

A sample represents the rows, unless somebody wants to mislead it. A budget needs an upper bound (``most``),
and rows without one are an error: those with tools that read, those that cannot be read, and those whose
answers have no limit.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from batch_gateway.core.estimating import most
from batch_gateway.core.estimating.exact import UnboundedError, integer, row_of, values
from batch_gateway.core.estimating.model_limits import (
    Family,
    family_of,
    makes_images,
    output_limit,
    prompt_limit,
    version_of,
)
from batch_gateway.core.estimating.most import Model, Most
from batch_gateway.core.estimating.needs import SizeOf
from batch_gateway.core.estimating.sums import UnitCounts
from batch_gateway.core.estimating.text import characters_of
from batch_gateway.core.pricing.prices import PriceTable


class Weight(NamedTuple):
    """The most that rows may use.

    Attributes:
        rows: Number of rows.
        input: Tokens or characters of input.
        output: Tokens of output.
        uses: Units of priced items.
    """

    rows: int
    input: int
    output: int
    uses: UnitCounts


class Scale:
    """The sums of rows as they are weighed."""

    def __init__(
        self,
        model: str,
        prices: PriceTable,
        size_of: SizeOf,
        parameters: Any,
        is_done: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        """Prepare for a job.

        Args:
            model: Resource name; for a tuned model, that of its base.
            prices: Price table, for context windows and units.
            size_of: Look-up of the sizes of files that rows name.
            parameters: The job's modelParameters. It is not documented whether they override what a row
                sets: the more expensive one counts.
            is_done: Returns True for a line that is not run again, because an earlier job answered it.

        Raises:
            UnboundedError: Jobs with this model have no bound.
        """
        self._family = family_of(model)
        if self._family is Family.CUSTOM:
            raise UnboundedError("custom models are billed by the hour of their machines")
        self._key = prices.resolve(model)
        self._prices = prices
        self._by_character = prices.unit(self._key) == "character"
        self._output_limit = output_limit(model)
        self._model = Model(
            version_of(model), makes_images(model), prompt_limit(model), self._output_limit, size_of
        )
        self._limit, self._answers = (
            max((integer(each, name) for each in values(parameters, name)), default=0)
            for name in ("maxOutputTokens", "candidateCount")
        )
        self._is_done = is_done
        self._rows = self._input = self._output = 0
        self._longest_input = self._longest_output = 0
        self._uses: UnitCounts = Counter()
        self._peaks: UnitCounts = Counter()

    @property
    def weight(self) -> Weight:
        """The most that the rows so far may use."""
        return Weight(self._rows, self._input, self._output, self._uses)

    def add(self, lines: Iterable[bytes]) -> None:
        """Weigh lines; blank ones are ignored.

        Raises:
            UnboundedError: The usage of one of them has no bound.
        """
        for line in lines:
            if not line.isspace():
                self._rows += 1
                if not self._is_done(line):
                    self._add(self._most(line))

    def most_of(self, rows: int) -> Weight:
        """Return the most that so many of the rows may use, whichever they are."""
        return Weight(
            rows,
            min(self._input, rows * self._longest_input),
            min(self._output, rows * self._longest_output),
            Counter({unit: min(number, rows * self._peaks[unit]) for unit, number in self._uses.items()}),
        )

    def add_weight(self, weight: Weight) -> None:
        """Add rows that were weighed by another scale."""
        self._rows += weight.rows
        self._input += weight.input
        self._output += weight.output
        self._uses.update(weight.uses)

    def _most(self, line: bytes) -> Most:
        row = row_of(line)
        if self._family in {Family.GEMINI, Family.GEMINI_EMBEDDING}:
            return most.of_gemini(line, row, self._model)
        if self._family is Family.CLAUDE:
            return most.of_claude(line, row)
        if self._family is Family.OPEN_CHAT:
            return most.of_chat(line, row)
        return Most({"input_text": characters_of(line.decode()) if self._by_character else len(line)})

    def _add(self, row: Most) -> None:
        prompt = sum(row.input.values())
        window = self._prices.context_window(self._key, prompt)
        for item, units in row.input.items():
            self._add_units((window, item), units)
        self._input += prompt
        self._longest_input = max(self._longest_input, prompt)
        if not self._family.answers:
            return
        limit = self._output_limit if row.limit is None else max(row.limit, self._limit)
        if limit is None:
            raise UnboundedError("it sets no limit on its output, and the model's limit is unknown")
        output = limit * max(row.answers, self._answers)
        self._add_units((window, row.item), output)
        self._output += output
        self._longest_output = max(self._longest_output, output)

    def _add_units(self, unit: tuple[str, str], number: int) -> None:
        self._uses[unit] += number
        self._peaks[unit] = max(self._peaks[unit], number)
