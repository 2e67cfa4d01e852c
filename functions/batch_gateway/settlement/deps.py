"""What settlement works with."""

import time
from collections.abc import Callable
from typing import NamedTuple

from batch_gateway.core.budgets import BudgetAction
from batch_gateway.core.prices import PriceTable
from batch_gateway.ports import KeyStore, ObjectStore, Store, Tables, Upstream
from batch_gateway.settlement.notifying import NotifyDeps


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
