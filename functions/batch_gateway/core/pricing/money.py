"""Represent money as integers.

Records and reports are in nano-USD (1e-9 USD, the resolution of google.type.Money). Unit prices need more
digits: a cached token of gemini-3.1-flash-lite costs 12.5 nano-USD, so they are in pico-USD (1e-12 USD).
Where a discount leaves a part of a pico-USD, the price is a Decimal, which holds it exactly.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

Pico = int | Decimal
"""pico-USD per unit: a Decimal only if it is not a whole number."""
PICO_PER_NANO = 1000
_DIGITS_NANO = 9
_DIGITS_PICO = 12


def _format(units: int, digits: int) -> str:
    sign = "-" if units < 0 else ""
    text = str(abs(units)).zfill(digits + 1)
    return f"{sign}{text[:-digits]}.{text[-digits:]}".rstrip("0").removesuffix(".")


def format_nano(nano_usd: int) -> str:
    """Format nano-USD as an exact decimal string of USD: ``2301000`` is ``"0.002301"``."""
    return _format(nano_usd, _DIGITS_NANO)


def format_pico(pico_usd: Pico | Fraction) -> str:
    """Format pico-USD as an exact decimal string of USD: ``150000`` is ``"0.00000015"``.

    Args:
        pico_usd: Amount; a fraction must have a finite decimal form, as multiples of prices have.
    """
    if isinstance(pico_usd, int):
        return _format(pico_usd, _DIGITS_PICO)
    exact, more = Fraction(pico_usd), 0
    while 10**more % exact.denominator:
        more += 1
    return _format(int(exact * 10**more), _DIGITS_PICO + more)


def times(quantity: int, price: Pico) -> int | Fraction:
    """Return the exact cost of a number of units, in pico-USD."""
    return quantity * (Fraction(price) if isinstance(price, Decimal) else price)


def discounted(price: int, factor: Decimal) -> Pico:
    """Return what is left of a price in pico-USD, exactly; ``factor`` is the part that remains to be paid."""
    left = price * factor
    return int(left) if left == int(left) else left.normalize()


def round_pico(pico_usd: int | Fraction) -> int:
    """Round pico-USD to nano-USD, halves to even."""
    nano, rest = divmod(pico_usd, PICO_PER_NANO)
    twice = 2 * rest
    return nano + (twice > PICO_PER_NANO or (twice == PICO_PER_NANO and nano % 2 == 1))


def apportion(parts_pico: Sequence[int | Fraction]) -> list[int]:
    """Round parts to nano-USD so that they add up to their rounded sum.

    Each part is off by less than one nano-USD; what rounding leaves over goes to the parts with the
    largest remainders, the first of equals first.

    Args:
        parts_pico: Exact amounts in pico-USD, none negative.

    Returns:
        Amounts in nano-USD, in the same order; their sum is ``round_pico(sum(parts_pico))``.
    """
    floors = [part // PICO_PER_NANO for part in parts_pico]
    left_over = round_pico(sum(parts_pico)) - sum(floors)
    by_remainder = sorted(range(len(floors)), key=lambda i: -(parts_pico[i] % PICO_PER_NANO))
    for i in by_remainder[:left_over]:
        floors[i] += 1
    return floors
