"""What one row used, whatever family it is of."""

from typing import Any

import msgspec


class RowUsage(msgspec.Struct):
    """The usage of a row that was answered.

    Attributes:
        model: As the row names it; None if it does not.
        prompt_tokens: Decides the context window; cached ones included.
        items: Units by item; those that are nil count as absent.
        input: Prompt and tool-use tokens as reported.
        cached: Those of the input that came from a cache.
        output: Tokens of the answer, with thoughts.
        thoughts: Those of the output that were thoughts.
        metered: Whether the row says what it used; a prompt of no tokens says nothing.
        doubt: Why the items are not, or not wholly, what it used, by the reasons of ``core.usage``; None
            if they are.
        searches: Searches made for it, by kind of grounding (``core.usage``).
        waste: (kind, reason) if nobody can use the answer.
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
    """A row whose answer is an error, which costs nothing.

    Attributes:
        causes: What it says about the error, as in ``waste.failure``.
    """

    causes: tuple[Any, ...]


class UnrecognizedError(ValueError):
    """A row of no known shape."""
