"""What estimates learn from: the jobs that a team or key had before.

Queries: ``jobs`` by ``team``, ``keyId`` or ``apiKey``, the newest first by ``createTime``; each of the three
needs a composite index.
"""

from google.cloud.firestore_v1 import Client, FieldFilter, Query

from batch_gateway.adapters.firestore.documents import CALL, errors, known
from batch_gateway.core.access import MASTER
from batch_gateway.core.jobs import JobRecord

_FIELDS = ["key", "seen", "createTime", "usage", "baseModel"]
"""All that is asked for: a job's cost and what it was before are no part of it."""


class FirestoreHistory:
    """The part of the Store port that estimates ask."""

    _client: Client

    def recent_jobs(self, team: str | None, key_id: str | None, limit: int) -> list[JobRecord]:
        """See Store."""
        field, value = ("team", team) if team else ("keyId", key_id) if key_id else ("apiKey", MASTER)
        query = (
            self._client.collection("jobs")
            .where(filter=FieldFilter(field, "==", value))
            .order_by("createTime", direction=Query.DESCENDING)
            .limit(limit)
            .select(_FIELDS)
        )
        with errors():
            return [known(snapshot.to_dict(), JobRecord) for snapshot in query.stream(**CALL)]
