"""Read the whole input of a job: for a budget that it must stay within, and for files that its rows may name.

One reading serves both.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from batch_gateway.core.access.row_grants import RowGrants
from batch_gateway.core.access.row_uris import MOST_PLACES, TooManyError
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating.bounds import Scale
from batch_gateway.core.estimating.exact import UnboundedError
from batch_gateway.core.estimating.sampling import Object
from batch_gateway.core.lines import MAX_LINE_BYTES, Block, whole_lines
from batch_gateway.ports import ObjectStore, TableInfo, Tables

SECONDS = 45.0
"""Time limit for what a create reads; with the 65 s of Vertex AI's answer, it takes less than 120 s."""
MOST_BYTES = 4 * 1024**3
"""Largest input that is read at all: the most that can be read in that time."""
SMALL_BYTES = 4 * 1024 * 1024
"""Largest input that does not wait for others: the sample of an estimate is as large."""
_AT_ONCE = 2
"""Larger inputs that an instance reads at the same time: one alone can keep a processor busy."""
_LARGE_BLOCK_BYTES = 1024 * 1024
_TABLE_BLOCK_BYTES = 128 * 1024
"""About as much of a table as is checked at once."""
_GZIP = b"\x1f\x8b"
_TOO_MANY = f"a row names more than {MOST_PLACES:,} files or texts"


class InputBounds:
    """Reader of whole inputs, for bounds of their cost and of what they name; one for each instance."""

    def __init__(
        self, objects: Callable[[], ObjectStore], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._lock = Lock()
        self._large = Lock()
        self._busy: set[str] = set()

    def weigh(
        self,
        whose: str,
        objects: Sequence[Object],
        scale: Scale | None,
        granted: RowGrants | None = None,
        *,
        deadline: float | None = None,
    ) -> float:
        """Add all rows of an input to a scale, and check the files that they name.

        Args:
            whose: Id of the key; one larger input is read for it at a time.
            objects: The input's objects.
            scale: Adds up the bounds of the rows; None if the key has no budget.
            granted: What the rows may name; None if the key may name everything.
            deadline: Time to stop reading, by the clock; None for SECONDS from now.

        Returns:
            The deadline, for another input of the same create.

        Raises:
            ApiError: The input is too large to be read in time, or too many are being read; or a row names a
                file that it may not, or cannot be checked.
            UnboundedError: A row has no bound; the message names the row and the reason.
            ObjectsUnavailableError: Cloud Storage does not answer.
            ObjectChangedError: An object was overwritten meanwhile.
        """
        size = sum(each.size for each in objects)
        too_large = _too_large_to_weigh if scale else _too_large_to_check
        if size > MOST_BYTES:
            raise too_large(size, len(objects))
        deadline = self._clock() + SECONDS if deadline is None else deadline
        with self._slot(whose, size):
            for each in objects:
                chunks = self._objects().read(each.bucket, each.name, each.generation)
                lines = 0
                for block in whole_lines(chunks):
                    if self._clock() >= deadline:
                        raise too_large(size, len(objects))
                    if granted:
                        _check(each, block, granted, lines)
                    if scale:
                        self._add(each, block, scale)
                    lines += len(block.lines)
                    # Yield the interpreter to other threads, which would otherwise wait five milliseconds.
                    time.sleep(0)
        return deadline

    def check_table(self, whose: str, table: TableInfo, tables: Tables, granted: RowGrants) -> None:
        """Check the files that the rows of a table name.

        The query is billed by the table's size, so by MOST_BYTES at most.

        Args:
            whose: Id of the key, as in ``weigh``.
            table: The table.
            tables: Reads it.
            granted: What the rows may name.

        Raises:
            ApiError: The table is too large to be read in time, or too many inputs are being read; or a row
                names a file that it may not, or cannot be checked.
            TablesUnavailableError: BigQuery does not answer.
            ObjectChangedError: The table was overwritten meanwhile.
        """
        if table.size > MOST_BYTES:
            raise _too_large_to_check(table.size, 1)
        deadline = self._clock() + SECONDS
        with self._slot(whose, table.size):
            rows = tables.rows(table, carried_before=table.created, whole=True, seconds=SECONDS)
            lines: list[bytes] = []
            size = 0
            for row in rows:
                if self._clock() >= deadline:
                    raise _too_large_to_check(table.size, 1)
                lines.append(row.whole + b"\n")
                size += len(row.whole)
                if size >= _TABLE_BLOCK_BYTES:
                    _check_rows(table.uri, lines, granted)
                    lines, size = [], 0
            _check_rows(table.uri, lines, granted)

    def _add(self, at: Object, block: Block, scale: Scale) -> None:
        if block.oversized:
            raise UnboundedError(
                f"a row of {at.uri} is longer than {MAX_LINE_BYTES:,} bytes, or holds millions of values"
            )
        try:
            if sum(map(len, block.lines)) < _LARGE_BLOCK_BYTES:
                scale.add(block.lines)
            else:
                # A large block takes several times its size in memory, so only one is decoded at a time.
                with self._large:
                    scale.add(block.lines)
        except UnboundedError as error:
            raise UnboundedError(f"row {scale.weight.rows:,} of the input, in {at.uri}: {error}") from error

    @contextmanager
    def _slot(self, whose: str, size: int) -> Iterator[None]:
        if size <= SMALL_BYTES:
            yield
            return
        with self._lock:
            if whose in self._busy or len(self._busy) >= _AT_ONCE:
                raise ApiError(
                    "UNAVAILABLE",
                    "WEIGHING_BUSY",
                    "Your key has a budget, or is limited in the files that rows may name, so the whole "
                    "input is read first. The gateway is reading as many large inputs as it can. Send the "
                    "request again in 10 s.",
                    retry_after=10,
                )
            self._busy.add(whose)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(whose)


def _check(at: Object, block: Block, granted: RowGrants, lines: int) -> None:
    """Check the files that the rows of a block name.

    Args:
        at: The object.
        block: The next lines of it.
        granted: What they may name.
        lines: Number of lines before the block.

    Raises:
        ApiError: A row names another file, or cannot be checked.
    """
    if block.oversized:
        raise _unchecked(
            at.uri, f"a row is longer than {MAX_LINE_BYTES:,} bytes, or holds millions of values"
        )
    if not lines and block.lines and block.lines[0].startswith(_GZIP):
        raise _unchecked(at.uri, "it is compressed")
    if any(b"\0" in line for line in block.lines):
        raise _unchecked(at.uri, "it is not text in UTF-8")
    try:
        denied = granted.find_denied(block.lines)
    except TooManyError as error:
        raise _unchecked(at.uri, _TOO_MANY) from error
    if denied:
        number = lines + denied.line + 1
        raise _not_allowed(f"Line {number:,} of {at.uri}", denied.uri, granted, at.uri, line=str(number))


def _check_rows(table: str, rows: list[bytes], granted: RowGrants) -> None:
    """Check the files that rows of a table name; they have no order, so no number is told.

    Raises:
        ApiError: A row names another file, or cannot be checked.
    """
    try:
        denied = granted.find_denied(rows)
    except TooManyError as error:
        raise _unchecked(table, _TOO_MANY) from error
    if denied:
        raise _not_allowed(f"A row of {table}", denied.uri, granted, table)


def _not_allowed(place: str, uri: str, granted: RowGrants, source: str, **more: str) -> ApiError:
    return ApiError(
        "PERMISSION_DENIED",
        "ROW_URI_NOT_ALLOWED",
        f"{place} names {uri!r}, which this API key may not read. Name files below its prefixes only: "
        f"{granted}. (A text that merely begins like this goes into a member 'text', or behind another "
        "word.)",
        metadata={"input": source, "uri": uri, **more},
    )


def _unchecked(source: str, problem: str) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "ROWS_NOT_CHECKED",
        f"Your key is limited in the files that rows may name, and the rows of {source} cannot be checked: "
        f"{problem}. Write one JSON object per line, in UTF-8 and uncompressed.",
        metadata={"input": source},
    )


def _too_large_to_check(size: int, objects: int) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "INPUT_TOO_LARGE_TO_CHECK",
        "Your key is limited in the files that rows may name, so the whole input is read, and "
        f"{size:,} bytes in {objects:,} objects are more than can be read in {SECONDS:.0f} s. Split it into "
        "several jobs, merge small objects, or ask the administrator for a key without allowed_uri_prefixes.",
        metadata={"bytes": str(size), "objects": str(objects)},
    )


def _too_large_to_weigh(size: int, objects: int) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "INPUT_TOO_LARGE_TO_WEIGH",
        "Your key has a budget, so the whole input is read to find the most that the job may cost, and "
        f"{size:,} bytes in {objects:,} objects are more than can be read in {SECONDS:.0f} s. Split "
        "it into several jobs, merge small objects, or ask the administrator for a key without max_budget.",
        metadata={"bytes": str(size), "objects": str(objects)},
    )
