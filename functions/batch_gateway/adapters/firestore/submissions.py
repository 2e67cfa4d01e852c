"""Store submissions: creates that are noted before they are sent.

Collections::

    submissions/{id}  Submission
"""

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore_v1 import FieldFilter, WriteBatch

from batch_gateway.adapters.firestore.budgets import FirestoreBudgets
from batch_gateway.adapters.firestore.documents import (
    CALL,
    delete_if_unchanged,
    from_document,
    from_documents,
    from_optional,
    job_id,
    optimistically,
    read_pages,
    to_document,
    translate_errors,
    write_if_unchanged,
)
from batch_gateway.core.accounting.budgets import (
    BudgetBalance,
    BudgetExceededError,
    OwnedBudget,
    check_budget,
    reservation_deltas,
    window_of,
)
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.ports import JobResumedError, Resumption, Submission, Unreadable

_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 0.8, 0.8, 0.8, 0.8)
"""Longest pauses of a create that waits for reservations which other creates are about to release."""


class FirestoreSubmissions(FirestoreBudgets):
    """The part of the Store port for submissions."""

    def begin_submission(
        self, submission: Submission, limits: Sequence[OwnedBudget] = ()
    ) -> Submission | None:
        with translate_errors():
            if not (submission.reserved_nano or limits or submission.resumes):
                with suppress(AlreadyExists):
                    self._submission(submission.id).create(to_document(submission), **CALL)
                    return None
            return self._reserve(submission, limits)

    def _reserve(self, submission: Submission, limits: Sequence[OwnedBudget]) -> Submission | None:
        """Write submission and reservation, check the budgets, and undo both if one is exceeded.

        Each create checks after its own reservation is written. So if several creates exceed a budget
        together, the last to write sees all the others, and the budget is not overrun. But it also sees
        reservations that others are about to take back: while the balances change, it waits and tries again.

        Raises:
            BudgetExceededError: A budget has no room; nothing is reserved.
            JobResumedError: It resumes a job that was resumed or is claimed; nothing is reserved.
        """
        pauses = iter(_PAUSES_SECONDS)
        while True:
            existing = optimistically(lambda: self._write_reserved(submission))
            if existing is not None:
                return existing
            found, refusal = self._check_budgets(submission, limits, own_nano=submission.reserved_nano)
            if refusal is None:
                return None
            optimistically(lambda: self._release(submission))
            while refusal is not None:
                pause = next(pauses, None)
                if pause is None:
                    raise refusal
                time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter
                before = found
                found, refusal = self._check_budgets(submission, limits, own_nano=0)
                if refusal is not None and found == before:
                    raise refusal

    def _check_budgets(
        self, submission: Submission, limits: Sequence[OwnedBudget], *, own_nano: int
    ) -> tuple[dict[str, BudgetBalance], BudgetExceededError | None]:
        """Return the balances without this submission, and the error if a budget has no room for it."""
        windows = {each.owner: window_of(each.duration, submission.created) for each in limits}
        own = reservation_deltas(submission.owners, submission.reserved_at, -own_nano)
        others = self._read_ledgers({owner: window.periods for owner, window in windows.items()}, own)
        try:
            for limit in limits:
                check_budget(limit, others[limit.owner], submission.reserved_nano, windows[limit.owner])
        except BudgetExceededError as refusal:
            return others, refusal
        return others, None

    def _write_reserved(self, submission: Submission) -> Submission | None:
        """Write a submission and its reservation; return an existing one that has not expired."""
        document = self._submission(submission.id).get(**CALL)
        existing = from_optional(document.to_dict(), Submission)
        if existing is not None and not existing.is_over(submission.created):
            # A write that is repeated because its answer was lost finds its own submission.
            return None if existing == submission else existing
        batch = self._client.batch()
        if submission.resumes is not None:
            self._claim(batch, submission.resumes, submission.id)
        write_if_unchanged(batch, document, to_document(submission))
        if existing is not None:
            released = reservation_deltas(existing.owners, existing.reserved_at, -existing.reserved_nano)
            self._add_to_ledgers(batch, released, existing.id)
        made = reservation_deltas(submission.owners, submission.reserved_at, submission.reserved_nano)
        self._add_to_ledgers(batch, made, submission.id)
        batch.commit(**CALL)
        return None

    def _claim(self, batch: WriteBatch, resumes: Resumption, submission_id: str) -> None:
        """Note a submission on the job that it resumes.

        Raises:
            JobResumedError: The job was resumed, or another submission that resumes it is open.
        """
        snapshot = self._client.collection("jobs").document(job_id(resumes.key)).get(**CALL)
        job = from_document(snapshot.to_dict(), JobRecord)
        if job.resumed_by != resumes.replaces:
            raise JobResumedError(job.resumed_by)
        if job.resuming not in {None, submission_id}:
            other = from_optional(self._submission(job.resuming).get(**CALL).to_dict(), Submission)
            if other is not None and other.answer is None:
                raise JobResumedError(None)
        write_if_unchanged(batch, snapshot, {"resuming": submission_id})

    def get_submission(self, submission_id: str) -> Submission | None:
        with translate_errors():
            return from_optional(self._submission(submission_id).get(**CALL).to_dict(), Submission)

    def retake_submission(self, old: Submission, new: Submission) -> bool:
        def attempt() -> bool:
            snapshot = self._submission(old.id).get(**CALL)
            if from_optional(snapshot.to_dict(), Submission) != old:
                return False
            batch = self._client.batch()
            write_if_unchanged(batch, snapshot, to_document(new))
            batch.commit(**CALL)
            return True

        with translate_errors():
            return optimistically(attempt)

    def open_submissions(self, limit: int) -> list[Submission | Unreadable]:
        query = self._client.collection("submissions").where(filter=FieldFilter("answer", "==", None))
        with translate_errors():
            return from_documents(read_pages(query.order_by("__name__"), None, limit), Submission)

    def drop_submission(self, submission: Submission) -> bool:
        with translate_errors():
            return optimistically(lambda: self._release(submission))

    def _release(self, submission: Submission) -> bool:
        snapshot = self._submission(submission.id).get(**CALL)
        if from_optional(snapshot.to_dict(), Submission) != submission:
            return False
        batch = self._client.batch()
        delete_if_unchanged(batch, snapshot)
        made = reservation_deltas(submission.owners, submission.reserved_at, -submission.reserved_nano)
        self._add_to_ledgers(batch, made, submission.id)
        batch.commit(**CALL)
        return True

    def _submission(self, submission_id: str) -> Any:
        return self._client.collection("submissions").document(submission_id)
