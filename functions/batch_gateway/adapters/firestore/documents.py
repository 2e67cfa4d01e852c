"""Between records and Firestore's documents, and between its errors and ours."""

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
"""How long a request may wait for Firestore, retries included, before it is told that it is down."""
CALL: dict[str, Any] = {
    "timeout": _SECONDS,
    "retry": Retry(predicate=if_transient_error, initial=0.1, maximum=1.0, timeout=_SECONDS),
}
"""Arguments of every call."""

Record = TypeVar("Record")
Result = TypeVar("Result")

_TRIES = 12
_LONGEST_PAUSE_SECONDS = 0.4


def optimistically(attempt: Callable[[], Result], *, tries: int = _TRIES) -> Result:
    """Repeat an attempt that reads, and writes on the condition that nothing changed in between.

    In place of the SDK's transactions: those hold locks, take more round trips, and can neither be
    given a time limit nor be told to stop. A batch is atomic, and its conditions make it safe to repeat.
    """
    for number in range(tries):
        try:
            return attempt()
        except (FailedPrecondition, AlreadyExists, NotFound, Aborted):
            if number == tries - 1:
                raise
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.02 * 2**number)))  # noqa: S311 - jitter
    raise AssertionError("unreachable")


def put(batch: WriteBatch, snapshot: DocumentSnapshot[Any], document: dict[str, Any]) -> None:
    """Writes a document if it still is as the snapshot has it: with this content, or not there."""
    if snapshot.exists:
        batch.update(snapshot.reference, document, option=LastUpdateOption(snapshot.update_time))
    else:
        batch.create(snapshot.reference, document)


def delete(batch: WriteBatch, snapshot: DocumentSnapshot[Any]) -> None:
    """Deletes a document if it still is as the snapshot has it."""
    batch.delete(snapshot.reference, option=LastUpdateOption(snapshot.update_time))


@contextmanager
def errors() -> Iterator[None]:
    """Turns whatever Firestore raises into StoreUnavailableError, or RecordError if a record is at fault."""
    try:
        yield
    except (InvalidArgument, msgspec.ValidationError) as error:
        raise RecordError(str(error)) from error
    except (GoogleAPICallError, RetryError) as error:
        raise StoreUnavailableError(str(error)) from error


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """Return a record as a document, what Firestore does not hold in a form that it does."""
    document: dict[str, Any] = _held(msgspec.to_builtins(record, builtin_types=(datetime,)), 0)
    return document


def known(document: dict[str, Any] | None, kind: type[Record]) -> Record:
    """A document that is there, as a record."""
    return msgspec.convert(_native(document), kind)


def typed(document: dict[str, Any] | None, kind: type[Record]) -> Record | None:
    """A document as a record; None if there is none."""
    return None if document is None else known(document, kind)


def each_known(snapshots: Iterable[DocumentSnapshot[Any]], kind: type[Record]) -> list[Record | Unreadable]:
    """Return documents as records, and in place of one that cannot be read what it is called."""
    return [_known_or_not(snapshot, kind) for snapshot in snapshots]


def _known_or_not(snapshot: DocumentSnapshot[Any], kind: type[Record]) -> Record | Unreadable:
    try:
        return known(snapshot.to_dict(), kind)
    except msgspec.MsgspecError as error:
        return unreadable(snapshot, error)


def readable(query: Any, kind: type[Record], limit: int) -> list[Record]:
    """Return the first records of an ordered query that can be read; the others are logged and passed over.

    There are fewer than ``limit`` only where the query ends, so that pages go on behind a bad record.
    """
    found: list[Record] = []
    while True:
        snapshots = list(query.limit(limit).stream(**CALL))
        for each in each_known(snapshots, kind):
            if isinstance(each, Unreadable):
                log_unreadable(each)
            else:
                found.append(each)
            if len(found) == limit:
                return found
        if len(snapshots) < limit:
            return found
        query = query.start_after(snapshots[-1])


def log_unreadable(record: Unreadable) -> None:
    """Name in the log a record that cannot be read."""
    log("ERROR", "record unreadable", event="record.unreadable", record=record.name, error=record.problem)


def unreadable(snapshot: DocumentSnapshot[Any], error: Exception) -> Unreadable:
    """Name a document that cannot be read."""
    return Unreadable(f"{snapshot.reference.parent.id}/{snapshot.id}", f"cannot be read: {error}")


_RESERVED = re.compile(r"~.*|__.*__|", re.DOTALL)
"""Names of members that Firestore refuses, and those that begin like an escaped one."""
MOST_NAME_BYTES = 1_500
"""Of a member's name, and of text that can be looked for as a whole."""
_DEEPEST = 18
_AS_JSON = "~json"
"""The only member of what stands for a value that Firestore does not hold."""


def field_name(name: str) -> str:
    """Return the name that a member has in a document ("Usage and limits": no ``__.*__``, not empty)."""
    return f"~{name}" if _RESERVED.fullmatch(name) else name


def _held(value: Any, depth: int) -> Any:
    """Return a value as Firestore holds it: lists of lists, large integers and deep values as JSON."""
    if isinstance(value, dict):
        if depth > _DEEPEST or any(len(name.encode()) >= MOST_NAME_BYTES for name in value):
            return _as_json(value)
        return {field_name(name): _held(member, depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        if depth > _DEEPEST:
            return _as_json(value)
        return [_as_json(each) if isinstance(each, list) else _held(each, depth + 1) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return _as_json(value)
    return value


def _as_json(value: Any) -> dict[str, str]:
    return {_AS_JSON: msgspec.json.encode(value).decode()}


def _native(value: Any) -> Any:
    """Return a value as it was before it was held, the SDK's own kind of datetime as a plain one."""
    if isinstance(value, dict):
        if value.keys() == {_AS_JSON}:
            return msgspec.json.decode(value[_AS_JSON])
        return {name.removeprefix("~"): _native(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_native(member) for member in value]
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    return value


def job_id(key: JobKey) -> str:
    """Return the name of a job's document."""
    return f"{key.project}:{key.location}:{key.job_id}"
