"""The two functions that are deployed: ``gateway`` (HTTP) and ``settle`` (finalize events)."""

from batch_gateway.entrypoints import gateway, settle

__all__ = ["gateway", "settle"]
