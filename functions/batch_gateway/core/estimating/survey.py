"""Read the rows of a sample and estimate the whole input from them."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from batch_gateway.core.estimating.estimate import (
    MOST_SHOWN,
    Estimate,
    InvalidRow,
    describe_prices,
    exceeded_limits,
    with_prices,
)
from batch_gateway.core.estimating.habits import Habit
from batch_gateway.core.estimating.imports import Columns
from batch_gateway.core.estimating.model_limits import (
    Family,
    family_of,
    output_limit,
    prompt_limit,
    version_of,
)
from batch_gateway.core.estimating.needs import Needs, SizeOf, TargetModel
from batch_gateway.core.estimating.ranges import exactly
from batch_gateway.core.estimating.rows import read
from batch_gateway.core.estimating.sampling import MOST_ROWS, Line, Object
from batch_gateway.core.estimating.sums import (
    ChunkBuilder,
    EstimationContext,
    Extrapolation,
    SampleChunk,
    UnitCounts,
    extrapolate,
)
from batch_gateway.core.json_limits import count_values
from batch_gateway.core.lines import MAX_LINE_BYTES
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.pricing.prices import PriceTable

_TEXT = (
    "Input: tokens are guessed from the length of texts by script; the high is close to one token per byte."
)
_MEDIA = (
    "Images, video, audio and documents: Google's token rates; their playing time and number of pages "
    "are guessed from their size, or by default if that is unknown. The high is likely, not certain."
)
_UNCACHED = "Cached tokens: none, since hits cannot be foreseen; they cost less."
_SEARCH = "Fees for searches (grounding with Google Search and the like) are not in the amounts."


class Survey:
    """The rows of a sample, read place by place.

    Attributes:
        sampled: Number of rows so far.
    """

    def __init__(
        self,
        model: str,
        habit: Habit,
        prices: PriceTable,
        size_of: SizeOf,
        is_done: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        key = prices.resolve(model)
        self.sampled = 0
        self._is_done = is_done
        self._model = key or short_name(model)
        self._prices = prices
        self._family = family_of(model)
        gemini = self._family is Family.GEMINI
        by_character = prices.unit(key) == "character"
        self._asked = TargetModel(self._family, version_of(model), by_character, size_of)
        limit = prompt_limit(model) if gemini else None
        self._context = EstimationContext(prices, key, habit, output_limit(model), limit)
        self._columns = Columns()
        self._parts: list[SampleChunk] = []
        self._fatal_rows: list[InvalidRow] = []
        self._refused_rows: list[InvalidRow] = []
        self._invalid_rows = self._fatal = 0
        self._unlimited = self._limited = 0
        self._has_media = self._searches = False
        self._unbounded: dict[str, None] = {}

    def read(self, place: Object, lines: Iterable[Line], go_on: Callable[[], bool]) -> None:
        """Read the lines of a place until they end, or there are enough of them.

        Args:
            place: The object that contains them.
            lines: The lines.
            go_on: Returns True if there is time for another line.
        """
        builder = ChunkBuilder(self._context)
        size = 0
        for line in lines:
            size += line.size
            if line.content is None:
                self.sampled += 1
                builder.add(None, free=False)
                self._note_invalid(place, line, f"is longer than {MAX_LINE_BYTES} bytes", fatal=True)
                self._unbounded["a row is too long to be read"] = None
            elif line.content.strip():
                self._read_row(place, line, line.content, builder)
            if self.sampled >= MOST_ROWS or not go_on():
                break
        self._parts.append(builder.part(size))

    def _read_row(self, place: Object, line: Line, content: bytes, builder: ChunkBuilder) -> None:
        self.sampled += 1
        try:
            count_values(content)
        except ValueError as error:
            builder.add(None, free=False)
            self._note_invalid(place, line, f"cannot be weighed: {error}", fatal=False)
            self._unbounded["a row has too many values to be read"] = None
            return
        if self._is_done(content):
            builder.add(None, free=True)
            return
        row = read(content, self._asked, self._columns)
        if row.problem:
            self._note_invalid(place, line, row.problem, fatal=row.fatal)
        builder.add(row.needs, free=row.free)
        if row.needs is not None:
            self._note(row.needs)

    def _note_invalid(self, place: Object, line: Line, reason: str, *, fatal: bool) -> None:
        self._invalid_rows += 1
        self._fatal += fatal
        shown = self._fatal_rows if fatal else self._refused_rows
        if len(shown) < MOST_SHOWN:
            shown.append(InvalidRow(place.uri, line.number, reason))

    def _note(self, needs: Needs) -> None:
        if needs.unbounded:
            self._unbounded[needs.unbounded] = None
        self._has_media |= any(item != "input_text" for item in needs.input)
        self._searches |= needs.searches
        if needs.answers:
            self._limited += needs.limit is not None
            self._unlimited += needs.limit is None

    def estimate(self, size: int, *, location: str, at: datetime) -> Estimate:
        """Return the estimate of the whole input.

        Args:
            size: Size of the input in bytes.
            location: Where the job will run.
            at: The time whose prices are in force.
        """
        estimate = self._blank()
        if self._family is Family.CUSTOM:
            total = self._whole(size)
            estimate = msgspec.structs.replace(
                estimate, rows=total.rows.expected if total else None, exact_rows=bool(total and total.exact)
            )
            what = "custom models" if self._model else "the body has no model, and containers of your own"
            return estimate.with_warnings(
                f"The amounts are unknown: {what} are billed by the hour of their machines."
            )
        total = self._whole(size)
        if total is None:
            return estimate.with_warnings(
                "The amounts are unknown: no part of the input could be read in time."
            )
        estimate = with_prices(estimate, total, self._prices, location=location, at=at)
        estimate = msgspec.structs.replace(
            estimate,
            assumptions=(
                *self._assumptions(total, size),
                *describe_prices(self._model, self._prices, location=location, at=at),
            ),
            warnings=(
                *estimate.warnings,
                *self._prices.notices(self._model, location, at),
                *exceeded_limits(self._family, total.rows, size),
                *self._warnings(total),
            ),
        )
        if self._family.answers and self._unlimited and self._context.output_limit is None:
            self._unbounded["rows set no limit on their output, and the model's limit is unknown"] = None
        for reason in self._unbounded:
            estimate = estimate.without_high(f"The high is unknown: {reason}.")
        return estimate

    def estimate_of_table(self, rows: int, *, location: str, at: datetime) -> Estimate:
        """Return the estimate of a table whose rows are not read, from the usage of earlier jobs' rows.

        Args:
            rows: Number of rows of the table.
            location: As in estimate.
            at: As in estimate.
        """
        habit, key = self._context.habit, self._context.model_key
        estimate = self._blank()
        estimate = msgspec.structs.replace(estimate, rows=rows, exact_rows=True)
        if habit.input is None:
            return estimate.with_warnings(
                "The amounts are unknown: rows of a BigQuery table are counted, not read, and there is no "
                "history of this model to estimate from."
            )
        uses: tuple[UnitCounts, UnitCounts, UnitCounts] = (Counter(), Counter(), Counter())
        output = habit.output(Needs({}), None)
        for use, asked, written in zip(uses, habit.input, output, strict=True):
            window = self._prices.context_window(key, asked)
            use[window, "input_text"] = asked * rows
            use[window, habit.item] = written * rows
        total = Extrapolation(exactly(rows), True, habit.input.times(rows), output.times(rows), uses)  # noqa: FBT003 - a tuple
        estimate = with_prices(estimate, total, self._prices, location=location, at=at)
        units = "characters" if self._asked.by_character else "tokens"
        said = (
            f"Input: history, {habit.input.expected:,} {units} a row; the table's {rows:,} rows were not "
            "read."
        )
        estimate = msgspec.structs.replace(
            estimate,
            assumptions=(
                said,
                habit.said,
                _UNCACHED,
                *describe_prices(self._model, self._prices, location=location, at=at),
            ),
        )
        estimate = estimate.with_warnings(*self._prices.notices(self._model, location, at))
        estimate = estimate.with_warnings(*exceeded_limits(self._family, total.rows, 0))
        return estimate.without_high("The high is unknown: rows of a BigQuery table are counted, not read.")

    def unknown(self, reason: str) -> Estimate:
        """Return the estimate of an unknown input; the reason has no full stop."""
        return self._blank().with_warnings(f"The amounts are unknown: {reason}.")

    def _blank(self) -> Estimate:
        return Estimate(
            self._model,
            self._prices.version,
            sampled=self.sampled,
            invalid=self._invalid_rows,
            fatal=self._fatal,
            invalid_rows=(*self._fatal_rows, *self._refused_rows)[:MOST_SHOWN],
        )

    def _whole(self, size: int) -> Extrapolation | None:
        if not size:
            return extrapolate((), 0)
        return extrapolate(self._parts, size) if any(part.size for part in self._parts) else None

    def _assumptions(self, total: Extrapolation, size: int) -> list[str]:
        said = [
            "Input: characters without white space, counted, as this model is charged."
            if self._asked.by_character
            else _TEXT
        ]
        if self._has_media:
            said.append(_MEDIA)
        if not total.exact:
            read_bytes = sum(part.size for part in self._parts)
            said.append(
                f"Rows: {self.sampled:,} rows in {len(self._parts)} places were read, {read_bytes:,} of "
                f"{size:,} bytes; the rest is taken to be like it, a tenth less than the sparsest place to "
                "a tenth more than the densest."
            )
        if self._family.answers:
            said.append(self._context.habit.said)
            said += self._limit_assumptions()
            said.append(_UNCACHED)
        return said

    def _limit_assumptions(self) -> list[str]:
        said = []
        if self._limited:
            said.append(f"Output, high: maxOutputTokens (max_tokens) of the rows, in {self._limited:,} rows.")
        if self._unlimited and self._context.output_limit:
            said.append(
                f"Output, high: {self._context.output_limit:,} tokens, the model's documented limit, for "
                f"{self._unlimited:,} rows without maxOutputTokens. Set it to lower the high."
            )
        return said

    def _warnings(self, total: Extrapolation) -> list[str]:
        said = []
        if self._fatal:
            said.append(
                f"Rows that would fail the whole job before any row runs: {self._fatal:,} of those read. The "
                "amounts assume that they are corrected."
            )
        if self._searches:
            said.append(_SEARCH)
        if not total.rows.high:
            said.append("The input has no rows; Vertex AI fails such a job.")
        return said
