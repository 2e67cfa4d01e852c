"""Convert records to Firestore documents and back, and translate Firestore's errors."""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from google.api_core.exceptions import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    GoogleAPICallError,
    InvalidArgument,
    NotFound,
    RetryError,
)
from google.api_core.retry import Retry, if_transient_error
from google.cloud.firestore_v1 import DocumentSnapshot, LastUpdateOption, WriteBatch

from batch_gateway.core.jobs.record import JobKey
from batch_gateway.logs import log
from batch_gateway.ports import RecordError, StoreUnavailableError, Unreadable

_SECONDS = 4.0
"""Time limit of a call of Firestore, retries included."""
CALL: dict[str, Any] = {
    "timeout": _SECONDS,
    "retry": Retry(predicate=if_transient_error, initial=0.1, maximum=1.0, timeout=_SECONDS),
}
"""Arguments of every call."""

Record = TypeVar("Record")
Result = TypeVar("Result")

_PAGE = 300
"""Documents of one call, few enough for its time limit also on a slow or busy processor."""
_TRIES = 12
_LONGEST_PAUSE_SECONDS = 0.4


def optimistically(attempt: Callable[[], Result], *, tries: int = _TRIES) -> Result:
    """Repeat an attempt that reads, and then writes on condition that nothing has changed in between.

    This is used instead of the SDK's transactions, which hold locks, take more round trips, and have neither
    a time limit nor a way to cancel. A batch is atomic, and its conditions make it safe to repeat.
    """
    for number in range(tries):
        try:
            return attempt()
        except (FailedPrecondition, AlreadyExists, NotFound, Aborted):
            if number == tries - 1:
                raise
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.02 * 2**number)))  # noqa: S311 - jitter
    raise AssertionError("unreachable")


def write_if_unchanged(batch: WriteBatch, snapshot: DocumentSnapshot[Any], document: dict[str, Any]) -> None:
    """Write a document on condition that it has not changed, or been created, since its snapshot."""
    if snapshot.exists:
        batch.update(snapshot.reference, document, option=LastUpdateOption(snapshot.update_time))
    else:
        batch.create(snapshot.reference, document)


def delete_if_unchanged(batch: WriteBatch, snapshot: DocumentSnapshot[Any]) -> None:
    """Delete a document on condition that it has not changed since its snapshot."""
    batch.delete(snapshot.reference, option=LastUpdateOption(snapshot.update_time))


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate Firestore's errors to RecordError if a record is invalid, else to StoreUnavailableError."""
    try:
        yield
    except (InvalidArgument, msgspec.ValidationError) as error:
        raise RecordError(str(error)) from error
    except (GoogleAPICallError, RetryError) as error:
        raise StoreUnavailableError(str(error)) from error


def to_document(record: msgspec.Struct) -> dict[str, Any]:
    """Return a record as a document, with values that Firestore does not support encoded as JSON."""
    document: dict[str, Any] = _encode(msgspec.to_builtins(record, builtin_types=(datetime,)), 0)
    return document


def from_document(document: dict[str, Any] | None, kind: type[Record]) -> Record:
    """Return an existing document as a record."""
    return msgspec.convert(_decode(document), kind)


def from_optional(document: dict[str, Any] | None, kind: type[Record]) -> Record | None:
    """Return a document as a record; None if it does not exist."""
    return None if document is None else from_document(document, kind)


def from_documents(
    snapshots: Iterable[DocumentSnapshot[Any]], kind: type[Record]
) -> list[Record | Unreadable]:
    """Return documents as records, and the names of those that cannot be read in their place."""
    return [_from_document_or_unreadable(snapshot, kind) for snapshot in snapshots]


def _from_document_or_unreadable(snapshot: DocumentSnapshot[Any], kind: type[Record]) -> Record | Unreadable:
    try:
        return from_document(snapshot.to_dict(), kind)
    except msgspec.MsgspecError as error:
        return describe_unreadable(snapshot, error)


def read_records(query: Any, kind: type[Record], limit: int) -> list[Record]:
    """Return the first readable records of an ordered query; skip and log the others.

    Fewer than ``limit`` records means that the query has ended, so a page continues after a bad record.
    """
    found: list[Record] = []
    while True:
        snapshots = list(query.limit(limit).stream(**CALL))
        for each in from_documents(snapshots, kind):
            if isinstance(each, Unreadable):
                log_unreadable(each)
            else:
                found.append(each)
            if len(found) == limit:
                return found
        if len(snapshots) < limit:
            return found
        query = query.start_after(snapshots[-1])


def read_pages(query: Any, after: Any, limit: int) -> list[DocumentSnapshot[Any]]:
    """Read up to ``limit`` documents of a query in order of their names, in several calls if necessary."""
    found: list[DocumentSnapshot[Any]] = []
    while len(found) < limit:
        size = min(_PAGE, limit - len(found))
        paged = query if after is None else query.start_after(after)
        page = list(paged.limit(size).stream(**CALL))
        found += page
        if len(page) < size:
            break
        after = {"__name__": page[-1].reference}
    return found


def log_unreadable(record: Unreadable) -> None:
    """Log the name of a record that cannot be read."""
    log("ERROR", "record unreadable", event="record.unreadable", record=record.name, error=record.problem)


def describe_unreadable(snapshot: DocumentSnapshot[Any], error: Exception) -> Unreadable:
    """Return the name and the problem of a document that cannot be read."""
    return Unreadable(f"{snapshot.reference.parent.id}/{snapshot.id}", f"cannot be read: {error}")


_RESERVED = re.compile(r"~.*|__.*__|", re.DOTALL)
"""Names of members that Firestore refuses, and those that look like an escaped name."""
MOST_NAME_BYTES = 1_500
"""Limit of a member's name, and of an indexed string."""
_DEEPEST = 18
_AS_JSON = "~json"
"""The only member of an object that stands for a value that Firestore does not support."""


def field_name(name: str) -> str:
    """Return the name of a member in a document ("Usage and limits": no ``__.*__``, not empty)."""
    return f"~{name}" if _RESERVED.fullmatch(name) else name


def _encode(value: Any, depth: int) -> Any:
    """Encode a value for Firestore: lists of lists, large integers and deep values as JSON."""
    if isinstance(value, dict):
        if depth > _DEEPEST or any(len(name.encode()) >= MOST_NAME_BYTES for name in value):
            return _as_json(value)
        return {field_name(name): _encode(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        if depth > _DEEPEST:
            return _as_json(value)
        return [_as_json(each) if isinstance(each, list) else _encode(each, depth + 1) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return _as_json(value)
    return value


def _as_json(value: Any) -> dict[str, str]:
    return {_AS_JSON: msgspec.json.encode(value).decode()}


def _decode(value: Any) -> Any:
    """Decode a value from Firestore, with the SDK's own kind of datetime as a standard one."""
    if isinstance(value, dict):
        if value.keys() == {_AS_JSON}:
            return msgspec.json.decode(value[_AS_JSON])
        return {name.removeprefix("~"): _decode(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_decode(member) for member in value]
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    return value


def job_id(key: JobKey) -> str:
    """Return the name of a job's document."""
    return f"{key.project}:{key.location}:{key.job_id}"
