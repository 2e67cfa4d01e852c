"""The form of the price table's parts: what its readers refuse, each with a message that names the place."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

PICO_PER_USD = 10**12
PER = 10**6
"""The table's prices are USD per so many units."""

# So few digits that price times multiplier is exact in Decimal's default precision.
_PRICE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")


def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON would let the last of two equal keys win, and a price vanish unseen."""
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{max(keys, key=keys.count)}: given twice in one object")
    return result


def read_members(
    where: str, value: Any, required: set[str], allowed: set[str] | None = None
) -> dict[str, Any]:
    """Checks that a value is an object with the required keys, and no others than the allowed ones."""
    if not isinstance(value, dict):
        raise ValueError(f"{where}: must be an object")  # noqa: TRY004 - bad data, not a caller's mistake
    if missing := required - value.keys():
        raise ValueError(f"{where}: {min(missing)}: missing")
    if allowed is not None and (unknown := value.keys() - required - allowed):
        raise ValueError(f"{where}: {min(unknown)}: unknown key")
    return value


def read_day(where: str, value: Any) -> date:
    """Reads a date."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: no date like 2027-01-31") from None


def read_text(where: str, value: Any) -> str:
    """Reads a text that must say something, such as where a price is from."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: must be a text that is not empty")
    return value


def read_price(where: str, value: Any, multiplier: Decimal = Decimal(1)) -> int:
    """Reads a price, times a multiplier, as pico-USD a unit."""
    if not isinstance(value, str) or not _PRICE.fullmatch(value):
        raise ValueError(f"{where}: {value!r} is no decimal string from 0 on")
    pico = Decimal(value) * multiplier * (PICO_PER_USD // PER)
    if pico != int(pico):
        raise ValueError(f"{where}: {value} times {multiplier} is no whole number of pico-USD")
    return int(pico)
