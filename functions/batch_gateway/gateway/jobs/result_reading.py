"""Read a job's output piece by piece, as it is or row by row."""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TypeVar

import msgspec

from batch_gateway.core.jobs.output_names import unreadable_format
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.lines import whole_lines
from batch_gateway.core.rows import Tally, UnreadableOutputError, reader_for
from batch_gateway.core.rows.decoding import key_of
from batch_gateway.core.rows.object_readers import SingleRow
from batch_gateway.core.rows.row_results import COLUMNS, Rates, RowResult, describe
from batch_gateway.core.spend import csv_rows
from batch_gateway.gateway.jobs.result_parameters import ResultQuery
from batch_gateway.gateway.jobs.result_source import Objects
from batch_gateway.ports import ObjectInfo, TableInfo
from batch_gateway.settlement.deps import SettlementDeps

_PIECE_BYTES = 64 * 1024
_LINE_FEED = b"\n"
_QUERY_SECONDS = 180.0
"""Time that a table's query may take until its first row."""
_LOOK_EVERY = 1_000
"""Rows of a table after which it is checked that the client is still there."""

_encode_into = msgspec.json.Encoder().encode_into


_Piece = TypeVar("_Piece")


class ClientGoneError(Exception):
    """The client has closed its connection."""


class Reading:
    """One reading of a job's output.

    Args:
        job: The job, with the base of its model.
        source: Where its output is.
        query: What is wanted of it.
        deps: The ports.
        is_gone: Tells whether the client has closed its connection: looking for few rows among many sends
            nothing for a long time.
    """

    def __init__(
        self,
        job: JobRecord,
        source: Objects | TableInfo,
        query: ResultQuery,
        deps: SettlementDeps,
        is_gone: Callable[[], bool],
    ) -> None:
        self._job = job
        self._source = source
        self._query = query
        self._deps = deps
        self._prices = deps.prices()
        self._is_gone = is_gone
        self._read_from: ObjectInfo | None = None
        self._has_begun = False

    @property
    def content_type(self) -> str:
        """The type of what ``pieces`` yields."""
        if self._query.as_csv:
            return csv_rows.CONTENT_TYPE
        if self._query.by_usage or isinstance(self._source, TableInfo):
            return "application/jsonl"
        names = [info.name.lower() for info in self._source.infos]
        if any(map(unreadable_format, names)):
            return "application/octet-stream"
        return (
            "text/csv; charset=utf-8" if all(name.endswith(".csv") for name in names) else "application/jsonl"
        )

    def pieces(self) -> Iterator[bytes]:
        """Return the pieces of the answer, after a first look at the output.

        Raises:
            ObjectChangedError: An object or a table has changed since it was found.
            ObjectsUnavailableError: Cloud Storage did not answer.
            TablesUnavailableError: BigQuery did not answer.
            UnreadableOutputError: The rows of an object cannot be told apart.
        """
        if isinstance(self._source, Objects) and self._query.is_raw:
            raw = _begun(self._raw(self._source))
            self._has_begun = True
            return raw
        kept = self._kept(_begun(self._rows()))
        self._has_begun = True
        if not self._query.by_usage:
            return self._texts(kept)
        if self._query.as_csv:
            return csv_rows.csv_chunks(COLUMNS, (_cells(result) for _, result in kept if result))
        return _json_lines(kept)

    def _raw(self, source: Objects) -> Iterator[bytes]:
        """Yield the objects byte for byte, with a line feed after one that has none before the next."""
        is_open = False
        for info in source.infos:
            last = b""
            for chunk in self._chunks(source, info):
                if is_open:
                    yield _LINE_FEED
                    is_open = False
                yield chunk
                last = chunk
            is_text = unreadable_format(info.name) is None
            is_open = is_open or (is_text and bool(last) and not last.endswith(_LINE_FEED))

    def _chunks(self, source: Objects, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
        for chunk in self._deps.objects.read(source.bucket, info.name, info.generation, start):
            yield chunk
            self._check_client()

    def _check_client(self) -> None:
        if self._has_begun and self._is_gone():
            raise ClientGoneError

    def _rows(self) -> Iterator[SingleRow]:
        """Yield all rows, and the headers among them."""
        job = self._job
        if isinstance(self._source, TableInfo):
            yield from self._rows_of_table(self._source)
            return
        for info in self._source.infos:
            if reason := unreadable_format(info.name):
                raise UnreadableOutputError(reason)
        for info in self._source.infos:
            self._read_from = info
            reader = reader_for(info.name, self._prices, job.priced_model, job.carried_before)
            yield from reader.read_rows(whole_lines(self._chunks(self._source, info)))

    def _rows_of_table(self, table: TableInfo) -> Iterator[SingleRow]:
        job = self._job
        tally = Tally(self._prices, job.priced_model, job.carried_before)
        whole = not self._query.by_usage
        rows = self._deps.tables().rows(
            table, carried_before=job.carried_before, whole=whole, seconds=_QUERY_SECONDS
        )
        for number, row in enumerate(rows):
            if number % _LOOK_EVERY == 0:
                self._check_client()
            read = tally.add(row.line)
            yield SingleRow(tally.take(), key_of(read) if read else None, row.whole)

    def _kept(self, rows: Iterator[SingleRow]) -> Iterator[tuple[SingleRow, RowResult | None]]:
        """Yield the rows that are wanted with their results, and headers without."""
        job, states, limit = self._job, self._query.states, self._query.limit
        rates = Rates(job.cost.line_items, self._prices, location=job.key.location, at=job.priced_at)
        number = kept = 0
        for row in rows:
            if row.is_header:
                yield row, None
                continue
            number += 1
            result = describe(number, row, rates, states)
            if result is None:
                continue
            yield row, result
            kept += 1
            if kept == limit:
                return

    def _texts(self, kept: Iterator[tuple[SingleRow, RowResult | None]]) -> Iterator[bytes]:
        """Yield rows and headers byte for byte; each ends with a line feed."""
        buffer = bytearray()
        for row, _ in kept:
            if row.text is None:
                yield bytes(buffer)
                buffer.clear()
                last = b""
                for piece in self._span(row.span):
                    yield last
                    last = piece
                buffer += last
            else:
                buffer += row.text
            if not buffer.endswith(_LINE_FEED):
                buffer += _LINE_FEED
            if len(buffer) >= _PIECE_BYTES:
                yield bytes(buffer)
                buffer.clear()
        yield bytes(buffer)

    def _span(self, span: tuple[int, int]) -> Iterator[bytes]:
        """Yield a row of the object that is being read, which is too long to be held."""
        start, end = span
        if isinstance(self._source, Objects) and self._read_from:
            for chunk in self._chunks(self._source, self._read_from, start):
                piece = chunk[: end - start]
                start += len(piece)
                yield piece
                if start == end:
                    return


def _begun(pieces: Iterator[_Piece]) -> Iterator[_Piece]:
    """Return an iterator whose first element has been read."""
    return chain(list(islice(pieces, 1)), pieces)


def _json_lines(kept: Iterator[tuple[SingleRow, RowResult | None]]) -> Iterator[bytes]:
    buffer = bytearray()
    for _, result in kept:
        if result is None:
            continue
        _encode_into(result, buffer, -1)
        buffer += _LINE_FEED
        if len(buffer) >= _PIECE_BYTES:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


def _cells(result: RowResult) -> list[str]:
    """Return the cells of a row in the order of COLUMNS; texts of others are made safe for spreadsheets."""
    usage = result.usage
    key = csv_rows.text(result.key) if isinstance(result.key, str) else bytes(result.key or b"").decode()
    return [
        str(result.row),
        key,
        result.state,
        result.reason or "",
        csv_rows.text(result.model),
        *map(str, msgspec.structs.astuple(usage)),
        result.amount or "",
    ]
