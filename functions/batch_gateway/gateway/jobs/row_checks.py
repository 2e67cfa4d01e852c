"""Check the files that the rows of a create name, for callers that are limited to some."""

import time
from collections.abc import Callable
from typing import Any

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.access.input_names import WILD
from batch_gateway.core.access.row_grants import RowGrants, uri_grants
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating.needs import either, snake_case
from batch_gateway.core.estimating.wildcards import prefix_of
from batch_gateway.core.jobs.record import uris_of
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.input_bounds import InputBounds
from batch_gateway.gateway.jobs.input_objects import SECONDS, UnknownError, objects_in, objects_of
from batch_gateway.gateway.jobs.job_body import JobBody
from batch_gateway.logs import log
from batch_gateway.ports import (
    ObjectChangedError,
    ObjectStore,
    ObjectsUnavailableError,
    TableInfo,
    Tables,
    TablesUnavailableError,
)

MOST_NAMED = 100
"""Most objects that take the place of wildcards: each is looked up once more when it is read."""
_FOR_CUSTOM_CODE = frozenset({"csv", "tf-record", "tf-record-gzip"})
"""Formats that publishers' models and those tuned from them do not read ("Batch inference with Gemini")."""
_TABLE_FIELDS = frozenset({"instances_format", "bigquery_source"})
_NO_TEXT = frozenset(
    {
        *("INTEGER", "INT64", "FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC", "BOOLEAN", "BOOL"),
        *("DATE", "DATETIME", "TIME", "TIMESTAMP"),
    }
)
"""Types of columns that cannot hold a URI, by both of their names in BigQuery's REST API."""


def row_grants(caller: Caller) -> RowGrants | None:
    """Return what a caller's rows may name; None if they may name everything."""
    granted = uri_grants(caller.grants)
    return RowGrants(granted) if granted else None


class RowChecks:
    """Checks of what rows name. Of callers that may name everything, nothing is read or changed."""

    def __init__(
        self, objects: Callable[[], ObjectStore], tables: Callable[[], Tables], bounds: InputBounds
    ) -> None:
        self._objects = objects
        self._tables = tables
        self._bounds = bounds

    def with_exact_input(self, call: Call, body: JobBody) -> JobBody:
        """Return a create with the objects that its wildcards match now in their place.

        Vertex AI lists what a wildcard matches when the job runs, and would read objects that came after the
        check.

        Raises:
            ApiError: They match nothing or too much, or a name that is itself a wildcard.
        """
        if not uri_grants(call.caller.grants):
            return body
        name = "inputConfig" if body.json.get("inputConfig") is not None else "input_config"
        source = either(body.json, name)
        place = either(source, "gcsSource")
        uris = uris_of(either(place, "uris"))
        if not any(prefix_of(uri) is not None for uri in uris) or _is_for_custom_code(source):
            return body
        try:
            listed = objects_of(self._objects, uris, time.monotonic() + SECONDS)
        except UnknownError as error:
            raise _unchecked(str(error)) from error
        # Consoles make empty objects for folders.
        found = [each for each in listed if each.size or not each.name.endswith("/")]
        if len(found) > MOST_NAMED:
            raise _unchecked(
                f"its wildcards match {len(found):,} objects, more than {MOST_NAMED}; merge some"
            )
        for each in found:
            if not WILD.isdisjoint(each.name):
                raise _unchecked(f"{each.uri} would be read as a wildcard itself; rename it")
        gcs = {
            field: [each.uri for each in found] if snake_case(field) == "uris" else value
            for field, value in place.items()
        }
        changed = {
            field: gcs if snake_case(field) == "gcs_source" else value for field, value in source.items()
        }
        return JobBody(body.with_members({name: changed}))

    def check(self, call: Call, body: dict[str, Any]) -> None:
        """Check the files that the rows of a create name.

        Rows in CSV and TFRecord are for code of a custom model, which decides what they mean; they are not
        checked.

        Raises:
            ApiError: A row names a file that the caller may not read, or not all rows can be checked.
        """
        granted = row_grants(call.caller)
        source = either(body, "inputConfig")
        if granted is None or _is_for_custom_code(source):
            return
        whose = call.caller.key_id or ""
        try:
            if either(source, "instancesFormat") == "bigquery":
                table = self._table_in(source)
                if not _NO_TEXT.issuperset(table.columns.values()):
                    self._bounds.check_table(whose, table, self._tables(), granted)
            else:
                objects = objects_in(self._objects, source, time.monotonic() + SECONDS)
                self._bounds.weigh(whose, objects, None, granted)
        except UnknownError as error:
            raise _unchecked(str(error)) from error
        except (ObjectsUnavailableError, ObjectChangedError, TablesUnavailableError) as error:
            log("WARNING", "input not read", error=error)
            raise _unchecked("it was overwritten, or the gateway cannot read it now; try again") from error

    def _table_in(self, source: dict[str, Any]) -> TableInfo:
        """Find the table of an input.

        Raises:
            UnknownError: It is not, or not only, a table, or cannot be found.
            TablesUnavailableError: BigQuery does not answer.
        """
        if extra := sorted(name for name in source if snake_case(name) not in _TABLE_FIELDS):
            raise UnknownError(f"{extra[0]} names input beside bigquerySource, which is not read")
        uri = either(either(source, "bigquerySource"), "inputUri")
        if not isinstance(uri, str):
            raise UnknownError("the body names no table in bigquerySource")
        table = self._tables().stat(uri)
        if table is None:
            raise UnknownError(
                f"{uri} is no table, or one that the gateway may not see; views and external tables are not "
                "read"
            )
        return table


def _is_for_custom_code(source: Any) -> bool:
    return either(source, "instancesFormat") in _FOR_CUSTOM_CODE


def _unchecked(problem: str) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "ROWS_NOT_CHECKED",
        "Your key is limited in the files that rows may name, so the whole input is read before the job is "
        f"submitted: {problem}. Name jsonl files in Cloud Storage or a table in BigQuery, or ask the "
        "administrator for a key without allowed_uri_prefixes.",
    )
