"""Wildcards in names of objects, matched without ever going back.

A pattern is an automaton whose states are the bits of one integer, so that a name takes one step a
character, whatever the pattern: a regular expression would try every way to share a name out among the
stars, which are more than there are atoms for twenty of them.
"""

from collections.abc import Callable, Iterator

MOST_CHARACTERS = 1024
"""Of a pattern: names of objects have at most 1024 bytes ("Object naming requirements" of Cloud Storage)."""
_MOST_REMEMBERED = 10_000
"""Different characters of all names."""


def prefix_of(pattern: str) -> str | None:
    """Return what the names that a pattern matches begin with; None for a name without wildcards."""
    start = min((at for mark in "*?[" if (at := pattern.find(mark)) >= 0), default=None)
    return None if start is None else pattern[:start]


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a test of names against Cloud Storage's wildcards ("URI wildcards" of its documentation).

    ``*`` stays within a folder, ``**`` does not, ``?`` is one character, ``[a-c]`` one of a set.

    Args:
        pattern: Of at most MOST_CHARACTERS.
    """
    return _Automaton(pattern).matches


class _Automaton:
    """State number n: what comes next is the nth part that is no star, and stars before it may go on."""

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
        """The states that a character leads on from."""
        states = self._literals.get(character, 0)
        if character != "/":
            states |= self._marks
        for state, ranges in self._sets:
            if any(first <= character <= last for first, last in ranges):
                states |= state
        return states


def _parts(pattern: str) -> Iterator[str]:
    """Stars, question marks, sets with their brackets, and the characters between them."""
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
    """First and last character of each range of a set in brackets; empty if one ends before it begins."""
    inside = part[1:-1]
    found = []
    at = 0
    while at < len(inside):
        size = 3 if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside) else 1
        found.append((inside[at], inside[at + size - 1]))
        at += size
    return found if all(first <= last for first, last in found) else []
