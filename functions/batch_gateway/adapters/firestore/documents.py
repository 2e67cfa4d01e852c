"""Between records and Firestore's documents, and between its errors and ours."""

import random
import time
from collections.abc import Callable, Iterator
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

from batch_gateway.ports import StoreUnavailableError

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


def optimistically(attempt: Callable[[], Result]) -> Result:
    """Repeats an attempt that reads, and writes on the condition that nothing changed in between.

    In place of the SDK's transactions: those hold locks, take more round trips, and can neither be
    given a time limit nor be told to stop. A batch is atomic, and its conditions make it safe to repeat.
    """
    for number in range(_TRIES):
        try:
            return attempt()
        except (FailedPrecondition, AlreadyExists, NotFound, Aborted):
            if number == _TRIES - 1:
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
    """Turns whatever Firestore raises into StoreUnavailableError."""
    try:
        yield
    except InvalidArgument:
        raise  # a mistake of ours, which trying again would repeat
    except (GoogleAPICallError, RetryError) as error:
        raise StoreUnavailableError(str(error)) from error


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """A record as a document."""
    document: dict[str, Any] = msgspec.to_builtins(record, builtin_types=(datetime,))
    return document


def known(document: dict[str, Any] | None, kind: type[Record]) -> Record:
    """A document that is there, as a record."""
    return msgspec.convert(_native(document), kind)


def typed(document: dict[str, Any] | None, kind: type[Record]) -> Record | None:
    """A document as a record; None if there is none."""
    return None if document is None else known(document, kind)


def _native(value: Any) -> Any:
    """The SDK's own kind of datetime as a plain one, which is all that msgspec takes."""
    if isinstance(value, dict):
        return {key: _native(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_native(member) for member in value]
    if isinstance(value, datetime):
        return datetime.combine(value.date(), value.timetz())
    return value
