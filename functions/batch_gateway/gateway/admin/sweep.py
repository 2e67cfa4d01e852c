"""Run the sweep for the scheduler or the administrator (``POST /internal/reconcile``)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import admin_only
from batch_gateway.core.access.tokens import is_token
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.gateway.http import requests, responses
from batch_gateway.gateway.http.authentication import Authenticator
from batch_gateway.logs import log
from batch_gateway.ports import Upstream
from batch_gateway.settings import Settings
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.sweep import reconcile
from batch_gateway.tracking import Tracker

Identity = Callable[[str, str, str, bool], bool]
"""(identity token, account, audience, whether Cloud Run has checked the token) -> whether it is valid."""


class Sweeps:
    """Handler that authorizes a sweep and finds the places to sweep."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        identity: Identity,
        settlement: Callable[[], SettlementDeps],
        tracker: Tracker,
        *,
        weigh: Callable[[JobRecord], None],
        check_bill: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._identity = identity
        self._settlement = settlement
        self._tracker = tracker
        self._weigh = weigh
        self._check_bill = check_bill
        self._now = now

    def run(self, request: Request) -> Response:
        """Sweep once, and return what was done.

        Raises:
            ApiError: The caller has neither the scheduler's identity nor the master key.
        """
        self._check(request)
        deps = self._settlement()
        places, refused = self._places(deps.upstream)
        done = reconcile(places, self._tracker, deps, self._now(), weigh=self._weigh, refused=refused)
        self._check_bill()
        return responses.json(done)

    def _check(self, request: Request) -> None:
        secret = requests.api_key(request) or ""
        account = self._settings.reconcile_account
        if account and is_token(secret):
            # A caller can send any Host header, so it cannot serve as the audience of a trusted token.
            audience = self._settings.reconcile_audience
            checked = self._settings.private and audience is not None and _is_checked(request, secret)
            if self._identity(secret, account, audience or f"https://{request.host}", checked):
                return
            if self._settings.private and audience is None:
                log("WARNING", "no identity token can be trusted: set general_settings.reconcile_audience")
        elif self._authenticator.authenticate(secret, requests.address(request)).is_master:
            return
        raise admin_only(
            "the master key, or the service account that is configured as "
            "general_settings.reconcile_service_account, may do this"
        )

    def _places(self, upstream: Upstream) -> tuple[list[tuple[str, str]], list[str]]:
        """Return every place that is served, and the projects whose locations Vertex AI does not list.

        The location ``*`` stands for all of Vertex AI's.
        """
        places = {place for place in self._settings.served if place[1] != "*"}
        refused = []
        for project in sorted({project for project, location in self._settings.served if location == "*"}):
            locations = _locations(upstream, project)
            if locations is None:
                refused.append(project)
            places |= {(project, location) for location in locations or ()}
        return sorted(places), refused


def _locations(upstream: Upstream, project: str) -> list[str] | None:
    """Return Vertex AI's locations, of all pages of their list; None if a page is refused."""
    found: list[str] = []
    token = ""
    while True:
        query = urlencode({"pageToken": token}) if token else ""
        path = f"projects/{project}/locations"
        page = upstream.get(path, project=project, location="global", query=query)
        if page is None:
            return None
        listed: Any = page.get("locations") or []
        found += [str(each.get("locationId")) for each in listed]
        token = str(page.get("nextPageToken") or "")
        if not token:
            return found


def _is_checked(request: Request, token: str) -> bool:
    """Return whether a request's token is the one that Cloud Run has checked.

    Cloud Run checks Authorization. If there is an X-Serverless-Authorization, it checks that one instead, and
    passes Authorization on unchecked (its documentation, "Authenticating service-to-service").
    """
    _, _, sent = request.headers.get("Authorization", "").partition(" ")
    return sent.strip() == token and "X-Serverless-Authorization" not in request.headers
