"""Money for reading: exact, digit by digit. Amounts are decimal strings of USD on the wire; never floats."""

import functools
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation

from gateway_cli.errors import CliError, UsageError

_CENTS = 2
_NANO = 9
_MOST = Decimal(10**9)
"""The largest budget that the gateway takes, in USD."""
# The usual context would round to 28 digits without a word.
_EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation])


def amount(value: object) -> Decimal | None:
    """An amount of an answer, None for null.

    Raises:
        CliError: It is none; a wrong sum would be worse than no sum.
    """
    if value is None:
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation as error:
        raise CliError(f"The gateway answered with an amount that is none: {value!r}") from error
    if not found.is_finite():
        raise CliError(f"The gateway answered with an amount that is none: {value!r}")
    return found


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Their sum, to the last digit."""
    return functools.reduce(_EXACT.add, amounts, Decimal(0))


def change(before: Decimal, after: Decimal) -> Decimal:
    """The difference, to the last digit."""
    return _EXACT.subtract(after, before)


def decimals_of(values: Sequence[Decimal | None]) -> int:
    """How many decimals show all the values exactly; at least two, as people write dollars."""
    found = [
        -exponent for value in values if value is not None and isinstance(exponent := _exponent(value), int)
    ]
    return max([_CENTS, *found])


def text(value: Decimal, decimals: int | None = None) -> str:
    """An amount with separators between thousands; ``decimals`` lines it up with others."""
    return f"{value:,.{decimals_of([value]) if decimals is None else decimals}f}"


def budget(given: str) -> str:
    """A budget from the command line, as the API takes it: a decimal string of USD.

    Raises:
        UsageError: It is no amount, or finer than a nano-dollar.
    """
    plain = given.removeprefix("$").replace(",", "")
    try:
        value = Decimal(plain)
    except InvalidOperation as error:
        raise UsageError(f"{given!r} is no amount of USD: write it as 250 or 0.5") from error
    if not value.is_finite() or not 0 <= value <= _MOST or decimals_of([value]) > _NANO:
        raise UsageError(f"{given!r}: a budget is from 0 to 1,000,000,000 USD, with at most nine decimals")
    return f"{value:f}"


def _exponent(value: Decimal) -> int | str:
    """The exponent without trailing zeros: 0.50 needs one decimal."""
    # Not normalize(): that would round to the context's precision.
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return exponent
    kept = list(digits)
    while len(kept) > 1 and kept[-1] == 0 and exponent < 0:
        kept.pop()
        exponent += 1
    return 0 if kept == [0] else exponent
