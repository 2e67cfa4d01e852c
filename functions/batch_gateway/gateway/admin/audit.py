"""Write and list the audit trail: time, actor, action, target and outcome of every change."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.gateway.http import params, responses
from batch_gateway.logs import log
from batch_gateway.ports import Audit, AuditEntry, StoreUnavailableError
from batch_gateway.ports.keys import ACTIONS

_DEFAULT_LIMIT = 100
_MAX_LIMIT = 1000
_FILTERS = ("actor", "action", "target")


class AuditPage(msgspec.Struct, frozen=True):
    """Entries of the audit trail.

    Attributes:
        entries: The newest first.
    """

    entries: list[AuditEntry]


class AuditTrail:
    """The audit trail."""

    def __init__(self, audit: Audit, now: Callable[[], datetime]) -> None:
        self._audit = audit
        self._now = now

    def record(
        self, caller: Caller, action: str, target: str, outcome: str, change: dict[str, Any] | None = None
    ) -> None:
        """Add an entry; if Firestore is unavailable, log it instead: the change has been made already."""
        entry = AuditEntry(self._now(), caller.api_key, action, target, outcome, change)
        try:
            self._audit.append(entry)
        except StoreUnavailableError as error:
            log("ERROR", "audit entry not stored", entry=entry, error=error)

    def list_entries(self, request: Request, _: Caller) -> Response:
        """List entries, the newest first (``GET /audit?actor&action&target&start_time&end_time&limit``).

        For the next page, pass the last entry's time as ``end_time``.
        """
        params.check_names(request, {*_FILTERS, "start_time", "end_time", "limit"})
        equal = {
            name: params.check_value(name, request.args[name]) for name in _FILTERS if name in request.args
        }
        if equal.get("action") not in {None, *ACTIONS}:
            raise params.invalid(f"action: must be one of {', '.join(ACTIONS)}")
        limit = params.number(request, "limit", _DEFAULT_LIMIT, _MAX_LIMIT)
        entries = self._audit.read(
            params.time(request, "start_time"), params.time(request, "end_time"), limit, equal
        )
        return responses.json(AuditPage(entries))


def outcome_of(response: Response) -> str:
    """Return the outcome of a response: ``OK`` or its HTTP status."""
    return "OK" if response.status_code < 400 else f"HTTP {response.status_code}"  # noqa: PLR2004 - HTTP's border


def outcome_of_error(error: Exception) -> str:
    """Return the outcome of an error: status and reason, or the exception's name."""
    return f"{error.status} {error.reason}" if isinstance(error, ApiError) else type(error).__name__
