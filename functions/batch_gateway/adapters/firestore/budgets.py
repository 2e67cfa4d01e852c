"""What keys and teams have spent and reserved.

Collections::

    ledgers/{owner:period:shard}  {"owner", "period", "spentNano", "reservedNano"}; shards are added up
    budgets/{owner}               {"turn": …}: creates take turns here, so that no two reserve what is left
"""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from google.cloud.firestore_v1 import Client, Increment, WriteBatch

from batch_gateway.adapters.firestore.documents import CALL, errors, put
from batch_gateway.core.budgets import Ledger

SHARDS = 8
"""Documents that a ledger's entry, or a cell of the totals, is spread over by job. Firestore sustains about
one write a second to one document ("Best practices for Cloud Firestore"), and jobs tend to end together."""


class FirestoreBudgets:
    """The part of the Store port that is about budgets."""

    _client: Client

    def ledgers(self, entries: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, Ledger]:
        """See Store."""
        wanted = dict(entries)
        with errors():
            return self._read_ledgers(wanted)

    def _read_ledgers(self, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, Ledger]:
        documents = [
            self._client.collection("ledgers").document(f"{owner}:{period}:{shard}")
            for owner, periods in wanted.items()
            for period in periods
            for shard in range(SHARDS)
        ]
        found = dict.fromkeys(wanted, Ledger())
        for snapshot in self._client.get_all(documents, **CALL) if documents else ():
            entry = snapshot.to_dict()
            if entry is not None:
                found[entry["owner"]] += Ledger(entry.get("spentNano", 0), entry.get("reservedNano", 0))
        return found

    def _take_turn(self, batch: WriteBatch, owners: Iterable[str]) -> Any:
        """Makes a batch fail if another create of these owners is committed first."""
        documents = [self._client.collection("budgets").document(owner) for owner in owners]
        for snapshot in self._client.get_all(documents, **CALL):
            put(batch, snapshot, {"turn": (snapshot.to_dict() or {}).get("turn", 0) + 1})

    def _book(self, batch: WriteBatch, moved: Mapping[tuple[str, str], Ledger], by: str) -> None:
        shard = zlib.crc32(by.encode()) % SHARDS
        for (owner, period), change in moved.items():
            document = self._client.collection("ledgers").document(f"{owner}:{period}:{shard}")
            increments = {
                "spentNano": Increment(change.spent_nano),
                "reservedNano": Increment(change.reserved_nano),
            }
            batch.set(document, {"owner": owner, "period": period, **increments}, merge=True)
