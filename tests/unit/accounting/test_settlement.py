"""Changes of a job and of the totals by settling outputs."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.accounting.settlement import (
    Change,
    DailyTotal,
    ItemTotal,
    Output,
    TotalDelta,
    TotalKey,
    settle_output,
    supersede,
    supersedes,
    total_deltas,
)
from batch_gateway.core.jobs.record import JobKey, JobRecord
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import Cost, cost_of
from batch_gateway.core.usage import Quantity, Rows, Tokens, Usage, quantities_of
from builders import job_record, usage

TABLE = prices.load()
CREATED = datetime(2026, 11, 22, 13, 59, 59, tzinfo=UTC)
SETTLED = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
DIRECTORY = "gs://bucket/out/prediction-model-2026-11-22T14:00:00.000000Z"
FLASH, PRO, LITE, UNKNOWN = "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.1-flash-lite", "tuned"

JOB = job_record(CREATED, seen={"labels": {"environment": "production"}})


def output(content: Usage, generation: int = 1, file: str = "predictions.jsonl", **members: Any) -> Output:
    return Output(f"{DIRECTORY}/{file}", generation, 100, content, SETTLED, **members)


def settled(job: JobRecord, old: Output | None, new: Output) -> Change:
    change = settle_output(job, old, [], new, TABLE)
    assert change is not None
    return change


# One output


def test_a_first_output_gives_its_usage_and_cost_to_the_job() -> None:
    job, _ = settled(JOB, None, output(usage(1000)))
    assert job.usage == usage(1000)
    assert job.cost == cost_of(usage(1000), TABLE, location="us-central1", at=CREATED)
    assert job.cost.amount_nano == 150_000  # 1000 x 0.15/1M
    assert (job.settled_outputs, job.unreadable_outputs) == (1, 0)


def test_settling_leaves_all_else_of_the_job_alone() -> None:
    job, _ = settled(JOB, None, output(usage(1000)))
    changed = {"usage", "cost", "settled_outputs", "result_outputs"}
    assert {f for f in JOB.__struct_fields__ if getattr(job, f) != getattr(JOB, f)} == changed


@pytest.mark.parametrize("generation", [0, 4, 5])
def test_the_same_or_an_older_generation_changes_nothing(generation: int) -> None:
    old = output(usage(1000), generation=5)
    assert settle_output(JOB, old, [], output(usage(7), generation=generation), TABLE) is None


def test_an_overwritten_output_replaces_what_it_said_before() -> None:
    first = output(usage(1000), generation=1)
    job, _ = settled(JOB, None, first)
    job, moved = settled(job, first, output(usage(400, PRO), generation=2))
    assert job.usage == usage(400, PRO)
    assert job.cost.amount_nano == 250_000  # 400 x 0.625/1M
    assert job.settled_outputs == 1
    assert [(total.model, delta.amount_nano) for total, delta in moved] == [
        (FLASH, -150_000),
        (PRO, 250_000),
    ]
    assert moved[0][1].quantities == {"input_text": -1000}


def test_outputs_of_a_job_add_up_and_are_rounded_once() -> None:
    # 12.5 nano-USD each: rounded one by one they would be 12 + 12, but they are 25.
    job = msgspec.structs.replace(JOB, key=JobKey("my-project", "global", "5678"))
    amounts = []
    for file in ("predictions.jsonl-00000-of-00002", "predictions.jsonl-00001-of-00002"):
        job, moved = settled(job, None, output(usage(1, LITE, "cached_input_text"), file=file))
        amounts.append(moved[0][1].amount_nano)
    assert (job.cost.amount_nano, job.settled_outputs, job.usage.rows.succeeded) == (25, 2, 2)
    assert amounts == [12, 13]


def incremental(content: Usage, number: int = 1, **members: Any) -> Output:
    return output(content, file=f"incremental_predictions/{number}.jsonl", **members)


def test_a_final_output_takes_the_place_of_incremental_ones() -> None:
    increments = [incremental(usage(300)), incremental(usage(9), 2, unreadable="is gz, which is binary")]
    job = JOB
    for each in increments:
        job, _ = settled(job, None, each)
    assert (job.usage, job.incremental_outputs, job.unreadable_outputs) == (usage(300) + usage(9), 2, 1)
    final = output(usage(1000))
    assert supersedes(job, final)

    change = settle_output(job, None, increments, final, TABLE)

    assert change is not None
    job, moved = change
    assert (job.usage, job.cost.amount_nano) == (usage(1000), 150_000)
    assert (job.incremental_outputs, job.result_outputs, job.unreadable_outputs) == (0, 1, 0)
    assert [delta.quantities for _, delta in moved] == [{"input_text": 1000 - 309}]
    assert not supersedes(job, output(usage(1), file="predictions_0002.jsonl"))
    after = supersede(increments[1], SETTLED)
    assert (after.usage, after.unreadable, after.is_counted_increment) == (Usage(), None, False)


def test_incremental_rows_do_not_count_beside_final_ones() -> None:
    job, _ = settled(JOB, None, output(usage(1000)))
    assert settle_output(job, None, [], incremental(usage(300)), TABLE) is None


@pytest.mark.parametrize("other", [output(Usage(), generation=0), output(Usage(), file="errors_0001.jsonl")])
def test_what_holds_no_results_leaves_incremental_rows_in(other: Output) -> None:
    job, _ = settled(JOB, None, incremental(usage(300)))
    assert not supersedes(job, other)
    job, _ = settled(job, None, other)
    assert (job.usage, job.result_outputs) == (usage(300), 0)


def test_a_result_that_was_lost_and_is_written_again_counts_as_one() -> None:
    lost = output(Usage(), generation=0, unreadable="deleted before it could be read")
    job, _ = settled(JOB, None, lost)
    job, _ = settled(job, lost, output(usage(5), generation=7))
    job, _ = settled(job, output(usage(5), generation=7), output(usage(6), generation=8))
    assert (job.result_outputs, job.settled_outputs, job.usage) == (1, 1, usage(6))


def test_the_order_of_shards_does_not_matter() -> None:
    shards = [
        output(usage(n, model), file=f"predictions.jsonl-{n}-of-4")
        for n, model in enumerate((FLASH, PRO, LITE, FLASH), 1)
    ]
    ends = []
    for order in itertools.permutations(shards):
        job = JOB
        for shard in order:
            job, _ = settled(job, None, shard)
        ends.append(job)
    assert all(end == ends[0] for end in ends)


def test_unreadable_outputs_are_counted_until_they_can_be_read() -> None:
    broken = output(Usage(), generation=1, unreadable="gzip")
    job, moved = settled(JOB, None, broken)
    assert (job.settled_outputs, job.unreadable_outputs) == (1, 1)
    assert [delta for _, delta in moved] == [TotalDelta(55, 0, {}, {}, unpriced_rows=1)]
    still = output(Usage(), generation=2, unreadable="gzip")
    job, _ = settled(job, broken, still)
    assert (job.settled_outputs, job.unreadable_outputs) == (1, 1)
    job, _ = settled(job, still, output(usage(5), generation=3))
    assert (job.settled_outputs, job.unreadable_outputs) == (1, 0)
    job, _ = settled(job, output(usage(5), generation=3), output(Usage(), generation=4, unreadable="gzip"))
    assert (job.settled_outputs, job.unreadable_outputs, job.cost.amount_nano) == (1, 1, 0)


CLOSED = msgspec.structs.replace(JOB, closed=True, next_look=datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("new", [output(usage(5)), output(Usage(), unreadable="gzip")])
def test_what_changes_a_closed_job_opens_it_again(new: Output) -> None:
    job, _ = settled(CLOSED, None, new)
    assert (job.closed, job.reopened, job.next_look) == (False, 1, None)
    job, _ = settled(job, None, output(usage(5), file="predictions_0002.jsonl"))
    assert (job.closed, job.reopened) == (False, 1)


def test_what_changes_nothing_leaves_a_closed_job_closed() -> None:
    closed = msgspec.structs.replace(settled(JOB, None, output(usage(5)))[0], closed=True)
    for old, new in (
        (output(usage(5)), output(usage(5), generation=2)),
        (None, output(Usage(), file="errors_1.jsonl")),
    ):
        job, moved = settled(closed, old, new)
        assert (job.closed, job.reopened, moved) == (True, 0, [])


def test_any_output_opens_a_job_again_that_was_closed_without_all_of_it() -> None:
    lacking = msgspec.structs.replace(CLOSED, output_missing=True)
    assert settled(lacking, None, output(Usage()))[0].reopened == 1


def test_the_time_that_a_job_began_to_run_decides_its_price() -> None:
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    spent = output(usage(10**6, "gemini-3.6-flash"))
    queued = msgspec.structs.replace(JOB, create_time=new_year - timedelta(hours=1))
    started = msgspec.structs.replace(queued, seen=msgspec.structs.replace(JOB.seen, start_time=new_year))
    cheap, dear = settled(queued, None, spent)[0], settled(started, None, spent)[0]
    assert dear.cost.amount_nano == 2 * cheap.cost.amount_nano > 0


def test_a_price_that_became_known_moves_with_the_next_output() -> None:
    unpriced = msgspec.structs.replace(JOB, usage=usage(1000), cost=Cost(), settled_outputs=1)
    job, moved = settled(unpriced, None, output(usage(1000), file="predictions.jsonl-1-of-2"))
    assert job.cost.amount_nano == 300_000
    assert moved[0][1].amount_nano == 300_000


# Movements


def test_a_movement_says_what_was_used_and_what_it_cost_by_item() -> None:
    mixed = Usage(
        Rows(succeeded=2),
        Tokens(),
        (
            Quantity(FLASH, "0-200k", "input_hologram", 7, 1),
            Quantity(FLASH, "0-200k", "input_text", 1000, 2),
            Quantity(FLASH, "200k-1M", "input_text", 3000, 1),
            Quantity(FLASH, "0-200k", "output_text", 4, 2),
        ),
    )
    _, [(total, delta)] = settled(JOB, None, output(mixed))
    assert total.model == FLASH
    # (1000 + 3000) x 0.15/1M and 4 x 1.25/1M
    assert delta == TotalDelta(
        quarter=55,
        amount_nano=605_000,
        quantities={"input_hologram": 7, "input_text": 4000, "output_text": 4},
        amounts_nano={"input_text": 600_000, "output_text": 5_000},
        unpriced_rows=1,
    )


def test_nothing_moves_where_nothing_changed() -> None:
    first = output(usage(1000), generation=1)
    job, _ = settled(JOB, None, first)
    assert settled(job, first, output(usage(1000), generation=2))[1] == []
    assert total_deltas(job, job) == []


def test_use_without_a_price_moves_quantities_only() -> None:
    _, [(total, delta)] = settled(JOB, None, output(usage(1000, UNKNOWN)))
    assert (total.model, delta.amount_nano, delta.amounts_nano) == (UNKNOWN, 0, {})
    assert delta.quantities == {"input_text": 1000}
    assert delta.unpriced_rows == 1


def test_only_what_changed_is_in_a_movement() -> None:
    both = usage(1000) + usage(10, item="output_text")
    first = output(both, generation=1)
    job, _ = settled(JOB, None, first)
    _, [(_, delta)] = settled(job, first, output(usage(1000), generation=2))
    assert delta == TotalDelta(55, -12_500, {"output_text": -10}, {"output_text": -12_500})


def test_a_price_alone_can_move() -> None:
    dearer = msgspec.structs.replace(
        JOB, cost=cost_of(usage(1000), TABLE, location="us-central1", at=CREATED), usage=usage(1000)
    )
    item = msgspec.structs.replace(dearer.cost.line_items[0], amount_nano=149_999)
    cheaper = msgspec.structs.replace(dearer, cost=msgspec.structs.replace(dearer.cost, line_items=(item,)))
    [(_, delta)] = total_deltas(cheaper, dearer)
    assert delta == TotalDelta(55, 1, {}, {"input_text": 1})


# Cells of the totals


def cell(job: JobRecord = JOB) -> tuple[TotalKey, TotalDelta]:
    [moved] = settled(job, None, output(usage(1000)))[1]
    return moved


def test_a_cell_is_named_by_all_that_spend_is_grouped_by() -> None:
    assert cell()[0] == TotalKey(
        day="2026-11-22",
        model=FLASH,
        api_key="nightly",
        team="search",
        project="my-project",
        location="us-central1",
        labels={"environment": "production"},
    )


def test_the_label_that_tells_submissions_apart_makes_no_cell_of_its_own() -> None:
    labels = {**JOB.seen.labels, "gateway_submission": "0123456789abcdef"}
    marked = msgspec.structs.replace(JOB, seen=msgspec.structs.replace(JOB.seen, labels=labels))
    assert cell(marked)[0] == cell()[0]


def test_a_job_made_outside_the_gateway_has_no_key_and_no_team() -> None:
    total, _ = cell(msgspec.structs.replace(JOB, api_key=None, team=None))
    assert (total.api_key, total.team) == ("", "")


def test_day_and_quarter_of_an_hour_are_those_of_the_creation_in_utc() -> None:
    late = datetime(2026, 11, 22, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    total, delta = cell(msgspec.structs.replace(JOB, create_time=late))
    assert (total.day, delta.quarter) == ("2026-11-23", 18)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("day", "2026-11-23"),
        ("model", PRO),
        ("api_key", "other"),
        ("team", "other"),
        ("project", "other"),
        ("location", "global"),
        ("labels", {}),
        ("labels", {"environment": "test"}),
    ],
)
def test_cells_that_differ_have_different_documents(member: str, value: Any) -> None:
    total = cell()[0]
    assert msgspec.structs.replace(total, **{member: value}).id != total.id


def test_members_cannot_run_into_each_other() -> None:
    total = cell()[0]
    one = msgspec.structs.replace(total, api_key="ab", team="c")
    other = msgspec.structs.replace(total, api_key="a", team="bc")
    assert one.id != other.id


def test_the_order_of_labels_makes_no_other_cell() -> None:
    total = cell()[0]
    one = msgspec.structs.replace(total, labels={"a": "1", "b": "2"})
    other = msgspec.structs.replace(total, labels={"b": "2", "a": "1"})
    assert one.id == other.id


def test_the_document_of_a_cell_is_found_by_its_day_and_never_changes_its_name() -> None:
    total = cell()[0]
    assert total.id.startswith("2026-11-22:")
    # A store in use has documents of this name: another one would split every cell.
    assert total.id == "2026-11-22:2390e2c64cc41e14ff70838ff33471a6"


def test_a_cell_holds_what_moved_into_it() -> None:
    total, delta = cell()
    into = DailyTotal(
        **msgspec.structs.asdict(total),
        quarters={str(delta.quarter): delta.amount_nano},
        items={"input_text": ItemTotal(1000, 150_000)},
    )
    assert msgspec.convert(msgspec.to_builtins(into), DailyTotal) == into


def test_an_output_has_one_document_whatever_its_generation() -> None:
    first = output(usage(1))
    assert first.id == output(usage(2), generation=9).id
    assert first.id != output(usage(1), file="predictions_0001.jsonl").id
    assert first.id.isalnum()


# Any sequence of settlements

_ITEMS = st.sampled_from(
    ["input_text", "cached_input_text", "cached_input_audio", "output_text", "input_hologram"]
)
_KEYS = st.tuples(
    st.sampled_from([FLASH, PRO, LITE, UNKNOWN]), st.sampled_from(["0-200k", "200k-1M"]), _ITEMS
)
_USAGES = st.builds(
    Usage,
    rows=st.builds(Rows, *[st.integers(0, 9)] * 5),
    tokens=st.builds(Tokens, *[st.integers(0, 10**6)] * 4),
    quantities=st.dictionaries(
        _KEYS, st.tuples(st.integers(1, 99) | st.integers(1, 10**6), st.integers(1, 9)), max_size=6
    ).map(lambda sums: quantities_of(sums.items())),
)
_OPERATIONS = st.lists(
    st.builds(
        Output,
        uri=st.sampled_from([f"{DIRECTORY}/predictions.jsonl-{n}-of-3" for n in range(3)]),
        generation=st.integers(1, 4),
        bytes=st.just(1),
        usage=_USAGES,
        settled_at=st.just(SETTLED),
        unreadable=st.none() | st.just("gzip"),
    ),
    max_size=10,
    unique_by=lambda new: (new.uri, new.generation),  # a generation has one content
)
_LOCATIONS = st.sampled_from(["global", "us-central1"])


def play(
    operations: list[Output], location: str
) -> tuple[JobRecord, dict[str, Output], list[tuple[TotalKey, TotalDelta]]]:
    """A store in small: applies what the books say, each operation twice, as events come twice."""
    job = msgspec.structs.replace(JOB, key=JobKey("my-project", location, "5678"))
    stored: dict[str, Output] = {}
    moved = []
    for new in itertools.chain.from_iterable((new, new) for new in operations):
        change = settle_output(job, stored.get(new.uri), [], new, TABLE)
        if change is not None:
            job, changes = change
            moved += changes
            stored[new.uri] = new
    return job, stored, moved


@given(_OPERATIONS, _LOCATIONS)
def test_the_job_is_the_sum_of_the_newest_generations(operations: list[Output], location: str) -> None:
    job, stored, _ = play(operations, location)
    newest: dict[str, Output] = {}
    for new in sorted(operations, key=lambda new: new.generation):
        newest[new.uri] = new
    assert stored == newest
    assert job.usage == sum((new.usage for new in newest.values()), Usage())
    assert job.cost.amount_nano == cost_of(job.usage, TABLE, location=location, at=CREATED).amount_nano
    assert job.settled_outputs == len(newest)
    assert job.unreadable_outputs == sum(new.unreadable is not None for new in newest.values())


@given(_OPERATIONS, _LOCATIONS)
def test_all_movements_together_are_the_job_model_by_model(operations: list[Output], location: str) -> None:
    job, _, moved = play(operations, location)
    amounts: Counter[tuple[str, str]] = Counter()
    quantities: Counter[tuple[str, str]] = Counter()
    for total, delta in moved:
        assert delta.amount_nano == sum(delta.amounts_nano.values())
        assert delta.amounts_nano or delta.quantities or delta.unpriced_rows
        assert 0 not in (*delta.amounts_nano.values(), *delta.quantities.values())
        amounts.update({(total.model, item): nano for item, nano in delta.amounts_nano.items()})
        quantities.update({(total.model, item): n for item, n in delta.quantities.items()})
    of_job: Counter[tuple[str, str]] = Counter()
    used: Counter[tuple[str, str]] = Counter()
    for item in job.cost.line_items:
        of_job[item.model, item.item] += item.amount_nano or 0
        used[item.model, item.item] += item.quantity
    assert {key: n for key, n in amounts.items() if n} == {key: n for key, n in of_job.items() if n}
    assert {key: n for key, n in quantities.items() if n} == dict(used)
    assert amounts.total() == job.cost.amount_nano
    unpriced = sum(delta.unpriced_rows for _, delta in moved)
    assert unpriced == sum(delta.unpriced_rows for _, delta in total_deltas(JOB, job))
    floor = job.cost.unpriced_rows + job.usage.rows.unread + job.unreadable_outputs
    assert (unpriced > 0) == (floor > 0)


@given(_OPERATIONS, _LOCATIONS, st.randoms(use_true_random=False))
def test_books_do_not_depend_on_the_order_of_events(
    operations: list[Output], location: str, random: Any
) -> None:
    shuffled = operations.copy()
    random.shuffle(shuffled)
    assert play(shuffled, location)[:2] == play(operations, location)[:2]
