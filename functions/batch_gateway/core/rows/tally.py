"""Sum up the rows of one output object."""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from batch_gateway.core.json_io import UNREADABLE, decode_member, is_given
from batch_gateway.core.pricing.modalities import ContradictionError, modality_name
from batch_gateway.core.pricing.models import OTHER_MODEL
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows import gemini, messages, predictions
from batch_gateway.core.rows.carried import carried_over_test
from batch_gateway.core.rows.elsewhere import restate
from batch_gateway.core.rows.measured import ErrorRow, RowUsage, UnrecognizedError
from batch_gateway.core.rows.plain import PlainRows
from batch_gateway.core.rows.row import (
    Row,
    decode_row,
    is_answered,
    is_predicted,
    make_readable,
    member_names,
)
from batch_gateway.core.rows.waste import answer_waste, failure, is_error
from batch_gateway.core.usage import Key, Quantity, Rows, Tokens, Unpriced, Usage, Waste, quantities_of

_MAX_UNPRICED_MODELS = 32
"""Most models without a price that are summed apart, since rows may name any model."""
_MAX_MODEL_NAME = 128
_MAX_REMEMBERED = 256
"""Most entries of the cache of model keys."""
_MAX_NAMED_ROWS = 5


_Sums = dict[Key, list[int]]


class _Wasted:
    """Sums over the useless rows of one (kind, reason)."""

    def __init__(self) -> None:
        self.rows = self.unmetered = 0
        self.sums: _Sums = {}


class UnrecognizedRow(NamedTuple):
    """A row of no known shape.

    Attributes:
        row: Its number among the rows that were added, from 1.
        members: Names of its members, up to a limit.
    """

    row: int
    members: tuple[str, ...]


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
        self._succeeded = self._failed = self._malformed = self._carried_over = self._unmetered = 0
        self._unrecognized = 0
        self._input = self._cached = self._output = self._thoughts = 0
        self._sums: _Sums = {}
        self._searches: _Sums = {}
        self._waste: dict[tuple[str, str], _Wasted] = {}
        self._doubts: Counter[str] = Counter()
        self._plain = PlainRows(prices.shortest_window)

    @property
    def usage(self) -> Usage:
        """The usage that has been added so far."""
        self._flush_plain()
        return Usage(
            rows=Rows(
                succeeded=self._succeeded,
                failed=self._failed,
                malformed=self._malformed,
                carried_over=self._carried_over,
                unmetered=self._unmetered,
                unrecognized=self._unrecognized,
            ),
            tokens=Tokens(self._input, self._cached, self._output, self._thoughts),
            quantities=_quantities(self._sums),
            searches=_quantities(self._searches),
            waste=tuple(
                Waste(kind, reason, wasted.rows, wasted.unmetered, _quantities(wasted.sums))
                for (kind, reason), wasted in sorted(self._waste.items())
            ),
            unpriced=tuple(Unpriced(*doubt) for doubt in sorted(self._doubts.items())),
        )

    def add_malformed(self) -> None:
        """Count a line that could not even be read, such as one beyond the size limit."""
        self._malformed += 1

    def add_failed(self, *causes: Any) -> None:
        """Count a failed row under the reason that `waste.failure` derives from the causes."""
        self._failed += 1
        self._wasted(failure(*causes)).rows += 1

    def add(self, line: bytes) -> None:
        """Add one line of output, without its line break; a blank line is ignored."""
        self.add_lines((line,))

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
        for (version, reason, asked, said), plain in self._plain.drain():
            waste = answer_waste([reason])
            if waste:
                self._wasted(waste).rows += plain.rows
            model = self._model(version)
            window = self._prices.context_window(model, 1)
            others = [(f"input_{modality}", *count) for modality, count in plain.others.items()]
            for item, quantity, rows in (
                *others,
                (f"input_{modality_name(asked)}", plain.prompt - plain.cached, plain.rows),
                (f"cached_input_{modality_name(asked)}", plain.cached, plain.cached_rows),
                (f"output_{modality_name(said)}", plain.answered, plain.rows),
                ("output_thoughts", plain.thoughts, plain.thought_rows),
            ):
                if quantity:
                    self._add(waste, (model, window, item), quantity, rows)
            self._succeeded += plain.rows
            self._input += plain.prompt + sum(tokens for tokens, _ in plain.others.values())
            self._cached += plain.cached
            self._output += plain.answered + plain.thoughts
            self._thoughts += plain.thoughts

    def _add_unreadable(self, line: bytes) -> None:
        """Add a line that msgspec rejects: it is blank, unusual or malformed."""
        if not line.removeprefix(BOM_UTF8).strip():
            return
        try:
            line = make_readable(line)
            row = decode_row(line)
        except UNREADABLE:
            self._malformed += 1
        else:
            self._add_row(row, line)

    def _add_row(self, row: Row, line: bytes) -> None:
        try:
            self._classify(row, line)
        except (*UNREADABLE, ContradictionError):
            self._malformed += 1
        except UnrecognizedError:
            self._add_unrecognized(line)

    def _add_unrecognized(self, line: bytes) -> None:
        self._unrecognized += 1
        if len(self.unrecognized) < _MAX_NAMED_ROWS:
            so_far = self._failed + self._malformed + self._carried_over + self._unrecognized
            number = so_far + self._succeeded + self._plain.rows
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
            self._carried_over += 1
            return
        found = self._measure(row, line) if there else self._measure_elsewhere(line)
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

    def _measure(self, row: Row, line: bytes) -> RowUsage | ErrorRow | None:
        """Return the usage of a row, or its error; None if it shows neither."""
        response = row.response
        if response is None or not is_answered(row, line):
            by_character = self._prices.unit(self._model(None)) == "character"
            return predictions.measure(row.predictions, row.instance, by_character=by_character)
        other = is_given(response.usage) or is_given(response.body) or not gemini.is_answer(response)
        if response.usage_metadata is None and other:
            return messages.measure(line)
        return gemini.measure(response, line)

    def _measure_elsewhere(self, line: bytes) -> RowUsage | ErrorRow | None:
        """Measure a row whose answer is not where it is documented; return None if nothing in it counts."""
        try:
            row = restate(line)
            found = self._measure(decode_row(row), row) if row else None
        except (*UNREADABLE, ContradictionError):
            return None
        return None if isinstance(found, RowUsage) and not found.metered else found

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

    def _wasted(self, kind_and_reason: tuple[str, str]) -> _Wasted:
        wasted = self._waste.get(kind_and_reason)
        if wasted is None:
            wasted = self._waste[kind_and_reason] = _Wasted()
        return wasted

    def _add_usage(self, row: RowUsage) -> None:
        model = self._model(row.model)
        window = self._prices.context_window(model, row.prompt_tokens)
        self._succeeded += 1
        self._unmetered += not row.metered
        if row.doubt and row.metered:
            self._doubts[row.doubt] += 1
        self._input += row.input
        self._cached += row.cached
        self._output += row.output
        self._thoughts += row.thoughts
        if row.waste:
            wasted = self._wasted(row.waste)
            wasted.rows += 1
            wasted.unmetered += not row.metered
        for item, quantity in row.items.items():
            if quantity:
                self._add(row.waste, (model, window, item), quantity, 1)
        for item, quantity in row.searches.items():
            _add(self._searches, (model, "", item), quantity, 1)

    def _add(self, waste: tuple[str, str] | None, key: Key, quantity: int, rows: int) -> None:
        _add(self._sums, key, quantity, rows)
        if waste:
            _add(self._wasted(waste).sums, key, quantity, rows)


def _add(sums: _Sums, key: Key, quantity: int, rows: int) -> None:
    entry = sums.get(key)
    if entry is None:
        sums[key] = [quantity, rows]
    else:
        entry[0] += quantity
        entry[1] += rows


def _quantities(sums: _Sums) -> tuple[Quantity, ...]:
    return quantities_of((key, (quantity, rows)) for key, (quantity, rows) in sums.items())
