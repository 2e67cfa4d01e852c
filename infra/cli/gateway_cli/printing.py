"""Print answers to stdout as a table, JSON or CSV, and everything else to stderr."""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec

from gateway_cli.cells import DRAWN, Column, clean, csv_cell
from gateway_cli.errors import DeclinedError, UsageError

FORMS = ("table", "json", "csv")
# Budgets are numbers in the API; they are printed with the digits that were received.
_ENCODER = msgspec.json.Encoder(decimal_format="number")


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
            # rich takes long to import, and only tables need it.
            from gateway_cli import tables  # noqa: PLC0415

            tables.print_record([column for column in columns if not column.csv_only], row, self.zone)

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
        from gateway_cli import tables  # noqa: PLC0415 - as in record()

        shown = [column for column in columns if not column.csv_only]
        left_out = tables.print_rows(shown, rows, self.zone, total)
        if left_out:
            self.note(f"Too narrow for: {', '.join(left_out)}. Widen the terminal, or use -o csv.")


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation before an action that cannot be undone.

    Args:
        question: What is about to happen.
        yes: The user said so beforehand.

    Raises:
        DeclinedError: The user declines.
        UsageError: There is no terminal to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Without a terminal nobody can be asked: pass --yes to confirm.")
    sys.stderr.write(f"{clean(question)} Continue? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise DeclinedError
