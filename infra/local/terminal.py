"""Print the demonstration's progress line and cost report."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

_BAR = 24


class Progress:
    """A line that is redrawn on a terminal; elsewhere, a new line for each change."""

    def __init__(self, total: int, out: TextIO = sys.stdout) -> None:
        self._total = total
        self._out = out
        self._drawn = ""
        self._started = time.monotonic()

    def show(self, done: int, state: str, projected: str | None) -> None:
        """Show the number of rows that are done, the job's state, and its projected cost."""
        filled = _BAR * min(done, self._total) // max(self._total, 1)
        bar = "#" * filled + "-" * (_BAR - filled)
        text = f"[{bar}] {done}/{self._total} rows  {state.removeprefix('JOB_STATE_').lower()}"
        if projected is not None:
            text += f"  ~{projected} USD (projected)"
        if self._out.isatty():
            self._out.write(f"\r\033[K  {text}  {time.monotonic() - self._started:.1f} s")
            self._out.flush()
        elif text != self._drawn:
            self._out.write(f"  {text}\n")
        self._drawn = text

    def end(self) -> None:
        """End the line."""
        if self._drawn and self._out.isatty():
            self._out.write("\n")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> str:
    """Lay out rows in columns.

    Args:
        header: The columns' names.
        rows: The cells, one sequence a row.
        right: The columns that are set flush right.

    Returns:
        Indented lines.
    """
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return ("  " + "  ".join(padded)).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, rows)])


def cost_report(cost: dict[str, Any], documents: Sequence[str]) -> str:
    """Format a job's cost, as the gateway's API returns it, for reading.

    Args:
        cost: The answer to `GET .../cost`.
        documents: Where in Firestore it is written down.

    Returns:
        Several lines.
    """
    items = [
        [
            each["item"],
            each["contextWindow"],
            f"{int(each['quantity']):,}",
            each["unit"],
            each["unitPrice"],
            each["amount"],
        ]
        for each in cost["lineItems"]
    ]
    rows = ", ".join(f"{count} {name}" for name, count in cost["rows"].items() if count) or "none"
    return "\n".join(
        [
            f"Cost of {cost['name']}",
            f"  {cost['model']}, {cost['state']}, {cost['status']}",
            "",
            table(
                ("item", "context window", "quantity", "unit", "unit price", "amount"),
                [*items, ["total", "", "", "", "", cost["amount"]]],
                right=frozenset({2, 4, 5}),
            ),
            "",
            f"  rows         {rows}",
            f"  total        {cost['amount']} {cost['currency']}"
            + ("" if cost["complete"] else "  (at least: some rows could not be priced)"),
            f"  price table  {cost['priceTable']}",
            *(f"  {'Firestore' if not index else '':11}  {path}" for index, path in enumerate(documents)),
        ]
    )
