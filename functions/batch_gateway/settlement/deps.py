"""What settlement works with."""

import time
from collections.abc import Callable
from typing import NamedTuple

from batch_gateway.core.budgets import BudgetAction
from batch_gateway.core.prices import PriceTable
from batch_gateway.ports import KeyStore, ObjectStore, Store, Tables, Upstream


class NotYetError(Exception):
    """The output cannot be settled now, but may be later: the event has to come again."""


class Deps(NamedTuple):
    """The outside. BigQuery is a factory: few jobs need it, and it is slow to import."""

    store: Store
    objects: ObjectStore
    upstream: Upstream
    prices: PriceTable
    tables: Callable[[], Tables]
    keys: KeyStore
    budget_action: BudgetAction = "nothing"
    clock: Callable[[], float] = time.monotonic
