"""Read a job's input: rows of objects or of a table, checked before the first is processed.

Formats: JSON Lines, and for custom models CSV, whose first line names the columns and whose rows are sent
to the model as arrays of strings (Google's page "Get batch inferences from a custom trained model").
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import options, rows
from .errors import INTERNAL, INVALID_ARGUMENT, UNIMPLEMENTED
from .jobs import Job
from .models import Family
from .storage import JobFailure, Storage
from .tables import Tables


class Row(NamedTuple):
    """An input row.

    Attributes:
        line: Its JSON.
        fails: Whether it will fail.
        holds: Whether it is never done by the clock.
    """

    line: bytes
    fails: bool
    holds: bool


def read(job: Job, storage: Storage, tables: Tables) -> list[Row]:
    """Return the rows, blank ones left out.

    Args:
        job: The job.
        storage: For objects.
        tables: For tables.

    Raises:
        JobFailure: A bucket, object or table isn't there, there are no rows, one can't be read, or one
            has an `emulate` that makes no sense.
    """
    family = job.model.family
    result = []
    for number, (line, row) in enumerate(_rows(job, storage, tables), 1):
        if not isinstance(row, dict) and family is not Family.CUSTOM:
            raise _unreadable(number)
        try:
            options.check(row)
        except ValueError as error:
            raise JobFailure(INVALID_ARGUMENT, f"Failed to import data. {error}") from error
        holds = bool(options.options(row).get("hold"))
        result.append(Row(line, bool(rows.outcome(family, row)), holds))
    if not result:
        raise JobFailure(INVALID_ARGUMENT, "Failed to import data. The input has no rows.")
    return result


def _rows(job: Job, storage: Storage, tables: Tables) -> Iterator[tuple[bytes, Any]]:
    """Yield the JSON of each row, and the same parsed."""
    config = job.body["inputConfig"]
    if "bigquerySource" in config:
        return _table_rows(config["bigquerySource"].get("inputUri", ""), tables)
    if "gcsSource" not in config:
        raise JobFailure(UNIMPLEMENTED, "The emulator reads Cloud Storage and BigQuery only.")
    uris = config["gcsSource"]["uris"]
    if job.model.family is Family.CUSTOM and config["instancesFormat"] == "csv":
        return _csv_rows(storage, uris)
    return _json_rows(storage.read_lines(uris))


def _json_rows(lines: list[bytes]) -> Iterator[tuple[bytes, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            yield line, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _unreadable(number) from error


def _csv_rows(storage: Storage, uris: list[str]) -> Iterator[tuple[bytes, Any]]:
    for _, content in storage.read_objects(uris):
        table = csv.reader(io.StringIO(content.decode("utf-8", "replace")))
        next(table, None)
        for row in table:
            if row:
                yield json.dumps(row, ensure_ascii=False).encode(), row


def _table_rows(uri: str, tables: Tables) -> Iterator[tuple[bytes, Any]]:
    try:
        found = tables.read(uri)
    except Exception as error:  # the source that a test plugs in may raise any exception
        raise JobFailure(INTERNAL, f"System error. {error}") from error
    if found is None:
        table = uri.removeprefix("bq://").replace(".", ":", 1)
        raise JobFailure(INVALID_ARGUMENT, f"Failed to import data. Not found: Table {table}")
    for number, given in enumerate(found, 1):
        row = dict(given)
        for name in ("request", "emulate", "body"):
            # A column of JSON may be one of strings, too; "request" is required to be valid JSON.
            if isinstance(row.get(name), str):
                try:
                    row[name] = json.loads(row[name])
                except ValueError as error:
                    raise _unreadable(number) from error
        yield json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace"), row


def _unreadable(number: int) -> JobFailure:
    text = "Failed to import data. Error while reading data, error message: JSON parsing error in row"
    return JobFailure(INVALID_ARGUMENT, f"{text} {number}.")
