"""Store the daily totals and their roll-ups.

Collections::

    totals/{day:hash:shard}  DailyTotal, or a part of one
    days/{day:shard}         {"quarters": {group key: {quarter: nano-USD}}, "unpriced": {group key: rows}}
    months/{month:shard}     {"amounts": {group key: nano-USD}, "unpriced": {group key: rows}}

No query here needs a composite index: a document's name begins with its day, so a range of days is a
range of names, and the indexes that Firestore keeps of every single field are in the order of names and
can be merged ("Index types in Cloud Firestore", automatic indexing and index merging).
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from google.cloud.firestore_v1 import (
    Client,
    DocumentReference,
    DocumentSnapshot,
    FieldFilter,
    Increment,
    Query,
    WriteBatch,
)
from google.cloud.firestore_v1.field_path import FieldPath

from batch_gateway.adapters.firestore.budgets import SHARDS
from batch_gateway.adapters.firestore.documents import (
    CALL,
    MOST_NAME_BYTES,
    field_name,
    from_document,
    to_document,
    translate_errors,
)
from batch_gateway.core.accounting.rollups import daily_rollup, group_key, monthly_rollup
from batch_gateway.core.accounting.settlement import DailyTotal, TotalDelta, TotalKey
from batch_gateway.core.spend.entries import LABEL

DAY_SHARDS = 16
MONTH_SHARDS = 64
"""Documents of a day's or a month's roll-up. Each holds 1 MiB: at 100 bytes a group, a month has room for
some 160,000 groups."""
_SPREAD = 4
"""Number of those that a group is spread over by job: each sustains about one write a second."""
_MONTH = len("2026-11")
_PAGE = 300
"""Documents of one call, few enough for its time limit also on a slow or busy processor."""
_NAMES = {"api_key": "apiKey"}
_AFTER_EVERY_ID = ":~"
"""Suffix that sorts a day's name after all of its totals, and before the next day's."""


class FirestoreTotals:
    """The part of the Store port for spend over time."""

    _client: Client

    def _add_to_totals(
        self, batch: WriteBatch, deltas: Iterable[tuple[TotalKey, TotalDelta]], by: str
    ) -> None:
        """Add to the totals and their roll-ups.

        Args:
            batch: Takes the writes.
            deltas: The totals and their changes.
            by: The job's path, which selects the shards.
        """
        job = zlib.crc32(by.encode())
        rollups: dict[tuple[str, str], dict[str, Any]] = defaultdict(lambda: defaultdict(dict))
        for total, delta in deltas:
            cell = self._client.collection("totals").document(f"{total.id}:{job % SHARDS}")
            batch.set(cell, _increments(total, delta), merge=True)
            key = group_key(total)
            shard = zlib.crc32(key.encode()) + job % _SPREAD
            day = rollups["days", f"{total.day}:{shard % DAY_SHARDS}"]
            month = rollups["months", f"{total.day[:_MONTH]}:{shard % MONTH_SHARDS}"]
            day["quarters"][key] = {str(delta.quarter): Increment(delta.amount_nano)}
            month["amounts"][key] = Increment(delta.amount_nano)
            if delta.unpriced_rows:
                day["unpriced"][key] = month["unpriced"][key] = Increment(delta.unpriced_rows)
        for (collection, name), sums in rollups.items():
            batch.set(self._client.collection(collection).document(name), dict(sums), merge=True)

    def daily_rollups(self, first: str, last: str) -> Iterator[DailyTotal]:
        for day, shards in groupby(self._rollups("days", first, last), lambda found: found[0]):
            quarters: defaultdict[str, Counter[str]] = defaultdict(Counter)
            unpriced: Counter[str] = Counter()
            for _, sums in shards:
                unpriced.update(sums.get("unpriced", {}))
                for key, amounts in sums["quarters"].items():
                    quarters[key].update(amounts)
            for key, amounts in quarters.items():
                yield daily_rollup(day, key, amounts, unpriced[key])

    def monthly_rollups(self, month: str) -> Iterator[DailyTotal]:
        amounts: Counter[str] = Counter()
        unpriced: Counter[str] = Counter()
        for _, sums in self._rollups("months", month, month):
            amounts.update(sums["amounts"])
            unpriced.update(sums.get("unpriced", {}))
        for key, amount in amounts.items():
            yield monthly_rollup(month, key, amount, unpriced[key])

    def _rollups(self, collection: str, first: str, last: str) -> Iterator[tuple[str, dict[str, Any]]]:
        documents = self._client.collection(collection)
        query = documents.order_by("__name__").end_at(
            {"__name__": documents.document(last + _AFTER_EVERY_ID)}
        )
        for snapshot in _pages(query, documents.document(f"{first}:")):
            yield snapshot.id.partition(":")[0], snapshot.to_dict() or {}

    def list_totals(self, first: str, last: str, equal: Mapping[str, str]) -> Iterator[DailyTotal]:
        collection = self._client.collection("totals")
        query = collection.order_by("__name__").end_at(
            {"__name__": collection.document(last + _AFTER_EVERY_ID)}
        )
        if any(len(text.encode()) >= MOST_NAME_BYTES for pair in equal.items() for text in pair):
            return  # Firestore refuses the filter, and no total would match: labels are shorter
        for field, value in equal.items():
            query = query.where(filter=FieldFilter(_path(field), "==", value))
        for snapshot in _pages(query, collection.document(f"{first}:")):
            yield from_document(snapshot.to_dict(), DailyTotal)


def _pages(query: Query, after: DocumentReference) -> Iterator[DocumentSnapshot[Any]]:
    """Yield the documents of a query after a given one, page by page."""
    while True:
        with translate_errors():
            found = list(query.start_after({"__name__": after}).limit(_PAGE).stream(**CALL))
        yield from found
        if len(found) < _PAGE:
            return
        after = found[-1].reference


def _path(field: str) -> str:
    if field.startswith(LABEL):
        return FieldPath("labels", field_name(field.removeprefix(LABEL))).to_api_repr()
    return _NAMES.get(field, field)


def _increments(total: TotalKey, delta: TotalDelta) -> dict[str, Any]:
    items = {
        item: {
            "quantity": Increment(delta.quantities.get(item, 0)),
            "amountNano": Increment(delta.amounts_nano.get(item, 0)),
            **(
                {"discountNano": Increment(delta.discounts_nano[item])}
                if item in delta.discounts_nano
                else {}
            ),
        }
        for item in delta.quantities.keys() | delta.amounts_nano.keys() | delta.discounts_nano.keys()
    }
    quarters = {str(delta.quarter): Increment(delta.amount_nano)}
    # Merging an empty map would clear the existing one.
    return {
        **to_document(total),
        "quarters": quarters,
        "unpricedRows": Increment(delta.unpriced_rows),
        **({"items": items} if items else {}),
    }
