"""Parse and format amounts exactly. On the wire they are decimal strings of USD; they are never floats."""

import functools
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation

from gateway_cli.errors import CliError, UsageError

_CENTS = 2
_NANO = 9
_MOST = Decimal(10**9)
"""The largest budget that the gateway takes, in USD."""
# The default context would silently round to 28 digits.
_EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation])


def amount(value: object) -> Decimal | None:
    """Parse an amount of an answer; None for null.

    Raises:
        CliError: It is not an amount; a wrong sum would be worse than none.
    """
    if value is None:
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise CliError(f"The gateway answered with an invalid amount: {value!r}") from error
    if not found.is_finite():
        raise CliError(f"The gateway answered with an invalid amount: {value!r}")
    return found


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    return functools.reduce(_EXACT.add, amounts, Decimal(0))


def change(before: Decimal, after: Decimal) -> Decimal:
    """Return the exact difference."""
    return _EXACT.subtract(after, before)


def decimals_of(values: Sequence[Decimal | None]) -> int:
    """Return the number of decimals that show all values exactly, but at least two."""
    found = [
        -exponent for value in values if value is not None and isinstance(exponent := _exponent(value), int)
    ]
    return max([_CENTS, *found])


def text(value: Decimal, decimals: int | None = None) -> str:
    """Format an amount with thousands separators and so many decimals."""
    return f"{value:,.{decimals_of([value]) if decimals is None else decimals}f}"


def budget(given: str) -> str:
    """Return a budget from the command line, as the API takes it: a decimal string of USD.

    Raises:
        UsageError: It is not an amount, or is finer than a nano-dollar.
    """
    plain = given.removeprefix("$").replace(",", "")
    try:
        value = Decimal(plain)
    except InvalidOperation as error:
        raise UsageError(f"{given!r} is not an amount of USD: write it as 250 or 0.5") from error
    if not value.is_finite() or not 0 <= value <= _MOST or decimals_of([value]) > _NANO:
        raise UsageError(
            f"{given!r}: a budget must be from 0 to 1,000,000,000 USD, with at most nine decimals"
        )
    return f"{value:f}"


def _exponent(value: Decimal) -> int | str:
    """Return the exponent without trailing zeros: 0.50 needs one decimal."""
    # normalize() would round to the context's precision.
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return exponent
    kept = list(digits)
    while len(kept) > 1 and kept[-1] == 0 and exponent < 0:
        kept.pop()
        exponent += 1
    return 0 if kept == [0] else exponent
