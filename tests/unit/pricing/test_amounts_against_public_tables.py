"""Compare the cost of a batch with what public price tables make of the same output.

Thousands of seeded random rows, as Vertex writes them, go through our whole path (line -> Tally -> cost_of),
through the package genai-prices (its own reading of usageMetadata, its own arithmetic), and through plain
Decimal arithmetic on the extracts of genai-prices and LiteLLM. Theirs plus the differences that
fixtures/prices/disagreements.py lists must be ours to the nano-dollar; a listed difference that no row
meets, or whose figures are no longer theirs, fails just as one that is not listed.

Rounding: ours rounds once a job, halves to the even neighbour. Theirs is summed over a job's rows exactly
(Decimal has the digits) and rounded in the same way, so that nothing is left to tolerate.
"""

from collections import defaultdict
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

import genai_prices
import pytest

from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import Cost, cost_of
from batch_gateway.core.rows import Tally
from fixtures.prices.disagreements import (
    COUNTED,
    GENAI,
    GROUPS,
    LITELLM,
    LITELLM_NEW,
    LITELLM_OLD,
    PRINTED,
    PRINTED_ONLY,
    PRINTED_UNTIL,
    SURCHARGES_SINCE,
    Rates,
    Ratio,
)
from fixtures.prices.outputs import Job, Row, random_jobs
from fixtures.prices.public_tables import GENAI_ITEMS, LITELLM_ITEMS, UPLIFT, genai_in_force, models

TABLE = prices.load()


class Rate(NamedTuple):
    """A table's charge for an item, in USD per million, and which of its prices that is.

    ``usd`` is ``printed * share``; the other fields say which was printed, as ``PRINTED`` does.
    """

    mode: str
    length: str
    item: str
    printed: Decimal
    share: Decimal = Decimal(1)

    @property
    def usd(self) -> Decimal:
        return self.printed * self.share


def genai_rate(entry: dict[str, Any], item: str, job: Job, row: Row) -> Rate:
    """Of the most specific key, a batch's before the standard's; cached tokens without one are fresh."""
    standard, batch = (
        genai_in_force(entry["standard"], job.at),
        genai_in_force(entry.get("batch", []), job.at),
    )
    family, _, kind = item.rpartition("_")
    kind = "image" if kind == "document" else kind
    keys = [f"{family}_{kind}_mtok", f"{family}_mtok"]
    if family == "cached_input":
        keys = [f"cache_{kind}_read_mtok", "cache_read_mtok", f"input_{kind}_mtok", "input_mtok"]
    key = next(key for key in keys if key in standard)
    mode, price = ("batch", batch[key]) if batch and key in batch else ("standard", standard[key])
    if not isinstance(price, str):
        ((above, long_price),) = price["tiers"]
        price = long_price if sum(row.prompt.values()) + row.tool_use > above else price["base"]
    return Rate(mode, row.length(job.model), GENAI_ITEMS[key], Decimal(price))


def litellm_rate(entry: dict[str, Any], item: str) -> Rate:
    """As ``batch_cost_calculator`` of LiteLLM 1.106.10 has it, without its floats.

    A batch's own keys, at any length of the prompt; cached tokens without one are fresh text. For a model
    without a batch's input key half of the standard text price, and half of the cached one or nothing.
    """
    family, _, kind = item.rpartition("_")

    def rate(key: str) -> Rate | None:
        if (price := entry.get(f"{key}_batches")) is not None:
            return Rate("batch", "short", LITELLM_ITEMS[key], price * 10**6)
        return None

    def half(key: str) -> Rate:
        return Rate(
            "standard", "short", LITELLM_ITEMS[key], Decimal(entry.get(key, 0)) * 10**6, Decimal("0.5")
        )

    if family == "output":
        image = "output_cost_per_image_token"
        if kind == "image" and (f"{image}_batches" in entry or image in entry):
            return rate(image) or half(image)
        return rate("output_cost_per_token") or half("output_cost_per_token")
    text = rate("input_cost_per_token")
    if family == "cached_input":
        cached = "cache_read_input_token_cost"
        return (rate(cached) or text) if text else half(cached)
    return (rate(f"input_cost_per_{kind}_token") or text) if text else half("input_cost_per_token")


def their_rate(table: str, entry: dict[str, Any], job: Job, row: Row, item: str) -> Rate:
    if table == GENAI:
        return genai_rate(entry, item, job, row)
    return litellm_rate(entry, item)


def their_surcharge(entry: dict[str, Any], job: Job) -> Decimal:
    """A multiplier on everything, from our day on; genai-prices has none."""
    if job.location == "global" or f"{job.at:%Y-%m-%d}" < SURCHARGES_SINCE:
        return Decimal(1)
    return Decimal(entry.get(UPLIFT, 1))


class Disagreements:
    """Those of one table; remembers which were met, and by which model, length and item."""

    def __init__(self, table: str) -> None:
        self._until = {model: day for (name, model), day in PRINTED_UNTIL.items() if name == table}
        self._printed = {entry[:4]: entry[4:] for entries in PRINTED[table].values() for entry in entries}
        cases = [case for cases in COUNTED[table].values() for case in cases]
        # A rate stands in for theirs, and what is times theirs comes on top of it.
        self._counted = sorted(cases, key=lambda case: isinstance(case, Ratio))
        self._of: defaultdict[tuple[str, str], list[tuple[int, Rates | Ratio]]] = defaultdict(list)
        for number, case in enumerate(self._counted):
            for model in case.models if isinstance(case, Ratio) else (case.model,):
                for item in (item for name in case.items.split() for item in GROUPS.get(name, (name,))):
                    self._of[model, item].append((number, case))
        self.met: set[tuple[Any, ...]] = set()

    @property
    def all(self) -> set[tuple[Any, ...]]:
        """Everything that ``met`` should hold in the end; a price of standard may have no part in a batch."""
        return {entry for entry in self._printed if entry[1] == "batch" and "gemini" in entry[0]} | {
            (number, model, length, item)
            for number, case in enumerate(self._counted)
            for model in (case.models if isinstance(case, Ratio) else (case.model,))
            for length in (("any",) if isinstance(case, Ratio) else case.lengths.split())
            for name in case.items.split()
            for item in GROUPS.get(name, (name,))
        }

    def ours(self, job: Job, row: Row, item: str, theirs: Rate) -> Decimal | None:
        """Our rate for an item before their surcharge, from theirs and what is listed; None: we have none."""
        length = row.length(job.model)
        usd = self._as_printed(job, theirs)
        for number, case in self._of[job.model, item]:
            if not _applies(case, job):
                continue
            if isinstance(case, Ratio):
                self.met.add((number, job.model, "any", item))
                usd = None if usd is None else usd * Decimal(case.times)
            elif length in case.lengths.split():
                self.met.add((number, job.model, length, item))
                assert Decimal(case.theirs) == theirs.usd, f"stale: {case}: theirs is {theirs.usd}"
                usd = None if case.ours is None else Decimal(case.ours)
        return usd

    def _as_printed(self, job: Job, theirs: Rate) -> Decimal | None:
        entry = (job.model, theirs.mode, theirs.length, theirs.item)
        ends = self._until.get(job.model)
        if entry not in self._printed or (ends is not None and f"{job.at:%Y-%m-%d}" >= ends):
            return theirs.usd
        self.met.add(entry)
        their_usd, our_usd = self._printed[entry]
        assert Decimal(their_usd) == theirs.printed, f"stale: {entry}: theirs is {theirs.printed}"
        return None if our_usd == "none" else Decimal(our_usd) * theirs.share


def _applies(case: Rates | Ratio, job: Job) -> bool:
    day = f"{job.at:%Y-%m-%d}"
    return (
        (case.since or "") <= day
        and (case.until is None or day < case.until)
        and not (isinstance(case, Ratio) and case.outside_global and job.location == "global")
    )


def our_cost(job: Job) -> Cost:
    tally = Tally(TABLE, job.model)
    for line in job.lines():
        tally.add(line)
    usage = tally.usage
    assert usage.rows.succeeded == usage.rows.total == len(job.rows)
    return cost_of(usage, TABLE, location=job.location, at=job.at)


def nano(usd_per_million: Decimal) -> int:
    """A sum of tokens times rates, rounded once."""
    return int((usd_per_million * 1000).quantize(Decimal(1), ROUND_HALF_EVEN))


def by_package(model: str, metadata: dict[str, Any], at: datetime) -> Decimal:
    """Return the cost of a response by the package genai-prices, in USD.

    It wants to be told of each modality whether it was cached; Vertex writes none that is nil.
    """
    usage = genai_prices.extract_usage({"usageMetadata": metadata}, provider_id="google").usage
    for kind in ("image", "video", "audio"):
        key = f"cache_{kind}_read_tokens"
        setattr(usage, key, usage.reported_value(key))
    return genai_prices.calc_price(
        usage,
        model,
        provider_id="google",
        genai_request_timestamp=at,
        price_context={"processing": "batch"},
    ).total_price


@pytest.mark.parametrize("table", [GENAI, LITELLM, LITELLM_NEW, LITELLM_OLD])
def test_ours_are_theirs_and_the_listed_differences(table):
    known, unequal, rows_seen = Disagreements(table), [], 0
    for model, entry in models(table).items():
        if "gemini" not in model or (table == LITELLM_NEW and model in PRINTED_ONLY):
            continue
        for job in random_jobs(table, model):
            expected, unpriced = Decimal(0), False
            surcharge = their_surcharge(entry, job)
            for row in job.rows:
                rows_seen += 1
                for item, count in row.items().items():
                    usd = known.ours(job, row, item, their_rate(table, entry, job, row, item))
                    expected += count * (usd or 0) * surcharge
                    unpriced |= usd is None
            cost = our_cost(job)
            if (cost.amount_nano, cost.unpriced_rows > 0) != (nano(expected), unpriced):
                unequal.append(
                    f"{job.model} at {job.at} in {job.location}: {nano(expected)} nano-USD by their table, "
                    f"unpriced: {unpriced}; ours {cost.amount_nano}, {cost.unpriced_rows}; {job.rows}"
                )
    assert not unequal, f"{len(unequal)} jobs, the first: {unequal[0]}"
    assert known.all - known.met == set()
    assert rows_seen > (150 if table == LITELLM_NEW else 500)


@pytest.mark.parametrize("table", COUNTED)
def test_what_is_listed_makes_a_difference(table):
    for case in (case for cases in COUNTED[table].values() for case in cases):
        if isinstance(case, Ratio):
            assert Decimal(case.times) != 1
        else:
            assert case.ours is None or Decimal(case.ours) != Decimal(case.theirs)


def test_the_extract_of_genai_prices_is_what_its_package_charges():
    for model, entry in models(GENAI).items():
        if "gemini" not in model:
            continue
        for job in random_jobs(GENAI, model):
            for row, metadata in zip(job.rows, job.metadata, strict=True):
                by_extract = sum(
                    (
                        count * their_rate(GENAI, entry, job, row, item).usd
                        for item, count in row.items().items()
                    ),
                    Decimal(0),
                )
                assert by_package(model, metadata, job.at) * 10**6 == by_extract, (job, row)


def test_tokens_of_tool_use_make_no_prompt_long():
    """Google speaks of the prompt: ours goes by its count alone, genai-prices adds what tools put in."""
    row = Row({"text": 200_000}, {}, {"text": 10}, thoughts=0, tool_use=1)
    metadata = {"promptTokenCount": 200_000, "candidatesTokenCount": 10, "toolUsePromptTokenCount": 1}
    at = datetime(2026, 11, 22, tzinfo=UTC)
    ours = our_cost(Job("gemini-2.5-pro", at, "global", [row], [metadata])).amount_nano
    assert ours == nano(200_001 * Decimal("0.625") + 10 * Decimal(5))
    assert by_package("gemini-2.5-pro", metadata, at) * 10**9 == nano(200_001 * Decimal("1.25") + 75)
