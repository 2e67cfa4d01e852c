"""Creates that are under way.

Collections::

    submissions/{id}  Submission
"""

import random
import time
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
from batch_gateway.core.accounting.budgets import (
    BudgetBalance,
    BudgetExceededError,
    OwnedBudget,
    check_budget,
    reservation_deltas,
    window_of,
)
from batch_gateway.ports import Submission, Unreadable

_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8, 0.8, 0.8, 0.8, 0.8)
"""How long a create waits at most, time after time, for room in a budget that others are about to make."""


class FirestoreSubmissions(FirestoreBudgets):
    """The part of the Store port that is about creates."""

    def begin_submission(
        self, submission: Submission, limits: Sequence[OwnedBudget] = ()
    ) -> Submission | None:
        """See Store."""
        with errors():
            if not (submission.reserved_nano or limits):
                with suppress(AlreadyExists):
                    self._submission(submission.id).create(plain(submission), **CALL)
                    return None
            return self._reserve(submission, limits)

    def _reserve(self, submission: Submission, limits: Sequence[OwnedBudget]) -> Submission | None:
        """Note and reserve, then look; whoever finds a budget over takes its own reservation back.

        Each create looks after its own reservation is written. So of creates that go beyond a budget together
        the last to write sees all others, and nothing overshoots. But it also sees what others are about to
        take back: while the ledgers change, it waits for room and tries again.

        Raises:
            BudgetExceededError: A budget has no room; nothing is reserved.
        """
        pauses = iter(_PAUSES_SECONDS)
        while True:
            there = optimistically(lambda: self._note_reserved(submission))
            if there is not None:
                return there
            found, refusal = self._look(submission, limits, own_nano=submission.reserved_nano)
            if refusal is None:
                return None
            optimistically(lambda: self._release(submission.id))
            while refusal is not None:
                pause = next(pauses, None)
                if pause is None:
                    raise refusal
                time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter
                before = found
                found, refusal = self._look(submission, limits, own_nano=0)
                if refusal is not None and found == before:
                    raise refusal

    def _look(
        self, submission: Submission, limits: Sequence[OwnedBudget], *, own_nano: int
    ) -> tuple[dict[str, BudgetBalance], BudgetExceededError | None]:
        """Return what others have spent and reserved, and the refusal if that leaves no room."""
        windows = {each.owner: window_of(each.duration, submission.created) for each in limits}
        found = self._read_ledgers({owner: window.periods for owner, window in windows.items()})
        others = {owner: ledger + BudgetBalance(0, -own_nano) for owner, ledger in found.items()}
        try:
            for limit in limits:
                check_budget(limit, others[limit.owner], submission.reserved_nano, windows[limit.owner])
        except BudgetExceededError as refusal:
            return others, refusal
        return others, None

    def _note_reserved(self, submission: Submission) -> Submission | None:
        """Note a submission and its reservation; return the one that is there already and not over."""
        document = self._submission(submission.id).get(**CALL)
        there = typed(document.to_dict(), Submission)
        if there is not None and not there.is_over(submission.created):
            # A write that was repeated because its answer was lost finds itself.
            return None if there == submission else there
        batch = self._client.batch()
        put(batch, document, plain(submission))
        if there is not None:
            released = reservation_deltas(there.owners, there.reserved_at, -there.reserved_nano)
            self._book(batch, released, there.id)
        made = reservation_deltas(submission.owners, submission.reserved_at, submission.reserved_nano)
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
        made = reservation_deltas(there.owners, there.reserved_at, -there.reserved_nano)
        self._book(batch, made, there.id)
        batch.commit(**CALL)

    def _submission(self, submission_id: str) -> Any:
        return self._client.collection("submissions").document(submission_id)
