"""What the sweep goes by: whose turn it is, outputs of nobody, numbers of projects.

Collections::

    turns/{collection}    {"after": name of the document that was last in turn}
    parked/{hash}         Output that belongs to no known job
    projects/{number}     {"project": id}
"""

from datetime import datetime
from typing import Any

from google.cloud.firestore_v1 import Client, DocumentSnapshot, FieldFilter

from batch_gateway.adapters.firestore.documents import (
    CALL,
    each_known,
    errors,
    optimistically,
    plain,
    put,
)
from batch_gateway.core.books import Output
from batch_gateway.core.jobs import JobRecord
from batch_gateway.ports import Unreadable


class FirestoreSweep:
    """The part of the Store port that is about what was left lying."""

    _client: Client

    def open_jobs(self, limit: int) -> list[JobRecord | Unreadable]:
        """See Store."""
        is_open = FieldFilter("closed", "==", False)  # noqa: FBT003 - the SDK's signature
        query = self._client.collection("jobs").where(filter=is_open)
        return each_known(self._in_turn("jobs", query, limit), JobRecord)

    def watched_jobs(self, due: datetime, limit: int) -> list[JobRecord | Unreadable]:
        """See Store."""
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter("nextLook", "<=", due))
            .order_by("nextLook")
            .limit(limit)
        )
        with errors():
            return each_known(query.stream(**CALL), JobRecord)

    def parked(self, limit: int) -> list[Output | Unreadable]:
        """See Store."""
        query = self._client.collection("parked")
        return each_known(self._in_turn("parked", query, limit), Output)

    def _in_turn(self, collection: str, query: Any, limit: int) -> list[DocumentSnapshot[Any]]:
        turn_ref = self._client.collection("turns").document(collection)

        def attempt() -> list[DocumentSnapshot[Any]]:
            turn = turn_ref.get(**CALL)
            after = (turn.to_dict() or {}).get("after")
            ordered = query.order_by("__name__")
            if after:
                ordered = ordered.start_after(
                    {"__name__": self._client.collection(collection).document(after)}
                )
            found = list(ordered.limit(limit).stream(**CALL))
            batch = self._client.batch()
            put(batch, turn, {"after": found[-1].id if found else None})
            batch.commit(**CALL)
            return found

        with errors():
            return optimistically(attempt)

    def park(self, output: Output) -> None:
        """See Store."""
        with errors():
            self._client.collection("parked").document(output.id).set(plain(output), **CALL)

    def unpark(self, output: Output) -> None:
        """See Store."""
        with errors():
            self._client.collection("parked").document(output.id).delete(**CALL)

    def project_of_number(self, number: str) -> str | None:
        """See Store."""
        with errors():
            document = self._client.collection("projects").document(number).get(**CALL).to_dict()
        return str(document["project"]) if document else None

    def remember_project(self, number: str, project: str) -> None:
        """See Store."""
        with errors():
            self._client.collection("projects").document(number).set({"project": project}, **CALL)
