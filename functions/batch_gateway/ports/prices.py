"""Define the store of the operator's prices."""

from collections.abc import Callable
from typing import Protocol

from batch_gateway.core.pricing.overrides import Overrides


class PriceStore(Protocol):
    """The overrides of prices. Every method raises StoreUnavailableError if Firestore does not answer."""

    def read_overrides(self) -> Overrides:
        """Return all overrides, from one consistent read.

        Raises:
            RecordError: The record cannot be read.
        """

    def change_overrides(self, change: Callable[[Overrides], Overrides | None]) -> Overrides | None:
        """Change the overrides in a transaction.

        Args:
            change: Takes the current overrides and returns the new ones, or None to change nothing; called
                again if others change them meanwhile.

        Returns:
            The new overrides; None if nothing was changed.
        """
