"""Strategies of the fuzzer: what a caller, a job or Vertex AI may send, good in most of its parts."""

import base64
import json
from urllib.parse import quote

from hypothesis import strategies as st

from functional.gateway.loopback import Answer
from functional.hostile.inputs import MODEL_NAME, NAME
from functional.security.conftest import JOBS

TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "",
        "0",
        "-1",
        "null",
        "é" * 40,
        "\x00",
        "\ud800".encode("utf-16", "surrogatepass").hex(),
        "9" * 400,
        "a" * 3000,
    ]
)
NUMBERS = (
    st.integers()
    | st.sampled_from([0, 1, -1, 2**31, 2**53, 2**63, 2**64, 10**40])
    | st.floats(allow_nan=False, allow_infinity=False)
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
TIMES = st.sampled_from(
    [
        *("2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z", "2026-11-24T10:00:00+02:00") * 5,
        *("2026-11-22T10:00:00Z", "2026-11-22", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
        *("2026-11-22T10:00:00+14:00", "1", "0", "253402300799", "-62135596800", "2026-02-30T00:00:00Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
    ]
)
PIECES = [
    *("*", "**", "?", "[", "]", "[a-z]", "[!a]", "{a,b}", "/", "//", ".", "..", "#", "%2F", "\\", "\n"),
    *("granted", "gs://", "mine/", "rows", ".jsonl", "a", "é", "😀", " ", "*" * 60, "a" * 300),
]
URIS = st.builds(
    lambda head, pieces: head + "".join(pieces),
    st.sampled_from(["gs://granted/", "gs://granted/", "gs://granted", "gs://other/", "bq://p.d.t", ""]),
    st.lists(st.sampled_from(PIECES), max_size=8),
)


def spelled(name):
    """A name in one of its spellings."""
    return st.sampled_from([name, "".join(f"_{c.lower()}" if c.isupper() else c for c in name)])


def members(good):
    """An object with some of these members, of which each has its kind of value or any other."""

    def drawn(draw):
        found = {}
        for name, values in good.items():
            if draw(st.integers(0, 9)) > 2:
                odd = draw(st.integers(0, 9)) == 0
                found[draw(spelled(name))] = draw(JSON if odd else values)
        if draw(st.integers(0, 9)) == 0:
            found |= draw(st.dictionaries(TEXTS, JSON, max_size=2))
        return found

    return st.composite(drawn)()


SOURCES = members(
    {
        "instancesFormat": st.sampled_from(["jsonl", "bigquery", "csv"]),
        "gcsSource": members({"uris": st.lists(URIS, max_size=4) | URIS}),
        "bigquerySource": members({"inputUri": URIS}),
    }
)
LABELS = st.dictionaries(
    st.sampled_from(["team", "batch-gateway-team", "__x__", "", "~", "a.b", "environment"]) | TEXTS,
    TEXTS,
    max_size=4,
)
JOB = {
    "displayName": TEXTS,
    "model": st.sampled_from(
        [MODEL_NAME, "gemini-2.5-flash", "publishers/anthropic/models/claude-x", "a/" * 50]
    )
    | TEXTS,
    "inputConfig": SOURCES,
    "outputConfig": members(
        {
            "predictionsFormat": st.sampled_from(["jsonl", "bigquery"]),
            "gcsDestination": members({"outputUriPrefix": URIS}),
            "bigqueryDestination": members({"outputUri": URIS}),
        }
    ),
    "labels": LABELS,
    "modelParameters": members({"maxOutputTokens": NUMBERS, "candidateCount": NUMBERS}),
}


@st.composite
def damaged(draw, texts):
    """Bytes of a text, now and then with some of them put in, taken out or made others."""
    content = bytearray(draw(texts))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(content)


def encoded(values):
    return values.map(lambda value: json.dumps(value).encode())


BODIES = damaged(encoded(members(JOB)))

ROWS_IN = damaged(
    encoded(
        members(
            {
                "request": members(
                    {
                        "contents": st.lists(members({"role": TEXTS, "parts": JSON}), max_size=2),
                        "generationConfig": members(
                            {
                                "maxOutputTokens": NUMBERS,
                                "candidateCount": NUMBERS,
                                "thinkingConfig": members({"thinkingBudget": NUMBERS}),
                                "mediaResolution": TEXTS,
                            }
                        ),
                        "tools": JSON,
                    }
                ),
                "key": JSON,
            }
        )
    )
)
INPUTS = st.lists(ROWS_IN, max_size=4).map(b"\n".join)

_TOKENS = [
    *("(", ")", '"', "\\", "NOT ", "-", " AND ", " OR ", " ", "=", "!=", ">=", "<", ":", "*", ","),
    *("labels.team", 'labels."team"', "state", "create_time", "display_name", "labels.batch-gateway-team"),
    *('"search"', "JOB_STATE_FAILED", '"2026-11-22T10:00:00Z"', "search"),
]
FILTERS = st.lists(st.sampled_from(_TOKENS) | TEXTS, max_size=12).map("".join)
_IDS = st.sampled_from(["p", "us-central1", "1", "a/b", "a/b/c", "", "..", "__x__", "x" * 2000]) | TEXTS
PAGES = (st.tuples(TIMES, _IDS, _IDS, _IDS) | st.lists(TIMES | JSON, max_size=5)).map(
    lambda at: base64.urlsafe_b64encode(json.dumps(at).encode()).decode().rstrip("=")
)
_COUNTS = st.sampled_from([*["2", "20", "100"] * 4, "1", "0", "-1", "20", "500", "9" * 30, "1e3", "\u0661"])
_FIELDS = st.sampled_from(
    ["model", "team", "api_key", "project", "location", "label:team", "job", "label:__x__"]
)
_PLACE = JOBS.removeprefix("/v1/").removesuffix("/batchPredictionJobs")
_COMMON = {
    "limit": _COUNTS,
    "page": PAGES,
    "start_time": TIMES,
    "end_time": TIMES,
    "label:team": TEXTS,
}
_SPEND = {
    **_COMMON,
    "group_by": st.lists(_FIELDS, max_size=3).map(",".join),
    "time_zone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "../x"]) | TEXTS,
    "model": TEXTS,
    "team": TEXTS,
}
PARAMETERS = {
    "/v1/jobs": {
        **_COMMON,
        **dict.fromkeys(("state", "model", "team", "api_key", "project", "location", "search"), TEXTS),
    },
    "/v1/jobs:top": {**_COMMON, "team": TEXTS},
    "/v1/costs": {**_SPEND, "bucket_width": st.sampled_from(["1h", "1d", "1mo", "x"])},
    "/v1/costs:export": {**_SPEND, "format": st.sampled_from(["csv", "focus", "x"])},
    "/v1/costs:values": _SPEND,
    "/key/list": {"page": _COUNTS, "size": _COUNTS, "team_id": TEXTS, "key_alias": TEXTS},
    "/key/info": {"key": TEXTS},
    "/team/info": {"team_id": TEXTS},
    "/audit": {"limit": _COUNTS, "page": PAGES, "start_time": TIMES, "end_time": TIMES},
    JOBS: {"filter": FILTERS, "pageSize": _COUNTS, "pageToken": TEXTS, "readMask": TEXTS, "parent": TEXTS},
    "/v1/batchPredictionJobs": {"filter": FILTERS, "parent": st.just(_PLACE) | TEXTS},
}


@st.composite
def targets(draw):
    """A path with a query."""
    path = draw(st.sampled_from([*sorted(PARAMETERS), "/v1/jobs", "/v1/jobs", JOBS]))
    known = PARAMETERS[path]
    pairs = []
    for name in draw(st.lists(st.sampled_from(sorted(known)), max_size=3)):
        value = draw(known[name] if draw(st.integers(0, 9)) else TEXTS)
        # A value that nobody encoded reaches the gateway as it is, if it fits into a request line.
        bare = draw(st.integers(0, 9)) == 0 and value.isascii() and value.isprintable() and " " not in value
        pairs.append(f"{quote(name)}={value if bare else quote(value.encode('utf-8', 'replace'), safe='')}")
    return f"{path}?{'&'.join(pairs)}"


STATES = st.sampled_from(
    [
        *("JOB_STATE_PENDING", "JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"),
        *("JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED", "JOB_STATE_PARTIALLY_SUCCEEDED", "JOB_STATE_NEW"),
    ]
)
SHOWN = members(
    {
        **JOB,
        "name": st.sampled_from([NAME, NAME, "projects/1/locations/x/batchPredictionJobs/", "x"]),
        "state": STATES,
        "createTime": TIMES,
        "startTime": TIMES,
        "updateTime": TIMES,
        "endTime": TIMES,
        "error": JSON,
        "completionStats": members(
            dict.fromkeys(("successfulCount", "failedCount", "incompleteCount"), NUMBERS)
        ),
        "outputInfo": members({"gcsOutputDirectory": URIS, "bigqueryOutputTable": TEXTS}),
    }
)
LISTS = members({"batchPredictionJobs": st.lists(SHOWN | JSON, max_size=4), "nextPageToken": TEXTS})
ERRORS = members(
    {
        "error": members(
            {"code": NUMBERS, "message": TEXTS, "status": TEXTS, "details": st.lists(JSON, max_size=2)}
        )
    }
)
ANSWERS = st.tuples(
    # What is tried again after a pause is rare here, as it takes seconds.
    st.sampled_from([200] * 20 + [400, 403, 404, 409, 418, 500, 503]),
    damaged(encoded(SHOWN | LISTS | LISTS | ERRORS | JSON)),
    st.sampled_from(
        ["application/json; charset=UTF-8"] * 8 + ["text/html", "", "application/json; charset=x"]
    ),
).map(lambda drawn: Answer(*drawn))

_COUNTED = st.integers(0, 300_000)


@st.composite
def good_rows(draw):
    """A row of an answer, with counts that fit together, or of an error."""
    if draw(st.integers(0, 5)) == 0:
        return json.dumps({"status": "Bad Request: {}", "request": {}, "response": {}}).encode()
    prompt = draw(_COUNTED.filter(bool))
    usage = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": draw(_COUNTED),
        "thoughtsTokenCount": draw(_COUNTED),
        "cachedContentTokenCount": draw(st.integers(0, prompt)),
    }
    total = sum(usage.values()) - usage["cachedContentTokenCount"]
    given = {name: count for name, count in usage.items() if count} | {"totalTokenCount": total}
    response = {"modelVersion": "gemini-2.5-flash", "usageMetadata": given}
    return json.dumps({"status": "", "request": {"a": draw(TEXTS)}, "response": response}).encode()


BROKEN_ROWS = st.builds(lambda row, end: row[: len(row) - end], good_rows(), st.integers(1, 30))
"""Cut off: no JSON any more."""
ODD_ROWS = damaged(
    encoded(
        members(
            {
                "status": TEXTS,
                "response": members(
                    {
                        "modelVersion": st.sampled_from(["gemini-2.5-flash", "gemini-99"]),
                        "usageMetadata": members(
                            dict.fromkeys(
                                (
                                    *("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"),
                                    *(
                                        "cachedContentTokenCount",
                                        "toolUsePromptTokenCount",
                                        "totalTokenCount",
                                    ),
                                    "promptTokensDetails",
                                ),
                                NUMBERS,
                            )
                        ),
                        "candidates": JSON,
                        "error": JSON,
                    }
                ),
                "predictions": JSON,
                "result": JSON,
                "error": JSON,
            }
        )
    )
).map(lambda row: row.replace(b"\n", b" "))
BLANK = st.sampled_from([b"", b" ", b"\t", b"\r"])
OUTPUTS = st.lists(good_rows() | good_rows() | BROKEN_ROWS | BLANK, max_size=6).map(b"\n".join)
"""Files of which each row's cost is known."""
ODD_OUTPUTS = st.lists(good_rows() | ODD_ROWS | BROKEN_ROWS | BLANK, max_size=6).map(b"\n".join)
