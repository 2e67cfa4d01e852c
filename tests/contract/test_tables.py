"""The Tables port: the one in memory and BigQuery keep the same promises; and BigQuery's own, on real SQL.

What the query leaves of a row must mean what the row meant: rows of every family, good and hostile, are
tallied both from lines of JSON and through the query, and have to come to the same.
"""

import json
import typing
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.adapters import bigquery
from batch_gateway.adapters.bigquery import PREDICTIONS, RESPONSE, BigQuery, usage_query
from batch_gateway.core.access.row_grants import RowGrants
from batch_gateway.core.pricing import prices
from batch_gateway.core.rows import Tally, decoding, gemini, messages, predictions
from batch_gateway.core.usage import Rows, Tokens
from batch_gateway.ports import ObjectChangedError, TableInfo, TablesUnavailableError
from contract.bigquery_on_duckdb import BigQueryOnDuckDB
from fakes import MemoryTables
from patience import PATIENCE
from thorough import examples

TABLE = prices.load()
URI = "bq://my-project.my_dataset.predictions_1"
GEMINI = {"status": "STRING", "processed_time": "STRING", "request": "STRING", "response": "STRING"}
GEMINI_JSON = {**GEMINI, "request": "JSON", "response": "JSON"}
FLASH = "publishers/google/models/gemini-2.5-flash"
RESUMED_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
CREATED = datetime(2026, 11, 1, tzinfo=UTC)
"""Of a job that carries nothing over."""
GOOD = {
    "status": "",
    "response": {
        "candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": "Hello"}]}}],
        "modelVersion": "gemini-2.5-flash",
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 10},
    },
}
FAILED = {"status": 'Bad Request: {"error": {"code": 400, "status": "INVALID_ARGUMENT"}}', "response": {}}


class InMemory(MemoryTables):
    """MemoryTables, with `write` as BigQuery has it below."""

    def write(self, rows):
        self.put(URI, [json.dumps(row).encode() for row in rows])

    def delete(self):
        self.remove(URI)


class OnDuckDB(BigQuery):
    """BigQuery on an emulator of its own."""

    def __init__(self, emulator):
        super().__init__("gateway-project", emulator.url)
        self.emulator = emulator

    def write(self, rows, columns=GEMINI, **how):
        self.emulator.write(URI, columns, [stored(row, columns) for row in rows], **how)

    def delete(self):
        self.emulator.remove(URI)


def stored(row, columns):
    """A line's members as a table has them: JSON in its columns is text to DuckDB, whatever their type."""
    return {
        name: value
        if name not in {"request", "response", "error", "predictions"} or value is None
        else json.dumps(value)
        for name, value in row.items()
        if name in columns and isinstance(columns[name], str)
    } | {name: row.get(name) for name, of in columns.items() if not isinstance(of, str)}


@pytest.fixture(scope="module")
def server():
    emulator = BigQueryOnDuckDB()
    yield emulator
    emulator.stop()


@pytest.fixture
def on_duckdb(server):
    server.asked.clear()
    server.refuse, server.unfinished, server.most_rows = None, 0, 100_000
    server.before_query = lambda: None
    return OnDuckDB(server)


@pytest.fixture(params=["memory", "bigquery"])
def tables(request):
    return InMemory() if request.param == "memory" else request.getfixturevalue("on_duckdb")


def tallied(lines, resumed_at=None, model=FLASH):
    counted = Tally(TABLE, model, resumed_at)
    for line, count in lines:
        for _ in range(count):
            counted.add(line)
    return counted.usage


def through(tables, resumed_at=None, model=FLASH):
    """The usage of the table, as settlement gets it."""
    lines = tables.usage_lines(tables.stat(URI), carried_before=resumed_at or CREATED)
    return tallied(lines, resumed_at, model)


def as_lines(rows, resumed_at=None, model=FLASH):
    """The usage of the same rows in a file."""
    return tallied([(json.dumps(row).encode(), 1) for row in rows], resumed_at, model)


def wide(tables):
    """How to write a table with a column for keys."""
    return {"columns": {**GEMINI, "key": "STRING"}} if isinstance(tables, OnDuckDB) else {}


# What both promise


def test_what_is_not_there_is_none(tables):
    assert tables.stat("bq://my-project.my_dataset.nothing") is None
    assert tables.stat("bq://my-project.no_such_dataset.nothing") is None


def test_a_deleted_table_is_none_again(tables):
    tables.write([GOOD])
    tables.delete()

    assert tables.stat(URI) is None


def test_a_table_says_what_it_is(tables):
    tables.write([GOOD, FAILED])

    info = tables.stat(URI)

    assert (info.uri, info.rows, info.location) == (URI, 2, "US")
    assert info.size > 0
    assert {"response", "status"} <= info.columns.keys()


def test_a_generation_is_an_integer_that_grows(tables):
    generations = []
    for _ in range(3):
        tables.write([GOOD])
        generations.append(tables.stat(URI).generation)

    assert all(type(generation) is int for generation in generations)
    assert generations == sorted(set(generations))


def test_rows_come_to_what_they_used(tables):
    tables.write([GOOD, FAILED, GOOD])

    usage = through(tables)

    assert usage.rows == Rows(succeeded=2, failed=1)
    assert usage.tokens == Tokens(input=18, output=20)
    assert [(waste.kind, waste.reason) for waste in usage.waste] == [("failed", "INVALID_ARGUMENT")]


def test_rows_alike_come_once_with_their_number(tables):
    tables.write([GOOD, GOOD, FAILED, GOOD])

    assert sorted(count for _, count in tables.usage_lines(tables.stat(URI), carried_before=CREATED)) == [
        1,
        3,
    ]


def test_rows_come_one_by_one_with_their_key_and_all_of_their_columns(tables):
    with_key = {**GOOD, "key": "k-1"}
    tables.write([with_key, FAILED, with_key], **wide(tables))

    rows = list(tables.rows(tables.stat(URI), carried_before=CREATED, whole=True, seconds=PATIENCE))

    assert tallied([(row.line, 1) for row in rows]) == through(tables)
    wholes = [json.loads(row.whole) for row in rows]
    assert sorted(str(whole.get("key")) for whole in wholes) == ["None", "k-1", "k-1"]
    assert {whole["status"] for whole in wholes} == {"", FAILED["status"]}
    assert [json.loads(row.line).get("key") for row in rows] == [whole.get("key") for whole in wholes]


def test_all_columns_are_left_out_if_they_are_not_wanted(tables):
    tables.write([GOOD, FAILED])

    rows = list(tables.rows(tables.stat(URI), carried_before=CREATED, whole=False, seconds=PATIENCE))

    assert [row.whole for row in rows] == [b"", b""]
    assert tallied([(row.line, 1) for row in rows]) == through(tables)


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_rows_of_a_table_that_is_no_longer_what_it_was_are_not_whole(tables, change):
    tables.write([GOOD])
    before = tables.stat(URI)
    if change == "overwritten":
        tables.write([GOOD])
    else:
        tables.delete()

    with pytest.raises(ObjectChangedError):
        list(tables.rows(before, carried_before=CREATED, whole=True, seconds=PATIENCE))


def test_a_table_says_when_it_was_made_and_overwriting_does_not_change_that(tables):
    tables.write([GOOD])
    created = tables.stat(URI).created
    tables.write([GOOD, GOOD])

    assert created.tzinfo is not None
    assert tables.stat(URI).created == created


def test_an_empty_table_has_no_lines(tables):
    tables.write([])

    assert list(tables.usage_lines(tables.stat(URI), carried_before=CREATED)) == []


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_a_table_that_is_no_longer_what_it_was_is_not_read(tables, change):
    tables.write([GOOD])
    before = tables.stat(URI)
    if change == "overwritten":
        tables.write([GOOD])
    else:
        tables.delete()

    with pytest.raises(ObjectChangedError):
        list(tables.usage_lines(before, carried_before=CREATED))


# The query


@pytest.mark.parametrize("columns", [GEMINI, GEMINI_JSON])
@pytest.mark.parametrize("whole", [True, False])
def test_single_rows_mean_what_their_groups_mean(on_duckdb, columns, whole):
    early = {**GOOD, "processed_time": "2026-11-22T11:00:00+00:00"}
    on_duckdb.write([GOOD, FAILED, early, {"status": "", "response": {"candidates": 1}}, GOOD], columns)

    rows = on_duckdb.rows(on_duckdb.stat(URI), carried_before=RESUMED_AT, whole=whole, seconds=PATIENCE)

    assert tallied([(row.line, 1) for row in rows], RESUMED_AT) == through(on_duckdb, RESUMED_AT)


def naming(uri):
    return {"contents": [{"parts": [{"text": "gs://a/mention"}, {"fileData": {"fileUri": uri}}]}]}


TEXT = json.dumps(naming("gs://payroll/x"))
INPUTS = [
    ("STRING", TEXT),
    ("STRING", TEXT.replace("/", "\\/")),
    ("STRING", TEXT.replace("gs://p", "\\u0067s://p")),
    ("JSON", TEXT),
    (("NULLABLE", "STRUCT(part STRUCT(fileUri TEXT)[])"), {"part": [{"fileUri": "gs://payroll/x"}]}),
    (("REPEATED", "VARCHAR[]"), ["a", "gs://payroll/x"]),
]


@pytest.mark.parametrize(("of", "request_"), INPUTS)
def test_files_that_rows_of_input_name_are_found_in_columns_of_every_type(on_duckdb, of, request_):
    columns = {"number": "INTEGER", "request": of}
    on_duckdb.emulator.write(URI, columns, [{"number": 1, "request": request_}, {"number": 2}])

    rows = on_duckdb.rows(on_duckdb.stat(URI), carried_before=CREATED, whole=True, seconds=PATIENCE)

    wholes = [row.whole for row in rows]
    assert len(wholes) == 2
    assert RowGrants({"key": ("gs://mine",)}).find_denied(wholes).uri == "gs://payroll/x"
    assert RowGrants({"key": ("gs://payroll",)}).find_denied(wholes) is None


def test_a_prompt_is_not_transferred_if_only_usage_is_wanted(on_duckdb):
    on_duckdb.write([{**GOOD, "request": {"contents": "secret"}}])

    (row,) = on_duckdb.rows(on_duckdb.stat(URI), carried_before=CREATED, whole=False, seconds=PATIENCE)

    assert b"secret" not in row.line


def test_prompts_answers_and_sources_are_not_transferred(on_duckdb):
    chunks = ["secret", {"maps": {"text": "secret"}}, {"web": {"uri": "secret"}}]
    said = {"content": {"parts": [{"text": "secret"}]}, "groundingMetadata": {"groundingChunks": chunks}}
    response = {"candidates": [said], "content": ["secret"], "embedding": {"secret": [0.1]}}
    on_duckdb.write([{**GOOD, "request": {"contents": "secret"}, "response": response}])

    [(line, _)] = on_duckdb.usage_lines(on_duckdb.stat(URI), carried_before=CREATED)

    [sql] = on_duckdb.emulator.sql()
    assert b"secret" not in line
    [candidate] = json.loads(line)["response"]["candidates"]
    assert [set(chunk) & {"maps"} for chunk in candidate["groundingMetadata"]["groundingChunks"][1:2]] == [
        {"maps"}
    ]
    assert "request" not in sql


def needed(kind):
    """Return the parts of a value that the parser reads, as a shape: from the types that it decodes into."""
    args = [arg for arg in typing.get_args(kind) if arg is not type(None)]
    if typing.get_origin(kind) is list:
        return [needed(args[0])]
    if args:
        return needed(args[0])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = typing.get_type_hints(kind)
        pairs = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        return {encoded: needed(hints[field]) for field, encoded in pairs}
    return None


def carries(shape, wanted):
    if shape is None or wanted is None:
        return True
    if isinstance(wanted, list):
        return carries(shape[0], wanted[0])
    return all(name in shape and carries(shape[name], inner) for name, inner in wanted.items())


def test_the_query_carries_all_that_the_parser_reads():
    assert carries(RESPONSE, needed(gemini.Response))
    assert carries(RESPONSE, needed(messages._Response))
    assert carries(RESPONSE["body"], needed(messages._Message))
    assert carries(RESPONSE["message"], needed(messages._Message))
    assert carries(PREDICTIONS, needed(list[predictions._Prediction]))
    assert needed(predictions._Instance).keys() == {"content"}
    assert needed(decoding.Row).keys() == {
        *("status", "processed_time", "response", "predictions", "prediction", "instance", "error"),
        *("key", "custom_id"),  # of single rows
    }


COUNTS = st.one_of(st.none(), st.integers(0, 300_000))
MODALITIES = st.sampled_from(["TEXT", "IMAGE", "AUDIO", "VIDEO", "DOCUMENT", "MODALITY_UNSPECIFIED"])
DETAILS = st.lists(st.fixed_dictionaries({"modality": MODALITIES, "tokenCount": COUNTS}), max_size=3)
REASONS = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "SOMETHING_NEW"])


def some(**members):
    return st.fixed_dictionaries({}, optional=members)


GEMINI_RESPONSES = some(
    usageMetadata=some(
        promptTokenCount=COUNTS,
        candidatesTokenCount=COUNTS,
        thoughtsTokenCount=COUNTS,
        toolUsePromptTokenCount=COUNTS,
        cachedContentTokenCount=st.integers(0, 50),
        promptTokensDetails=DETAILS,
        candidatesTokensDetails=DETAILS,
        cacheTokensDetails=DETAILS,
        totalTokenCount=COUNTS,
        promptTokenDetails=DETAILS,
        trafficType=st.just("ON_DEMAND"),
    ),
    candidates=st.lists(
        some(
            finishReason=REASONS,
            content=st.just({"parts": [{"text": 'a "quoted" ü\n'}]}),
            groundingMetadata=some(
                webSearchQueries=st.lists(st.text("qü\"' ", max_size=3), max_size=2),
                imageSearchQueries=st.lists(st.just("q"), max_size=1),
                retrievalQueries=st.lists(st.just("q"), max_size=2),
                groundingChunks=st.lists(
                    some(maps=st.just({"placeId": "1"}), web=st.sampled_from([None, {}, {"uri": "u"}])),
                    max_size=2,
                ),
                googleMapsWidgetContextToken=st.just("w"),
            ),
        ),
        max_size=3,
    ),
    modelVersion=st.sampled_from(
        ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.0-flash-001@default", "new"]
    ),
    promptFeedback=some(blockReason=st.sampled_from(["SAFETY", "OTHER"]), safetyRatings=st.just([])),
    responseId=st.text("ab1", max_size=3),
    tokenCount=st.sampled_from(["2", 3]),
    embedding=st.just({"values": [0.1, -2e-05]}),
)
MESSAGES = some(
    model=st.sampled_from(["claude-haiku-4-5", "meta/llama-3.3-70b-instruct-maas"]),
    stop_reason=st.sampled_from(["end_turn", "max_tokens", "refusal"]),
    choices=st.lists(some(finish_reason=st.sampled_from(["stop", "length"]), index=st.just(0)), max_size=2),
    usage=some(
        input_tokens=COUNTS,
        output_tokens=COUNTS,
        cache_read_input_tokens=COUNTS,
        prompt_tokens=COUNTS,
        completion_tokens=COUNTS,
        total_tokens=COUNTS,
        completion_tokens_details=some(reasoning_tokens=st.integers(0, 5)),
    ),
    content=st.sampled_from([[{"type": "text", "text": "secret"}], [], "", None]),
    type=st.sampled_from(["message", "error", "expired"]),
    error=st.sampled_from([{"code": 400, "message": "no"}, {"code": 0}, ""]),
)
WRAPPED = some(
    body=st.one_of(MESSAGES, st.just("Bad Gateway")),
    message=st.one_of(MESSAGES, st.just("Overloaded")),
    status_code=st.sampled_from([200, 429, "502"]),
)
NAMES = sorted(
    {
        *RESPONSE,
        "usage",
        "promptTokenCount",
        "totalTokenCount",
        "finishReason",
        "webSearchQueries",
        "groundingChunks",
        "blockReason",
        "other",
    }
)
HOSTILE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 2**40), st.sampled_from(["", "7", "STOP", "x"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=12,
)
STATUSES = st.sampled_from(
    [
        "",
        "",
        "",
        None,
        "OK",
        "200",
        FAILED["status"],
        "Failed to parse JSON into proto",
        "Quota: RESOURCE_EXHAUSTED",
    ]
)
TIMES = st.sampled_from(
    [None, "2026-11-22T11:59:59.999+00:00", "2026-11-22T12:00:00Z", "2026-11-23T00:00:00.1Z", "soon"]
)


def rows_of(responses):
    row = st.fixed_dictionaries(
        {"status": STATUSES, "response": st.one_of(st.none(), responses), "processed_time": TIMES},
        optional={"request": st.just({"contents": [{"parts": [{"text": "a\\u0000 prompt"}]}]})},
    )
    return st.lists(row, max_size=12)


ROWS = st.one_of(
    rows_of(GEMINI_RESPONSES),
    rows_of(st.one_of(MESSAGES, WRAPPED)),
    rows_of(HOSTILE),
)


@pytest.mark.parametrize("columns", [GEMINI, GEMINI_JSON], ids=["text", "JSON"])
@pytest.mark.parametrize("resumed_at", [None, RESUMED_AT], ids=["", "resumed"])
@given(rows=ROWS)
@examples(8)
def test_a_table_comes_to_what_its_rows_come_to_in_a_file(on_duckdb, columns, resumed_at, rows):
    on_duckdb.write(rows, columns)

    assert through(on_duckdb, resumed_at) == as_lines(rows, resumed_at)


def test_text_that_is_no_json_is_malformed_unless_its_row_failed(on_duckdb):
    texts = [
        ("", "{bad"),
        ("", '{"candidates": ['),
        ("Bad Request", "{bad"),
        ("", " "),
        ("", None),
        (None, "{} x"),
    ]
    rows = [{"status": status, "response": text} for status, text in texts]
    on_duckdb.emulator.write(URI, GEMINI, rows)

    assert through(on_duckdb).rows == Rows(malformed=3, failed=1, unrecognized=2)


def test_text_is_read_whatever_its_spaces(on_duckdb):
    texts = [" { } ", '\n{ "usageMetadata" : {\t"promptTokenCount": 5 } }\n', "null"]
    on_duckdb.emulator.write(URI, GEMINI, [{"status": "", "response": text} for text in texts])

    usage = through(on_duckdb)

    assert (usage.rows, usage.tokens) == (Rows(succeeded=1, unrecognized=2), Tokens(input=5))


def test_records_are_read_like_json(on_duckdb):
    columns = {
        "status": ("NULLABLE", "STRUCT(message VARCHAR)"),
        "processed_time": "TIMESTAMP",
        "response": (
            "NULLABLE",
            "STRUCT(candidates STRUCT(finishReason TEXT)[], usageMetadata STRUCT(promptTokenCount BIGINT))",
        ),
    }
    answer = {"usageMetadata": {"promptTokenCount": 7}, "candidates": [{"finishReason": "MAX_TOKENS"}]}
    times = ["2026-11-22T11:00:00Z", "2026-11-22T13:00:00Z"]
    rows = [{"status": None, "processed_time": time, "response": answer} for time in times]
    on_duckdb.write([*rows, {"status": {"message": "RESOURCE_EXHAUSTED"}, "response": None}], columns)

    usage = through(on_duckdb, RESUMED_AT)

    assert usage.rows == Rows(succeeded=1, carried_over=1, failed=1)
    assert usage.tokens == Tokens(input=7)
    assert {waste.reason for waste in usage.waste} == {"MAX_TOKENS", "RESOURCE_EXHAUSTED"}


@pytest.mark.parametrize("kind", ["STRING", "TIMESTAMP"])
def test_rows_that_differ_in_their_times_only_are_alike(on_duckdb, kind):
    columns = {**GEMINI, "processed_time": kind}
    times = [f"2026-11-22T{hour}:00:00+00:00" for hour in ("10", "11", "13", "14", "15")]
    on_duckdb.write([{**GOOD, "processed_time": time} for time in times], columns)

    lines = list(on_duckdb.usage_lines(on_duckdb.stat(URI), carried_before=RESUMED_AT))

    assert sorted(count for _, count in lines) == [2, 3]
    assert tallied(lines, RESUMED_AT).rows == Rows(succeeded=3, carried_over=2)


@pytest.mark.parametrize("kind", ["INTEGER", "JSON"])
def test_a_time_of_another_type_makes_no_row_a_carried_over_one(on_duckdb, kind):
    on_duckdb.emulator.write(
        URI,
        {"response": "JSON", "processed_time": kind},
        [{"response": '{"usageMetadata":{}}', "processed_time": "1"}],
    )

    assert through(on_duckdb, RESUMED_AT).rows.carried_over == 0


def test_columns_may_be_missing_and_in_any_case(on_duckdb):
    on_duckdb.emulator.write(URI, {"Response": "STRING"}, [{"Response": json.dumps(GOOD["response"])}])

    assert through(on_duckdb, RESUMED_AT).rows == Rows(succeeded=1)


def test_what_the_caller_named_like_ours_decides_nothing(on_duckdb):
    columns = {
        **GEMINI,
        "predictions": "STRING",
        "content": "STRING",
        "errors": "STRING",
        "line": "STRING",
        "answer": "STRING",
    }
    mine = {"predictions": "[]", "content": "x", "errors": "y", "line": "{}", "answer": "z"}
    on_duckdb.write([{**GOOD, **mine}, {**GOOD, **mine, "line": "[]"}], columns)

    assert through(on_duckdb) == as_lines([GOOD, GOOD])


EMBEDDING = "publishers/google/models/text-embedding-005"
VECTORS = {
    "text": ("STRING", json.dumps),
    "JSON": ("JSON", json.dumps),
    "records": (
        ("REPEATED", 'STRUCT(embeddings STRUCT(statistics STRUCT(token_count BIGINT), "values" DOUBLE[]))[]'),
        list,
    ),
}


@pytest.mark.parametrize("form", VECTORS)
@given(contents=st.lists(st.text(max_size=12).filter(lambda text: "\0" not in text), max_size=8))
@examples(5)
def test_embeddings_are_charged_by_the_characters_of_their_content(on_duckdb, form, contents):
    kind, store = VECTORS[form]
    answers = [
        [{"embeddings": {"statistics": {"token_count": n}, "values": [0.1]}}] for n in range(len(contents))
    ]
    rows = [
        {"content": c, "predictions": store(a), "status": ""} for c, a in zip(contents, answers, strict=True)
    ]
    on_duckdb.emulator.write(URI, {"content": "STRING", "predictions": kind, "status": "STRING"}, rows)

    usage = through(on_duckdb, model=EMBEDDING)

    lines = [
        {"instance": {"content": c}, "predictions": a, "status": ""}
        for c, a in zip(contents, answers, strict=True)
    ]
    assert usage == as_lines(lines, model=EMBEDDING)
    assert usage.rows.unmetered == 0


@pytest.mark.parametrize("reasons", [["SAFETY", "MAX_TOKENS"], ["MAX_TOKENS", "SAFETY"]])
def test_answers_keep_their_order(on_duckdb, reasons):
    row = {
        "status": "",
        "response": {**GOOD["response"], "candidates": [{"finishReason": r} for r in reasons]},
    }
    on_duckdb.write([row])

    usage = through(on_duckdb)

    assert usage == as_lines([row])
    assert [waste.reason for waste in usage.waste] == reasons[:1]


def test_an_error_beside_the_answer_fails_the_row(on_duckdb):
    row = {"response": None, "error": {"code": 429}}
    on_duckdb.write([row], {"error": "JSON", "response": "JSON"})

    usage = through(on_duckdb)

    assert usage == as_lines([row])
    assert [(waste.kind, waste.reason) for waste in usage.waste] == [("failed", "RESOURCE_EXHAUSTED")]


def test_numbers_of_many_digits_make_no_row_malformed():
    # DuckDB takes them in any case; BigQuery's PARSE_JSON only in this mode (JSON functions).
    sql = usage_query(TableInfo(URI, 1, 1, 1, CREATED, "US", GEMINI), carried_before=CREATED)

    assert "SAFE.PARSE_JSON(NULLIF(TRIM(response), ''), wide_number_mode => 'round')" in sql


def test_arrays_of_text_are_no_embeddings(on_duckdb):
    columns = {"predictions": ("REPEATED", "VARCHAR[]")}
    on_duckdb.emulator.write(URI, columns, [{"predictions": ["a", "b"]}])

    assert through(on_duckdb).rows == Rows(succeeded=1, unmetered=1)


def test_vectors_are_not_transferred(on_duckdb):
    row = {
        "content": "x",
        "predictions": [{"embeddings": {"statistics": {"token_count": 1}, "values": [0.5] * 99}}],
    }
    on_duckdb.write([row], {"content": "STRING", "predictions": "JSON", "status": "STRING"})

    [(line, _)] = on_duckdb.usage_lines(on_duckdb.stat(URI), carried_before=CREATED)

    assert b"0.5" not in line


def test_rows_of_custom_models_are_counted_whatever_their_columns(on_duckdb):
    columns = {
        "status": "STRING",
        "amount": "INTEGER",
        "predicted_churn": ("NULLABLE", "STRUCT(score DOUBLE)"),
    }
    rows = [{"status": "shipped", "amount": n, "predicted_churn": {"score": 0.5}} for n in range(5)]
    on_duckdb.emulator.write(URI, columns, rows)

    assert through(on_duckdb, model="projects/1/locations/l/models/2").rows == Rows(succeeded=5, unmetered=5)
    assert "shipped" not in on_duckdb.emulator.sql()[0]


def test_errors_of_custom_models_are_failed_rows(on_duckdb):
    columns = {"amount": "INTEGER", "errors": ("NULLABLE", "STRUCT(code BIGINT, message VARCHAR)")}
    on_duckdb.emulator.write(
        URI, columns, [{"amount": n, "errors": {"code": 8, "message": "no"}} for n in range(3)]
    )

    usage = through(on_duckdb, model="projects/1/locations/l/models/2")

    assert usage.rows == Rows(failed=3)
    assert [(waste.reason, waste.rows) for waste in usage.waste] == [("RESOURCE_EXHAUSTED", 3)]


# Names, and what else BigQuery does


@pytest.mark.parametrize(
    "uri",
    [
        "gs://bucket/name",
        "bq://my-project.d",
        "bq://my-project.d.t.u",
        "bq://my-project.d.t`",
        "bq://my-project.d.t` UNION ALL SELECT 1 --",
        "bq://my-project.d.t\\",
        "bq://my-project.d.t\n",
        "bq://my-project.d.t$20260101",
        "bq://my-project.d-e.t",
        "bq://my-project..t",
        "bq://my-project/../x.d.t",
        "bq://MY-PROJECT.d.t",
        "bq://p`.d.t",
        "bq://my-project.d." + "t" * 1025,
    ],
)
def test_what_is_no_table_s_name_reaches_neither_sql_nor_a_path(on_duckdb, uri):
    assert on_duckdb.stat(uri) is None
    assert on_duckdb.emulator.asked == []
    with pytest.raises(ValueError, match="not a valid name of a table"):
        usage_query(TableInfo(uri, 1, 1, 1, CREATED, "US", GEMINI), carried_before=CREATED)


@pytest.mark.parametrize("table", ["predictions-1", "größe 東京", "_1", "SELECT"])
def test_every_other_name_is_quoted(on_duckdb, table):
    uri = f"bq://example.com:my-project.d_1.{table}"
    on_duckdb.emulator.write(uri, GEMINI, [stored(GOOD, GEMINI)])

    lines = on_duckdb.usage_lines(on_duckdb.stat(uri), carried_before=CREATED)

    assert tallied(lines) == as_lines([GOOD])


def test_a_view_is_no_table(on_duckdb):
    on_duckdb.write([GOOD], kind="VIEW")

    assert on_duckdb.stat(URI) is None


def test_the_query_runs_where_the_table_is_and_in_the_gateway_s_project(on_duckdb):
    on_duckdb.write([GOOD], location="europe-west4")

    assert through(on_duckdb) == as_lines([GOOD])
    [target] = [target for method, target, _ in on_duckdb.emulator.asked if method == "POST"]
    assert target.startswith("/bigquery/v2/projects/gateway-project/queries")


def test_lines_come_page_by_page_also_of_a_query_that_takes_its_time(on_duckdb, monkeypatch):
    monkeypatch.setattr(bigquery, "_PAGE_ROWS", 7)
    on_duckdb.emulator.unfinished = 2
    rows = [{"status": f"failed {n}", "response": None} for n in range(40)]
    on_duckdb.write(rows)

    assert through(on_duckdb) == as_lines(rows)
    pages = [
        target
        for method, target, _ in on_duckdb.emulator.asked
        if method == "GET" and "maxResults=7" in target
    ]
    assert len(pages) >= 6


@pytest.mark.parametrize(
    "read",
    [
        lambda tables, info: tables.usage_lines(info, carried_before=CREATED),
        lambda tables, info: tables.rows(info, carried_before=CREATED, whole=True, seconds=1.0),
    ],
)
def test_a_query_that_does_not_end_is_cancelled(on_duckdb, monkeypatch, read):
    monkeypatch.setattr(bigquery, "_QUERY_SECONDS", 1.0)
    on_duckdb.write([GOOD])
    info = on_duckdb.stat(URI)
    on_duckdb.emulator.unfinished = 10**6

    with pytest.raises(TablesUnavailableError):
        list(read(on_duckdb, info))

    asked = [
        (body or {}).get("jobTimeoutMs") for method, _, body in on_duckdb.emulator.asked if method == "POST"
    ]
    assert asked[0] == "1000"
    assert any("/cancel" in target for _, target, _ in on_duckdb.emulator.asked)


def test_rows_that_may_not_be_seen_are_missed(on_duckdb):
    on_duckdb.write([GOOD, GOOD])
    hidden = msgspec.structs.replace(on_duckdb.stat(URI), rows=3)

    with pytest.raises(TablesUnavailableError, match="only 2 of the 3 rows"):
        list(on_duckdb.usage_lines(hidden, carried_before=CREATED))


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_a_table_that_changes_while_it_is_read_is_not_counted(on_duckdb, change):
    on_duckdb.write([GOOD])
    changes = {"overwritten": lambda: on_duckdb.write([GOOD]), "deleted": on_duckdb.delete}
    before = on_duckdb.stat(URI)
    on_duckdb.emulator.before_query = changes[change]

    with pytest.raises(ObjectChangedError):
        list(on_duckdb.usage_lines(before, carried_before=CREATED))


@pytest.mark.parametrize("refusal", [(403, "accessDenied"), (400, "invalidQuery"), (501, "notImplemented")])
def test_a_refusal_is_unavailable(on_duckdb, refusal):
    on_duckdb.write([GOOD])
    info = on_duckdb.stat(URI)
    on_duckdb.emulator.refuse = refusal

    with pytest.raises(TablesUnavailableError):
        on_duckdb.stat(URI)
    with pytest.raises(TablesUnavailableError):
        list(on_duckdb.usage_lines(info, carried_before=CREATED))


def test_an_outage_is_unavailable_within_the_time_of_one_request(refusing_host, monkeypatch):
    monkeypatch.setattr(bigquery, "_REQUEST_SECONDS", 2.0)
    tables = BigQuery("gateway-project", f"http://{refusing_host}")
    info = TableInfo(URI, 1, 1, 1, CREATED, "US", GEMINI)
    begun = datetime.now(UTC)

    with pytest.raises(TablesUnavailableError):
        tables.stat(URI)
    with pytest.raises(TablesUnavailableError):
        list(tables.usage_lines(info, carried_before=CREATED))

    # Without the limit it would be ten minutes.
    assert (datetime.now(UTC) - begun).total_seconds() < PATIENCE
