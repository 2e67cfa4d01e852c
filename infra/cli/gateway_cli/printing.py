"""Print answers to stdout as a table, JSON or CSV, and everything else to stderr."""

import csv
import io
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, TextIO

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway_cli.cells import DRAWN, RIGHT, Column, Kind, clean, csv_cell
from gateway_cli.errors import UsageError

FORMS = ("table", "json", "csv")
_NARROWEST = 16
"""Width below which a text column is left out."""
_GAP = 2
_ENDLESS = 10_000
"""Width of a file or pipe, in which nothing is wrapped or cut."""
# Budgets are numbers in the API; they are printed with the digits that were received.
_ENCODER = msgspec.json.Encoder(decimal_format="number")


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


class Printer:
    """Prints answers in the requested form.

    Args:
        form: One of ``FORMS``.
        zone: Of the times in tables; None: the machine's. JSON and CSV have them as the API does.
    """

    def __init__(self, form: str, zone: tzinfo | None) -> None:
        self.form = form
        self.zone = zone

    def rows(
        self,
        columns: Sequence[Column],
        rows: Sequence[Any],
        *,
        raw: Any = None,
        none: str = "Nothing.",
        total: Mapping[str, tuple[Any, bool]] | None = None,
    ) -> None:
        """Print rows.

        Args:
            columns: What of each is shown.
            rows: The rows.
            raw: What JSON shows; without it, the rows themselves.
            none: Said if there are no rows.
            total: One more row below a table, by name of column: value, and whether it is a floor. Not in
                JSON or CSV, where it would be summed up too.
        """
        if self.form == "json":
            self.json(rows if raw is None else raw)
        elif self.form == "csv":
            self._csv(columns, rows)
        elif rows:
            self._table(columns, rows, total)
        else:
            self.note(none)

    def record(self, columns: Sequence[Column], row: Any, *, raw: Any = None) -> None:
        """Print one record; in a table, with a line for each value."""
        if self.form == "json":
            self.json(row if raw is None else raw)
        elif self.form == "csv":
            self._csv(columns, [row])
        else:
            grid = Table.grid(padding=(0, 2))
            grid.add_column(no_wrap=True)
            grid.add_column(overflow="fold")
            ascii_only = _is_ascii_only(console(sys.stdout))
            for column in columns:
                if not column.csv_only:
                    (cell,) = column.cells([row], self.zone, ascii_only=ascii_only)
                    grid.add_row(Text(column.title(self.zone), "bold"), Text(cell, column.style(row)))
            self._render(grid)

    def json(self, value: Any) -> None:
        """Print indented JSON, with amounts exactly as received."""
        encoded = msgspec.json.format(_ENCODER.encode(value), indent=2)
        sys.stdout.write(f"{encoded.decode()}\n")

    def text(self, line: str = "") -> None:
        """Print a line of a report, in tables only."""
        if self.form == "table":
            sys.stdout.write(f"{line}\n")

    def note(self, line: str) -> None:
        """Print a note to stderr."""
        sys.stdout.flush()
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def _csv(self, columns: Sequence[Column], rows: Sequence[Any]) -> None:
        shown = [column for column in columns if not column.table_only and column.kind not in DRAWN]
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)
        writer.writerow([column.name for column in shown])
        writer.writerows([[csv_cell(column.value(row)) for column in shown] for row in rows])
        sys.stdout.write(buffer.getvalue())

    def _table(
        self, columns: Sequence[Column], rows: Sequence[Any], total: Mapping[str, tuple[Any, bool]] | None
    ) -> None:
        table, left_out = layout(columns, rows, self.zone, console(sys.stdout), total)
        self._render(table)
        if left_out:
            self.note(f"Too narrow for: {', '.join(left_out)}. Widen the terminal, or use -o csv.")

    def _render(self, renderable: Table) -> None:
        target = console(sys.stdout)
        with target.capture() as captured:
            target.print(renderable)
        # rich pads each line to the width of the last column.
        lines = captured.get().splitlines()
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in lines))


def layout(
    columns: Sequence[Column],
    rows: Sequence[Any],
    zone: tzinfo | None,
    target: Console,
    total: Mapping[str, tuple[Any, bool]] | None = None,
) -> tuple[Table, list[str]]:
    """Return a table that fits a terminal, and the names of the columns that were left out."""
    found: list[tuple[Column, str, list[str], int]] = []
    for column in columns:
        if not column.csv_only:
            values = [(column.value(row), column.floor(row)) for row in rows]
            values += [total[column.name]] if total and column.name in total else []
            cells = column.show(values, zone, ascii_only=_is_ascii_only(target))
            title = column.title(zone)
            width = max(map(cell_len, [title, *cells]))
            # Text may wrap, but not to one letter per line; the first column identifies the row.
            narrow = min(width, _NARROWEST) if column.kind is Kind.TEXT and found else width
            found.append((column, title, cells, narrow))
    left_out = []
    while sum(width for *_, width in found) + _GAP * len(found) > target.width:
        spare = max(found, key=lambda each: each[0].spare)
        if not spare[0].spare:
            break
        found.remove(spare)
        left_out.append(spare[0].name.replace("_", " "))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for column, title, _, width in found:
        table.add_column(
            Text(title),
            justify="right" if column.kind in RIGHT else "left",
            min_width=width,
            overflow="fold",
        )
    for number in range(len(rows) + bool(total)):
        table.add_row(
            *(
                Text(cells[number], column.style(rows[number]) if number < len(rows) else "bold")
                if number < len(cells)
                else Text("")
                for column, _, cells, _ in found
            )
        )
    return table, left_out


def _is_ascii_only(target: Console) -> bool:
    return not target.encoding.startswith("utf")


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation before an action that cannot be undone.

    Args:
        question: What is about to happen.
        yes: The user said so beforehand.

    Raises:
        UsageError: The user declines, or there is no terminal to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Give --yes: there is no terminal to ask on.")
    sys.stderr.write(f"{clean(question)} Continue? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("Nothing was done.")
