"""Read the usage of an output table's rows in BigQuery, by one query.

The query does not interpret rows. It selects the members that ``core.rows`` reads, leaves out prompts,
answers and vectors, and counts identical rows; each result is the JSON of a line of output, and read as one.

Columns, and who says so:

- Gemini, Claude and open models: those of the input table, ``response`` and ``status`` ("Batch
  inference for BigQuery" of Google's documentation), and probably ``processed_time``. Whether
  ``response`` is STRING or JSON is not documented: both are read.
- text-embedding-00x: ``content``, ``predictions`` and ``status`` ("Batch text embeddings").
- Custom and AutoML models: their own in a table ``predictions``, their own and ``errors`` in a table
  ``errors`` (OutputConfig.bigqueryDestination of the Vertex AI API, discovery revision 20261106).

Columns that Vertex AI does not write come from the caller's input and are ignored.

BigQuery bills a query by the columns that it reads, at least 10 MB ("Estimate and control costs"). The query
reads one table once, so at most the table's size; a limit on the bytes billed would only leave large tables
unsettled.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.bigquery import DEFAULT_RETRY, Client, QueryJobConfig
from google.cloud.bigquery.table import Row
from requests.exceptions import RequestException

from batch_gateway.ports import ObjectChangedError, TableInfo, TableRow, TablesUnavailableError

_NAME = re.compile(
    r"bq://(?P<project>(?:[a-z0-9.-]{1,255}:)?[a-z][a-z0-9-]{4,28}[a-z0-9])"
    r"\.(?P<dataset>\w{1,1024})\.(?P<table>[\w -]{1,1024})"
)
"""The characters that BigQuery allows ("Create datasets", "Table naming") and that need no escape in a quoted
name. The project may be one of a domain: ``example.com:project``."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_PAGE_ROWS = 5_000
_REQUEST_SECONDS = 30.0
_QUERY_SECONDS = 180.0
"""A query that takes longer is cancelled by BigQuery and tried again by the next sweep."""

_NO_RETRY = DEFAULT_RETRY.with_predicate(lambda _: False)
"""Keeps the client from repeating a failed query for minutes."""

_TIMES = frozenset({"STRING", "TIMESTAMP", "DATETIME"})
"""Column types that a time can be read from; columns of other types are ignored."""

Shape = Mapping[str, "Shape"] | list["Shape"] | bool | None
"""The parts of a JSON value to keep: members of an object, a shape for each element of an array, everything
(None), or only that it exists (True)."""

_MESSAGE: Mapping[str, Shape] = {
    "model": None,
    "stop_reason": None,
    "choices": [{"finish_reason": None}],
    "content": True,
    "usage": None,
    "error": None,
    "type": None,
}
_GROUNDING: Mapping[str, Shape] = {
    "webSearchQueries": None,
    "imageSearchQueries": None,
    "retrievalQueries": None,
    "groundingChunks": [{"web": {}, "image": {}, "maps": {}}],
    "googleMapsWidgetContextToken": None,
}
RESPONSE: Mapping[str, Shape] = {
    "usageMetadata": None,
    "modelVersion": None,
    "tokenCount": None,
    "embedding": True,
    "candidates": [{"finishReason": None, "groundingMetadata": _GROUNDING}],
    "promptFeedback": {"blockReason": None},
    **_MESSAGE,
    "body": _MESSAGE,
    "message": _MESSAGE,
    "status_code": None,
}
"""The members of a response that ``core.rows`` reads."""
PREDICTIONS: Shape = [{"embeddings": {"statistics": {"token_count": None}}}]
"""The members of an embedding model's predictions that ``core.rows`` reads."""


class BigQuery:
    """The Tables port.

    Args:
        project: Id of the project that runs the queries and pays for them.
        emulator: URL of an emulator (``BIGQUERY_EMULATOR_HOST``), which needs no credentials.
    """

    def __init__(self, project: str, emulator: str | None = None) -> None:
        self._client = connect(project, emulator)

    def stat(self, uri: str) -> TableInfo | None:
        name = _NAME.fullmatch(uri)
        if name is None:
            return None
        with _translate_errors():
            try:
                table = self._client.get_table(
                    f"{name['project']}.{name['dataset']}.{name['table']}",
                    retry=DEFAULT_RETRY.with_timeout(_REQUEST_SECONDS),
                    timeout=_REQUEST_SECONDS,
                )
            except NotFound:
                return None
        if table.table_type != "TABLE":
            return None
        return TableInfo(
            uri=uri,
            generation=(table.modified - _EPOCH) // _MILLISECOND,
            size=table.num_bytes or 0,
            rows=table.num_rows or 0,
            created=table.created,
            location=table.location,
            columns={
                field.name.lower(): "REPEATED" if field.mode == "REPEATED" else field.field_type
                for field in table.schema
            },
        )

    def usage_lines(self, table: TableInfo, *, carried_before: datetime) -> Iterator[tuple[bytes, int]]:
        for row in self._query(table, usage_query(table, carried_before=carried_before), _QUERY_SECONDS):
            yield row["line"].encode(), row["count"]

    def rows(
        self, table: TableInfo, *, carried_before: datetime, whole: bool, seconds: float
    ) -> Iterator[TableRow]:
        query = rows_query(table, carried_before=carried_before, whole=whole)
        for row in self._query(table, query, seconds):
            yield TableRow(row["line"].encode(), row["whole"].encode())

    def _query(self, table: TableInfo, query: str, seconds: float) -> Iterator[Row]:
        """Yield the result of a query whose column ``count`` adds up to the table's rows.

        Raises:
            ObjectChangedError: The table has changed since stat.
            TablesUnavailableError: BigQuery did not answer, or not with all rows.
        """
        counted = 0
        with _translate_errors():
            try:
                rows = self._client.query_and_wait(
                    query,
                    location=table.location,
                    job_config=QueryJobConfig(job_timeout_ms=int(seconds * 1000)),
                    api_timeout=_REQUEST_SECONDS,
                    wait_timeout=seconds,
                    retry=DEFAULT_RETRY.with_timeout(_REQUEST_SECONDS),
                    job_retry=_NO_RETRY,
                    page_size=_PAGE_ROWS,
                )
                for row in rows:
                    counted += row["count"]
                    yield row
            except NotFound as error:
                raise ObjectChangedError(table.uri) from error
        now = self.stat(table.uri)
        if now is None or now.generation != table.generation:
            raise ObjectChangedError(table.uri)
        # More rows are possible: the number of rows does not include the streaming buffer.
        if counted < table.rows:
            raise TablesUnavailableError(
                f"only {counted} of the {table.rows} rows of {table.uri} are visible: "
                "a row-level access policy hides the others, or an answer was cut short"
            )


def connect(project: str, emulator: str | None) -> Client:
    """Return a client, with the arguments of BigQuery."""
    if emulator is None:
        return Client(project=project or None)
    return Client(
        project=project, credentials=AnonymousCredentials(), client_options={"api_endpoint": emulator}
    )


def usage_query(table: TableInfo, *, carried_before: datetime) -> str:
    """Return the query, in GoogleSQL: for each distinct row its JSON (``line``) and their number (``count``).

    Raises:
        ValueError: The table's name is invalid.
    """
    columns, members = _selection(table.columns, carried_before)
    return (
        "SELECT line, COUNT(*) AS count\n"  # noqa: S608 - only checked names
        f"FROM (SELECT {_line(members)} AS line FROM (SELECT {', '.join(columns)} FROM {_quoted(table)}))\n"
        "GROUP BY line"
    )


def rows_query(table: TableInfo, *, carried_before: datetime, whole: bool) -> str:
    """Return the query, in GoogleSQL: for each row a TableRow, and 1 as ``count``.

    Raises:
        ValueError: The table's name is invalid.
    """
    columns, members = _selection(table.columns, carried_before)
    keys = [column for column in ("key", "custom_id") if column in table.columns]
    members |= {column: _json(column) for column in keys}
    columns += [*keys, f"{'TO_JSON_STRING(whole_row)' if whole else repr('')} AS whole"]
    return (
        f"SELECT {_line(members)} AS line, whole, 1 AS count\n"  # noqa: S608 - only checked names
        f"FROM (SELECT {', '.join(columns)} FROM {_quoted(table)} AS whole_row)"
    )


def _quoted(table: TableInfo) -> str:
    name = _NAME.fullmatch(table.uri)
    if name is None:
        raise ValueError(f"not a valid name of a table: {table.uri!r}")
    return f"`{name['project']}.{name['dataset']}.{name['table']}`"


def _line(members: Mapping[str, str]) -> str:
    """Return an expression for the JSON of an object with these members."""
    joined = ", ',', ".join(f"""'"{member}":', {value}""" for member, value in members.items())
    return f"CONCAT('{{', {joined}, '}}')"


def _selection(columns: Mapping[str, str], carried_before: datetime) -> tuple[list[str], dict[str, str]]:
    """Return the columns to read, and an SQL expression for the JSON of each member of a line."""
    shapes: dict[str, Shape] = {"response": RESPONSE, "predictions": PREDICTIONS}
    answer = next((column for column in shapes if column in columns), None)
    if answer is None and "errors" in columns:
        return ["errors"], {"error": _json("errors")}
    if answer is None:
        # The rows of a custom model do not tell their usage.
        return ["1"], {"prediction": "'true'"}
    read = [column for column in ("status", "error") if column in columns]
    members = {column: _json(column) for column in read}
    if columns.get("processed_time") in _TIMES:
        read.append("processed_time")
        members["processed_time"] = _earlier("processed_time", carried_before)
    members[answer] = _reduce("answer", shapes[answer])
    kind = columns[answer]
    if kind == "STRING":
        text = f"NULLIF(TRIM({answer}), '')"
        # Numbers with more digits than a FLOAT64 are valid JSON, but are parsed in this mode only.
        read += [f"{text} AS text", f"SAFE.PARSE_JSON({text}, wide_number_mode => 'round') AS answer"]
        # The error text of a failed row need not be JSON.
        other = "IF(status > '', 'null', 'malformed')" if columns.get("status") == "STRING" else "'malformed'"
        members[answer] = f"IF(text IS NOT NULL AND answer IS NULL, {other}, {members[answer]})"
    else:
        read.append(f"{answer} AS answer" if kind == "JSON" else f"TO_JSON({answer}) AS answer")
    if answer == "predictions" and "content" in columns:
        read.append("content")
        members["instance"] = f"""CONCAT('{{"content":', {_json("content")}, '}}')"""
    return read, members


def _earlier(column: str, before: datetime) -> str:
    """Return an expression for the JSON of a fixed earlier time, or null; exact times would split groups."""
    early = f"SAFE_CAST({column} AS TIMESTAMP) < TIMESTAMP '{before.astimezone(UTC).isoformat()}'"
    return f"""IF({early}, '"{_EPOCH.isoformat()}"', 'null')"""


def _reduce(value: str, shape: Shape, depth: int = 0) -> str:
    """Return an expression for the JSON of a value, reduced to its shape.

    The shape ``{"usageMetadata": None}`` of the column ``answer`` becomes, without its type checks::

        CONCAT('{"":0', ',"usageMetadata":', TO_JSON_STRING(JSON_QUERY(answer, '$.usageMetadata')), '}')

    A value of another type than its shape becomes ``[]`` or ``{}``, whichever is the wrong type, so that it
    counts as unrecognized. An empty object stays empty, since an empty response is a failed one.
    """
    if shape is None:
        return _json(value)
    if isinstance(shape, bool):
        return f"IF({_json(value)} = 'null', 'null', 'true')"
    if isinstance(shape, list):
        element, at = f"element{depth}", f"at{depth}"
        elements = (
            f"SELECT STRING_AGG({_reduce(element, shape[0], depth + 1)}, ',' ORDER BY {at}) "  # noqa: S608 - ours
            f"FROM UNNEST(JSON_QUERY_ARRAY({value})) AS {element} WITH OFFSET AS {at}"
        )
        return _expect_type(value, "array", f"CONCAT('[', IFNULL(({elements}), ''), ']')", "'{}'")
    members = " ".join(
        f"""',"{name}":', {_reduce(f"JSON_QUERY({value}, '$.{name}')", inner, depth)},"""
        for name, inner in shape.items()
    )
    slim = f"""IF({_json(value)} = '{{}}', '{{}}', CONCAT('{{"":0', {members} '}}'))"""
    return _expect_type(value, "object", slim, "'[]'")


def _expect_type(value: str, kind: str, right: str, wrong: str) -> str:
    return (
        f"CASE IFNULL(JSON_TYPE({value}), 'null') "
        f"WHEN 'null' THEN 'null' WHEN '{kind}' THEN {right} ELSE {wrong} END"
    )


def _json(value: str) -> str:
    return f"IFNULL(TO_JSON_STRING({value}), 'null')"


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (GoogleAPICallError, GoogleAuthError, RetryError, RequestException, TimeoutError) as error:
        raise TablesUnavailableError(str(error)) from error
