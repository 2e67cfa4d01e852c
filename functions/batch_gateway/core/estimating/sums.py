"""Rows of a sample, summed up, and carried on to the whole input."""

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
"""Below the sparsest and beyond the densest part of a sample, the rest of the input may be by a tenth."""
_ROWS, _INPUT, _OUTPUT = ("", "rows"), ("", "input"), ("", "output")
"""Counted beside what has a price."""


class EstimationContext(NamedTuple):
    """What rows are counted by.

    Attributes:
        prices: For context windows.
        model_key: The model in the price table; None if it is not there.
        habit: How much the model writes.
        output_limit: Of the model; None if unknown.
        prompt_limit: Of the model; None if unknown.
    """

    prices: PriceTable
    model_key: str | None
    habit: Habit
    output_limit: int | None
    prompt_limit: int | None


class SampleChunk(NamedTuple):
    """Consecutive rows of a sample.

    Attributes:
        size: Bytes of their lines.
        uses: What they use, by level; rows and tokens among it.
    """

    size: int
    uses: tuple[UnitCounts, UnitCounts, UnitCounts]


class ChunkBuilder:
    """Sums up consecutive rows."""

    def __init__(self, rates: EstimationContext) -> None:
        self._rates = rates
        self._uses: tuple[UnitCounts, UnitCounts, UnitCounts] = (Counter(), Counter(), Counter())

    def add(self, needs: Needs | None, *, free: bool) -> None:
        """Adds a row; what is free by all that is known counts in the high only."""
        for use in self._uses:
            use[_ROWS] += 1
        if needs is None:
            return
        output = self._rates.habit.output(needs, self._rates.output_limit)
        for level in _LEVELS[_HIGH if free else 0 :]:
            self._add(
                self._uses[level], {item: units[level] for item, units in needs.input.items()}, output[level]
            )

    def _add(self, use: UnitCounts, units: dict[str, int], output: int) -> None:
        rates = self._rates
        if rates.prompt_limit is not None:
            units = {item: min(number, rates.prompt_limit) for item, number in units.items()}
        prompt = sum(units.values())
        window = rates.prices.context_window(rates.model_key, prompt)
        for item, number in units.items():
            use[window, item] += number
        use[window, rates.habit.item] += output
        use[_INPUT] += prompt
        use[_OUTPUT] += output

    def part(self, size: int) -> SampleChunk:
        """What was added, given the bytes of all its lines, blank ones included."""
        return SampleChunk(size, self._uses)


class Extrapolation(NamedTuple):
    """All of an input.

    Attributes:
        rows: How many.
        exact: Whether every row was read.
        input: Tokens or characters.
        output: Tokens.
        uses: What has a price, by level.
    """

    rows: Range
    exact: bool
    input: Range
    output: Range
    uses: tuple[UnitCounts, UnitCounts, UnitCounts]


def extrapolate(parts: Sequence[SampleChunk], size: int) -> Extrapolation:
    """The whole input, by what of it was read.

    What was not read is taken to be like the rest, byte for byte: like its mean, like the part that has
    least of a thing, and like the one that has most.

    Args:
        parts: What was read, at least a byte of it.
        size: Of the input, in bytes.
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
    (numerator, denominator), pick = ((_NARROWER, min), (_WIDER, max))[level == _HIGH]
    carried = pick(rest * part.uses[level][key] * numerator // (part.size * denominator) for part in sizes)
    return carried + (level == _HIGH)  # what was rounded down
