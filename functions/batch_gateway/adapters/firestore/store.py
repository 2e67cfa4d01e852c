"""The Store port, made of its parts."""

from google.cloud.firestore_v1 import Client

from batch_gateway.adapters.firestore.documents import CALL, translate_errors
from batch_gateway.adapters.firestore.jobs import FirestoreJobs
from batch_gateway.adapters.firestore.submissions import FirestoreSubmissions
from batch_gateway.adapters.firestore.sweep import FirestoreSweep


class FirestoreStore(FirestoreJobs, FirestoreSubmissions, FirestoreSweep):
    """The Store port."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ping(self) -> None:
        with translate_errors():
            self._client.collection("health").document("ping").get(**CALL)
