"""Publish to a Pub/Sub topic over REST: for one method, importing the SDK and gRPC would take too long.

``projects.topics.publish`` of the Pub/Sub API, v1
(https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish).
"""

import base64
from collections.abc import Mapping

import msgspec
import urllib3

from batch_gateway.adapters.google_token import GoogleToken
from batch_gateway.ports import UnreachableError, UpstreamCredentialsError

_HOST = "https://pubsub.googleapis.com"
_TIMEOUT = urllib3.Timeout(total=10)
_POOL_SIZE = 8
_LONGEST_VALUE = 1024
"""Bytes of an attribute's value ("Quotas and limits" of Pub/Sub)."""


class PubSubTopic:
    """The Topic port.

    Args:
        topic: ``projects/{project}/topics/{topic}``.
        emulator: ``host:port`` of an emulator (PUBSUB_EMULATOR_HOST), called without a token; or None.
    """

    def __init__(self, topic: str, emulator: str | None = None) -> None:
        self._url = f"http://{emulator}/v1/{topic}:publish" if emulator else f"{_HOST}/v1/{topic}:publish"
        self._token = None if emulator else GoogleToken(None)
        self._http = urllib3.PoolManager(maxsize=_POOL_SIZE, retries=False)

    def publish(self, body: bytes, attributes: Mapping[str, str]) -> None:
        """Publish a message; cut values at Pub/Sub's limit, and leave out empty ones."""
        message = {
            "data": base64.b64encode(body).decode(),
            "attributes": {name: _cut(value) for name, value in attributes.items() if value},
        }
        headers = {"Content-Type": "application/json"}
        try:
            if self._token is not None:
                headers["Authorization"] = f"Bearer {self._token.get()}"
            answer = self._http.request(
                "POST",
                self._url,
                body=msgspec.json.encode({"messages": [message]}),
                headers=headers,
                timeout=_TIMEOUT,
            )
        except UpstreamCredentialsError as error:
            raise UnreachableError(f"no Google token: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"Pub/Sub gave no answer: {type(error).__name__}") from error
        if answer.status != 200:  # noqa: PLR2004 - HTTP's own number
            raise UnreachableError(f"Pub/Sub answered {answer.status}: {_message(answer.data)}")


def _cut(value: str) -> str:
    return value.encode()[:_LONGEST_VALUE].decode(errors="ignore")


def _message(body: bytes) -> str:
    """Return the message of Google's error, such as a missing permission or topic."""
    try:
        return str(msgspec.json.decode(body)["error"]["message"])[:300]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return "no reason given"
