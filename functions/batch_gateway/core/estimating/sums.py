"""Sum up the rows of a sample, and extrapolate them to the whole input."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from batch_gateway.core.estimating.habits import Habit
from batch_gateway.core.estimating.needs import Needs
from batch_gateway.core.estimating.ranges import Range
from batch_gateway.core.pricing.prices import PriceTable

UnitCounts = Counter[tuple[str, str]]
"""Units by (context window, item)."""

_LEVELS = range(3)
_EXPECTED, _HIGH = 1, 2
_NARROWER, _WIDER = (9, 10), (11, 10)
"""The rest of the input may be a tenth below the sparsest and a tenth above the densest part of a sample."""
_ROWS, _INPUT, _OUTPUT = ("", "rows"), ("", "input"), ("", "output")
"""Keys of counts without a price."""


class EstimationContext(NamedTuple):
    """The facts on a model that rows are counted with.

    Attributes:
        prices: Price table, for context windows.
        model_key: The model's key in the price table; None if it is not there.
        habit: Expected length of the model's answers.
        output_limit: Most tokens of an answer; None if unknown.
        prompt_limit: Most tokens of a prompt; None if unknown.
    """

    prices: PriceTable
    model_key: str | None
    habit: Habit
    output_limit: int | None
    prompt_limit: int | None


class SampleChunk(NamedTuple):
    """Consecutive rows of a sample.

    Attributes:
        size: Size of their lines in bytes.
        uses: Units that they use by level (low, expected, high), rows and tokens included.
    """

    size: int
    uses: tuple[UnitCounts, UnitCounts, UnitCounts]


class ChunkBuilder:
    """The sums of consecutive rows."""

    def __init__(self, context: EstimationContext) -> None:
        self._context = context
        self._uses: tuple[UnitCounts, UnitCounts, UnitCounts] = (Counter(), Counter(), Counter())

    def add(self, needs: Needs | None, *, free: bool) -> None:
        """Add a row; one that is probably free counts in the high only."""
        for use in self._uses:
            use[_ROWS] += 1
        if needs is None:
            return
        output = self._context.habit.output(needs, self._context.output_limit)
        for level in _LEVELS[_HIGH if free else 0 :]:
            self._add(
                self._uses[level], {item: units[level] for item, units in needs.input.items()}, output[level]
            )

    def _add(self, use: UnitCounts, units: dict[str, int], output: int) -> None:
        context = self._context
        if context.prompt_limit is not None:
            units = {item: min(number, context.prompt_limit) for item, number in units.items()}
        prompt = sum(units.values())
        window = context.prices.context_window(context.model_key, prompt)
        for item, number in units.items():
            use[window, item] += number
        use[window, context.habit.item] += output
        use[_INPUT] += prompt
        use[_OUTPUT] += output

    def part(self, size: int) -> SampleChunk:
        """Return the sums, given the bytes of all lines, blank ones included."""
        return SampleChunk(size, self._uses)


class Extrapolation(NamedTuple):
    """The estimated sums of a whole input.

    Attributes:
        rows: Number of rows.
        exact: Whether every row was read.
        input: Tokens or characters of input.
        output: Tokens of output.
        uses: Units of priced items by level (low, expected, high).
    """

    rows: Range
    exact: bool
    input: Range
    output: Range
    uses: tuple[UnitCounts, UnitCounts, UnitCounts]


def extrapolate(parts: Sequence[SampleChunk], size: int) -> Extrapolation:
    """Extrapolate the parts that were read to the whole input.

    The rest is taken to be like them, byte for byte: like their mean (expected), like the part with the least
    of an item (low) and like the one with the most (high).

    Args:
        parts: The parts that were read, with at least one byte unless the input is empty.
        size: Size of the input in bytes.
    """
    read = sum(part.size for part in parts)
    rest = max(0, size - read)
    uses: list[UnitCounts] = []
    for level in _LEVELS:
        use: UnitCounts = Counter()
        for part in parts:
            use.update(part.uses[level])
        for key in list(use) if rest else ():
            use[key] += _extrapolated(key, parts, level, rest)
        uses.append(use)
    low, expected, high = uses
    rows, tokens, written = (Range(low[key], expected[key], high[key]) for key in (_ROWS, _INPUT, _OUTPUT))
    for use in uses:
        for key in (_ROWS, _INPUT, _OUTPUT):
            del use[key]
    return Extrapolation(rows, rest == 0, tokens, written, (low, expected, high))


def _extrapolated(key: tuple[str, str], parts: Sequence[SampleChunk], level: int, rest: int) -> int:
    sizes = [part for part in parts if part.size]
    if level == _EXPECTED:
        return rest * sum(part.uses[level][key] for part in sizes) // sum(part.size for part in sizes)
    (numerator, denominator), pick = (_WIDER, max) if level == _HIGH else (_NARROWER, min)
    carried = pick(rest * part.uses[level][key] * numerator // (part.size * denominator) for part in sizes)
    return carried + (level == _HIGH)  # to make up for rounding down
