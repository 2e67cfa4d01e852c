"""Store the state of the sweep: cursors, parked outputs, project numbers.

Collections::

    sweeps/notes          SweepNotes
    turns/{turn}          {"after": name of the last document that had its turn}
    parked/{hash}         Output that belongs to no known job
    projects/{number}     {"project": id}
"""

from datetime import datetime
from typing import Any

import msgspec
from google.cloud.firestore_v1 import Client, DocumentSnapshot, FieldFilter

from batch_gateway.adapters.firestore.documents import (
    CALL,
    from_documents,
    from_optional,
    job_id,
    read_pages,
    to_document,
    translate_errors,
)
from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.record import TERMINAL_STATES, JobKey, JobRecord
from batch_gateway.logs import log
from batch_gateway.ports import SweepNotes, Turn, Unreadable

_COLLECTIONS: dict[Turn, str] = {"jobs": "jobs", "ended": "jobs", "parked": "parked"}


class FirestoreSweep:
    """The part of the Store port for the sweep."""

    _client: Client

    def sweep_notes(self) -> SweepNotes:
        with translate_errors():
            document = self._notes().get(**CALL).to_dict()
        try:
            return from_optional(document, SweepNotes) or SweepNotes()
        except msgspec.MsgspecError as error:
            # Without notes the next sweep checks everything once more.
            log("ERROR", "record unreadable", event="record.unreadable", record="sweeps/notes", error=error)
            return SweepNotes()

    def put_sweep_notes(self, notes: SweepNotes) -> None:
        with translate_errors():
            self._notes().set(to_document(notes), **CALL)

    def open_jobs(self, limit: int) -> list[JobRecord | Unreadable]:
        is_open = FieldFilter("closed", "==", False)  # noqa: FBT003 - the SDK's signature
        query = self._client.collection("jobs").where(filter=is_open)
        return from_documents(self._read_in_turn("jobs", query, limit), JobRecord)

    def ended_jobs(self, limit: int) -> list[JobRecord | Unreadable]:
        is_open = FieldFilter("closed", "==", False)  # noqa: FBT003 - the SDK's signature
        has_ended = FieldFilter("seen.state", "in", sorted(TERMINAL_STATES))
        query = self._client.collection("jobs").where(filter=is_open).where(filter=has_ended)
        return from_documents(self._read_in_turn("ended", query, limit), JobRecord)

    def parked(self, limit: int) -> list[Output | Unreadable]:
        query = self._client.collection("parked")
        return from_documents(self._read_in_turn("parked", query, limit), Output)

    def _read_in_turn(self, turn: Turn, query: Any, limit: int) -> list[DocumentSnapshot[Any]]:
        """Return documents in order of their names, beginning after the last turn and wrapping around."""
        ordered = query.order_by("__name__")
        with translate_errors():
            after = (self._turn(turn).get(**CALL).to_dict() or {}).get("after")
            if after is None:
                return read_pages(ordered, None, limit)
            last = {"__name__": self._client.collection(_COLLECTIONS[turn]).document(after)}
            found = read_pages(ordered, last, limit)
            if len(found) < limit:
                found += read_pages(ordered.end_at(last), None, limit - len(found))
            return found

    def pass_turn(self, turn: Turn, last: JobKey | Output) -> None:
        name = last.id if isinstance(last, Output) else job_id(last)
        with translate_errors():
            self._turn(turn).set({"after": name}, **CALL)

    def watched_jobs(self, due: datetime, limit: int) -> list[JobRecord | Unreadable]:
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter("nextLook", "<=", due))
            .order_by("nextLook")
            .limit(limit)
        )
        with translate_errors():
            return from_documents(query.stream(**CALL), JobRecord)

    def park(self, output: Output) -> None:
        with translate_errors():
            self._client.collection("parked").document(output.id).set(to_document(output), **CALL)

    def unpark(self, output: Output) -> None:
        with translate_errors():
            self._client.collection("parked").document(output.id).delete(**CALL)

    def project_of_number(self, number: str) -> str | None:
        with translate_errors():
            document = self._client.collection("projects").document(number).get(**CALL).to_dict()
        return str(document["project"]) if document else None

    def remember_project(self, number: str, project: str) -> None:
        with translate_errors():
            self._client.collection("projects").document(number).set({"project": project}, **CALL)

    def _notes(self) -> Any:
        return self._client.collection("sweeps").document("notes")

    def _turn(self, turn: Turn) -> Any:
        return self._client.collection("turns").document(turn)
