"""Write rows as CSV by RFC 4180 that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

CONTENT_TYPE = "text/csv; charset=utf-8; header=present"

_CHUNK_CHARACTERS = 64 * 1024
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""First characters of what spreadsheets take for a formula, also full-width ("CSV Injection" of OWASP)."""


def text(value: str | None) -> str:
    """Return a cell with a value that others wrote; an apostrophe marks as text what could be a formula."""
    if not value:
        return ""
    return f"'{value}" if value.startswith(_FORMULA) else value


def csv_chunks(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """Yield a file in chunks, in constant memory.

    Args:
        header: Names of the columns.
        rows: Cells, written as they are; see ``text``.
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
