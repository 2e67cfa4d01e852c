"""The ObjectStore port in a dict."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from batch_gateway.ports import ObjectChangedError, ObjectExistsError, ObjectInfo


class MemoryObjects:
    """The ObjectStore port in a dict."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], tuple[ObjectInfo, bytes]] = {}
        self._generation = self.uploads = 0

    def put(self, bucket: str, name: str, data: bytes) -> ObjectInfo:
        """Write an object, overwriting an existing one."""
        self._generation += 1
        info = ObjectInfo(name, self._generation, len(data), datetime.now(UTC))
        self._objects[bucket, name] = (info, data)
        return info

    def delete(self, bucket: str, name: str) -> None:
        """Delete an object."""
        del self._objects[bucket, name]

    def stat(self, bucket: str, name: str) -> ObjectInfo | None:
        found = self._objects.get((bucket, name))
        return found[0] if found else None

    def read(self, bucket: str, name: str, generation: int, start: int = 0) -> Iterator[bytes]:
        info, data = self._objects.get((bucket, name), (None, b""))
        if info is None or info.generation != generation:
            raise ObjectChangedError(f"gs://{bucket}/{name}#{generation}")
        yield from (data[at : at + 7] for at in range(start, len(data), 7))

    def list(self, bucket: str, prefix: str) -> Iterable[ObjectInfo]:
        return [
            info
            for (b, name), (info, _) in sorted(self._objects.items())
            if b == bucket and name.startswith(prefix)
        ]

    def create(self, bucket: str, name: str, data: bytes, content_type: str) -> None:  # noqa: ARG002 - no types here
        if (bucket, name) in self._objects:
            raise ObjectExistsError(f"gs://{bucket}/{name}")
        self.put(bucket, name, data)

    def begin_upload(self, bucket: str, name: str, content_type: str) -> str:  # noqa: ARG002 - no types here
        self.uploads += 1
        return f"https://storage.invalid/upload/storage/v1/b/{bucket}/o?upload_id={self.uploads}"
