"""The ports without any service: for functional tests, and held to the same contract as the real ones."""

from batch_gateway.adapters.memory.keys import MemoryKeys
from batch_gateway.adapters.memory.objects import MemoryObjects
from batch_gateway.adapters.memory.outbox import MemoryOutbox
from batch_gateway.adapters.memory.store import MemoryStore
from batch_gateway.adapters.memory.tables import MemoryTables

__all__ = ["MemoryKeys", "MemoryObjects", "MemoryOutbox", "MemoryStore", "MemoryTables"]
