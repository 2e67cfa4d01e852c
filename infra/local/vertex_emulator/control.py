"""Serve the emulator's own endpoints, under /emulator.

They tell what was asked, say what goes wrong, which models and tables there are, how jobs move, and what
they leave.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any, Protocol

from .errors import ApiError
from .faults import Faults
from .layout import Layout
from .requestlog import RequestLog
from .tables import MemoryTables


class Controls(Protocol):
    """The part of the emulator that the endpoints need."""

    requests: RequestLog
    faults: Faults
    tables: MemoryTables
    layout: Layout

    def register_model(self, project: str, location: str, **model: Any) -> dict[str, Any]:
        """Add a model to a project's registry."""

    def models(self) -> list[dict[str, Any]]:
        """Return the registered models."""

    def step(self, job: str | None = None, *, rows: int | None = None) -> None:
        """Advance jobs by one step."""

    def finish(
        self,
        job: str,
        *,
        state: str = "JOB_STATE_SUCCEEDED",
        error: dict[str, Any] | None = None,
        rows: int | None = None,
        write: bool = True,
    ) -> dict[str, Any]:
        """End a job."""


def answer(emulator: Controls, method: str, path: str, body: bytes) -> dict[str, Any]:
    """Answer a request to one of the control endpoints.

    - `GET|DELETE /emulator/requests`
    - `GET|POST|DELETE /emulator/faults`
    - `POST /emulator/step` with `{"job": ID, "rows": N}`, both optional
    - `POST /emulator/jobs/ID:finish` with `{"state", "error", "rows", "write"}`, all optional
    - `GET|POST /emulator/models` with `{"project", "location", "id"}` and the rest of `RegisteredModel`
    - `GET|POST /emulator/layout` with any attributes of `Layout`, for jobs to come
    - `GET /emulator/tables`, and `POST /emulator/tables` with `{"table": "bq://p.d.t", "rows": [{...}]}`
    - `GET /emulator/health`

    Raises:
        ApiError: 404 for another path, 400 for a body that makes no sense.
    """
    try:
        given = json.loads(body) if body.strip() else {}
        return _answer(emulator, method, path.removeprefix("/emulator/"), given)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ApiError(400, f"{path}: {error}") from error


def _answer(emulator: Controls, method: str, path: str, given: Any) -> dict[str, Any]:
    if method == "GET":
        return _read(emulator, path)
    match method, path:
        case "DELETE", "requests":
            emulator.requests.clear()
        case "POST", "faults":
            emulator.faults.add_json(given)
        case "DELETE", "faults":
            emulator.faults.clear()
        case "POST", "models":
            return emulator.register_model(**given)
        case "POST", "layout":
            emulator.layout = dataclasses.replace(emulator.layout, **given)
        case "POST", "tables":
            emulator.tables.append(given["table"], given["rows"])
        case "POST", "step":
            emulator.step(given.get("job"), rows=given.get("rows"))
        case "POST", finish if finish.startswith("jobs/") and finish.endswith(":finish"):
            return emulator.finish(finish.removeprefix("jobs/").removesuffix(":finish"), **given)
        case _:
            raise _unknown(method, path)
    return {}


def _read(emulator: Controls, path: str) -> dict[str, Any]:
    reads: dict[str, Callable[[], dict[str, Any]]] = {
        "health": lambda: {"status": "ok"},
        "requests": lambda: {"requests": [request.as_json() for request in emulator.requests.all()]},
        "faults": lambda: {"faults": emulator.faults.as_json()},
        "models": lambda: {"models": emulator.models()},
        "layout": lambda: dataclasses.asdict(emulator.layout),
        "tables": lambda: {"tables": emulator.tables.as_json()},
    }
    if path not in reads:
        raise _unknown("GET", path)
    return reads[path]()


def _unknown(method: str, path: str) -> ApiError:
    return ApiError(404, f"The emulator has no {method} /emulator/{path}.")
