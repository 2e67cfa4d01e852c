"""Which bytes of an input are read: all of a small one, places spread evenly over a large one."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from batch_gateway.core.lines import whole_lines

MOST_BYTES = 4 * 1024 * 1024
"""Of an input are read, unless single lines are longer than their share."""
MOST_OBJECTS = 50
"""Of an input are read whole."""
MOST_ROWS = 10_000
PLACES = 16
"""Places that a larger input is read in."""


class Object(NamedTuple):
    """An object of the input."""

    bucket: str
    name: str
    generation: int
    size: int

    @property
    def uri(self) -> str:
        """As callers write it."""
        return f"gs://{self.bucket}/{self.name}"


class Place(NamedTuple):
    """Bytes of an object. The lines that begin in them are meant, to their ends."""

    object: Object
    start: int
    size: int


class Line(NamedTuple):
    """A line, its number if the object was read from its beginning, and its size with its line feed.

    Attributes:
        content: None if it is too long to be read.
        number: From 1 on.
        size: Bytes; of one that is too long, those that were skipped.
    """

    content: bytes | None
    number: int | None
    size: int


def plan(objects: Sequence[Object]) -> list[Place]:
    """What to read."""
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
            start = 0  # so small that it may as well be read from its beginning
        place = Place(objects[index], start, min(size, sizes[index] - start))
        if place.size > 0 and (not places or places[-1].object != place.object or places[-1].start != start):
            places.append(place)
    return places


def lines_of(place: Place, chunks: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a place.

    Args:
        place: What to read.
        chunks: The object's bytes from the place's start on; from one byte before, unless it starts at 0.
    """
    begun = 1 if place.start else 0
    number: int | None = None if begun else 0
    end = place.size + begun
    at = 0
    for block in whole_lines(chunks):
        if block.oversized:
            # Which of the block's lines is too long is not told; its lines are then not numbered on.
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
