"""Find and disable the webhooks of keys."""

import msgspec

from batch_gateway.core.access.keys import KeyRecord
from batch_gateway.ports import Endpoint, KeyStore


class KeyEndpoints:
    """The Endpoints port, on key records."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    def endpoint_of(self, key_id: str) -> Endpoint | None:
        for key in self._keys.list_secrets(key_id):
            if key.webhook_url and key.webhook_secret:
                return Endpoint(key.webhook_url, key.webhook_secret)
        return None

    def disable_endpoint(self, key_id: str, url: str) -> None:
        def without(key: KeyRecord) -> KeyRecord:
            if key.webhook_url != url:
                return key
            return msgspec.structs.replace(key, webhook_url=None, webhook_secret=None)

        for key in self._keys.list_secrets(key_id):
            self._keys.change_key(key.token, without)
