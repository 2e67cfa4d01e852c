"""The usage of one row, of any family."""

from typing import Any

import msgspec


class RowUsage(msgspec.Struct):
    """The usage of a row that was answered.

    Attributes:
        model: As the row names it; None if it does not.
        prompt_tokens: Prompt tokens including cached ones; they decide the context window.
        items: Units by item; zeros are ignored.
        input: Prompt and tool-use tokens as reported.
        cached: Input tokens that came from a cache.
        output: Tokens of the answer, including thoughts.
        thoughts: Output tokens that were thoughts.
        metered: Whether the row reports its usage; a prompt of no tokens reports nothing.
        doubt: Why the items are not, or not wholly, its usage, by the reasons of ``core.usage``; None if
            they are.
        searches: Searches made for it, by kind of grounding (``core.usage``).
        waste: (kind, reason) if the answer is useless; else None.
    """

    model: str | None
    prompt_tokens: int
    items: dict[str, int]
    input: int
    output: int = 0
    cached: int = 0
    thoughts: int = 0
    metered: bool = True
    doubt: str | None = None
    searches: dict[str, int] = {}
    waste: tuple[str, str] | None = None


class ErrorRow(msgspec.Struct):
    """The error of a row, which costs nothing.

    Attributes:
        causes: The row's descriptions of the error, as in ``waste.failure``.
    """

    causes: tuple[Any, ...]


class UnrecognizedError(ValueError):
    """A row is of no known shape."""
