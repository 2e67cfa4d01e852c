"""Parse and format amounts exactly. On the wire they are decimal strings of USD; they are never floats."""

import functools
import re
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation

from gateway_cli.errors import CliError, UsageError

_CENTS = 2
_NANO = 9
_MOST = Decimal(10**9)
"""The largest budget that the gateway takes, in USD."""
_TYPED = re.compile(r"\$?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?")
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
    return f"{typed(given):f}"


def typed(given: str) -> Decimal:
    """Parse an amount of USD from the command line.

    A comma is read between thousands only: ``12,50`` is refused.

    Raises:
        UsageError: It is not an amount, is too large, or is finer than a nano-dollar.
    """
    if not _TYPED.fullmatch(given):
        raise UsageError(
            f"{given!r} is not an amount of USD: write it as 250, 12.50 or 1,250.00, with a point before "
            "the cents"
        )
    value = Decimal(given.removeprefix("$").replace(",", ""))
    if value > _MOST or decimals_of([value]) > _NANO:
        raise UsageError(f"{given!r}: an amount may have up to 1,000,000,000 USD and nine decimals")
    return value


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
