"""The ports and settings that settlement works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from batch_gateway.core.accounting.budgets import BudgetAction
from batch_gateway.core.pricing.model_names import BaseModels
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
        prices: Returns the prices in force; raises StoreUnavailableError if they cannot be known.
        base_models: Base models in the configuration, by project, location and the model's path.
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
    prices: Callable[[], PriceTable]
    tables: Callable[[], Tables]
    keys: KeyStore
    notify: Callable[[], NotifyDeps]
    budget_action: BudgetAction
    clock: Callable[[], float]
    now: Callable[[], datetime]
    base_models: BaseModels = field(default_factory=dict)
