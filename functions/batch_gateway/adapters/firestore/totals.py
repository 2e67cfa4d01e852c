"""The totals, read over a range of days. Their documents are in books.py.

No query here needs a composite index: a document's name begins with its day, so a range of days is a
range of names, and the indexes that Firestore keeps of every single field are in the order of names and
can be merged ("Index types in Cloud Firestore", automatic indexing and index merging).
"""

from collections.abc import Iterator, Mapping

from google.cloud.firestore_v1 import Client, FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from batch_gateway.adapters.firestore.documents import CALL, MOST_NAME_BYTES, errors, field_name, known
from batch_gateway.core.books import Cell
from batch_gateway.core.spend import LABEL

_PAGE = 300
"""Documents of one call: read well within the time that a call may take, also on a slow or busy processor."""
_NAMES = {"api_key": "apiKey"}
_AFTER_EVERY_ID = ":~"
"""Follows a day in the order of names: later than all of its cells, earlier than the next day's."""


class FirestoreTotals:
    """The part of the Store port that is about spend over time."""

    _client: Client

    def list_totals(self, first: str, last: str, equal: Mapping[str, str]) -> Iterator[Cell]:
        """See Store."""
        collection = self._client.collection("totals")
        query = collection.order_by("__name__").end_at(
            {"__name__": collection.document(last + _AFTER_EVERY_ID)}
        )
        if any(len(text.encode()) >= MOST_NAME_BYTES for pair in equal.items() for text in pair):
            return  # Firestore refuses to look for it, and no cell has it: labels are shorter
        for field, value in equal.items():
            query = query.where(filter=FieldFilter(_path(field), "==", value))
        after = collection.document(f"{first}:")
        while True:
            with errors():
                page = query.start_after({"__name__": after}).limit(_PAGE)
                found = list(page.stream(**CALL))
            for snapshot in found:
                yield known(snapshot.to_dict(), Cell)
            if len(found) < _PAGE:
                return
            after = found[-1].reference


def _path(field: str) -> str:
    if field.startswith(LABEL):
        return FieldPath("labels", field_name(field.removeprefix(LABEL))).to_api_repr()
    return _NAMES.get(field, field)
