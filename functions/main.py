"""The two functions that are deployed: ``gateway`` (HTTP) and ``settle`` (finalize events)."""

from batch_gateway.entrypoints import gateway, settle
from batch_gateway.entrypoints import take_every_path as _take_every_path

_take_every_path()

__all__ = ["gateway", "settle"]
