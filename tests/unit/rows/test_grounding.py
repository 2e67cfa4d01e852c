"""Searches of rows, by the kind of grounding, and their cost at most.

Fees in USD per 1,000 of 2026-11-28. Gemini 2.x, by the prompt: Google Search 35, enterprise 45, Maps 25.
From Gemini 3 on, by the query: Google Search 14, Maps 14, enterprise unknown.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from batch_gateway.core.jobs.cost_report import _query_fees
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import cost_of
from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Usage

TABLE = prices.load()
GEMINI_2, GEMINI_3 = "gemini-2.5-pro", "gemini-3.8-flash"
SEARCH: dict[str, Any] = {"googleSearch": {}}
ENTERPRISE: dict[str, Any] = {"enterpriseWebSearch": {}}
MAPS: dict[str, Any] = {"googleMaps": {"enableWidget": False}}
FOUND_IN_MAPS: dict[str, Any] = {"groundingChunks": [{"maps": {"placeId": "places/1"}}]}
FOUND_IN_WEB: dict[str, Any] = {"groundingChunks": [{"web": {"uri": "https://example.com"}}]}


def row(grounding: dict[str, Any], *tools: Any, model: str = GEMINI_2, **members: Any) -> bytes:
    response = {
        "modelVersion": model,
        "candidates": [{"groundingMetadata": grounding}],
        "usageMetadata": {"promptTokenCount": 1},
    }
    request = {"request": {"tools": list(tools)}} if tools else {}
    return json.dumps({**request, "response": response, **members}).encode()


def usage_of(*lines: bytes) -> Usage:
    tally = Tally(TABLE, GEMINI_2)
    tally.add_lines(lines)
    assert tally.usage.rows.succeeded == len(lines)
    return tally.usage


def searches(*lines: bytes) -> dict[str, tuple[int, int]]:
    return {each.item: (each.quantity, each.rows) for each in usage_of(*lines).searches}


def upper_bound(*lines: bytes) -> str | None:
    cost = cost_of(usage_of(*lines), TABLE, location="global", at=datetime(2026, 11, 28, tzinfo=UTC))
    fees = _query_fees(cost)
    assert fees is not None
    return fees.upper_bound


def queries(number: int, **more: Any) -> dict[str, Any]:
    return {"webSearchQueries": [f"q{n}" for n in range(number)], **more}


@pytest.mark.parametrize(
    ("grounding", "tools", "found"),
    [
        (queries(2), [SEARCH], {"web_search": 2}),
        (queries(2), [{"googleSearchRetrieval": {}}], {"web_search": 2}),
        (queries(2), [{"google_search": {}}], {"web_search": 2}),
        (queries(2), [{"googleSearch": {}, "googleMaps": None}], {"web_search": 2}),
        (queries(2), [{"functionDeclarations": []}, SEARCH], {"web_search": 2}),
        (queries(2), [ENTERPRISE], {"enterprise_web_search": 2}),
        (queries(2), [{"enterprise_web_search": {}}], {"enterprise_web_search": 2}),
        (queries(2), [SEARCH, ENTERPRISE], {"unknown_grounding": 2}),
        (queries(2), [], {"unknown_grounding": 2}),
        (queries(2), [{"urlContext": {}}], {"unknown_grounding": 2}),
        (queries(2), [{"googleSearch": None}], {"unknown_grounding": 2}),
        # Pages, and no word of the query.
        (FOUND_IN_WEB, [SEARCH], {"web_search": 1}),
        ({"imageSearchQueries": ["a"], **queries(1)}, [SEARCH], {"web_search": 2}),
        # Google Maps.
        (FOUND_IN_MAPS, [MAPS], {"maps_grounding": 1}),
        (FOUND_IN_MAPS, [], {"maps_grounding": 1}),
        ({"googleMapsWidgetContextToken": "w"}, [MAPS], {"maps_grounding": 1}),
        ({"retrievalQueries": ["a", "b"], **FOUND_IN_MAPS}, [MAPS], {"maps_grounding": 2}),
        ({"retrievalQueries": ["a", "b"]}, [MAPS], {"maps_grounding": 2}),
        (queries(3), [MAPS], {"maps_grounding": 3}),
        (queries(3, **FOUND_IN_MAPS), [], {"maps_grounding": 3}),
        # Both: each query may be of either.
        (queries(2, **FOUND_IN_MAPS), [SEARCH, MAPS], {"web_search": 2, "maps_grounding": 2}),
        (queries(2), [SEARCH, MAPS], {"web_search": 2}),
        (
            queries(2, groundingChunks=[{"maps": {}}, {"web": {}}]),
            [],
            {"maps_grounding": 2, "unknown_grounding": 2},
        ),
        # The caller's own data, of which no fee is known.
        ({"retrievalQueries": ["a"]}, [{"retrieval": {}}], {"retrieval": 1}),
        ({"retrievalQueries": ["a"], **queries(1)}, [SEARCH], {"web_search": 1, "retrieval": 1}),
        # Nothing was searched.
        ({}, [SEARCH, MAPS], {}),
        (queries(0), [SEARCH], {}),
        ({"groundingChunks": [{"maps": None}, "?"], "retrievalQueries": "?"}, [MAPS], {}),
        ({"searchEntryPoint": {"renderedContent": "<a>"}}, [SEARCH], {}),
    ],
)
def test_searches_by_kind_of_grounding(grounding, tools, found):
    assert searches(row(grounding, *tools)) == {item: (number, 1) for item, number in found.items()}


def test_a_request_that_is_none_tells_nothing():
    for request in (None, "x", {"tools": {"googleSearch": {}}}, {"tools": [None, "x"]}, {"tools": None}):
        assert searches(row(queries(1), request=request)) == {"unknown_grounding": (1, 1)}


@pytest.mark.parametrize(
    ("line", "usd"),
    [
        (row(queries(3), SEARCH), "0.035"),
        (row(queries(3), ENTERPRISE), "0.045"),
        (row(queries(3)), "0.045"),  # the dearest of its model
        (row(FOUND_IN_MAPS, MAPS), "0.025"),
        (row(queries(3, **FOUND_IN_MAPS), SEARCH, MAPS), "0.06"),
        (row(queries(3, groundingChunks=[{"maps": {}}, {"web": {}}])), "0.07"),
        (row(queries(3), SEARCH, model=GEMINI_3), "0.042"),
        (row(queries(3), model=GEMINI_3), "0.042"),
        (row(queries(3), MAPS, model=GEMINI_3), "0.042"),
        (row(queries(3, **FOUND_IN_MAPS), SEARCH, MAPS, model=GEMINI_3), "0.084"),
        (row(queries(5), SEARCH, model="gemini-4-carbon"), "0.07"),
        (row(queries(1), SEARCH, model="gemini-nano-banana-2.1"), "0.014"),
        # Without a fee there is no bound.
        (row(queries(3), ENTERPRISE, model=GEMINI_3), None),
        (row({"retrievalQueries": ["a"]}, {"retrieval": {}}), None),
        (row(FOUND_IN_MAPS, MAPS, model="gemini-4-carbon"), None),
    ],
)
def test_the_upper_bound_is_one(line, usd):
    assert upper_bound(line) == usd


def test_a_fee_says_what_it_is_for():
    cost = cost_of(
        usage_of(row(queries(1), ENTERPRISE), row(queries(1), ENTERPRISE, model=GEMINI_3)),
        TABLE,
        location="global",
        at=datetime(2026, 11, 28, tzinfo=UTC),
    )
    assert [(fee.model, fee.item, fee.grounding, fee.amount_nano) for fee in cost.query_fees] == [
        (GEMINI_2, "grounded_prompt", "enterprise_web_search", 45_000_000),
        (GEMINI_3, "search_query", "enterprise_web_search", None),
    ]


def test_fees_add_up_over_kinds_and_rows():
    lines = [row(queries(2), SEARCH), row(queries(1), SEARCH), row(queries(9), ENTERPRISE), row(queries(1))]
    # 2 x 35 + 45 + 45 USD per 1,000
    assert upper_bound(*lines) == "0.16"
    assert searches(*lines) == {
        "web_search": (3, 2),
        "enterprise_web_search": (9, 1),
        "unknown_grounding": (1, 1),
    }
