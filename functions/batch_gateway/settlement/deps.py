"""The ports and settings that settlement works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from batch_gateway.core.accounting.budgets import BudgetAction
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.notify.delivery import NotifyDeps
from batch_gateway.ports import KeyStore, ObjectStore, Store, Tables, Upstream


class NotYetError(Exception):
    """The output cannot be settled yet; the event has to be delivered again."""


@dataclass(frozen=True, kw_only=True)
class SettlementDeps:
    """The ports and settings of settlement.

    Attributes:
        store: Jobs, outputs, totals and budgets.
        objects: Cloud Storage.
        upstream: Vertex AI.
        prices: The price table in force.
        tables: Returns BigQuery: a factory, because few calls need it.
        keys: API keys and teams.
        notify: Returns the dependencies of sending events: a factory, because few calls need them.
        budget_action: The action for running jobs whose budget is exceeded.
        clock: Returns monotonic seconds, for deadlines.
        now: Returns the current time, in UTC.
    """

    store: Store
    objects: ObjectStore
    upstream: Upstream
    prices: PriceTable
    tables: Callable[[], Tables]
    keys: KeyStore
    notify: Callable[[], NotifyDeps]
    budget_action: BudgetAction
    clock: Callable[[], float]
    now: Callable[[], datetime]
