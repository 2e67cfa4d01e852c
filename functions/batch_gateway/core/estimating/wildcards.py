"""Match names of objects with wildcards, without backtracking.

A pattern is an automaton whose states are the bits of one integer, so that a name takes one step per
character, whatever the pattern. A regular expression may try every way to divide a name among the stars, and
the number of ways grows exponentially with them.
"""

from collections.abc import Callable, Iterator

MOST_CHARACTERS = 1024
"""Longest pattern: object names have at most 1024 bytes ("Object naming requirements" of Cloud Storage)."""
_MOST_REMEMBERED = 10_000
"""Most different characters whose transitions are cached."""


def prefix_of(pattern: str) -> str | None:
    """Return the prefix of all names that a pattern matches; None for a name without wildcards."""
    start = min((at for mark in "*?[" if (at := pattern.find(mark)) >= 0), default=None)
    return None if start is None else pattern[:start]


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a predicate for names by Cloud Storage's wildcards ("URI wildcards" of its documentation).

    ``*`` stays within a folder, ``**`` does not, ``?`` is one character, ``[a-c]`` one of a set.

    Args:
        pattern: Pattern of at most MOST_CHARACTERS characters.
    """
    return _Automaton(pattern).matches


class _Automaton:
    """An automaton for a pattern.

    In state n, the nth part that is not a star is expected, and stars before it may match more.
    """

    def __init__(self, pattern: str) -> None:
        self._literals: dict[str, int] = {}
        self._sets: list[tuple[int, list[tuple[str, str]]]] = []
        self._marks = self._stars = self._double_stars = 0
        self._moves: dict[str, int] = {}
        state = 1
        for part in _parts(pattern):
            if part == "**":
                self._double_stars |= state
                continue
            if part == "*":
                self._stars |= state
                continue
            if part == "?":
                self._marks |= state
            elif len(part) > 1:
                self._sets.append((state, _ranges(part)))
            else:
                self._literals[part] = self._literals.get(part, 0) | state
            state <<= 1
        self._end = state

    def matches(self, name: str) -> bool:
        states = 1
        for character in name:
            move = self._moves.get(character)
            if move is None:
                move = self._move(character)
                if len(self._moves) < _MOST_REMEMBERED:
                    self._moves[character] = move
            stay = self._double_stars if character == "/" else self._double_stars | self._stars
            states = (states & move) << 1 | states & stay
            if not states:
                return False
        return bool(states & self._end)

    def _move(self, character: str) -> int:
        """Return the states that a character advances."""
        states = self._literals.get(character, 0)
        if character != "/":
            states |= self._marks
        for state, ranges in self._sets:
            if any(first <= character <= last for first, last in ranges):
                states |= state
        return states


def _parts(pattern: str) -> Iterator[str]:
    """Yield stars, question marks, sets with their brackets, and the characters between them."""
    at = 0
    while at < len(pattern):
        size = 1
        if pattern.startswith("**", at):
            size = 2
        elif pattern[at] == "[":
            end = pattern.find("]", at + 2)
            inside = pattern[at + 1 : end]
            if end > 0 and "/" not in inside and "]" not in inside and _ranges(pattern[at : end + 1]):
                size = end + 1 - at
        yield pattern[at : at + size]
        at += size


def _ranges(part: str) -> list[tuple[str, str]]:
    """Return the first and last character of each range of a set; empty if a range ends before it begins."""
    inside = part[1:-1]
    found = []
    at = 0
    while at < len(inside):
        size = 3 if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside) else 1
        found.append((inside[at], inside[at + size - 1]))
        at += size
    return found if all(first <= last for first, last in found) else []
