"""Build the real adapters and use cases, once for each instance and on first use.

functions-framework loads the code before gunicorn forks its worker, and gRPC does not survive a fork:
no client may be made at import. SDKs are imported where they are first needed, because each adds some
tenths of a second to a cold start.
"""

# ruff: noqa: PLC0415 - imports on first use, for the reason above

from datetime import UTC, datetime
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING

from batch_gateway import settings
from batch_gateway.core.pricing import prices
from batch_gateway.logs import log
from batch_gateway.ports import ObjectStore, Store, Tables, Upstream

if TYPE_CHECKING:
    from google.cloud.firestore_v1 import Client

    from batch_gateway.adapters.firestore import FirestoreKeys
    from batch_gateway.adapters.incoming_tokens import GoogleIdentities
    from batch_gateway.current_prices import CurrentPrices
    from batch_gateway.gateway.app import Gateway
    from batch_gateway.notify.delivery import NotifyDeps
    from batch_gateway.ports.billing import BillingExport
    from batch_gateway.settlement.deps import SettlementDeps

SETTINGS = settings.load()
"""Read at import, so that nothing starts with a wrong configuration."""

for _warning in SETTINGS.warnings:
    log("WARNING", _warning)


def _now() -> datetime:
    return datetime.now(UTC)


@cache
def _firestore() -> "Client":
    from batch_gateway.adapters.firestore import connect

    return connect(SETTINGS.project, SETTINGS.database)


@cache
def store() -> Store:
    """Return the Store port."""
    from batch_gateway.adapters.firestore import FirestoreStore

    return FirestoreStore(_firestore())


@cache
def keys() -> "FirestoreKeys":
    """Return the store of API keys, teams and the audit trail."""
    from batch_gateway.adapters.firestore import FirestoreKeys

    return FirestoreKeys(_firestore())


@cache
def current_prices() -> "CurrentPrices":
    """Return the prices in force."""
    from batch_gateway.adapters.firestore.prices import FirestorePrices
    from batch_gateway.current_prices import CurrentPrices

    return CurrentPrices(prices.load, SETTINGS.rates, cache(lambda: FirestorePrices(_firestore())), monotonic)


@cache
def upstream() -> Upstream:
    """Return the client of Vertex AI or its emulator."""
    from batch_gateway.adapters.vertex import Vertex

    return Vertex(SETTINGS.served, SETTINGS.vertex_emulator)


@cache
def objects() -> ObjectStore:
    """Return the client of Cloud Storage."""
    from batch_gateway.adapters.storage import CloudStorage

    return CloudStorage(SETTINGS.project)


@cache
def tables() -> Tables:
    """Return the client of BigQuery."""
    from batch_gateway.adapters.bigquery import BigQuery

    return BigQuery(SETTINGS.project, SETTINGS.bigquery_emulator)


@cache
def billing() -> "BillingExport":
    """Return the client of the Cloud Billing export; only if the configuration names one."""
    from batch_gateway.adapters.bigquery_billing import BigQueryBilling

    return BigQueryBilling(SETTINGS.billing_export or "", SETTINGS.project, SETTINGS.bigquery_emulator)


@cache
def gateway() -> "Gateway":
    """Return the HTTP use cases."""
    from batch_gateway.gateway.app import Gateway
    from batch_gateway.gateway.deps import GatewayDeps

    return Gateway(
        GatewayDeps(
            settings=SETTINGS,
            store=store(),
            keys=keys(),
            audit=keys(),
            upstream=upstream(),
            objects=objects,
            billing=billing,
            settlement=settlement,
            prices=current_prices(),
            identity=is_identity,
            now=_now,
            clock=monotonic,
        )
    )


@cache
def _identities() -> "GoogleIdentities":
    from batch_gateway.adapters.incoming_tokens import GoogleIdentities

    return GoogleIdentities()


def is_identity(token: str, account: str, audience: str, checked: bool) -> bool:  # noqa: FBT001 - a port
    """Check an identity token, as ``gateway.admin.sweep.Identity`` describes."""
    return _identities().is_token_of(token, account, audience, checked=checked)


@cache
def notify_deps() -> "NotifyDeps":
    """Return the dependencies of sending events."""
    from batch_gateway.adapters.webhooks import HttpsReceivers
    from batch_gateway.notify.delivery import NotifyDeps
    from batch_gateway.notify.endpoints import KeyEndpoints

    topic = None
    if SETTINGS.pubsub_topic:
        from batch_gateway.adapters.pubsub import PubSubTopic

        topic = PubSubTopic(SETTINGS.pubsub_topic, SETTINGS.pubsub_emulator)
    receivers = HttpsReceivers(allow_private=SETTINGS.allow_private_webhooks)
    return NotifyDeps(
        outbox=store(),
        endpoints=KeyEndpoints(keys()),
        receivers=receivers,
        topic=topic,
        clock=monotonic,
        now=_now,
    )


@cache
def settlement() -> "SettlementDeps":
    """Return the dependencies of settlement."""
    from batch_gateway.settlement.deps import SettlementDeps

    return SettlementDeps(
        store=store(),
        objects=objects(),
        upstream=upstream(),
        prices=current_prices(),
        base_models=SETTINGS.base_models,
        tables=tables,
        keys=keys(),
        notify=notify_deps,
        budget_action=SETTINGS.budget_action,
        clock=monotonic,
        now=_now,
    )
