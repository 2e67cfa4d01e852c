"""Store the amounts that keys and teams have spent and reserved.

Collections::

    ledgers/{owner:year:shard}  {"owner", "spentNano": {period: nano-USD}, "reservedNano": {period: nano-USD}}
                                for the days and months of a UTC year; shards are added up
    ledgers/{owner:all:shard}   the same for all time; and "changed": time of the last change
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from google.cloud.firestore_v1 import SERVER_TIMESTAMP, Client, FieldFilter, Increment, WriteBatch
from google.cloud.firestore_v1.field_path import FieldPath

from batch_gateway.adapters.firestore.documents import CALL, translate_errors
from batch_gateway.core.accounting.budgets import ALL, BudgetBalance, sum_balances

SHARDS = 8
"""Documents that an owner's balance, or a daily total, is spread over by job. Firestore sustains about
one write a second to one document ("Best practices for Cloud Firestore"), and jobs tend to end together."""
_MOST_AT_ONCE = 400
"""Documents of one call, few enough to be read well within its time limit."""
_UNSEEN = timedelta(seconds=10)
"""Tolerance for a commit's timestamp being earlier than the commit: longer than a commit may take."""
_YEAR = len("2026")


class FirestoreBudgets:
    """The part of the Store port for budgets."""

    _client: Client

    def budget_balances(self, entries: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, BudgetBalance]:
        wanted = dict(entries)
        with translate_errors():
            return self._read_ledgers(wanted, {})

    def _read_ledgers(
        self, wanted: Mapping[str, tuple[str, ...]], changes: Mapping[tuple[str, str], BudgetBalance]
    ) -> dict[str, BudgetBalance]:
        """Return balances summed over periods, as they are with changes by (owner, period)."""
        names = {(owner, period[:_YEAR]) for owner, periods in wanted.items() for period in periods}
        documents = [self._ledger(*name, shard) for name in sorted(names) for shard in range(SHARDS)]
        found = defaultdict(BudgetBalance, changes)
        asked = {period for periods in wanted.values() for period in periods}
        # A year has many days, so only those that are needed are read.
        fields = [
            FieldPath(amounts, period).to_api_repr()
            for amounts in ("spentNano", "reservedNano")
            for period in sorted(asked)
        ]
        snapshots = (
            snapshot
            for start in range(0, len(documents), _MOST_AT_ONCE)
            for snapshot in self._client.get_all(
                documents[start : start + _MOST_AT_ONCE], ["owner", *fields], **CALL
            )
        )
        for snapshot in snapshots:
            entry = snapshot.to_dict()
            if entry is None:
                continue
            owner, spent, reserved = entry["owner"], entry.get("spentNano", {}), entry.get("reservedNano", {})
            for period in spent.keys() | reserved.keys():
                found[owner, period] += BudgetBalance(spent.get(period, 0), reserved.get(period, 0))
        return {
            owner: sum_balances(found[owner, period] for period in periods)
            for owner, periods in wanted.items()
        }

    def changed_owners(self, mark: str | None) -> tuple[set[str], str | None]:
        query: Any = self._client.collection("ledgers").select(["owner", "changed"])
        if mark is not None:
            since = datetime.fromisoformat(mark) - _UNSEEN
            query = query.where(filter=FieldFilter("changed", ">", since))
        query = query.order_by("changed").limit(_MOST_AT_ONCE)
        owners: set[str] = set()
        with translate_errors():
            page = list(query.stream(**CALL))
            while page:
                owners |= {str((snapshot.to_dict() or {}).get("owner")) for snapshot in page}
                mark = page[0].read_time.isoformat()
                page = list(query.start_after(page[-1]).stream(**CALL))
        return owners, mark

    def _add_to_ledgers(
        self, batch: WriteBatch, moved: Mapping[tuple[str, str], BudgetBalance], by: str
    ) -> None:
        """Add to balances; ``by`` selects the shard."""
        written: dict[tuple[str, str], dict[str, Any]] = {}
        for (owner, period), change in moved.items():
            year = period[:_YEAR]
            document = written.setdefault(
                (owner, year), {"owner": owner, "spentNano": {}, "reservedNano": {}}
            )
            document["spentNano"][period] = Increment(change.spent_nano)
            document["reservedNano"][period] = Increment(change.reserved_nano)
            if period == ALL:
                document["changed"] = SERVER_TIMESTAMP
        shard = zlib.crc32(by.encode()) % SHARDS
        for (owner, year), document in written.items():
            batch.set(self._ledger(owner, year, shard), document, merge=True)

    def _ledger(self, owner: str, year: str, shard: int) -> Any:
        return self._client.collection("ledgers").document(f"{owner}:{year}:{shard}")
