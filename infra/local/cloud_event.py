"""Build the event that Cloud Storage sends through Eventarc when an object is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

EVENT_TYPE = "google.cloud.storage.object.v1.finalized"
# The members of a notification; a listing may have more, such as access control lists.
_RESOURCE_FIELDS = (
    *("kind", "id", "selfLink", "name", "bucket", "generation", "metageneration", "contentType"),
    *("contentEncoding", "timeCreated", "updated", "storageClass", "timeStorageClassUpdated", "size"),
    *("md5Hash", "mediaLink", "metadata", "crc32c", "etag"),
)
# Numbers that are strings in JSON, whose numbers are exact up to 2**53 only.
_INT64_FIELDS = ("generation", "metageneration", "size")


@dataclass(frozen=True)
class Event:
    """A CloudEvent, which is the same in each delivery."""

    id: str
    resource: dict[str, Any]

    def headers(self) -> dict[str, str]:
        """Return the event's attributes in binary content mode."""
        # The HTTP binding of CloudEvents percent-encodes % and all but printable ASCII.
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
    """Return a listed object in the form of a notification."""
    resource = {name: listed[name] for name in _RESOURCE_FIELDS if listed.get(name) is not None}
    return {**resource, **{name: str(resource[name]) for name in _INT64_FIELDS if name in resource}}
