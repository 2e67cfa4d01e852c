"""Make, change, delete and list teams, with LiteLLM's paths and field names."""

import uuid
from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import UNSET
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.access.keys import TEAM_ID, TeamRecord
from batch_gateway.core.access.label_policy import LabelPolicy
from batch_gateway.core.access.limits import Budget, Grant
from batch_gateway.core.errors import ApiError
from batch_gateway.gateway.admin import bodies, field_checks
from batch_gateway.gateway.admin.answers import DeletedTeams, TeamInfo, TeamList, key_view, team_view
from batch_gateway.gateway.admin.budget_status import BudgetStatus
from batch_gateway.gateway.admin.changes import describe_change
from batch_gateway.gateway.admin.roles import own_team
from batch_gateway.gateway.http import json_bodies, params, requests, responses
from batch_gateway.gateway.http.routing import AuditedResponse
from batch_gateway.ports import KeyStore, TeamDeletedError

MOST_TEAMS = 1_000
"""Most teams: the last page of a list has to skip as many."""


class Teams:
    """Handler of requests about teams."""

    def __init__(
        self,
        keys: KeyStore,
        budget_status: BudgetStatus,
        now: Callable[[], datetime],
    ) -> None:
        self._keys = keys
        self._budget_status = budget_status
        self._now = now

    def new(self, request: Request, _: Caller) -> AuditedResponse:
        """Make a team (``POST /team/new``)."""
        body = json_bodies.decode(requests.body(request), bodies.NewTeam)
        team_id = body.team_id or str(uuid.uuid4())
        if not TEAM_ID.fullmatch(team_id):
            raise params.invalid(
                f"team_id: {team_id!r} cannot be used as a label: use at most 63 lower-case letters, digits, "
                "'_' and '-'"
            )
        if self._keys.count_teams() >= MOST_TEAMS:
            raise params.invalid(f"there are {MOST_TEAMS:,} teams already, which is the limit")
        now = self._now()
        team = TeamRecord(
            team_id=team_id,
            created_at=now,
            updated_at=now,
            team_alias=_alias(body.team_alias),
            grant=field_checks.grant_of(body, Grant()),
            budget=field_checks.budget_of(body, Budget()),
            metadata=field_checks.metadata_of(body, {}),
            labels=field_checks.labels_of(body, LabelPolicy()),
            blocked=body.blocked is True,
        )
        try:
            made = self._keys.change_team(team_id, lambda old: None if old else team)
        except TeamDeletedError as error:
            raise ApiError(
                "ALREADY_EXISTS",
                "TEAM_ID_USED",
                f"There was a team {team_id!r} before, and its jobs and costs on record have that id. Choose "
                "another team_id; team_alias may be the same.",
            ) from error
        if made is None:
            raise ApiError(
                "ALREADY_EXISTS",
                "TEAM_EXISTS",
                f"There is a team {team_id!r} already. Change it with POST /team/update.",
            )
        return AuditedResponse(team_id, responses.json(team_view(team)), describe_change(None, team))

    def update(self, request: Request, _: Caller) -> AuditedResponse:
        """Change the given fields of a team (``POST /team/update``)."""
        body = json_bodies.decode(requests.body(request), bodies.UpdateTeam)

        before: TeamRecord | None = None

        def change(team: TeamRecord | None) -> TeamRecord | None:
            nonlocal before
            before = team
            return team and msgspec.structs.replace(
                team,
                team_alias=team.team_alias if body.team_alias is UNSET else _alias(body.team_alias),
                grant=field_checks.grant_of(body, team.grant),
                budget=field_checks.budget_of(body, team.budget),
                metadata=field_checks.metadata_of(body, team.metadata),
                labels=field_checks.labels_of(body, team.labels),
                blocked=team.blocked if body.blocked is UNSET else body.blocked,
                updated_at=self._now(),
            )

        try:
            team = self._keys.change_team(body.team_id, change)
        except TeamDeletedError as error:
            raise _unknown(body.team_id) from error
        if team is None:
            raise _unknown(body.team_id)
        return AuditedResponse(team.team_id, responses.json(team_view(team)), describe_change(before, team))

    def delete(self, request: Request, _: Caller) -> AuditedResponse:
        """Delete teams without keys; their costs stay on record under their ids (``POST /team/delete``)."""
        body = json_bodies.decode(requests.body(request), bodies.DeleteTeams)
        field_checks.check_number("team_ids", body.team_ids, bodies.MOST_NAMED)
        for team_id in body.team_ids:
            if self._keys.get_team(team_id) is None:
                raise _unknown(team_id)
            keys = self._keys.list_keys(team_id)
            if keys:
                raise ApiError(
                    "FAILED_PRECONDITION",
                    "TEAM_HAS_KEYS",
                    f"The team {team_id!r} has {len(keys)} keys. Delete them first, or block the team.",
                )
        for team_id in body.team_ids:
            self._keys.delete_team(team_id)
        return AuditedResponse(",".join(body.team_ids), responses.json(DeletedTeams(body.team_ids)))

    def info(self, request: Request, caller: Caller) -> Response:
        """Return a team and its keys (``GET /team/info?team_id=``); by default that of a team's viewer."""
        params.check_names(request, {"team_id"})
        team_id = own_team(caller, request.args.get("team_id")) or ""
        team = self._keys.get_team(team_id)
        if team is None:
            raise _unknown(team_id)
        keys = [key_view(key, to_viewer=caller.is_viewer) for key in self._keys.list_keys(team_id)]
        return responses.json(TeamInfo(team_id, self._with_budget_status([team])[0], keys))

    def list_teams(self, request: Request, caller: Caller) -> Response:
        """List teams by id; without ``page``, all if they fit on one page (``GET /team/list?page&size``).

        A team's viewer gets its own team.
        """
        params.check_names(request, {"page", "size"})
        page = params.number(request, "page", 1, 1_000_000)
        size = params.number(request, "size", bodies.MOST_OWNERS, bodies.MOST_OWNERS)
        if not caller.sees_everything:
            own = self._keys.get_team(caller.team or "")
            return responses.json(self._with_budget_status([own] if own and page == 1 else []))
        teams = self._keys.page_of_teams((page - 1) * size, size + 1)
        if len(teams) > size and "page" not in request.args:
            raise params.invalid(
                f"page: there are more than {size} teams. Ask for page=1, page=2 and so on, until a page has "
                f"fewer than size={size}"
            )
        return responses.json(self._with_budget_status(teams[:size]))

    def _with_budget_status(self, teams: list[TeamRecord]) -> TeamList:
        budget_status = self._budget_status.by_owner({f"team:{team.team_id}": team.budget for team in teams})
        return [
            msgspec.structs.replace(team_view(team), **budget_status[f"team:{team.team_id}"])
            for team in teams
        ]


def _alias(alias: str | None) -> str | None:
    return None if alias is None else field_checks.checked_alias("team_alias", alias)


def _unknown(team_id: str) -> ApiError:
    return ApiError("NOT_FOUND", "TEAM_UNKNOWN", f"Unknown team {team_id!r}. GET /team/list lists all teams.")
