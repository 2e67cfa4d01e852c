"""The emulator's own endpoints, under /emulator: what was asked, what goes wrong, and how jobs move."""

import json
from typing import Any, Protocol

from .errors import ApiError
from .faults import Faults
from .requestlog import RequestLog


class Controls(Protocol):
    """What the endpoints need of the emulator."""

    requests: RequestLog
    faults: Faults

    def step(self, job: str | None = None, *, rows: int | None = None) -> None:
        """Move jobs on by one."""

    def finish(
        self,
        job: str,
        *,
        state: str = "JOB_STATE_SUCCEEDED",
        error: dict[str, Any] | None = None,
        rows: int | None = None,
        write: bool = True,
    ) -> dict[str, Any]:
        """Bring a job to an end."""


def answer(emulator: Controls, method: str, path: str, body: bytes) -> dict[str, Any]:
    """Answer a request to one of the control endpoints.

    - `GET|DELETE /emulator/requests`
    - `GET|POST|DELETE /emulator/faults`
    - `POST /emulator/step` with `{"job": ID, "rows": N}`, both optional
    - `POST /emulator/jobs/ID:finish` with `{"state", "error", "rows", "write"}`, all optional
    - `GET /emulator/health`

    Raises:
        ApiError: 404 for another path, 400 for a body that makes no sense.
    """
    try:
        given = json.loads(body) if body.strip() else {}
        return _answer(emulator, method, path.removeprefix("/emulator/"), given)
    except (ValueError, TypeError, AttributeError) as error:
        raise ApiError(400, f"{path}: {error}") from error


def _answer(emulator: Controls, method: str, path: str, given: Any) -> dict[str, Any]:
    match method, path:
        case "GET", "health":
            return {"status": "ok"}
        case "GET", "requests":
            return {"requests": [request.as_json() for request in emulator.requests.all()]}
        case "DELETE", "requests":
            emulator.requests.clear()
        case "GET", "faults":
            return {"faults": emulator.faults.as_json()}
        case "POST", "faults":
            emulator.faults.add_json(given)
        case "DELETE", "faults":
            emulator.faults.clear()
        case "POST", "step":
            emulator.step(given.get("job"), rows=given.get("rows"))
        case "POST", finish if finish.startswith("jobs/") and finish.endswith(":finish"):
            return emulator.finish(finish.removeprefix("jobs/").removesuffix(":finish"), **given)
        case _:
            raise ApiError(404, f"The emulator has no {method} /emulator/{path}.")
    return {}
