"""Choose the reader for an output object by its name."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from batch_gateway.core.jobs.output_names import OutputKind, kind_of, unreadable_format
from batch_gateway.core.json_io import UNREADABLE
from batch_gateway.core.lines import Block
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows.tally import Tally, UnrecognizedRow
from batch_gateway.core.rows.waste import failure
from batch_gateway.core.usage import Rows, Usage, Waste

_GZIP = b"\x1f\x8b"
_HEAD_BYTES = 16
"""Bytes that reveal a binary file: a TFRecord begins with its length in eight bytes and a checksum."""


class UnreadableOutputError(ValueError):
    """The rows of an object cannot be counted; the message says why."""


class Reader(Protocol):
    """A reader that sums up the rows of one object, block by block."""

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


class _ErrorLine(msgspec.Struct):
    error: Any = None


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
            try:
                error = _decode_error(line).error
            except UNREADABLE:
                continue
            if error:
                self._tally.add_failed(error)
        for _ in range(block.oversized):
            self._tally.add_malformed()


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
            blank = not line.strip()  # a blank line does not end a record within a quoted field either
            self._quoted ^= line.count(b'"') % 2 == 1
            self._records += not (blank or self._quoted)
        self._malformed += block.oversized


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
