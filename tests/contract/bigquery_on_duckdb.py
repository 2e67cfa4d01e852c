"""BigQuery's REST API on DuckDB: real SQL under the real client, since no emulator of BigQuery runs here.

GoogleSQL is translated by sqlglot. Put right here is what DuckDB means otherwise than BigQuery does:
what PARSE_JSON makes of text, the names of JSON types, what is an array, and that TO_JSON is no text.
"""

import json
import re
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import duckdb
import sqlglot
from sqlglot import exp

_TYPES = {
    "STRING": "VARCHAR",
    "JSON": "JSON",
    "TIMESTAMP": "TIMESTAMPTZ",
    "INTEGER": "BIGINT",
    "FLOAT": "DOUBLE",
    "NUMERIC": "DECIMAL(38, 9)",
}
_ANSWERED = {"VARCHAR": "STRING", "BIGINT": "INTEGER", "DECIMAL": "NUMERIC", "INTEGER": "NUMERIC"}
"""Types of columns of an answer; a NULL of no type is an INTEGER to DuckDB."""
_MACROS = """
CREATE MACRO bq_parse_json(text) AS CASE WHEN json_valid(text) THEN json(text) END;
CREATE MACRO bq_json_type(value) AS CASE json_type(value)
    WHEN 'NULL' THEN 'null' WHEN 'OBJECT' THEN 'object' WHEN 'ARRAY' THEN 'array'
    WHEN 'VARCHAR' THEN 'string' WHEN 'BOOLEAN' THEN 'boolean' ELSE if(value IS NULL, NULL, 'number') END;
CREATE MACRO bq_json_query_array(value) AS
    CASE WHEN json_type(value) = 'ARRAY' THEN TRY_CAST(value AS JSON[]) END;
"""
_TABLE = re.compile(r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)")
_JOBS = re.compile(r"/bigquery/v2/projects/[^/]+/jobs/([^/]+?)(/cancel)?")
_QUERIES = re.compile(r"/bigquery/v2/projects/[^/]+/queries(?:/([^/]+))?")


class BigQueryOnDuckDB:
    """A server of its own on a free port; tables are made by `write`.

    Attributes:
        url: What BIGQUERY_EMULATOR_HOST would be.
        asked: (method, path, body) of every request.
        refuse: Status and reason that every request is refused with; None: none is.
        unfinished: Number of times that a query is still running when it is asked for.
        before_query: Called before a query runs.
        bytes_read: Of every query; one that may be billed less is refused.
        most_rows: Of a page, however many are asked for: BigQuery has a limit in bytes.
    """

    def __init__(self):
        self.asked = []
        self.refuse = None
        self.unfinished = 0
        self.before_query = lambda: None
        self.most_rows = 100_000
        self.bytes_read = 1234
        self._database = duckdb.connect()
        self._database.execute("SET TimeZone = 'UTC'")
        self._database.execute(_MACROS)
        self._lock = threading.RLock()
        self._tables = {}
        self._results = {}
        self._now = 1_764_000_000_123
        emulator = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                self._answer(None)

            def do_POST(self):
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}"))

            def _answer(self, body):
                with emulator._lock:
                    status, answer = emulator._serve(self.command, self.path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def write(self, uri, columns, rows, *, location="US", kind="TABLE", partitioned=None):
        """Makes or overwrites a table.

        ``columns``: type by name, or (mode, DuckDB's type) of a record or array. ``rows``: dicts.
        ``partitioned``: the column of daily partitions; _PARTITIONTIME is none of the schema's.
        """
        name = uri.removeprefix("bq://")
        kinds = {column: _TYPES[of] if isinstance(of, str) else of[1] for column, of in columns.items()}
        with self._lock:
            made = ", ".join(f'"{column}" {of}' for column, of in kinds.items())
            self._database.execute(f'CREATE OR REPLACE TABLE "{name}" ({made})')
            if rows:
                values = ", ".join(f"${number}::{of}" for number, of in enumerate(kinds.values(), 1))
                self._database.executemany(
                    f'INSERT INTO "{name}" VALUES ({values})',  # noqa: S608 - made up for tests
                    [[row.get(column) for column in columns] for row in rows],
                )
            self._now += 1
            fields = [
                {"name": column, "type": of, "mode": "NULLABLE"}
                if isinstance(of, str)
                else {"name": column, "type": "RECORD" if "STRUCT" in of[1] else "STRING", "mode": of[0]}
                for column, of in columns.items()
                if column != "_PARTITIONTIME"
            ]
            by_day = {} if partitioned == "_PARTITIONTIME" else {"field": partitioned}
            self._tables[name] = {
                **({"timePartitioning": {"type": "DAY", **by_day}} if partitioned else {}),
                "schema": {"fields": fields},
                "numRows": str(len(rows)),
                "numBytes": str(len(json.dumps(rows, default=str))),
                "lastModifiedTime": str(self._now),
                "type": kind,
                "creationTime": self._tables.get(name, {}).get("creationTime", str(self._now)),
                "location": location,
            }

    def remove(self, uri):
        with self._lock:
            del self._tables[uri.removeprefix("bq://")]
            self._database.execute(f'DROP TABLE "{uri.removeprefix("bq://")}"')

    def sql(self):
        """The queries that were asked."""
        return [body["query"] for method, _, body in self.asked if method == "POST"]

    def _serve(self, method, target, body):
        self.asked.append((method, target, body))
        parts = urlsplit(target)
        if self.refuse:
            return _refusal(*self.refuse)
        if match := _TABLE.fullmatch(unquote(parts.path)):
            return self._table(*match.groups())
        if match := _JOBS.fullmatch(parts.path):
            state = {"state": "RUNNING" if self.unfinished else "DONE"}
            job = {"jobReference": _reference(match[1]), "status": state, "configuration": {"query": {}}}
            return 200, {"job": job} if match[2] else job
        if not (match := _QUERIES.fullmatch(parts.path)):
            return _refusal(404, "notFound")
        if method == "POST":
            return self._query(body)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return self._page(match[1], int(query.get("pageToken", 0)), int(query.get("maxResults", 100_000)))

    def _table(self, project, dataset, table):
        found = self._tables.get(f"{project}.{dataset}.{table}")
        if found is None:
            return _refusal(404, "notFound")
        reference = {"projectId": project, "datasetId": dataset, "tableId": table}
        return 200, {"kind": "bigquery#table", "tableReference": reference, **found}

    def _query(self, body):
        self.before_query()
        if int(body.get("maximumBytesBilled", self.bytes_read)) < self.bytes_read:
            return _refusal(400, "bytesBilledLimitExceeded")
        translated, names = _translate(body["query"])
        for name in names:
            if name not in self._tables or self._tables[name]["location"] != body.get("location"):
                return _refusal(404, "notFound")
        job = f"job_{len(self._results)}"
        try:
            found = self._database.execute(translated)
            fields = [
                {"name": name, "type": _ANSWERED[str(of).split("(")[0]]} for name, of, *_ in found.description
            ]
            self._results[job] = fields, found.fetchall()
        except duckdb.Error as error:
            return _refusal(400, "invalidQuery", str(error))
        return self._page(job, 0, body.get("maxResults", self.most_rows))

    def _page(self, job, start, most):
        reference = _reference(job)
        if self.unfinished:
            self.unfinished -= 1
            return 200, {"jobComplete": False, "jobReference": reference}
        fields, rows = self._results[job]
        end = start + min(most, self.most_rows)
        answer = {
            "jobComplete": True,
            "jobReference": reference,
            "totalRows": str(len(rows)),
            "totalBytesProcessed": str(self.bytes_read),
            "schema": {"fields": fields},
            "rows": [
                {"f": [{"v": None if value is None else str(value)} for value in row]}
                for row in rows[start:end]
            ],
        }
        return 200, answer if end >= len(rows) else {**answer, "pageToken": str(end)}


@cache
def _translate(query):
    """(DuckDB's SQL, names of the tables that it reads)"""
    tree = sqlglot.parse_one(query, read="bigquery", error_level=sqlglot.ErrorLevel.RAISE)
    names = []

    def put_right(node):  # noqa: PLR0911 - one for each difference
        if isinstance(node, exp.SafeFunc) and isinstance(node.this, exp.ParseJSON):
            return exp.func("bq_parse_json", node.this.this)
        if isinstance(node, exp.JSONExtractArray):
            return exp.func("bq_json_query_array", node.this)
        if isinstance(node, exp.JSONType):
            return exp.func("bq_json_type", node.this)
        if isinstance(node, exp.JSONFormat) and node.args.get("to_json"):
            return exp.func("to_json", node.this)
        if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL:
            return exp.DataType.build("DECIMAL(38, 9)")
        if isinstance(node, exp.Table) and node.db:
            names.append(f"{node.catalog}.{node.db}.{node.name}")
            name = exp.to_identifier(names[-1], quoted=True)
            return exp.Table(this=name, alias=node.args.get("alias"))
        return node

    return tree.transform(put_right).sql("duckdb"), names


def _reference(job):
    return {"projectId": "p", "jobId": job, "location": "US"}


def _refusal(status, reason, message=""):
    errors = [{"reason": reason, "message": message, "domain": "global"}]
    return status, {"error": {"code": status, "message": message, "errors": errors}}
