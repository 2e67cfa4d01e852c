"""Creates that are under way.

Collections::

    submissions/{id}  Submission
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore_v1 import FieldFilter

from batch_gateway.adapters.firestore.budgets import FirestoreBudgets
from batch_gateway.adapters.firestore.documents import (
    CALL,
    delete,
    each_known,
    errors,
    optimistically,
    plain,
    put,
    typed,
)
from batch_gateway.core.budgets import Limit, check, reservation, window_of
from batch_gateway.ports import Submission, Unreadable


class FirestoreSubmissions(FirestoreBudgets):
    """The part of the Store port that is about creates."""

    def begin_submission(self, submission: Submission, limits: Sequence[Limit] = ()) -> Submission | None:
        """See Store."""
        with errors():
            if not (submission.reserved_nano or limits):
                with suppress(AlreadyExists):
                    self._submission(submission.id).create(plain(submission), **CALL)
                    return None
            return optimistically(lambda: self._reserve(submission, limits))

    def _reserve(self, submission: Submission, limits: Sequence[Limit]) -> Submission | None:
        document = self._submission(submission.id).get(**CALL)
        there = typed(document.to_dict(), Submission)
        if there is not None and not there.is_over(submission.created):
            # A write that was repeated because its answer was lost finds itself.
            return None if there == submission else there
        batch = self._client.batch()
        # The turn is read before the ledgers: what is reserved in between makes the commit fail.
        self._take_turn(batch, submission.owners)
        windows = {each.owner: window_of(each.duration, submission.created) for each in limits}
        found = self._read_ledgers({owner: window.periods for owner, window in windows.items()})
        for limit in limits:
            check(limit, found[limit.owner], submission.reserved_nano, windows[limit.owner])
        put(batch, document, plain(submission))
        if there is not None:
            released = reservation(there.owners, there.reserved_at, -there.reserved_nano)
            self._book(batch, released, there.id)
        made = reservation(submission.owners, submission.reserved_at, submission.reserved_nano)
        self._book(batch, made, submission.id)
        batch.commit(**CALL)
        return None

    def retake_submission(self, old: Submission, new: Submission) -> bool:
        """See Store."""

        def attempt() -> bool:
            snapshot = self._submission(old.id).get(**CALL)
            if typed(snapshot.to_dict(), Submission) != old:
                return False
            batch = self._client.batch()
            put(batch, snapshot, plain(new))
            batch.commit(**CALL)
            return True

        with errors():
            return optimistically(attempt)

    def open_submissions(self, limit: int) -> list[Submission | Unreadable]:
        """See Store."""
        query = self._client.collection("submissions").where(filter=FieldFilter("answer", "==", None))
        with errors():
            return each_known(query.limit(limit).stream(**CALL), Submission)

    def drop_submission(self, submission: Submission) -> None:
        """See Store."""
        with errors():
            if not submission.reserved_nano:
                self._submission(submission.id).delete(**CALL)
                return
            optimistically(lambda: self._release(submission.id))

    def _release(self, submission_id: str) -> None:
        snapshot = self._submission(submission_id).get(**CALL)
        there = typed(snapshot.to_dict(), Submission)
        if there is None:
            return
        batch = self._client.batch()
        delete(batch, snapshot)
        made = reservation(there.owners, there.reserved_at, -there.reserved_nano)
        self._book(batch, made, there.id)
        batch.commit(**CALL)

    def _submission(self, submission_id: str) -> Any:
        return self._client.collection("submissions").document(submission_id)
