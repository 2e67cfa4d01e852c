"""Store the operator's prices.

Collections::

    prices/overrides    Overrides: all of them, so that one read gets a consistent set
"""

from collections.abc import Callable
from typing import Any

from google.cloud.firestore_v1 import Client

from batch_gateway.adapters.firestore.documents import (
    CALL,
    from_optional,
    optimistically,
    to_document,
    translate_errors,
    write_if_unchanged,
)
from batch_gateway.core.pricing.overrides import Overrides


class FirestorePrices:
    """The PriceStore port."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def read_overrides(self) -> Overrides:
        with translate_errors():
            return from_optional(self._document().get(**CALL).to_dict(), Overrides) or Overrides()

    def change_overrides(self, change: Callable[[Overrides], Overrides | None]) -> Overrides | None:
        def attempt() -> Overrides | None:
            snapshot = self._document().get(**CALL)
            changed = change(from_optional(snapshot.to_dict(), Overrides) or Overrides())
            if changed is None:
                return None
            batch = self._client.batch()
            write_if_unchanged(batch, snapshot, to_document(changed))
            batch.commit(**CALL)
            return changed

        with translate_errors():
            return optimistically(attempt)

    def _document(self) -> Any:
        return self._client.collection("prices").document("overrides")
