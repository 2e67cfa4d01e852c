"""Serve the REST methods of batchPredictionJobs, of a delete's operations, and models.get."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from . import create, filters, masks, schema, timestamps
from .catalogue import UNMANAGED, UNREGISTERED_TUNED, Catalogue
from .errors import ApiError
from .jobs import JobStore
from .layout import Layout
from .render import Options, read_options, shape

_PAGE = 100  # largest and default page size of list
_VERSIONS = ("v1", "v1beta1")


@dataclass(frozen=True)
class Route:
    """The method and the resource of a request."""

    method: str
    version: str
    project: str
    location: str
    id: str = ""


def route(http_method: str, path: str) -> Route | None:
    """Return the method of a request, or None for a URL that Google doesn't know.

    Args:
        http_method: GET, POST or DELETE.
        path: The raw path; segments are decoded one by one, so that an encoded slash doesn't make two.
    """
    segments = [unquote(segment) for segment in path.removeprefix("/").split("/")]
    match segments:
        case [version, "projects", project, "locations", location, *rest] if version in (*_VERSIONS, "ui"):
            pass
        case _:
            return None
    allowed = r"[\w.:@-]+" if rest[:1] == ["models"] else r"[\w.:-]+"
    if not all(re.fullmatch(allowed, segment) for segment in segments[2:]):
        return None
    method, found = _method(http_method, rest)
    if not method or (version == "ui" and method != "operation"):
        return None
    # Google's generated clients poll operations at /ui/..., without a version.
    return Route(method, "v1" if version == "ui" else version, project, location, found)


def _method(http_method: str, rest: list[str]) -> tuple[str, str]:
    match http_method, rest:
        case "POST", ["batchPredictionJobs"]:
            return "create", ""
        case "GET", ["batchPredictionJobs"]:
            return "list", ""
        case "POST", ["batchPredictionJobs", found] if found.endswith(":cancel"):
            return "cancel", found.removesuffix(":cancel")
        case "GET" | "DELETE", ["batchPredictionJobs", found] if ":" not in found:
            return {"GET": "get", "DELETE": "delete"}[http_method], found
        case "GET", ["operations" | "models" as kind, found] if ":" not in found:
            return kind.removesuffix("s"), found
    return "", ""


class Api:
    """Answers requests from the store.

    Args:
        store: The jobs.
        catalogue: The models that exist.

    Attributes:
        layout: How the jobs to come leave their output, unless their labels say otherwise.
    """

    def __init__(self, store: JobStore, catalogue: Catalogue, layout: Layout) -> None:
        self._store = store
        self._catalogue = catalogue
        self.layout = layout

    def answer(
        self, found: Route, query: list[tuple[str, str]], content_type: str, body: bytes
    ) -> dict[str, Any]:
        """Handle a request and return its answer.

        Args:
            found: What it means.
            query: Its decoded query.
            content_type: Of the body.
            body: The bytes.

        Raises:
            ApiError: As Google would refuse it.
        """
        version = schema.load(found.version)
        options = read_options(version, found.method, query)
        parent = self._store.parent(found.project, found.location)
        result: dict[str, Any]
        if found.method == "create":
            result = self._create(version, parent, found.location, create.parse_body(body, content_type))
        elif found.method == "list":
            result = self._list(version, parent, options)
        elif found.method == "model":
            result = self._catalogue.get(parent, found.id)
        elif found.method == "operation":
            result = self._store.operation(f"{parent}/operations/{found.id}").as_json()
        else:
            result = self._on_job(version, found, parent, content_type, body)
        return shape(options, result)

    def _on_job(
        self, version: schema.Schema, found: Route, parent: str, content_type: str, body: bytes
    ) -> dict[str, Any]:
        if (
            found.method == "cancel"
            and body.strip()
            and not content_type.startswith("application/x-www-form")
        ):
            version.read("CancelBatchPredictionJobRequest", create.parse_body(body, content_type))
        # @google/genai sends {} with DELETE; the body of a DELETE is ignored.
        with self._store.lock:
            job = self._store.get(parent, found.id)
            if found.method == "cancel":
                self._store.cancel(job)
                return {}
            if found.method == "delete":
                return self._store.delete(job, found.version).as_json()
            return job.as_json()

    def _create(self, version: schema.Schema, parent: str, location: str, body: Any) -> dict[str, Any]:
        job = create.read_job(version, body)
        try:
            layout = self.layout.for_job(job.get("labels", {}))
        except ValueError as error:
            raise ApiError(400, f"The emulator has {error}.") from error
        model = UNREGISTERED_TUNED if "endpoint" in job else UNMANAGED
        if "model" in job:
            model = self._catalogue.of_job(job["model"], location, self._store.parent)
        with self._store.lock:
            return self._store.create(parent, job, model, layout).as_json()

    def _list(self, version: schema.Schema, parent: str, options: Options) -> dict[str, Any]:
        wanted = options.parameters
        test = filters.parse(wanted.get("filter", ""))
        mask = masks.parse_read_mask(wanted.get("readMask", ""))
        masks.check(mask, version, schema.JOB, "readMask")
        size = int(wanted.get("pageSize") or 0)
        if size < 0:
            raise ApiError(400, "Page size must not be negative.")
        size = min(size or _PAGE, _PAGE)
        before = _read_page_token(wanted.get("pageToken", ""), wanted.get("filter", ""))
        with self._store.lock:
            jobs = [job.as_json() for job in self._store.all(parent)]
        left = [job for job in jobs if test(job) and (not before or job["createTime"] < before)]
        result: dict[str, Any] = {}
        if left:
            result["batchPredictionJobs"] = [masks.apply(mask, job) for job in left[:size]]
        if len(left) > size:
            result["nextPageToken"] = _page_token(left[size - 1]["createTime"], wanted.get("filter", ""))
        return result


def _page_token(before: str, text: str) -> str:
    """Return an opaque token; it names a point, so that new jobs don't shift the pages."""
    return base64.urlsafe_b64encode(json.dumps([before, text]).encode()).decode().rstrip("=")


def _read_page_token(token: str, text: str) -> str:
    if not token:
        return ""
    try:
        before, given = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        timestamps.parse(before)
    except (binascii.Error, ValueError, TypeError) as error:
        raise ApiError(400, "The page token is invalid.") from error
    if given != text:
        raise ApiError(400, "The page token is for another filter.")
    return str(before)
