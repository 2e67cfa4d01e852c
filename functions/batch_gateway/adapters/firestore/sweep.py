"""What the sweep goes by: whose turn it is, outputs of nobody, numbers of projects.

Collections::

    sweeps/notes          SweepNotes
    turns/{turn}          {"after": name of the document that was last in turn}
    parked/{hash}         Output that belongs to no known job
    projects/{number}     {"project": id}
"""

from datetime import datetime
from typing import Any

import msgspec
from google.cloud.firestore_v1 import Client, DocumentSnapshot, FieldFilter

from batch_gateway.adapters.firestore.documents import (
    CALL,
    each_known,
    errors,
    job_id,
    plain,
    typed,
)
from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.record import TERMINAL_STATES, JobKey, JobRecord
from batch_gateway.logs import log
from batch_gateway.ports import SweepNotes, Turn, Unreadable

_COLLECTIONS: dict[Turn, str] = {"jobs": "jobs", "ended": "jobs", "parked": "parked"}
_PAGE = 300
"""Documents of one call: read well within the time that a call may take, also on a slow or busy processor."""


class FirestoreSweep:
    """The part of the Store port that is about what was left lying."""

    _client: Client

    def sweep_notes(self) -> SweepNotes:
        """See SweepStore."""
        with errors():
            document = self._notes().get(**CALL).to_dict()
        try:
            return typed(document, SweepNotes) or SweepNotes()
        except msgspec.MsgspecError as error:
            # They are as good as none: everything is looked through once more.
            log("ERROR", "record unreadable", event="record.unreadable", record="sweeps/notes", error=error)
            return SweepNotes()

    def put_sweep_notes(self, notes: SweepNotes) -> None:
        """See SweepStore."""
        with errors():
            self._notes().set(plain(notes), **CALL)

    def open_jobs(self, limit: int) -> list[JobRecord | Unreadable]:
        """See SweepStore."""
        is_open = FieldFilter("closed", "==", False)  # noqa: FBT003 - the SDK's signature
        query = self._client.collection("jobs").where(filter=is_open)
        return each_known(self._in_turn("jobs", query, limit), JobRecord)

    def ended_jobs(self, limit: int) -> list[JobRecord | Unreadable]:
        """See SweepStore."""
        is_open = FieldFilter("closed", "==", False)  # noqa: FBT003 - the SDK's signature
        has_ended = FieldFilter("seen.state", "in", sorted(TERMINAL_STATES))
        query = self._client.collection("jobs").where(filter=is_open).where(filter=has_ended)
        return each_known(self._in_turn("ended", query, limit), JobRecord)

    def parked(self, limit: int) -> list[Output | Unreadable]:
        """See SweepStore."""
        query = self._client.collection("parked")
        return each_known(self._in_turn("parked", query, limit), Output)

    def _in_turn(self, turn: Turn, query: Any, limit: int) -> list[DocumentSnapshot[Any]]:
        """Return documents by name, from the one after the last turn round to that one."""
        ordered = query.order_by("__name__")
        with errors():
            after = (self._turn(turn).get(**CALL).to_dict() or {}).get("after")
            if after is None:
                return self._pages(ordered, None, limit)
            last = {"__name__": self._client.collection(_COLLECTIONS[turn]).document(after)}
            found = self._pages(ordered, last, limit)
            if len(found) < limit:
                found += self._pages(ordered.end_at(last), None, limit - len(found))
            return found

    def _pages(self, query: Any, after: Any, limit: int) -> list[DocumentSnapshot[Any]]:
        """Read so many documents of a query, in several calls if they are many."""
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

    def pass_turn(self, turn: Turn, last: JobKey | Output) -> None:
        """See SweepStore."""
        name = last.id if isinstance(last, Output) else job_id(last)
        with errors():
            self._turn(turn).set({"after": name}, **CALL)

    def watched_jobs(self, due: datetime, limit: int) -> list[JobRecord | Unreadable]:
        """See SweepStore."""
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter("nextLook", "<=", due))
            .order_by("nextLook")
            .limit(limit)
        )
        with errors():
            return each_known(query.stream(**CALL), JobRecord)

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

    def _notes(self) -> Any:
        return self._client.collection("sweeps").document("notes")

    def _turn(self, turn: Turn) -> Any:
        return self._client.collection("turns").document(turn)
