"""The ports without any service: for functional tests, and held to the same contract as the real ones."""

from fakes.keys import MemoryKeys
from fakes.objects import MemoryObjects
from fakes.outbox import MemoryOutbox
from fakes.store import MemoryStore
from fakes.tables import MemoryTables

__all__ = ["MemoryKeys", "MemoryObjects", "MemoryOutbox", "MemoryStore", "MemoryTables"]
