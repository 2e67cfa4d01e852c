"""Store how long jobs waited and ran.

Collections::

    job_times/{owner:day:shard}  {"groups": {group: {"queue": {bucket: jobs}, …}}, "expires": …}

A group is a model and a location. What a job adds is written in the batch that closes it, once for its owner
and once for the whole gateway, so that a reader of 30 days needs 30 documents for each shard at most.
"""

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from google.cloud.firestore_v1 import Client, Increment, WriteBatch

from batch_gateway.adapters.firestore.documents import CALL, translate_errors
from batch_gateway.core.timing.job_times import WINDOWS, DailyTimes, JobTime, Owner, TimeCounts, counts_of

SHARDS = 4
"""Documents of a day: each sustains about one write a second, and jobs of a nightly run end together."""
_KEPT = timedelta(days=max(WINDOWS) + 7)
"""Time after the last change of a day, when nobody asks for it any more."""
_ALL = "all"
_AFTER_EVERY_SHARD = ":~"


class FirestoreJobTimes:
    """The part of the Store port for job times."""

    _client: Client

    def _add_to_times(self, batch: WriteBatch, job: JobTime | None, by: str) -> None:
        """Add a job's times in a batch.

        Args:
            batch: Takes the writes.
            job: The times; None to add nothing.
            by: The job's path, which selects the shard.
        """
        if job is None:
            return
        group = msgspec.json.encode((job.model, job.location)).decode()
        counts = {
            field: {str(name): Increment(number) for name, number in counter.items()}
            for field, counter in counts_of(job)._asdict().items()
            if counter
        }
        expires = datetime.now(UTC) + _KEPT
        shard = zlib.crc32(by.encode()) % SHARDS
        for owner in {_ALL, _name(job.owner)}:
            document = self._client.collection("job_times").document(f"{owner}:{job.day}:{shard}")
            batch.set(document, {"groups": {group: counts}, "expires": expires}, merge=True)

    def daily_times(self, owner: Owner | None, first: str, last: str) -> Iterator[DailyTimes]:
        documents, name = self._client.collection("job_times"), _name(owner)
        query = (
            documents.order_by("__name__")
            .start_at({"__name__": documents.document(f"{name}:{first}")})
            .end_at({"__name__": documents.document(f"{name}:{last}{_AFTER_EVERY_SHARD}")})
        )
        with translate_errors():
            found = [(snapshot.id, snapshot.to_dict() or {}) for snapshot in query.stream(**CALL)]
        for document_id, document in found:
            for group, counts in document["groups"].items():
                model, location = msgspec.json.decode(group, type=tuple[str, str])
                yield DailyTimes(document_id.split(":")[1], model, location, _counts(counts))


def _name(owner: Owner | None) -> str:
    """Return an owner's part of a document's name: a hash, since labels name owners of adopted jobs."""
    return hashlib.sha256(msgspec.json.encode(owner)).hexdigest()[:32] if owner else _ALL


def _counts(document: dict[str, Any]) -> TimeCounts:
    queue, run, rate = (
        Counter({int(name): number for name, number in document.get(field, {}).items()})
        for field in ("queue", "run", "rate")
    )
    return TimeCounts(Counter(document["outcomes"]), queue, run, rate)
