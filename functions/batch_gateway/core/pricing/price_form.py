"""Read parts of the price table; each error message names the place in the table."""

import re
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

PICO_PER_USD = 10**12
PER = 10**6
"""Number of units that the table's prices, in USD, are for."""

# So few digits that price times multiplier is exact in Decimal's default precision.
_PRICE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")


def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing equal keys: JSON takes the last, so that a price could vanish unseen."""
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{max(keys, key=keys.count)}: given twice in one object")
    return result


@cache
def members_of(form: type[msgspec.Struct]) -> tuple[set[str], set[str]]:
    """Return the names of the members that an object of a form must have, and of those that it may have.

    Forms describe objects to the owner (``/openapi.json`` is made from them). They are not decoded into: the
    members are read one by one, so that each error message names the place.
    """
    fields = msgspec.structs.fields(form)
    required = {field.encode_name for field in fields if field.required}
    return required, {field.encode_name for field in fields} - required


def read_members(
    where: str, value: Any, required: set[str], allowed: set[str] | None = None
) -> dict[str, Any]:
    """Read an object that has the required keys and no others than the allowed ones."""
    if not isinstance(value, dict):
        raise ValueError(f"{where}: must be an object")  # noqa: TRY004 - bad data, not a programming error
    if missing := required - value.keys():
        raise ValueError(f"{where}: {min(missing)}: missing")
    if allowed is not None and (unknown := value.keys() - required - allowed):
        raise ValueError(f"{where}: {min(unknown)}: unknown key")
    return value


def read_day(where: str, value: Any) -> date:
    """Read a date."""
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: must be a date such as 2027-01-31") from None


def read_text(where: str, value: Any) -> str:
    """Read a text that must not be empty, such as the source of a price."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: must be a non-empty text")
    return value


def read_price(where: str, value: Any, multiplier: Decimal = Decimal(1)) -> int:
    """Read a price and return it times a multiplier, in pico-USD per unit."""
    if not isinstance(value, str) or not _PRICE.fullmatch(value):
        raise ValueError(
            f"{where}: {value!r} is not a decimal string of 0 or more with at most 6 digits before the "
            "point and 12 after it"
        )
    pico = Decimal(value) * multiplier * (PICO_PER_USD // PER)
    if pico != int(pico):
        raise ValueError(f"{where}: {value} times {multiplier} is not a whole number of pico-USD")
    return int(pico)
