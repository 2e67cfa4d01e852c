"""Calculate with ranges: numbers of which a low, an expected and a high value are known."""

from typing import NamedTuple


class Range(NamedTuple):
    """Low, expected and high, in this order and none negative."""

    low: int
    expected: int
    high: int

    def plus(self, other: "Range") -> "Range":
        """Add another range, level by level."""
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: int) -> "Range":
        """Multiply by a factor, level by level."""
        return Range(self.low * factor, self.expected * factor, self.high * factor)

    def at_most(self, limit: int) -> "Range":
        """Cap all levels at a limit."""
        return Range(min(self.low, limit), min(self.expected, limit), min(self.high, limit))


NOTHING = Range(0, 0, 0)


def exactly(number: int) -> Range:
    """Return the range of a number that is known."""
    return Range(number, number, number)
