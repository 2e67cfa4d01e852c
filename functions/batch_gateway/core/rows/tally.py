"""Sum up the rows of one output object."""

from codecs import BOM_UTF8
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from batch_gateway.core.json_io import UNREADABLE, decode_member
from batch_gateway.core.pricing.modalities import ContradictionError, modality_name
from batch_gateway.core.pricing.model_names import OTHER_MODEL
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows import row_formats
from batch_gateway.core.rows.carried import carried_over_test
from batch_gateway.core.rows.decoding import (
    Row,
    decode_row,
    is_answered,
    is_predicted,
    make_readable,
    member_names,
)
from batch_gateway.core.rows.elsewhere import restate
from batch_gateway.core.rows.measured import ErrorRow, RowUsage, UnrecognizedError
from batch_gateway.core.rows.plain import PlainKey, PlainRows
from batch_gateway.core.rows.sums import Sums, add_to
from batch_gateway.core.rows.waste import answer_waste, failure, is_error
from batch_gateway.core.usage import Key, Usage

_MAX_UNPRICED_MODELS = 32
"""Most models without a price that are summed apart, since rows may name any model."""
_MAX_MODEL_NAME = 128
_MAX_REMEMBERED = 256
"""Most entries of the cache of model keys."""
_MAX_NAMED_ROWS = 5


class UnrecognizedRow(NamedTuple):
    """A row of no known shape.

    Attributes:
        row: Its number among the rows that were added, from 1.
        members: Names of its members, up to a limit.
    """

    row: int
    members: tuple[str, ...]


class _PlainKind(NamedTuple):
    """The facts that all plain rows with the same key share: waste, model, window and keys of quantities."""

    waste: tuple[str, str] | None
    model: str
    window: str
    input: Key
    cached_input: Key
    output: Key
    thoughts: Key


class Tally:
    """The sums of the usage of output lines; one for each object that is read.

    Args:
        prices: Source of models, context windows and units; no amounts are computed here.
        job_model: The model that the job names, or the base of a tuned one; for rows that name none, or one
            without a price.
        resumed_at: Time before which rows were processed by an earlier job, which paid for them; None if no
            rows are carried over.

    Attributes:
        unrecognized: The first rows of no known shape.
    """

    def __init__(self, prices: PriceTable, job_model: str, resumed_at: datetime | None = None) -> None:
        self._prices = prices
        self._job_model = prices.resolve(job_model)
        self._job_model_name = job_model.rsplit("/", 1)[-1]
        self._is_carried_over = carried_over_test(resumed_at)
        self._models: dict[str | None, str] = {}
        self._unpriced_models: set[str] = set()
        self.unrecognized: list[UnrecognizedRow] = []
        self._sums = Sums()
        self._kinds: dict[PlainKey, _PlainKind] = {}
        self._plain = PlainRows(prices.shortest_window)

    @property
    def usage(self) -> Usage:
        """The usage that has been added so far."""
        self._flush_plain()
        return self._sums.usage

    def take(self) -> Sums:
        """Return the sums over what has been added since the last call, and start again from zero."""
        self._flush_plain()
        taken, self._sums = self._sums, Sums()
        return taken

    def add_malformed(self) -> None:
        """Count a line that could not even be read, such as one beyond the size limit."""
        self._sums.malformed += 1

    def add_failed(self, *causes: Any) -> None:
        """Count a failed row under the reason that `waste.failure` derives from the causes."""
        self._sums.failed += 1
        self._sums.wasted(failure(*causes)).rows += 1

    def add(self, line: bytes) -> Row | None:
        """Add one line of output, with or without its line break; a blank line is ignored.

        Returns:
            The row as far as it is decoded; None if there is none, or if it is malformed.
        """
        try:
            row = decode_row(line)
        except UNREADABLE:
            return self._add_unreadable(line)
        if (
            row.status
            or row.response is None
            or self._is_carried_over(row.processed_time)
            or not self._plain.add(row.response)
        ):
            self._add_row(row, line)
        return row

    def add_lines(self, lines: Iterable[bytes]) -> None:
        """Add lines of output, each without its line break; blank ones are ignored.

        Plain rows are added up at once, at a fraction of the cost of the general path.
        """
        decode, add_plain, is_carried_over = decode_row, self._plain.add, self._is_carried_over
        for line in lines:
            try:
                row = decode(line)
            except UNREADABLE:
                self._add_unreadable(line)
                continue
            if (
                row.status
                or row.response is None
                or is_carried_over(row.processed_time)
                or not add_plain(row.response)
            ):
                self._add_row(row, line)

    def _flush_plain(self) -> None:
        """Add the sums of plain rows to those of all others."""
        sums = self._sums
        quantities = sums.quantities
        for plain_key, plain in self._plain.drain():
            kind = self._kinds.get(plain_key) or self._kind(plain_key)
            waste = kind.waste
            if waste:
                sums.wasted(waste).rows += plain.rows
            sums.model = kind.model
            others = 0
            for modality, (tokens, rows) in plain.others.items():
                others += tokens
                sums.add(waste, (kind.model, kind.window, f"input_{modality}"), tokens, rows)
            for key, quantity, rows in (
                (kind.input, plain.prompt - plain.cached, plain.rows),
                (kind.cached_input, plain.cached, plain.cached_rows),
                (kind.output, plain.answered, plain.rows),
                (kind.thoughts, plain.thoughts, plain.thought_rows),
            ):
                if not quantity:
                    continue
                if waste or key in quantities:
                    sums.add(waste, key, quantity, rows)
                else:
                    quantities[key] = [quantity, rows]
            sums.succeeded += plain.rows
            sums.input += plain.prompt + others
            sums.cached += plain.cached
            sums.output += plain.answered + plain.thoughts
            sums.thoughts += plain.thoughts

    def _kind(self, plain_key: PlainKey) -> _PlainKind:
        """Return what the keys of a kind of plain rows stand for, and remember it."""
        version, reason, asked, said = plain_key
        if len(self._kinds) >= _MAX_REMEMBERED:
            self._kinds.clear()
        model = self._model(version)
        window = self._prices.context_window(model, 1)
        kind = self._kinds[plain_key] = _PlainKind(
            answer_waste([reason]),
            model,
            window,
            (model, window, f"input_{modality_name(asked)}"),
            (model, window, f"cached_input_{modality_name(asked)}"),
            (model, window, f"output_{modality_name(said)}"),
            (model, window, "output_thoughts"),
        )
        return kind

    def _add_unreadable(self, line: bytes) -> Row | None:
        """Add a line that msgspec rejects: it is blank, unusual or malformed. Return its row, if any."""
        if not line.removeprefix(BOM_UTF8).strip():
            return None
        try:
            line = make_readable(line)
            row = decode_row(line)
        except UNREADABLE:
            self._sums.malformed += 1
            return None
        self._add_row(row, line)
        return row

    def _add_row(self, row: Row, line: bytes) -> None:
        try:
            self._classify(row, line)
        except (*UNREADABLE, ContradictionError):
            self._sums.malformed += 1
        except UnrecognizedError:
            self._add_unrecognized(line)

    def _add_unrecognized(self, line: bytes) -> None:
        self._sums.unrecognized += 1
        if len(self.unrecognized) < _MAX_NAMED_ROWS:
            number = self._sums.rows + self._plain.rows
            self.unrecognized.append(UnrecognizedRow(number, member_names(line)))

    def _classify(self, row: Row, line: bytes) -> None:
        """Add a row as carried over, failed or answered.

        Raises:
            UnrecognizedError: It is none of them, or seems to be two of them.
        """
        failed, error = is_error(row.status), decode_member(row.error)
        if failed is None:
            raise UnrecognizedError("a status that is neither success nor error")
        there = is_answered(row, line) or is_predicted(row)
        if there and not failed and self._is_carried_over(row.processed_time):
            self._sums.carried_over += 1
            return
        found = (
            row_formats.measure(row, line, self._is_by_character) if there else self._measure_elsewhere(line)
        )
        says_error = failed or is_error(error) is not False
        if isinstance(found, ErrorRow):
            self.add_failed(row.status, error, *found.causes)
        elif found is None and says_error and not there:
            self.add_failed(row.status, error)
        # An error beside reported usage is an echo of the input line's members.
        elif found is None or failed or (says_error and not (there and found.metered)):
            raise UnrecognizedError("neither an answer nor an error, or both at once")
        else:
            self._add_usage(found)

    def _measure_elsewhere(self, line: bytes) -> RowUsage | ErrorRow | None:
        """Measure a row whose answer is not where it is documented; return None if nothing in it counts."""
        try:
            row = restate(line)
            found = row_formats.measure(decode_row(row), row, self._is_by_character) if row else None
        except (*UNREADABLE, ContradictionError):
            return None
        return None if isinstance(found, RowUsage) and not found.metered else found

    def _is_by_character(self) -> bool:
        return self._prices.unit(self._model(None)) == "character"

    def _model(self, version: str | None) -> str:
        """Return a row's key in the price table: its own version if it has a price, else the job's model."""
        model = self._models.get(version)
        if model is None:
            if len(self._models) >= _MAX_REMEMBERED:
                self._models.clear()
            resolved = (self._prices.resolve(version) if version else None) or self._job_model
            model = self._models[version] = resolved or self._unpriced_model(version or self._job_model_name)
        return model

    def _unpriced_model(self, name: str) -> str:
        """Return the name of a model without a price; ``other`` beyond the limit on such names."""
        if len(name) > _MAX_MODEL_NAME or not name.isprintable():
            return OTHER_MODEL
        if name not in self._unpriced_models and len(self._unpriced_models) >= _MAX_UNPRICED_MODELS:
            return OTHER_MODEL
        self._unpriced_models.add(name)
        return name

    def _add_usage(self, row: RowUsage) -> None:
        sums = self._sums
        model = sums.model = self._model(row.model)
        window = self._prices.context_window(model, row.prompt_tokens)
        sums.succeeded += 1
        sums.unmetered += not row.metered
        if row.doubt and row.metered:
            sums.doubts[row.doubt] = sums.doubts.get(row.doubt, 0) + 1
        sums.input += row.input
        sums.cached += row.cached
        sums.output += row.output
        sums.thoughts += row.thoughts
        if row.waste:
            wasted = sums.wasted(row.waste)
            wasted.rows += 1
            wasted.unmetered += not row.metered
        for item, quantity in row.items.items():
            if quantity:
                sums.add(row.waste, (model, window, item), quantity, 1)
        for item, quantity in row.searches.items():
            add_to(sums.searches, (model, "", item), quantity, 1)
