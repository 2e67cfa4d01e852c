"""The ports and settings that the gateway works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from batch_gateway.current_prices import CurrentPrices
from batch_gateway.gateway.admin.sweep import Identity
from batch_gateway.ports import Audit, KeyStore, ObjectStore, Store, Upstream
from batch_gateway.ports.billing import BillingExport
from batch_gateway.settings import Settings
from batch_gateway.settlement.deps import SettlementDeps


@dataclass(frozen=True, kw_only=True)
class GatewayDeps:
    """The ports and settings of the gateway.

    Attributes:
        settings: The configuration.
        store: Jobs and their costs.
        keys: Keys and teams.
        audit: The audit trail.
        upstream: Vertex AI.
        objects: Makes the Cloud Storage client on first use: few requests need it, and it is slow to import.
        billing: Makes the client of the Cloud Billing export on first use.
        settlement: Makes the dependencies of settlement on first use, for the same reason.
        prices: The prices in force.
        identity: Checks identity tokens.
        now: Returns the current time.
        clock: Returns monotonic seconds.
    """

    settings: Settings
    store: Store
    keys: KeyStore
    audit: Audit
    upstream: Upstream
    objects: Callable[[], ObjectStore]
    billing: Callable[[], BillingExport]
    settlement: Callable[[], SettlementDeps]
    prices: CurrentPrices
    identity: Identity
    now: Callable[[], datetime]
    clock: Callable[[], float]
