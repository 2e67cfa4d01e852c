"""In-memory adapters of the ports, for functional tests; contract tests check them and the real ones."""

from fakes.billing import MemoryBilling
from fakes.keys import MemoryKeys
from fakes.objects import MemoryObjects
from fakes.outbox import MemoryOutbox
from fakes.prices import MemoryPrices
from fakes.store import MemoryStore
from fakes.tables import MemoryTables

__all__ = [
    "MemoryBilling",
    "MemoryKeys",
    "MemoryObjects",
    "MemoryOutbox",
    "MemoryPrices",
    "MemoryStore",
    "MemoryTables",
]
