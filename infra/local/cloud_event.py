"""The event that Cloud Storage sends, by way of Eventarc, when an object was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

EVENT_TYPE = "google.cloud.storage.object.v1.finalized"
# What Cloud Storage puts into a notification; a listing may hold more, such as access control lists.
_RESOURCE_FIELDS = (
    *("kind", "id", "selfLink", "name", "bucket", "generation", "metageneration", "contentType"),
    *("contentEncoding", "timeCreated", "updated", "storageClass", "timeStorageClassUpdated", "size"),
    *("md5Hash", "mediaLink", "metadata", "crc32c", "etag"),
)
# What must be a string although it counts something: JSON numbers end at 2**53.
_INT64_FIELDS = ("generation", "metageneration", "size")


@dataclass(frozen=True)
class Event:
    """One CloudEvent, the same at every delivery."""

    id: str
    resource: dict[str, Any]

    def headers(self) -> dict[str, str]:
        """The event's attributes in binary content mode."""
        # The HTTP binding of CloudEvents wants anything but printable ASCII, and %, percent-encoded.
        subject = quote(f"objects/{self.resource['name']}", safe="!#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
        return {
            "ce-id": self.id,
            "ce-source": f"//storage.googleapis.com/projects/_/buckets/{self.resource['bucket']}",
            "ce-specversion": "1.0",
            "ce-type": EVENT_TYPE,
            "ce-subject": subject,
            "ce-time": self.resource["updated"],
            "ce-bucket": self.resource["bucket"],
            "content-type": "application/json",
        }


def notified_resource(listed: dict[str, Any]) -> dict[str, Any]:
    """Returns an object of a listing as a notification shows it."""
    resource = {name: listed[name] for name in _RESOURCE_FIELDS if listed.get(name) is not None}
    return {**resource, **{name: str(resource[name]) for name in _INT64_FIELDS if name in resource}}
