"""Usage: rows by outcome, tokens by kind, and the quantities that have a price.

Quantities are kept per (model, context window, item), never per row, so that their size does not grow with
the output and they can be priced again at any time. All sums are integers and can be added and subtracted in
any order.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

Key = tuple[str, str, str]
"""(model, context window, item)"""

WEB_SEARCH, ENTERPRISE_WEB_SEARCH = "web_search", "enterprise_web_search"
MAPS_GROUNDING, RETRIEVAL = "maps_grounding", "retrieval"
UNKNOWN_GROUNDING = "unknown_grounding"
"""The items of searches, by kind of grounding: the quantity is queries, the rows are grounded prompts.

RETRIEVAL is from the caller's own data; UNKNOWN_GROUNDING is for rows that do not tell the kind.
"""


class Rows(msgspec.Struct, frozen=True, rename="camel"):
    """Output rows by outcome; their sum is the number of non-blank lines.

    Attributes:
        succeeded: Rows that Vertex AI answered, whether or not their price is known.
        failed: Rows that Vertex AI refused or gave up on; Google charges nothing for them.
        malformed: Lines that are not usable JSON rows; their cost is unknown.
        carried_over: Rows merged in from the output of an earlier job, which paid for them.
        unmetered: The succeeded rows that report no usage; their cost is unknown.
        unrecognized: Rows of no known shape: neither an answer that is understood nor an error, or both
            at once; their cost is unknown.
    """

    succeeded: int = 0
    failed: int = 0
    malformed: int = 0
    carried_over: int = 0
    unmetered: int = 0
    unrecognized: int = 0

    @property
    def total(self) -> int:
        """Number of all rows."""
        return self.succeeded + self.failed + self.carried_over + self.unread

    @property
    def unread(self) -> int:
        """Number of rows about which nothing is known, not even whether they are free."""
        return self.malformed + self.unrecognized


class Tokens(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens as reported, billed or not.

    Attributes:
        input: Prompt and tool-use prompt tokens, cached ones included.
        cached_input: The input tokens that came from a cache.
        output: Candidate tokens and thoughts.
        thoughts: The output tokens that were thoughts.
    """

    input: int = 0
    cached_input: int = 0
    output: int = 0
    thoughts: int = 0

    @property
    def total(self) -> int:
        """Sum of input and output tokens."""
        return self.input + self.output


_Counts = TypeVar("_Counts", Rows, Tokens)


class Quantity(msgspec.Struct, frozen=True, rename="camel"):
    """The units used of one priced item.

    Attributes:
        model: The model's key in the price table, or its name as reported if it is not there.
        context_window: Price tier by prompt length, e.g. ``0-200k``; empty where there is none.
        item: Priced item, e.g. ``input_text``, ``cached_input_audio``, ``output_thoughts``.
        quantity: Tokens, or characters for models that are charged by the character.
        rows: Number of rows that used any of it.
    """

    model: str
    context_window: str
    item: str
    quantity: int
    rows: int

    @property
    def key(self) -> Key:
        """The key that quantities are summed by."""
        return (self.model, self.context_window, self.item)


class Waste(msgspec.Struct, frozen=True, rename="camel"):
    """The usage of rows whose answers are useless for one reason.

    Attributes:
        kind: ``failed``, ``blocked`` or ``truncated``.
        reason: E.g. ``INVALID_ARGUMENT``, ``SAFETY``, ``MAX_TOKENS``; from a fixed vocabulary.
        rows: Number of rows.
        unmetered: How many of them were answered and report no usage; their cost is unknown.
        quantities: The quantities that they used, which are part of the usage's.
    """

    kind: str
    reason: str
    rows: int
    unmetered: int = 0
    quantities: tuple[Quantity, ...] = ()


class Unpriced(msgspec.Struct, frozen=True, rename="camel"):
    """Answered rows whose cost is not, or not wholly, known, for one reason.

    Attributes:
        reason: One of the constants below; a Usage has only those about counts.
        rows: Number of rows; each counts for its first reason.
    """

    reason: str
    rows: int


NO_USAGE = "NO_USAGE"
"""The row reports no usage, or none of its prompt."""
NO_PRICE = "NO_PRICE"
"""The table has no price for something that the row used."""
TOKENS_UNACCOUNTED = "TOKENS_UNACCOUNTED"
"""The row's total is more than its parts: some tokens are of unknown kind."""
TOTAL_CONTRADICTS = "TOTAL_CONTRADICTS"
"""The row's total is less than its parts. As many of them are priced as fit into it."""
DETAILS_CONTRADICT = "DETAILS_CONTRADICT"
"""Details of a count add up to more than the count. As many of them are priced as fit into it."""


class Usage(msgspec.Struct, frozen=True):
    """The usage of an output object or of a job.

    Attributes:
        rows: Rows by outcome.
        tokens: Tokens as reported.
        quantities: Quantities of priced items.
        searches: Searches by model and kind of grounding; their fees are not part of the cost.
        waste: Useless rows by kind and reason.
        unpriced: Rows with contradictory counts, by reason.
    """

    rows: Rows = Rows()
    tokens: Tokens = Tokens()
    quantities: tuple[Quantity, ...] = ()
    searches: tuple[Quantity, ...] = ()
    waste: tuple[Waste, ...] = ()
    unpriced: tuple[Unpriced, ...] = ()

    def __add__(self, other: "Usage") -> "Usage":
        return self._combine(other, 1)

    def __sub__(self, other: "Usage") -> "Usage":
        return self._combine(other, -1)

    def _combine(self, other: "Usage", sign: int) -> "Usage":
        return Usage(
            rows=_combine_fields(self.rows, other.rows, sign),
            tokens=_combine_fields(self.tokens, other.tokens, sign),
            quantities=_combine_quantities(self.quantities, other.quantities, sign),
            searches=_combine_quantities(self.searches, other.searches, sign),
            waste=_combine_waste(self.waste, other.waste, sign),
            unpriced=_combine_unpriced(self.unpriced, other.unpriced, sign),
        )


def quantities_of(sums: Iterable[tuple[Key, tuple[int, int]]]) -> tuple[Quantity, ...]:
    """Return sums by key as sorted quantities, without zeros."""
    return tuple(Quantity(*key, quantity, rows) for key, (quantity, rows) in sorted(sums) if quantity or rows)


def _combine_fields(one: _Counts, other: _Counts, sign: int) -> _Counts:
    pairs = zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
    return type(one)(*(mine + sign * theirs for mine, theirs in pairs))


def _combine_quantities(
    one: tuple[Quantity, ...], other: tuple[Quantity, ...], sign: int
) -> tuple[Quantity, ...]:
    if not other:
        return one
    sums: dict[Key, tuple[int, int]] = {q.key: (q.quantity, q.rows) for q in one}
    for q in other:
        quantity, rows = sums.get(q.key, (0, 0))
        sums[q.key] = (quantity + sign * q.quantity, rows + sign * q.rows)
    return quantities_of(sums.items())


def _combine_waste(one: tuple[Waste, ...], other: tuple[Waste, ...], sign: int) -> tuple[Waste, ...]:
    wasted = {(w.kind, w.reason): w for w in one}
    for w in other:
        mine = wasted.get((w.kind, w.reason)) or Waste(w.kind, w.reason, 0)
        wasted[w.kind, w.reason] = Waste(
            w.kind,
            w.reason,
            mine.rows + sign * w.rows,
            mine.unmetered + sign * w.unmetered,
            _combine_quantities(mine.quantities, w.quantities, sign),
        )
    return tuple(w for _, w in sorted(wasted.items()) if w.rows or w.unmetered or w.quantities)


def _combine_unpriced(
    one: tuple[Unpriced, ...], other: tuple[Unpriced, ...], sign: int
) -> tuple[Unpriced, ...]:
    sums = {unpriced.reason: unpriced.rows for unpriced in one}
    for unpriced in other:
        sums[unpriced.reason] = sums.get(unpriced.reason, 0) + sign * unpriced.rows
    return tuple(Unpriced(reason, rows) for reason, rows in sorted(sums.items()) if rows)
