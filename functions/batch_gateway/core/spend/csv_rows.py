"""Rows -> CSV as RFC 4180 has it, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

CONTENT_TYPE = "text/csv; charset=utf-8; header=present"

_CHUNK_CHARACTERS = 64 * 1024
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for a formula by its beginning, full-width too ("CSV Injection" of OWASP)."""


def text(value: str | None) -> str:
    """A cell with what others wrote; what could be a formula is marked as text with an apostrophe."""
    if not value:
        return ""
    return f"'{value}" if value.startswith(_FORMULA) else value


def csv_chunks(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """A file in chunks, in constant memory.

    Args:
        header: Names of the columns.
        rows: Cells as they shall stand; see ``text``.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow([text(name) for name in header])
    for row in rows:
        writer.writerow(row)
        if buffer.tell() >= _CHUNK_CHARACTERS:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()
