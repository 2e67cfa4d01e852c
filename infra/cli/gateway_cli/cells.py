"""Take values from rows, and format them as cells of tables and CSV files."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import ROUND_DOWN, Decimal
from enum import Enum, auto
from typing import Any

from gateway_cli import money, times

_BAR = 10
_LEAST_SHARE = Decimal("0.1")
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""First characters of text that a spreadsheet takes for a formula (OWASP, "CSV Injection")."""
_NUMBER = re.compile(r"[+-][0-9]+(\.[0-9]+)?")


class Kind(Enum):
    """The type of a column's values."""

    TEXT = auto()
    NUMBER = auto()
    MONEY = auto()
    """A decimal string of USD."""
    TIME = auto()
    """RFC 3339, UTC."""
    PROGRESS = auto()
    """(done, total): a bar and both numbers. In tables only."""
    SHARE = auto()
    """(part, whole): a bar and a percentage. In tables only."""


RIGHT = {Kind.NUMBER, Kind.MONEY}
DRAWN = {Kind.PROGRESS, Kind.SHARE}


@dataclass(frozen=True)
class Column:
    """A column of a table and of a CSV file.

    Attributes:
        name: Name in CSV; in a table, underscores become blanks.
        value: Returns the value of a row.
        kind: Type of the values.
        floor: Returns whether a row's amount is a lower bound.
        style: Returns the colour of a row's value, as rich names them.
        csv_only: Whether tables leave the column out, because another one shows the same for people.
        table_only: Whether CSV leaves the column out, because another one has the same for programs.
        spare: Columns with the highest number are left out first if a terminal is too narrow; 0: never.
            Bars go only when there are no such columns.
    """

    name: str
    value: Callable[[Any], Any]
    kind: Kind = Kind.TEXT
    floor: Callable[[Any], bool] = lambda _: False
    style: Callable[[Any], str] = lambda _: ""
    csv_only: bool = False
    table_only: bool = False
    spare: int = 0

    def title(self, zone: tzinfo | None) -> str:
        """Return the heading of the column in a table."""
        unit = {Kind.MONEY: ", USD", Kind.TIME: ", local" if zone is None else f", {zone}"}
        return self.name.replace("_", " ") + unit.get(self.kind, "")

    def cells(self, rows: Sequence[Any], zone: tzinfo | None, *, ascii_only: bool) -> list[str]:
        """Return the cells of the rows in a table."""
        values = [(self.value(row), self.floor(row)) for row in rows]
        return self.show(values, zone, ascii_only=ascii_only)

    def show(
        self,
        values: Sequence[tuple[Any, bool]],
        zone: tzinfo | None,
        *,
        ascii_only: bool,
        has_bars: bool = True,
    ) -> list[str]:
        """Return the cells of values, each given with whether it is a lower bound."""
        if self.kind is Kind.MONEY:
            amounts = [money.amount(value) for value, _ in values]
            decimals = money.decimals_of(amounts)
            least = ">=" if ascii_only else "≥"
            return [
                "-" if amount is None else f"{least if floor else ''}{money.text(amount, decimals)}"
                for amount, (_, floor) in zip(amounts, values, strict=True)
            ]
        if self.kind in DRAWN:
            width = _BAR if has_bars else 0
            return [_drawn(value, self.kind, width, ascii_only=ascii_only) for value, _ in values]
        if self.kind is Kind.TIME:
            return [clean(times.text(value, zone)) if value else "-" for value, _ in values]
        return [clean(readable(value)) for value, _ in values]


def of(name: str, member: str, kind: Kind = Kind.TEXT, spare: int = 0) -> Column:
    """Return a column for a member that an answer may lack."""
    return Column(name, lambda row: row.get(member), kind, spare=spare)


def readable(value: Any) -> str:
    """Format a value for people."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def csv_cell(value: Any) -> str:
    """Format a value for a program or spreadsheet; text that could be a formula is marked as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int):
        return str(value)
    text = readable(value) if isinstance(value, dict | list | tuple) and value else str(value or "")
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def clean(text: str) -> str:
    """Escape control characters and changes of writing direction in text of others."""
    return "".join(
        char if char.isprintable() or char == "\u00a0" else char.encode("unicode_escape").decode()
        for char in text
    )


def bar(part: Decimal, whole: Decimal, *, ascii_only: bool, width: int = _BAR) -> str:
    """Draw a bar that is full when the part equals the whole; without width, an empty text."""
    if not width:
        return ""
    filled = 0 if whole <= 0 else min(width, max(0, int(width * part / whole)))
    if part > 0 and whole > 0:
        filled = max(filled, 1)
    full, empty = ("#", ".") if ascii_only else ("█", "░")
    return full * filled + empty * (width - filled)


def _drawn(value: tuple[Any, Any], kind: Kind, width: int, *, ascii_only: bool) -> str:
    part, whole = value
    if part is None and whole is None:
        return "-"
    known = None not in value
    share = (Decimal(str(part)), Decimal(str(whole))) if known else None
    drawn = bar(*share, ascii_only=ascii_only, width=width) if share else ""
    if kind is Kind.SHARE:
        return f"{drawn} {_percent(*share)}".strip() if share else "-"
    numbers = f"{_count(part)}/{_count(whole)}"
    return f"{drawn} {numbers}".strip()


def _percent(part: Decimal, whole: Decimal) -> str:
    if whole <= 0:
        return "-"
    # Rounded down: 100 % is all.
    share = (100 * part / whole).quantize(_LEAST_SHARE, ROUND_DOWN)
    return "<0.1 %" if part > 0 and not share else f"{share} %"


def _count(value: Any) -> str:
    return "?" if value is None else f"{int(value):,}"
