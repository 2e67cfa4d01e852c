"""What settlement works with."""

import time
from collections.abc import Callable
from typing import NamedTuple

from batch_gateway.core.accounting.budgets import BudgetAction
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.notify.delivery import NotifyDeps
from batch_gateway.ports import KeyStore, ObjectStore, Store, Tables, Upstream


class NotYetError(Exception):
    """The output cannot be settled now, but may be later: the event has to come again."""


class Deps(NamedTuple):
    """The outside. BigQuery, and what sends events out, are factories: few calls need them."""

    store: Store
    objects: ObjectStore
    upstream: Upstream
    prices: PriceTable
    tables: Callable[[], Tables]
    keys: KeyStore
    notify: Callable[[], NotifyDeps]
    budget_action: BudgetAction = "nothing"
    clock: Callable[[], float] = time.monotonic
