"""Adapters of Firestore."""

from google.cloud.firestore_v1 import Client

from batch_gateway.adapters.firestore.keys import FirestoreKeys
from batch_gateway.adapters.firestore.store import FirestoreStore

__all__ = ["FirestoreKeys", "FirestoreStore", "connect"]


def connect(project: str, database: str) -> Client:
    """Return the client that the adapters share. It connects on first use."""
    return Client(project=project or None, database=database)
