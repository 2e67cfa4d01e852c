"""Choose the bytes of an input to read: all of a small one, places spread evenly over a large one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from batch_gateway.core.lines import whole_lines

MOST_BYTES = 4 * 1024 * 1024
"""Most bytes of an input that are read, unless single lines are longer than their share."""
MOST_OBJECTS = 50
"""Most objects of an input that are read whole."""
MOST_ROWS = 10_000
PLACES = 16
"""Number of places in which a larger input is read."""


class Object(NamedTuple):
    """An object of the input."""

    bucket: str
    name: str
    generation: int
    size: int

    @property
    def uri(self) -> str:
        """The URI as callers write it."""
        return f"gs://{self.bucket}/{self.name}"


class Place(NamedTuple):
    """A range of bytes of an object, which stands for the whole lines that begin in it."""

    object: Object
    start: int
    size: int


class Line(NamedTuple):
    """A line of an object.

    Attributes:
        content: The line; None if it is too long to be read.
        number: Line number from 1; None if the object was not read from its beginning.
        size: Size in bytes with its line feed; the bytes that were skipped if it is too long.
    """

    content: bytes | None
    number: int | None
    size: int


def plan(objects: Sequence[Object]) -> list[Place]:
    """Return the places to read."""
    sizes = [each.size for each in objects]
    total = sum(sizes)
    if total <= MOST_BYTES and len(objects) <= MOST_OBJECTS:
        return [Place(each, 0, each.size) for each in objects if each.size]
    places: list[Place] = []
    ends = list(accumulate(sizes))
    size = max(1, min(MOST_BYTES, total) // PLACES)
    index = 0
    for number in range(PLACES):
        at = total * number // PLACES
        while index < len(ends) - 1 and ends[index] <= at:
            index += 1
        start = at - (ends[index] - sizes[index])
        if sizes[index] <= size:
            start = 0  # small enough to be read from its beginning
        place = Place(objects[index], start, min(size, sizes[index] - start))
        if place.size > 0 and (not places or places[-1].object != place.object or places[-1].start != start):
            places.append(place)
    return places


def lines_of(place: Place, chunks: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines of a place.

    Args:
        place: The place to read.
        chunks: The object's bytes from the place's start on; from one byte before, unless it starts at 0.
    """
    begun = 1 if place.start else 0
    number: int | None = None if begun else 0
    end = place.size + begun
    at = 0
    for block in whole_lines(chunks):
        if block.oversized:
            # A block does not tell which of its lines is too long, so the numbering ends here.
            yield Line(None, None, block.end - at - sum(map(len, block.lines)))
            number = None
        for line in block.lines:
            begins, at = at, at + len(line)
            if begun and not begins:
                continue  # the rest of the line that the place starts in
            if begins >= end:
                return
            number = None if number is None else number + 1
            yield Line(line, number, len(line))
        at = block.end
        if at >= end:
            return
