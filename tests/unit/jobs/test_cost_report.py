"""A job's cost as callers see it."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS, Bounds
from batch_gateway.core.jobs.cost_report import cost_report, is_complete, status_of
from batch_gateway.core.jobs.record import Completion, JobRecord
from batch_gateway.core.pricing.cost import Cost, LineItem, QueryCost, WastedCost
from batch_gateway.core.usage import Rows, Tokens, Unpriced, Usage
from builders import job_record

AT = datetime(2026, 11, 22, tzinfo=UTC)
URI = "gs://out/prediction-model-2026-11-22T00:00:00.000000Z/predictions.jsonl"
USAGE = Usage(
    Rows(succeeded=4, failed=1),
    Tokens(input=120, cached_input=10, output=64, thoughts=12),
)
COST = Cost(
    line_items=(
        LineItem("gemini-2.5-flash", "0-200k", "input_text", 120, "token", 150_000, 18_000, 4),
        LineItem("gemini-2.5-flash", "0-200k", "output_text", 64, "token", 1_250_000, 80_000, 4),
    ),
    amount_nano=98_000,
    price_table="2026-11-22",
)
JOB = job_record(
    AT,
    seen={"labels": {"environment": "production"}, "completion": Completion(successful=4, failed=1)},
    usage=USAGE,
    cost=COST,
    settled_outputs=1,
    closed=True,
)
OUTPUT = Output(URI, 1_763_800_000_000_000, 2048, USAGE, AT)


def job(**members: Any) -> JobRecord:
    """The job with other members; ``state`` and ``completion`` are those of its observation."""
    seen = {name: members.pop(name) for name in ("state", "completion", "model") if name in members}
    return msgspec.structs.replace(JOB, seen=msgspec.structs.replace(JOB.seen, **seen), **members)


def running(**members: Any) -> JobRecord:
    return job(state="JOB_STATE_RUNNING", closed=False, **members)


def report_of(record: JobRecord, outputs: Iterable[Output]) -> dict[str, Any]:
    """Return a report as its JSON reads."""
    report: dict[str, Any] = json.loads(msgspec.json.encode(cost_report(record, outputs)))
    return report


def test_a_settled_job_reads_so_to_the_letter() -> None:
    report = report_of(JOB, [OUTPUT])
    report.pop("estimate")
    assert report == {
        "name": "projects/1234/locations/us-central1/batchPredictionJobs/5678",
        "state": "JOB_STATE_SUCCEEDED",
        "status": "FINAL",
        "currency": "USD",
        "amount": "0.000098",
        "complete": True,
        "model": "gemini-2.5-flash",
        "team": "search",
        "apiKey": "nightly",
        "labels": {"environment": "production"},
        "rows": {
            "succeeded": 4,
            "failed": 1,
            "malformed": 0,
            "unrecognized": 0,
            "unpriced": 0,
            "carriedOver": 0,
        },
        "unpricedReasons": [],
        "usage": {
            "inputTokens": 120,
            "cachedInputTokens": 10,
            "outputTokens": 64,
            "thoughtsTokens": 12,
            "totalTokens": 184,
        },
        "lineItems": [
            {
                "item": "input_text",
                "model": "gemini-2.5-flash",
                "contextWindow": "0-200k",
                "quantity": 120,
                "unit": "token",
                "unitPrice": "0.00000015",
                "amount": "0.000018",
            },
            {
                "item": "output_text",
                "model": "gemini-2.5-flash",
                "contextWindow": "0-200k",
                "quantity": 64,
                "unit": "token",
                "unitPrice": "0.00000125",
                "amount": "0.00008",
            },
        ],
        "waste": {"amount": "0", "reasons": []},
        "queryFees": None,
        "priceTable": "2026-11-22",
        "projected": None,
        "progress": {"completed": 5, "total": 5},
        "outputs": [{"uri": URI, "generation": "1763800000000000", "bytes": 2048, "rows": 5}],
        "resumedFrom": None,
        "resumedBy": None,
    }


@pytest.mark.parametrize("some", [JOB, running(), running(usage=Usage(), cost=Cost(), settled_outputs=0)])
def test_the_members_are_the_same_at_any_time_and_in_their_order(some: JobRecord) -> None:
    assert list(report_of(some, [])) == [
        "name",
        "state",
        "status",
        "currency",
        "amount",
        "complete",
        "model",
        "team",
        "apiKey",
        "labels",
        "rows",
        "unpricedReasons",
        "usage",
        "lineItems",
        "waste",
        "queryFees",
        "priceTable",
        "estimate",
        "projected",
        "progress",
        "outputs",
        "resumedFrom",
        "resumedBy",
    ]


def test_resumed_jobs_name_each_other() -> None:
    report = report_of(job(resumed_from="projects/1/a", resumed_by="projects/1/b"), [])
    assert (report["resumedFrom"], report["resumedBy"]) == ("projects/1/a", "projects/1/b")


def test_rows_that_a_cancelled_job_lists_without_an_answer_are_not_completed() -> None:
    stats = Completion(successful=3, failed=1, incomplete=6)
    cancelled = job(
        state="JOB_STATE_CANCELLED", completion=stats, usage=Usage(rows=Rows(succeeded=3, failed=7))
    )
    assert report_of(cancelled, [])["progress"] == {"completed": 4, "total": 10}


def test_before_anything_is_settled_the_amount_is_nought_and_no_table_was_used() -> None:
    report = report_of(running(usage=Usage(), cost=Cost(), settled_outputs=0, completion=None), [])
    assert (report["status"], report["amount"], report["priceTable"]) == ("PENDING", "0", None)
    assert (report["lineItems"], report["outputs"], report["projected"]) == ([], [], None)
    assert report["progress"] == {"completed": None, "total": None}


def test_a_job_made_outside_the_gateway_has_neither_key_nor_team() -> None:
    report = report_of(job(api_key=None, team=None), [])
    assert (report["apiKey"], report["team"]) == (None, None)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("projects/p/locations/l/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("projects/p/locations/l/models/123@2", "123@2"),
        ("", ""),
    ],
)
def test_the_model_is_named_shortly(model: str, name: str) -> None:
    assert report_of(job(model=model), [])["model"] == name


# Status


@pytest.mark.parametrize(
    ("state", "settled", "closed", "status"),
    [
        ("PENDING", 0, False, "PENDING"),
        ("RUNNING", 0, False, "PENDING"),
        ("RUNNING", 1, False, "PARTIAL"),
        ("SUCCEEDED", 0, False, "PENDING"),
        ("SUCCEEDED", 1, False, "PARTIAL"),
        ("SUCCEEDED", 1, True, "FINAL"),
        ("FAILED", 0, True, "FINAL"),
        ("CANCELLED", 2, True, "FINAL"),
        ("RUNNING", 1, True, "PARTIAL"),
    ],
)
def test_final_is_an_ended_job_with_everything_settled(
    state: str,
    settled: int,
    closed: bool,  # noqa: FBT001 - a table
    status: str,
) -> None:
    assert status_of(job(state=f"JOB_STATE_{state}", settled_outputs=settled, closed=closed)) == status


# Completeness


@pytest.mark.parametrize(
    "lacking",
    [
        job(cost=msgspec.structs.replace(COST, unpriced_rows=1)),
        job(usage=Usage(Rows(succeeded=4, malformed=1))),
        job(usage=Usage(Rows(succeeded=4, unrecognized=1))),
        job(unreadable_outputs=1),
        # Rows were answered, and paid for, but there is no output to read.
        job(usage=Usage(), settled_outputs=0, state="JOB_STATE_FAILED", completion=Completion(successful=2)),
        job(state="JOB_STATE_CANCELLED", completion=Completion(successful=6)),
        job(completion=Completion(successful=6)),
        job(output_missing=True),
        # More is still to come.
        job(closed=False),
        running(completion=Completion(successful=9)),
        job(usage=Usage(), settled_outputs=0, closed=False, completion=Completion(successful=2)),
        job(usage=Usage(), settled_outputs=0, closed=False, state="JOB_STATE_CANCELLED", completion=None),
    ],
)
def test_an_amount_that_lacks_something_is_not_complete(lacking: JobRecord) -> None:
    assert not is_complete(lacking)
    assert report_of(lacking, [])["complete"] is False


@pytest.mark.parametrize(
    "whole",
    [
        JOB,
        job(completion=None),
        job(completion=Completion(successful=4)),
        job(state="JOB_STATE_EXPIRED", completion=Completion(successful=5)),
        job(usage=Usage(Rows(succeeded=2, failed=3, carried_over=2))),
        job(usage=Usage(), settled_outputs=0, state="JOB_STATE_FAILED", completion=Completion(failed=9)),
        job(usage=Usage(), settled_outputs=0, state="JOB_STATE_CANCELLED", completion=None),
    ],
)
def test_failed_and_carried_over_rows_lack_nothing(whole: JobRecord) -> None:
    assert is_complete(whole)
    assert report_of(whole, [])["complete"] is True


def test_rows_are_told_by_outcome() -> None:
    rows = Rows(succeeded=1, failed=2, malformed=3, carried_over=4, unmetered=1, unrecognized=5)
    report = report_of(job(usage=Usage(rows), cost=msgspec.structs.replace(COST, unpriced_rows=1)), [])
    assert report["rows"] == {
        "succeeded": 1,
        "failed": 2,
        "malformed": 3,
        "unrecognized": 5,
        "unpriced": 1,
        "carriedOver": 4,
    }


def test_reasons_for_unpriced_rows_are_told_with_their_numbers() -> None:
    usage = Usage(Rows(succeeded=9, unmetered=2), unpriced=(Unpriced("TOKENS_UNACCOUNTED", 3),))
    items = (
        LineItem("tuned", "", "input_text", 7, "token", None, None, 4),
        LineItem("tuned", "", "output_text", 7, "token", None, None, 3),
        LineItem("gemini-2.5-flash", "", "input_text", 7, "token", 1, 1, 9),
    )
    found = report_of(job(usage=usage, cost=Cost(items, 1, 9, "2026-11-22")), [])
    assert found["unpricedReasons"] == [
        {"reason": "NO_PRICE", "rows": 4},
        {"reason": "NO_USAGE", "rows": 2},
        {"reason": "TOKENS_UNACCOUNTED", "rows": 3},
    ]


# Line items and outputs


def test_an_item_without_a_price_says_so_and_not_nought() -> None:
    unpriced = LineItem("tuned", "", "input_text", 7, "token", None, None, 1)
    [item] = report_of(job(cost=Cost((unpriced,), 0, 1, "2026-11-22")), [])["lineItems"]
    assert item == {
        "item": "input_text",
        "model": "tuned",
        "contextWindow": None,
        "quantity": 7,
        "unit": "token",
        "unitPrice": None,
        "amount": None,
    }


def test_an_item_that_is_free_costs_nought() -> None:
    free = LineItem("gemini-2.5-flash", "0-200k", "input_grounding", 7, "token", 0, 0, 1)
    [item] = report_of(job(cost=Cost((free,), 0, 0, "2026-11-22")), [])["lineItems"]
    assert (item["unitPrice"], item["amount"]) == ("0", "0")


def with_cost(**members: Any) -> dict[str, Any]:
    return report_of(job(cost=msgspec.structs.replace(COST, **members)), [])


def test_waste_is_told_by_reason() -> None:
    wasted = (
        WastedCost("blocked", "SAFETY", 1, None),
        WastedCost("failed", "INTERNAL", 2, 0),
        WastedCost("truncated", "MAX_TOKENS", 3, 1_200_000),
        WastedCost("truncated", "length", 1, 1),
    )
    assert with_cost(waste=wasted)["waste"] == {
        "amount": "0.001200001",
        "reasons": [
            {"kind": "blocked", "reason": "SAFETY", "rows": 1, "amount": None},
            {"kind": "failed", "reason": "INTERNAL", "rows": 2, "amount": "0"},
            {"kind": "truncated", "reason": "MAX_TOKENS", "rows": 3, "amount": "0.0012"},
            {"kind": "truncated", "reason": "length", "rows": 1, "amount": "0.000000001"},
        ],
    }


def test_fees_of_searches_are_shown_beside_the_amount() -> None:
    fees = (
        QueryCost("gemini-2.5-flash", "grounded_prompt", 2, 35_000_000_000, 70_000_000),
        QueryCost("gemini-3-flash-preview", "search_query", 1, 14_000_000_000, 14_000_000, "maps_grounding"),
    )
    report = with_cost(query_fees=fees)
    assert report["amount"] == "0.000098"
    assert report["queryFees"] == {
        "upperBound": "0.084",
        "items": [
            {
                "item": "grounded_prompt",
                "grounding": "web_search",
                "model": "gemini-2.5-flash",
                "quantity": 2,
                "unitPrice": "0.035",
                "amount": "0.07",
            },
            {
                "item": "search_query",
                "grounding": "maps_grounding",
                "model": "gemini-3-flash-preview",
                "quantity": 1,
                "unitPrice": "0.014",
                "amount": "0.014",
            },
        ],
    }


def test_there_is_no_upper_bound_where_a_fee_is_not_known() -> None:
    fees = (
        QueryCost("gemini-2.5-flash", "grounded_prompt", 2, 35_000_000_000, 70_000_000),
        QueryCost("gemini-99", "search_query", 1, None, None),
    )
    report = with_cost(query_fees=fees)["queryFees"]
    assert (report["upperBound"], report["items"][1]["amount"]) == (None, None)


def test_an_output_that_could_not_be_read_says_why() -> None:
    broken = Output(URI, 1, 5, Usage(), AT, unreadable="is compressed")
    assert report_of(JOB, [broken])["outputs"] == [
        {"uri": URI, "generation": "1", "bytes": 5, "rows": 0, "error": "is compressed"}
    ]


# Progress and projection


def with_rows(count: int) -> Usage:
    return Usage(Rows(succeeded=count))


@pytest.mark.parametrize(
    ("rows", "completion", "closed", "progress"),
    [
        (0, None, False, (None, None)),
        (0, Completion(successful=3, failed=1, incomplete=6), False, (4, 10)),
        (0, Completion(successful=3, incomplete=-1), False, (3, None)),
        (4, Completion(successful=3, failed=1, incomplete=6), False, (4, 10)),
        (5, None, False, (5, None)),
        (5, None, True, (5, 5)),
        # The output is ahead of Vertex's count.
        (7, Completion(successful=3, incomplete=7), False, (7, 10)),
        (12, Completion(successful=3, incomplete=7), True, (12, 12)),
        (7, Completion(successful=3, incomplete=-1), False, (7, None)),
        (0, None, True, (None, None)),
    ],
)
def test_progress_is_what_vertex_or_the_output_says_whichever_is_ahead(
    rows: int,
    completion: Completion | None,
    closed: bool,  # noqa: FBT001 - a table
    progress: tuple[int | None, int | None],
) -> None:
    state = "JOB_STATE_SUCCEEDED" if closed else "JOB_STATE_RUNNING"
    report = report_of(job(usage=with_rows(rows), completion=completion, closed=closed, state=state), [])
    assert report["progress"] == {"completed": progress[0], "total": progress[1]}


@pytest.mark.parametrize(
    ("rows", "completion", "projected"),
    [
        # 98,000 nano-USD for what was read, carried on
        (5, Completion(successful=4, failed=1, incomplete=5), "0.000196"),
        (4, Completion(successful=4, failed=1, incomplete=5), "0.000245"),
        (3, Completion(successful=1, incomplete=9), "0.000326666"),
        (5, Completion(successful=5), "0.000098"),
        (9, Completion(successful=5), "0.000098"),
        (5, Completion(successful=4, incomplete=-1), None),
        (5, None, None),
        (0, Completion(successful=4, incomplete=6), None),
    ],
)
def test_the_projection_carries_what_is_known_on_to_all_rows(
    rows: int, completion: Completion | None, projected: str | None
) -> None:
    assert report_of(running(usage=with_rows(rows), completion=completion), [])["projected"] == projected


WEIGHED = Bounds(10_000, 1_000_001, 9_000_000)


@pytest.mark.parametrize(
    ("rows", "completion", "projected"),
    [
        # Nothing is answered yet: the estimate of all rows, whatever Vertex has counted.
        (Rows(), None, "0.001000001"),
        (Rows(), Completion(), "0.001000001"),
        (Rows(), Completion(successful=4, incomplete=-1), "0.001000001"),
        (Rows(), Completion(successful=4, incomplete=6), "0.001000001"),
        (Rows(carried_over=4), Completion(successful=4, incomplete=-1), "0.001000001"),
        # ... of those that are left.
        (Rows(failed=4), Completion(failed=4, incomplete=12), "0.00075"),
        (Rows(failed=1, carried_over=3), Completion(successful=4, incomplete=12), "0.00075"),
        (Rows(failed=4), Completion(failed=4), "0"),
    ],
)
def test_until_a_row_is_answered_the_estimate_is_the_projection(
    rows: Rows, completion: Completion | None, projected: str
) -> None:
    some = running(usage=Usage(rows), cost=Cost(), completion=completion, estimate=WEIGHED)
    assert report_of(some, [])["projected"] == projected


@pytest.mark.parametrize(
    ("rows", "completion", "projected"),
    [
        (Rows(succeeded=5), Completion(successful=5, incomplete=5), "0.000196"),
        # What was carried over cost nothing, and what it did not cost is not carried on.
        (Rows(succeeded=2, carried_over=8), Completion(successful=10, incomplete=4), "0.000294"),
        # No total to carry it on to.
        (Rows(succeeded=5), None, "0.001000001"),
    ],
)
def test_once_a_row_is_answered_its_cost_takes_over(
    rows: Rows, completion: Completion | None, projected: str
) -> None:
    some = running(usage=Usage(rows), completion=completion, estimate=WEIGHED)
    assert report_of(some, [])["projected"] == projected


def test_an_estimate_that_the_amount_has_passed_is_no_projection() -> None:
    some = running(usage=with_rows(5), completion=None, estimate=Bounds(1, 97_999, 98_001))
    assert report_of(some, [])["projected"] is None


@pytest.mark.parametrize("estimate", [None, UNKNOWN_BOUNDS, Bounds(None, None, None)])
@pytest.mark.parametrize("completion", [None, Completion(successful=4, incomplete=6)])
def test_without_output_and_estimate_nothing_is_projected(
    estimate: Bounds | None, completion: Completion | None
) -> None:
    some = running(usage=Usage(), cost=Cost(), completion=completion, estimate=estimate)
    report = report_of(some, [])
    assert (report["projected"], report["estimate"]) == (None, None)


@pytest.mark.parametrize(
    "gap",
    [
        {"cost": msgspec.structs.replace(COST, unpriced_rows=1)},
        {"cost": Cost(unpriced_rows=5)},
        {"usage": Usage(Rows(succeeded=4, malformed=1))},
        {"unreadable_outputs": 1},
    ],
)
def test_what_is_not_known_is_not_carried_on(gap: dict[str, Any]) -> None:
    some = running(completion=Completion(successful=5, incomplete=5), estimate=WEIGHED)
    assert report_of(some, [])["projected"] is not None
    assert report_of(msgspec.structs.replace(some, **gap), [])["projected"] is None


@pytest.mark.parametrize(
    ("state", "rows", "completion", "projected"),
    [
        # Its output is on its way.
        ("SUCCEEDED", 0, None, "0.001000001"),
        ("SUCCEEDED", 0, Completion(successful=10), "0.001000001"),
        ("SUCCEEDED", 5, Completion(successful=10), "0.000196"),
        # Of ten rows six were never run.
        ("CANCELLED", 0, Completion(successful=4, incomplete=6), "0.0004"),
        ("CANCELLED", 2, Completion(successful=4, incomplete=6), "0.000196"),
        ("EXPIRED", 0, Completion(incomplete=10), "0"),
        # Nobody knows how many.
        ("FAILED", 0, None, None),
        ("CANCELLED", 0, Completion(successful=4, incomplete=-1), None),
    ],
)
def test_a_job_that_has_ended_runs_no_more_rows(
    state: str, rows: int, completion: Completion | None, projected: str | None
) -> None:
    some = job(
        state=f"JOB_STATE_{state}",
        closed=False,
        usage=with_rows(rows),
        cost=COST if rows else Cost(),
        completion=completion,
        estimate=WEIGHED,
    )
    assert report_of(some, [])["projected"] == projected


def test_what_is_final_is_not_projected() -> None:
    assert report_of(job(completion=Completion(successful=4, incomplete=9)), [])["projected"] is None


@given(
    st.integers(0, 9),
    st.none() | st.builds(Completion, st.integers(0, 9), st.integers(0, 9), st.integers(-1, 9)),
    st.booleans(),
)
def test_progress_never_exceeds_its_total(rows: int, completion: Completion | None, closed: bool) -> None:  # noqa: FBT001 - generated
    state = "JOB_STATE_SUCCEEDED" if closed else "JOB_STATE_RUNNING"
    some = job(usage=with_rows(rows), completion=completion, closed=closed, state=state)
    progress = report_of(some, [])["progress"]
    assert progress["total"] is None or (progress["completed"] or 0) <= progress["total"]
    assert (progress["completed"] or 0) >= rows
