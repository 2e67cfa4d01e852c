"""Output objects of any kind, read in blocks."""

import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.lines import Block, whole_lines
from batch_gateway.core.pricing import prices
from batch_gateway.core.rows import Tally, UnreadableOutputError, reader_for
from batch_gateway.core.rows.plain import PlainRows
from batch_gateway.core.usage import Rows, Usage, Waste

TABLE = prices.load()
FLASH = "gemini-2.5-flash"
GEMINI = "out/prediction-model-x/predictions.jsonl"
RESULTS = "out/prediction-my-model-x/prediction.results-00000-of-00002"
ERRORS = "out/prediction-my-model-x/prediction.errors_stats-00000-of-00001"
COUNTS = b'{"promptTokenCount":7,"candidatesTokenCount":3,"thoughtsTokenCount":1}'
PLAIN = b'{"response":{"candidates":[{"finishReason":"STOP"}],"usageMetadata":' + COUNTS + b"}}"
ROWS = [
    b'{"response":{"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":2}}}',
    b'{"response":{"candidates":[{"finishReason":"MAX_TOKENS"}],"usageMetadata":{"promptTokenCount":7}}}',
    PLAIN,
    b'{"response":{"candidates":[{"groundingMetadata":{"webSearchQueries":["a"]}}]}}',
    b'{"status":"INTERNAL"}',
    b'{"response":{"usageMetadata":{"promptTokenCount":-1}}}',
    b'{"request":"\\ud800 NaN",\t"x":NaN,"response":{"usageMetadata":{"promptTokenCount":1}}}',
    b"\xef\xbb\xbf{}",
    b"nonsense",
    b"",
    b" \r",
    b"{",
    b"}",
]


def read(
    content: bytes, name: str = GEMINI, chunk: int = 1 << 20, model: str = FLASH, limit: int = 10**6
) -> Usage:
    reader = reader_for(name, TABLE, model)
    for block in whole_lines((content[i : i + chunk] for i in range(0, len(content), chunk)), limit):
        reader.add_block(block)
    return reader.usage


# In pieces


@given(st.lists(st.sampled_from(ROWS), max_size=8), st.sampled_from([b"\n", b"\r\n"]), st.integers(1, 60))
def test_any_cut_into_chunks_gives_the_same_usage(lines: list[bytes], line_break: bytes, chunk: int) -> None:
    content = line_break.join(lines)
    assert read(content, chunk=chunk) == read(content)


@given(st.lists(st.sampled_from(ROWS), max_size=8), st.integers(1, 60), st.booleans())
def test_reading_on_where_another_reader_stopped_adds_up_to_the_whole(
    lines: list[bytes],
    chunk: int,
    ended: bool,  # noqa: FBT001 - generated
) -> None:
    content = b"\n".join(lines) + b"\n" * ended
    whole = read(content)
    reader = reader_for(GEMINI, TABLE, FLASH)
    assert reader.resumable
    for block in whole_lines(content[i : i + chunk] for i in range(0, len(content), chunk)):
        reader.add_block(block)
        assert reader.usage + read(content[block.end :]) == whole


@given(st.permutations(ROWS))
def test_any_order_of_the_lines_gives_the_same_usage(lines: list[bytes]) -> None:
    assert read(b"\n".join(lines)) == read(b"\n".join(ROWS))


def test_usage_may_be_looked_at_between_blocks() -> None:
    reader = reader_for(GEMINI, TABLE, FLASH)
    for number in range(1, 4):
        reader.add_block(Block([PLAIN], 0, 0))
        assert (reader.usage.rows.succeeded, reader.usage) == (number, reader.usage)


def test_lines_beyond_the_limit_are_malformed() -> None:
    assert read(ROWS[0] + b"\n" + b"x" * 300 + b"\n" + ROWS[0], limit=200).rows == Rows(
        succeeded=2, malformed=1
    )


# Custom and AutoML models


@pytest.mark.parametrize("name", [RESULTS, "out/prediction-my-model-x/predictions_0001.jsonl"])
@pytest.mark.parametrize(
    "row",
    [
        {"instance": {"x": 1}, "prediction": [0.1]},
        {"key": "a", "prediction": {"scores": [1]}},
        {"instance": {"x": 1}, "prediction": None},
        {"instance": {"x": 1}, "predictions": [0.1]},
        {"instance": {"x": 1}, "predictions": {"a": 1}},
        {"instance": {"x": 1}, "predictions": [[1], {"label": "a"}]},
    ],
)
def test_rows_of_custom_models_are_counted_and_unmetered(name: str, row: Any) -> None:
    content = json.dumps(row).encode() + b"\n"
    assert read(content * 3, name, model="projects/p/locations/l/models/1").rows == Rows(
        succeeded=3, unmetered=3
    )


def test_of_an_error_file_only_errors_are_rows() -> None:
    lines = [
        {"instance": {"x": 1}, "error": {"code": 3, "message": "bad"}},
        {"instance": {"x": 2}, "error": {"code": 13, "message": "worse"}},
        {"instance": {"x": 3}, "error": "text"},
        {"instance": {"x": 4}, "error": None},
        {"stats": {"count": 5}},
        [],
    ]
    content = b"\n".join(json.dumps(line).encode() for line in lines) + b"\nnonsense\n\n"
    assert read(content, ERRORS) == Usage(
        rows=Rows(failed=3),
        waste=(
            Waste("failed", "INTERNAL", 1),
            Waste("failed", "INVALID_ARGUMENT", 1),
            Waste("failed", "UNKNOWN", 1),
        ),
    )


def test_an_error_file_that_is_clean_has_no_rows() -> None:
    assert read(b"", ERRORS) == Usage()


@given(
    st.lists(st.lists(st.text('a"\n\r, é', max_size=5), min_size=2, max_size=3), max_size=6),
    st.integers(1, 40),
)
def test_records_of_csv_are_counted_without_their_header(records: list[list[str]], chunk: int) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([["x", "prediction"], *records])
    content = text.getvalue().encode()
    count = len(records)
    name = "out/prediction-my-model-x/predictions_0001.csv"
    assert read(content, name, chunk) == Usage(rows=Rows(succeeded=count, unmetered=count))
    errors = read(content, "out/prediction-my-model-x/errors_0001.csv", chunk)
    assert (errors.rows, sum(w.rows for w in errors.waste)) == (Rows(failed=count), count)


def test_csv_cannot_be_read_on_in_the_middle() -> None:
    assert not reader_for("a/predictions_0001.csv", TABLE, FLASH).resumable


def test_a_record_that_does_not_end_is_malformed() -> None:
    rows = read(b'a,b\n1,2\n3,"4\n', "a/predictions_0001.csv").rows
    assert rows == Rows(succeeded=1, unmetered=1, malformed=1)


@pytest.mark.parametrize(
    "name", ["predictions_0001.tfrecord", "predictions_0001.tfrecord.gz", "predictions_0001.GZ"]
)
def test_binary_output_says_that_it_cannot_be_counted(name: str) -> None:
    with pytest.raises(UnreadableOutputError, match="binary"):
        reader_for(f"out/prediction-my-model-x/{name}", TABLE, FLASH)


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b\x08\x08without a NUL in its head",
        (21).to_bytes(8, "little") + b"\x01\x02\x03\x04" + b"record" * 9,
        (10).to_bytes(8, "little") + b"\x01\x02\x03\x04" + b"record" * 9,  # begins with a line feed
        '{"response":{}}\n'.encode("utf-16"),
    ],
)
@pytest.mark.parametrize("name", [RESULTS, "out/p/predictions_0001.csv"])
def test_binary_content_is_noticed_and_not_taken_for_malformed_rows(name: str, content: bytes) -> None:
    with pytest.raises(UnreadableOutputError, match="binary"):
        read(content, name)


# What is read at all

_TEXT = st.text(st.characters(categories=None, exclude_categories=()), max_size=6)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(_VALUES, st.booleans(), st.sampled_from([b"", b" ", b"\r", b"\t\r"]))
def test_whatever_python_takes_for_json_is_read_wherever_it_stands(
    value: Any,
    ascii_only: bool,  # noqa: FBT001 - generated
    end: bytes,
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    answer = (
        b'{"candidates":[{"finishReason":"STOP","content":'
        + text
        + b'}],"usageMetadata":{"promptTokenCount":5}}'
    )
    line = b'{"request":' + text + b',"response":' + answer + b',"labels":' + text + b"}" + end
    try:
        json.loads(line.decode())
    except UnicodeDecodeError:
        assert read(line).rows.total == 1
    else:
        assert read(line).rows == Rows(succeeded=1)


@given(st.binary(max_size=40) | st.text('{}[]",:\\u0dNaInfty-1e. \t', max_size=40).map(str.encode))
def test_what_python_does_not_take_for_an_object_is_malformed(inserted: bytes) -> None:
    line = b'{"request":' + inserted + b',"response":{"usageMetadata":{"promptTokenCount":5}}}'
    counted = Tally(TABLE, FLASH)
    counted.add(line)
    try:
        json.loads(line.decode(errors="replace"))
    except ValueError:
        assert counted.usage.rows == Rows(malformed=1)
    else:
        assert counted.usage.rows.total == 1


@pytest.mark.parametrize(
    "odd",
    [b'"x":NaN', b'"x":-Infinity', b'"x":[Infinity,-1,NaN]', rb'"x":"\ud800\ud83d\ude00 \\ud800 NaN"'],
)
@pytest.mark.parametrize("size", [1, 5_000_000])
def test_what_only_python_reads_is_read_in_lines_of_any_length(odd: bytes, size: int) -> None:
    asked = b"\\n\\\\" * size
    line = b'{%b,"request":"%b","response":{"usageMetadata":{"promptTokenCount":5}}}' % (odd, asked)
    usage = read(line, limit=10**8)
    assert (usage.rows, usage.tokens.input) == (Rows(succeeded=1), 5)


def test_such_a_line_takes_no_more_than_a_few_copies_of_it() -> None:
    line = b'{"a":[%b],"x":NaN,"response":{"usageMetadata":{"promptTokenCount":5}}}' % (
        b'"\\n",' * 10**6 + b"1"
    )
    tracemalloc.start()
    try:
        assert read(line, limit=10**8).rows == Rows(succeeded=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(line)


def test_such_a_number_is_no_count() -> None:
    for count in (b"NaN", b"Infinity"):
        line = b'{"response":{"usageMetadata":{"promptTokenCount":5,"cachedContentTokenCount":%b}}}' % count
        assert read(line).rows == Rows(malformed=1)


# Plain rows are added up apart from the others

_COUNTS = st.none() | st.integers(-1, 30) | st.sampled_from([200_000, 200_001, 2**31, "7", 3.0])
_MODALITIES = st.sampled_from(["TEXT", "AUDIO", "text", "HOLOGRAM", None])


@st.composite
def gemini_rows(draw: st.DrawFn) -> bytes:
    def details(total: Any) -> Any:
        if not isinstance(total, int) or total < 2 or draw(st.booleans()):
            return draw(st.sampled_from([None, [], [{"modality": "TEXT", "tokenCount": total}]]))
        first = draw(st.integers(0, total))
        cut = (
            [first, total - first] if draw(st.booleans()) else [total + draw(st.sampled_from([0, 0, -1, 1]))]
        )
        return [{"modality": draw(_MODALITIES), "tokenCount": count} for count in cut]

    usage: dict[str, Any] = {}
    for name in ("prompt", "candidates", "cache"):
        total = draw(_COUNTS)
        usage["cachedContentTokenCount" if name == "cache" else f"{name}TokenCount"] = total
        usage[f"{name}TokensDetails"] = details(total)
    usage["thoughtsTokenCount"] = draw(_COUNTS)
    sure = [usage[name] for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")]
    parts = sum(count for count in sure if isinstance(count, int))
    more = draw(st.none() | st.sampled_from([0, 0, 0, -1, 1]))
    usage["totalTokenCount"] = None if more is None else parts + more
    if draw(st.integers(0, 4)) == 0:
        usage["promptTokenDetails"] = details(usage["promptTokenCount"])
    if draw(st.integers(0, 4)) == 0:
        usage["toolUsePromptTokenCount"] = draw(_COUNTS)
    reasons = draw(st.lists(st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", None]), max_size=2))
    candidates = [{"finishReason": reason} for reason in reasons or ["STOP"]]
    version = draw(st.sampled_from([None, FLASH, "gemini-2.5-pro", "gemini-99", "text-embedding-005"]))
    response = {"candidates": candidates, "usageMetadata": usage, "modelVersion": version}
    return json.dumps({"status": "", "response": response}).encode()


def read_quickly(lines: list[bytes], model: str) -> Usage:
    reader = reader_for(GEMINI, TABLE, model)
    reader.add_block(Block(lines, 0, 0))
    return reader.usage


def read_thoroughly(lines: list[bytes], model: str) -> Usage:
    """As if no row were plain."""
    with patch.object(PlainRows, "add", lambda *_: False):
        return read_quickly(lines, model)


@given(st.lists(gemini_rows(), max_size=5), st.sampled_from([FLASH, "tuned", "gemini-1.5-pro"]))
def test_plain_rows_come_to_what_the_general_way_makes_of_them(lines: list[bytes], model: str) -> None:
    assert read_quickly(lines, model) == read_thoroughly(lines, model)


@pytest.mark.parametrize(
    ("before", "more"),
    [
        (b'"finishReason"', b'"groundingMetadata":{"webSearchQueries":["a"]},'),
        (b'"candidates"', b'"promptFeedback":{"blockReason":"SAFETY"},'),
        (b'"candidates"', b'"error":{"code":13},'),
        (b'"promptTokenCount"', b'"toolUsePromptTokenCount":5,'),
        (b'"promptTokenCount"', b'"cachedContentTokenCount":-1,'),
        (b'"promptTokenCount"', b'"cachedContentTokenCount":8,'),
        (b'"promptTokenCount"', b'"cachedContentTokenCount":2,"cacheTokensDetails":[{"tokenCount":3}],'),
        (b'"promptTokenCount"', b'"cacheTokensDetails":[{"tokenCount":3}],'),
        (b'"promptTokenCount"', b'"toolUsePromptTokensDetails":[{"tokenCount":3}],'),
        (b'"promptTokenCount"', b'"promptTokenDetails":[{"modality":"AUDIO","tokenCount":7}],'),
        (b'"promptTokenCount"', b'"totalTokenCount":10,'),
        (b'"promptTokenCount"', b'"totalTokenCount":12,'),
        (
            b'"promptTokenCount"',
            b'"cachedContentTokenCount":2,"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":2}],',
        ),
        (b'"promptTokenCount"', b'"candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":2}],'),
        (
            b'"promptTokenCount"',
            b'"promptTokensDetails":[{"tokenCount":3},{"modality":"TEXT","tokenCount":4}],',
        ),
        (b'"promptTokenCount"', b'"promptTokensDetails":[{"tokenCount":7},{"modality":"AUDIO"}],'),
        (
            b'"promptTokenCount"',
            b'"promptTokensDetails":[{"tokenCount":3},{"modality":"AUDIO","tokenCount":3}],',
        ),
        (b'"thoughtsTokenCount":1', b'"thoughtsTokenCount":-1,"x":'),
        (b'"thoughtsTokenCount":1', b'"thoughtsTokenCount":2147483648,"x":'),
    ],
)
def test_whatever_makes_a_row_special_is_seen(before: bytes, more: bytes) -> None:
    line = PLAIN.replace(before, more + (b"1" if more.endswith(b'"x":') else before))
    assert read_quickly([line], FLASH) == read_thoroughly([line], FLASH)


def test_rows_that_carry_their_time_are_plain_all_the_same() -> None:
    line = PLAIN.replace(b'{"response"', b'{"processed_time":"2026-07-01T00:00:01.5+00:00","response"')
    reader = reader_for(GEMINI, TABLE, FLASH, resumed_at=datetime(2026, 7, 1, tzinfo=UTC))
    with patch.object(Tally, "_add_row", lambda *_: pytest.fail("not plain")):
        reader.add_block(Block([line], 0, 0))
    assert reader.usage.rows == Rows(succeeded=1)


def test_plain_rows_of_an_earlier_job_are_carried_over() -> None:
    line = PLAIN.replace(b'{"response"', b'{"processed_time":"2026-06-30T00:00:00Z","response"')
    reader = reader_for(GEMINI, TABLE, FLASH, resumed_at=datetime(2026, 7, 1, tzinfo=UTC))
    reader.add_block(Block([line, PLAIN], 0, 0))
    assert reader.usage.rows == Rows(succeeded=1, carried_over=1)


def test_rows_that_come_wholly_from_a_cache_used_no_fresh_input() -> None:
    whole = PLAIN.replace(b'"promptTokenCount"', b'"cachedContentTokenCount":7,"promptTokenCount"')
    part = PLAIN.replace(b'"promptTokenCount"', b'"cachedContentTokenCount":3,"promptTokenCount"')
    usage = read(b"\n".join([whole, part, PLAIN]))
    assert {q.item: (q.quantity, q.rows) for q in usage.quantities} == {
        "input_text": (11, 2),
        "cached_input_text": (10, 2),
        "output_text": (9, 3),
        "output_thoughts": (3, 3),
    }


def test_very_many_versions_of_plain_rows_are_all_counted() -> None:
    lines = (
        PLAIN.replace(b'"usageMetadata"', b'"modelVersion":"gemini-2.5-flash@%d","usageMetadata"' % n)
        for n in range(2_000)
    )
    usage = read(b"\n".join(lines))
    assert {(q.model, q.item): q.quantity for q in usage.quantities} == {
        (FLASH, "input_text"): 14_000,
        (FLASH, "output_text"): 6_000,
        (FLASH, "output_thoughts"): 2_000,
    }
