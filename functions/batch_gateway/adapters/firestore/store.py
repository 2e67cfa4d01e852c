"""The Store port as a whole."""

from google.cloud.firestore_v1 import Client

from batch_gateway.adapters.firestore.documents import CALL, errors
from batch_gateway.adapters.firestore.jobs import FirestoreBooks
from batch_gateway.adapters.firestore.submissions import FirestoreSubmissions
from batch_gateway.adapters.firestore.sweep import FirestoreSweep


class FirestoreStore(FirestoreBooks, FirestoreSubmissions, FirestoreSweep):
    """The Store port."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ping(self) -> None:
        """See Store."""
        with errors():
            self._client.collection("health").document("ping").get(**CALL)
