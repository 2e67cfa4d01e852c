"""BigQuery: what the rows of an output table used, by one query.

The query does not judge. It takes from every row the members that ``core.rows`` reads, leaves out
prompts, answers and vectors, and counts rows that come to the same; what is left is the JSON of a line
of output, and read as one.

Columns, and who says so:

- Gemini, Claude and open models: those of the input table, ``response`` and ``status`` ("Batch
  inference for BigQuery" of Google's documentation), and probably ``processed_time``. Whether
  ``response`` is STRING or JSON is not documented: either is read.
- text-embedding-00x: ``content``, ``predictions`` and ``status`` ("Batch text embeddings").
- Custom and AutoML models: their own in a table ``predictions``, their own and ``errors`` in a table
  ``errors`` (OutputConfig.bigqueryDestination of the Vertex AI API, discovery revision 20261106).

Columns that Vertex AI does not write come from the caller's input and decide nothing.

BigQuery bills a query by the columns that it reads, at least 10 MB ("Estimate and control costs"). It
reads one plain table once, so no more than the table's size: a limit on the bytes billed would only
leave large tables unsettled.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.bigquery import DEFAULT_RETRY, Client, QueryJobConfig
from requests.exceptions import RequestException

from batch_gateway.ports import ObjectChangedError, TableInfo, TablesUnavailableError

_NAME = re.compile(
    r"bq://(?P<project>(?:[a-z0-9.-]{1,255}:)?[a-z][a-z0-9-]{4,28}[a-z0-9])"
    r"\.(?P<dataset>\w{1,1024})\.(?P<table>[\w -]{1,1024})"
)
"""Of the characters that BigQuery allows ("Create datasets", "Table naming") those that a quoted name
needs no escape for. The project may be one of a domain: ``example.com:project``."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_PAGE_ROWS = 5_000
_REQUEST_SECONDS = 30.0
_QUERY_SECONDS = 180.0
"""A query that takes longer is cancelled by BigQuery and tried again by the next sweep."""

_NEVER = DEFAULT_RETRY.with_predicate(lambda _: False)
"""How the client is kept from starting over for minutes where its retries of a request gave up."""

_TIMES = frozenset({"STRING", "TIMESTAMP", "DATETIME"})
"""Types of a column that a time can be read from; in another it tells nothing."""

Shape = Mapping[str, "Shape"] | list["Shape"] | bool | None
"""What to keep of a JSON value: members of an object, the like of every element of an array, all (None), or
only that it is there (True)."""

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
"""What ``core.rows`` reads of a response."""
PREDICTIONS: Shape = [{"embeddings": {"statistics": {"token_count": None}}}]
"""What ``core.rows`` reads of an embedding model's predictions."""


class BigQuery:
    """The Tables port.

    Args:
        project: Id of the project that runs the queries and pays for them.
        emulator: URL of what plays BigQuery (``BIGQUERY_EMULATOR_HOST``), which needs no credentials.
    """

    def __init__(self, project: str, emulator: str | None = None) -> None:
        self._client = (
            Client(
                project=project,
                credentials=AnonymousCredentials(),
                client_options={"api_endpoint": emulator},
            )
            if emulator
            else Client(project=project or None)
        )

    def stat(self, uri: str) -> TableInfo | None:
        """See Tables."""
        name = _NAME.fullmatch(uri)
        if name is None:
            return None
        with _errors():
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
            location=table.location,
            columns={
                field.name.lower(): "REPEATED" if field.mode == "REPEATED" else field.field_type
                for field in table.schema
            },
        )

    def usage_lines(self, table: TableInfo, *, carried_before: datetime) -> Iterator[tuple[bytes, int]]:
        """See Tables."""
        counted = 0
        with _errors():
            try:
                rows = self._client.query_and_wait(
                    usage_query(table, carried_before=carried_before),
                    location=table.location,
                    job_config=QueryJobConfig(job_timeout_ms=int(_QUERY_SECONDS * 1000)),
                    api_timeout=_REQUEST_SECONDS,
                    wait_timeout=_QUERY_SECONDS,
                    retry=DEFAULT_RETRY.with_timeout(_REQUEST_SECONDS),
                    job_retry=_NEVER,
                    page_size=_PAGE_ROWS,
                )
                for row in rows:
                    counted += row["count"]
                    yield row["line"].encode(), row["count"]
            except NotFound as error:
                raise ObjectChangedError(table.uri) from error
        now = self.stat(table.uri)
        if now is None or now.generation != table.generation:
            raise ObjectChangedError(table.uri)
        # More are right: those of a streaming buffer are in no table's number of rows.
        if counted < table.rows:
            raise TablesUnavailableError(
                f"only {counted} of the {table.rows} rows of {table.uri} were to be seen: "
                "a row-level access policy hides the others, or an answer was cut short"
            )


def usage_query(table: TableInfo, *, carried_before: datetime) -> str:
    """The query, in GoogleSQL: for each kind of row its JSON (``line``) and the number of rows (``count``).

    Raises:
        ValueError: The table's name is none.
    """
    name = _NAME.fullmatch(table.uri)
    if name is None:
        raise ValueError(f"no name of a table: {table.uri!r}")
    columns, members = _selection(table.columns, carried_before)
    line = ", ',', ".join(f"""'"{member}":', {value}""" for member, value in members.items())
    return (
        "SELECT line, COUNT(*) AS count\n"  # noqa: S608 - only checked names
        f"FROM (SELECT CONCAT('{{', {line}, '}}') AS line\n"
        f"FROM (SELECT {', '.join(columns)} FROM `{name['project']}.{name['dataset']}.{name['table']}`))\n"
        "GROUP BY line"
    )


def _selection(columns: Mapping[str, str], carried_before: datetime) -> tuple[list[str], dict[str, str]]:
    """The columns to read, and the members of a line: for each an expression for its JSON."""
    shapes: dict[str, Shape] = {"response": RESPONSE, "predictions": PREDICTIONS}
    answer = next((column for column in shapes if column in columns), None)
    if answer is None and "errors" in columns:
        return ["errors"], {"error": _json("errors")}
    if answer is None:
        # A custom model's rows: none says what it cost.
        return ["1"], {"prediction": "'true'"}
    read = [column for column in ("status", "error") if column in columns]
    members = {column: _json(column) for column in read}
    if columns.get("processed_time") in _TIMES:
        read.append("processed_time")
        members["processed_time"] = _earlier("processed_time", carried_before)
    members[answer] = _slim("answer", shapes[answer])
    kind = columns[answer]
    if kind == "STRING":
        text = f"NULLIF(TRIM({answer}), '')"
        # A number of more digits than a FLOAT64 has is JSON too, but only in this mode.
        read += [f"{text} AS text", f"SAFE.PARSE_JSON({text}, wide_number_mode => 'round') AS answer"]
        # What a row that failed says instead of an answer need not be JSON.
        other = "IF(status > '', 'null', 'malformed')" if columns.get("status") == "STRING" else "'malformed'"
        members[answer] = f"IF(text IS NOT NULL AND answer IS NULL, {other}, {members[answer]})"
    else:
        read.append(f"{answer} AS answer" if kind == "JSON" else f"TO_JSON({answer}) AS answer")
    if answer == "predictions" and "content" in columns:
        read.append("content")
        members["instance"] = f"""CONCAT('{{"content":', {_json("content")}, '}}')"""
    return read, members


def _earlier(column: str, before: datetime) -> str:
    """An expression for the JSON of some time before, or null: rows that differ in their times are alike."""
    early = f"SAFE_CAST({column} AS TIMESTAMP) < TIMESTAMP '{before.astimezone(UTC).isoformat()}'"
    return f"""IF({early}, '"{_EPOCH.isoformat()}"', 'null')"""


def _slim(value: str, shape: Shape, depth: int = 0) -> str:
    """An expression for the JSON of a value's shape.

    What has another type than its shape becomes ``[]`` or ``{}``, whichever is wrong, so that it counts
    as what it is; and an object stays empty, or not, since an empty response is one that failed.
    """
    if shape is None:
        return _json(value)
    if isinstance(shape, bool):
        return f"IF({_json(value)} = 'null', 'null', 'true')"
    if isinstance(shape, list):
        element, at = f"element{depth}", f"at{depth}"
        elements = (
            f"SELECT STRING_AGG({_slim(element, shape[0], depth + 1)}, ',' ORDER BY {at}) "  # noqa: S608 - ours
            f"FROM UNNEST(JSON_QUERY_ARRAY({value})) AS {element} WITH OFFSET AS {at}"
        )
        return _of_type(value, "array", f"CONCAT('[', IFNULL(({elements}), ''), ']')", "'{}'")
    members = " ".join(
        f"""',"{name}":', {_slim(f"JSON_QUERY({value}, '$.{name}')", inner, depth)},"""
        for name, inner in shape.items()
    )
    slim = f"""IF({_json(value)} = '{{}}', '{{}}', CONCAT('{{"":0', {members} '}}'))"""
    return _of_type(value, "object", slim, "'[]'")


def _of_type(value: str, kind: str, right: str, wrong: str) -> str:
    return (
        f"CASE IFNULL(JSON_TYPE({value}), 'null') "
        f"WHEN 'null' THEN 'null' WHEN '{kind}' THEN {right} ELSE {wrong} END"
    )


def _json(value: str) -> str:
    return f"IFNULL(TO_JSON_STRING({value}), 'null')"


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (GoogleAPICallError, GoogleAuthError, RetryError, RequestException, TimeoutError) as error:
        raise TablesUnavailableError(str(error)) from error
