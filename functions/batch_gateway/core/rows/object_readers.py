"""Choose the reader for an output object by its name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from batch_gateway.core.jobs.output_names import OutputKind, kind_of, unreadable_format
from batch_gateway.core.json_io import UNREADABLE
from batch_gateway.core.lines import MAX_LINE_BYTES, Block
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows.decoding import Row, key_of
from batch_gateway.core.rows.sums import Sums
from batch_gateway.core.rows.tally import Tally, UnrecognizedRow
from batch_gateway.core.rows.waste import failure
from batch_gateway.core.usage import Rows, Usage, Waste

_GZIP = b"\x1f\x8b"
_HEAD_BYTES = 16
"""Bytes that reveal a binary file: a TFRecord begins with its length in eight bytes and a checksum."""


class UnreadableOutputError(ValueError):
    """The rows of an object cannot be counted; the message says why."""


class SingleRow(msgspec.Struct, gc=False):
    """One row of an object.

    Attributes:
        sums: Sums over this row alone.
        key: The caller's key of the row, as ``decoding.key_of``.
        text: Its bytes, with its line break if it has one; None if it is too long to be held.
        span: Where it begins and ends in the object, if it is too long to be held.
        is_header: It is no row, but the header of those that follow.
    """

    sums: Sums
    key: str | msgspec.Raw | None = None
    text: bytes | None = None
    span: tuple[int, int] = (0, 0)
    is_header: bool = False


class Reader(Protocol):
    """A reader that sums up the rows of one object, block by block, or reads them one by one."""

    resumable: bool
    """True if another reader can resume after any block, so that the usages of both add up to the whole."""

    @property
    def usage(self) -> Usage:
        """The usage of the blocks so far."""

    @property
    def unrecognized(self) -> Sequence[UnrecognizedRow]:
        """The first rows of no known shape."""

    def add_block(self, block: Block) -> None:
        """Add the next lines.

        Raises:
            UnreadableOutputError: They are not lines of text.
        """

    def read_rows(self, blocks: Iterable[Block]) -> Iterator[SingleRow]:
        """Yield the rows of a whole object one by one, without adding them up.

        Raises:
            UnreadableOutputError: They are not lines of text.
        """


def reader_for(name: str, prices: PriceTable, job_model: str, resumed_at: datetime | None = None) -> Reader:
    """Return a reader for an object.

    Args:
        name: Name of the object in its bucket.
        prices: As in Tally.
        job_model: As in Tally.
        resumed_at: As in Tally.

    Raises:
        UnreadableOutputError: Objects of that kind cannot be read.
    """
    if reason := unreadable_format(name):
        raise UnreadableOutputError(reason)
    has_errors = kind_of(name) is OutputKind.ERRORS
    if name.lower().endswith(".csv"):
        return _CsvRows(failed=has_errors)
    tally = Tally(prices, job_model, resumed_at)
    return _ErrorLines(tally) if has_errors else _JsonLines(tally)


class _JsonLines:
    """A reader of lines that are JSON objects, one per row."""

    resumable = True

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._head = _Head()

    @property
    def usage(self) -> Usage:
        return self._tally.usage

    @property
    def unrecognized(self) -> Sequence[UnrecognizedRow]:
        return self._tally.unrecognized

    def add_block(self, block: Block) -> None:
        self._head.check(block)
        self._tally.add_lines(block.lines)
        for _ in range(block.oversized):
            self._tally.add_malformed()

    def read_rows(self, blocks: Iterable[Block]) -> Iterator[SingleRow]:
        return _read_lines(blocks, self._tally, self._tally.add, self._head)


def _read_lines(
    blocks: Iterable[Block], tally: Tally, add: Callable[[bytes], Row | None], head: "_Head | None" = None
) -> Iterator[SingleRow]:
    """Yield the rows of an object in which a line has at most one row.

    Args:
        blocks: All lines of the object.
        tally: The tally that the rows are added to.
        add: Adds a line to the tally, and returns its row, if it has one that can be read.
        head: Checks the beginning of the object.
    """
    start = 0
    for block in blocks:
        if head:
            head.check(block)
        for line in block.lines:
            row = add(line)
            sums = tally.take()
            if sums.rows:
                yield SingleRow(sums, key_of(row) if row and (row.key or row.custom_id) else None, line)
        for _ in range(block.oversized):
            tally.add_malformed()
            # Such a line is a block of its own.
            yield SingleRow(tally.take(), span=(start, block.end))
        start = block.end


class _ErrorLine(msgspec.Struct):
    error: Any = None
    key: msgspec.Raw = msgspec.Raw()
    custom_id: msgspec.Raw = msgspec.Raw()


_decode_error = msgspec.json.Decoder(_ErrorLine).decode


class _ErrorLines:
    """A reader of failed rows, ``{"instance", "error": {"code", "message"}}``, among statistics and the like.

    Source: "Get batch predictions" of Google's documentation, and BatchPredictionJob.outputConfig of
    the discovery revision 20261106.
    """

    resumable = True

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    @property
    def usage(self) -> Usage:
        return self._tally.usage

    @property
    def unrecognized(self) -> Sequence[UnrecognizedRow]:
        return self._tally.unrecognized

    def add_block(self, block: Block) -> None:
        for line in block.lines:
            self._add(line)
        for _ in range(block.oversized):
            self._tally.add_malformed()

    def read_rows(self, blocks: Iterable[Block]) -> Iterator[SingleRow]:
        return _read_lines(blocks, self._tally, self._add)

    def _add(self, line: bytes) -> Row | None:
        try:
            row = _decode_error(line)
        except UNREADABLE:
            return None
        if not row.error:
            return None
        self._tally.add_failed(row.error)
        return Row(key=row.key, custom_id=row.custom_id)


class _CsvRows:
    """A reader of CSV records after a header; a quoted field may contain line feeds.

    The rows are a custom or AutoML model's, which do not report their usage.
    """

    resumable = False  # a block may end within a record
    unrecognized: Sequence[UnrecognizedRow] = ()

    def __init__(self, *, failed: bool) -> None:
        self._failed = failed
        self._head = _Head()
        self._records = self._malformed = 0
        self._quoted = False

    @property
    def usage(self) -> Usage:
        rows = max(self._records - 1, 0)
        malformed = self._malformed + self._quoted
        if self._failed:
            waste = (Waste(*failure(), rows),) if rows else ()
            return Usage(Rows(failed=rows, malformed=malformed), waste=waste)
        return Usage(Rows(succeeded=rows, malformed=malformed, unmetered=rows))

    def add_block(self, block: Block) -> None:
        self._head.check(block)
        for line in block.lines:
            self._ends_record(line)
        self._malformed += block.oversized

    def read_rows(self, blocks: Iterable[Block]) -> Iterator[SingleRow]:
        parts: list[bytes] = []
        start = end = held = 0  # of the record that is being read, and how much of it is in parts
        for block in blocks:
            self._head.check(block)
            for line in block.lines:
                ended = self._ends_record(line)
                end += len(line)
                held += len(line)
                parts.append(line)
                if held > MAX_LINE_BYTES:
                    parts.clear()
                if ended:
                    text = b"".join(parts) if parts else None
                    yield SingleRow(
                        self._sums_of_record(), text=text, span=(start, end), is_header=self._records == 1
                    )
                if not self._quoted:
                    parts.clear()
                    start, held = end, 0
            for _ in range(block.oversized):
                yield SingleRow(_malformed(), span=(end, block.end))
            end = block.end
            start = start if self._quoted else end
        if self._quoted:
            yield SingleRow(_malformed(), text=b"".join(parts) if parts else None, span=(start, end))

    def _ends_record(self, line: bytes) -> bool:
        """Count a line; return whether a record ends with it."""
        blank = not line.strip()  # a blank line does not end a record within a quoted field either
        self._quoted ^= line.count(b'"') % 2 == 1
        ends = not (blank or self._quoted)
        self._records += ends
        return ends

    def _sums_of_record(self) -> Sums:
        sums = Sums()
        if self._records == 1:
            return sums
        if self._failed:
            sums.failed = sums.wasted(failure()).rows = 1
        else:
            sums.succeeded = sums.unmetered = 1
        return sums


def _malformed() -> Sums:
    sums = Sums()
    sums.malformed = 1
    return sums


class _Head:
    """The first bytes of an object, which reveal binary files."""

    def __init__(self) -> None:
        self._head = b""

    def check(self, block: Block) -> None:
        """Check the next lines.

        Raises:
            UnreadableOutputError: The object is not text.
        """
        if len(self._head) >= _HEAD_BYTES:
            return
        self._head = (self._head + b"".join(block.lines[:_HEAD_BYTES]))[:_HEAD_BYTES]
        if self._head.startswith(_GZIP) or b"\0" in self._head:
            raise UnreadableOutputError(
                "is binary, not text (TFRecord, compressed, UTF-16): write jsonl or csv"
            )
