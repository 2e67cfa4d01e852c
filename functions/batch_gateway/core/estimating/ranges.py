"""A number that is not known yet: what it is at least, probably and at most."""

from typing import NamedTuple


class Range(NamedTuple):
    """Low, expected and high, in this order and none negative."""

    low: int
    expected: int
    high: int

    def plus(self, other: "Range") -> "Range":
        """The sum of two, level by level."""
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: int) -> "Range":
        """So many of it."""
        return Range(self.low * factor, self.expected * factor, self.high * factor)

    def at_most(self, limit: int) -> "Range":
        """The same, cut at a limit."""
        return Range(min(self.low, limit), min(self.expected, limit), min(self.high, limit))


NOTHING = Range(0, 0, 0)


def exactly(number: int) -> Range:
    """A number that is known."""
    return Range(number, number, number)
