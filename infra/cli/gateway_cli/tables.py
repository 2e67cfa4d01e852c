"""Lay out tables and records for a terminal. Nothing is cut: what does not fit is wrapped or put below."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from gateway_cli.cells import RIGHT, Column, Kind

_NARROWEST = 12
"""Width to which a column of text may be wrapped."""
_NARROWEST_FIRST = 20
"""The same for the first column, which identifies the row: the ids of jobs fit on a line."""
_GAP = 2
_ENDLESS = 10_000
"""Width of a file or pipe, in which nothing is wrapped."""

Total = Mapping[str, tuple[Any, bool]]


def console(stream: TextIO) -> Console:
    """Return a console for a stream, without colours if NO_COLOR is set (https://no-color.org)."""
    return Console(
        file=stream,
        width=None if stream.isatty() else _ENDLESS,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        markup=False,
        highlight=False,
        emoji=False,
    )


def print_rows(
    columns: Sequence[Column], rows: Sequence[Any], zone: tzinfo | None, total: Total | None
) -> list[str]:
    """Print a table to stdout; return the names of columns that were left out."""
    table, left_out = layout(columns, rows, zone, console(sys.stdout), total)
    _render(table)
    return left_out


def print_record(columns: Sequence[Column], row: Any, zone: tzinfo | None) -> None:
    """Print one record to stdout, with a line for each value."""
    ascii_only = is_ascii_only(console(sys.stdout))
    _render(_grid([_Laid.of(column, [row], zone, None, ascii_only=ascii_only) for column in columns], 0))


@dataclass(frozen=True)
class _Laid:
    """A column with its cells.

    Attributes:
        column: The column.
        title: Its heading.
        cells: Cells of the rows, and of the total if it has one.
        styles: Their colours.
    """

    column: Column
    title: str
    cells: list[str]
    styles: list[str]

    @classmethod
    def of(
        cls,
        column: Column,
        rows: Sequence[Any],
        zone: tzinfo | None,
        total: Total | None,
        *,
        ascii_only: bool,
        has_bars: bool = True,
    ) -> "_Laid":
        values = [(column.value(row), column.floor(row)) for row in rows]
        values += [total[column.name]] if total and column.name in total else []
        cells = column.show(values, zone, ascii_only=ascii_only, has_bars=has_bars)
        return cls(column, column.title(zone), cells, [*map(column.style, rows), "bold"])

    @property
    def width(self) -> int:
        return max(map(cell_len, [self.title, *self.cells]))

    def narrowest(self, *, first: bool) -> int:
        """Return the least width in which it can be read; only text is ever wrapped."""
        if self.column.kind is not Kind.TEXT:
            return self.width
        return min(self.width, _NARROWEST_FIRST if first else _NARROWEST)


def layout(
    columns: Sequence[Column],
    rows: Sequence[Any],
    zone: tzinfo | None,
    target: Console,
    total: Total | None = None,
) -> tuple[Table | Group, list[str]]:
    """Return a table that fits a terminal, and the names of the columns that were left out.

    If the columns that must not be left out do not fit side by side, bars are left out, and if that is not
    enough, they are printed one below the other.
    """
    ascii_only = is_ascii_only(target)

    def lay(*, has_bars: bool) -> list[_Laid]:
        return [
            _Laid.of(column, rows, zone, total, ascii_only=ascii_only, has_bars=has_bars)
            for column in columns
        ]

    everything = shown = lay(has_bars=True)
    found = _fitting(shown, target.width)
    if not found:
        shown = lay(has_bars=False)
        found = _fitting(shown, target.width)
    if not found:
        grids = [_grid(everything, number) for number in range(len(rows) + bool(total))]
        return Group(*[part for grid in grids for part in (grid, Text(""))][:-1]), []
    left_out = [each.column.name.replace("_", " ") for each in shown if each not in found]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for number, each in enumerate(found):
        table.add_column(
            Text(each.title),
            justify="right" if each.column.kind in RIGHT else "left",
            min_width=each.narrowest(first=not number),
            no_wrap=each.column.kind is not Kind.TEXT,
            overflow="fold",
        )
    for number in range(len(rows) + bool(total)):
        table.add_row(*(_text(each, number) for each in found))
    return table, left_out


def _fitting(everything: Sequence[_Laid], width: int) -> list[_Laid]:
    """Return the columns that fit side by side; none if those that must not be left out do not."""
    found = list(everything)
    while not _fits(found, width):
        spare = max(found, key=lambda each: each.column.spare)
        if not spare.column.spare:
            return []
        found.remove(spare)
    return found


def _fits(found: Sequence[_Laid], width: int) -> bool:
    needed = sum(each.narrowest(first=not number) for number, each in enumerate(found))
    return needed + _GAP * len(found) <= width


def _text(laid: _Laid, number: int) -> Text:
    return Text(laid.cells[number], laid.styles[number]) if number < len(laid.cells) else Text("")


def _grid(found: Sequence[_Laid], number: int) -> Table:
    grid = Table.grid(padding=(0, _GAP))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for each in found:
        if number < len(each.cells):
            grid.add_row(Text(each.title, "bold"), _text(each, number))
    return grid


def _render(renderable: Table | Group) -> None:
    target = console(sys.stdout)
    with target.capture() as captured:
        target.print(renderable)
    # rich pads each line to the width of the last column.
    lines = captured.get().splitlines()
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))


def is_ascii_only(target: Console) -> bool:
    """Return whether bars and signs have to be drawn in ASCII."""
    return not target.encoding.startswith("utf")
