"""The right way to read an output object, by its name."""

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
"""Bytes in which a binary file shows: a TFRecord begins with its length in eight bytes and a checksum."""


class UnreadableOutputError(ValueError):
    """An object whose rows cannot be counted; the message says why."""


class Reader(Protocol):
    """Sums up the rows of one object, block by block."""

    resumable: bool
    """Whether another reader may go on after any block, and the usages of both add up to the whole."""

    @property
    def usage(self) -> Usage:
        """Of the blocks so far."""

    @property
    def unrecognized(self) -> Sequence[UnrecognizedRow]:
        """The first rows of no known shape."""

    def add_block(self, block: Block) -> None:
        """Adds the next lines.

        Raises:
            UnreadableOutputError: They are no lines of text.
        """


def reader_for(name: str, prices: PriceTable, job_model: str, resumed_at: datetime | None = None) -> Reader:
    """A reader for an object.

    Args:
        name: Of the object in its bucket.
        prices: As in Tally.
        job_model: As in Tally.
        resumed_at: As in Tally.

    Raises:
        UnreadableOutputError: Nothing of that kind can be read.
    """
    if reason := unreadable_format(name):
        raise UnreadableOutputError(reason)
    has_errors = kind_of(name) is OutputKind.ERRORS
    if name.lower().endswith(".csv"):
        return _CsvRows(failed=has_errors)
    tally = Tally(prices, job_model, resumed_at)
    return _ErrorLines(tally) if has_errors else _JsonLines(tally)


class _JsonLines:
    """One JSON object a line, each a row."""

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
    """Rows that failed, ``{"instance", "error": {"code", "message"}}``, among statistics and the like.

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
    """Records after a header; a quoted field may hold line feeds.

    Its rows are a custom or AutoML model's: they say nothing of what they used.
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
            blank = not line.strip()  # within a quoted field it ends no record either
            self._quoted ^= line.count(b'"') % 2 == 1
            self._records += not (blank or self._quoted)
        self._malformed += block.oversized


class _Head:
    """The first bytes of an object, by which binary files are told."""

    def __init__(self) -> None:
        self._head = b""

    def check(self, block: Block) -> None:
        """Takes the next lines.

        Raises:
            UnreadableOutputError: This is no text.
        """
        if len(self._head) >= _HEAD_BYTES:
            return
        self._head = (self._head + b"".join(block.lines[:_HEAD_BYTES]))[:_HEAD_BYTES]
        if self._head.startswith(_GZIP) or b"\0" in self._head:
            raise UnreadableOutputError(
                "is no text but binary (TFRecord, compressed, UTF-16): write jsonl or csv"
            )
