"""Make, change, rotate, delete and list API keys, with LiteLLM's paths and field names."""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec
from msgspec import UNSET
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import MASTER, Caller, admin_only
from batch_gateway.core.access.keys import KeyRecord, name_of, new_secret, token_of
from batch_gateway.core.access.label_policy import LabelPolicy
from batch_gateway.core.access.limits import Budget, Grant
from batch_gateway.core.accounting.durations import add_duration
from batch_gateway.core.errors import ApiError
from batch_gateway.core.notify import webhook_security
from batch_gateway.gateway.admin import bodies, field_checks
from batch_gateway.gateway.admin.answers import (
    DeletedKeys,
    GeneratedKey,
    Key,
    KeyInfo,
    KeyPage,
    Team,
    key_view,
    team_view,
)
from batch_gateway.gateway.admin.budget_status import BudgetStatus
from batch_gateway.gateway.admin.changes import describe_change
from batch_gateway.gateway.admin.roles import changed_role, check_role_fits, own_team, read_role
from batch_gateway.gateway.http import json_bodies, params, requests, responses
from batch_gateway.gateway.http.routing import AuditedResponse
from batch_gateway.ports import AliasTakenError, Endpoint, KeyStore

_TOKEN = re.compile(r"[0-9a-f]{64}")
MOST_KEYS = 5_000
"""Most secrets on record: the last page of a list has to skip as many."""


class Keys:
    """Handler of requests about API keys."""

    def __init__(
        self,
        keys: KeyStore,
        budget_status: BudgetStatus,
        *,
        allow_private_webhooks: bool = False,
        now: Callable[[], datetime],
    ) -> None:
        self._keys = keys
        self._budget_status = budget_status
        self._allow_private = allow_private_webhooks
        self._now = now

    def generate(self, request: Request, caller: Caller) -> AuditedResponse:
        """Make a key; its secret is shown in this answer only (``POST /key/generate``)."""
        body = json_bodies.decode(requests.body(request), bodies.GenerateKey)
        now, secret, key_id = self._now(), new_secret(), secrets.token_hex(8)
        if body.team_id is not None:
            self._check_team(body.team_id)
        webhook = self._webhook(body.webhook_url, body.webhook_secret)
        key = KeyRecord(
            token=token_of(secret),
            key_id=key_id,
            key_name=name_of(secret),
            key_alias=_checked_alias(f"key-{key_id}" if body.key_alias is None else body.key_alias),
            created_at=now,
            updated_at=now,
            created_by=caller.api_key,
            team_id=body.team_id,
            role=read_role(body.role, body.team_id),
            grant=field_checks.grant_of(body, Grant()),
            budget=field_checks.budget_of(body, Budget()),
            metadata=field_checks.metadata_of(body, {}),
            labels=field_checks.labels_of(body, LabelPolicy()),
            expires=_expiry(now, body.duration),
            blocked=body.blocked is True,
            webhook_url=webhook.url if webhook else None,
            webhook_secret=webhook.secret if webhook else None,
        )
        check_role_fits(key)
        self._check_room()
        with _alias_conflict():
            self._keys.add_key(key)
        return AuditedResponse(
            key.key_alias,
            responses.json(_generated(secret, _with_secret_of(webhook, key_view(key)))),
            describe_change(None, key),
        )

    def update(self, request: Request, _: Caller) -> AuditedResponse:
        """Change the given fields of a key (``POST /key/update``)."""
        body = json_bodies.decode(requests.body(request), bodies.UpdateKey)
        if isinstance(body.team_id, str):
            self._check_team(body.team_id)

        token = _token(body.key)
        named = self._keys.get_key(token)
        if named is None:
            raise _unknown(body.key)
        now = self._now()
        url = named.webhook_url if body.webhook_url is UNSET else body.webhook_url
        webhook = None
        if body.webhook_secret is not None or url != named.webhook_url:
            webhook = self._webhook(url, body.webhook_secret)

        before = named

        def change(key: KeyRecord) -> KeyRecord:
            nonlocal before
            expires = key.expires
            if key.token == token:
                before = key
                if body.duration is not UNSET:
                    expires = _expiry(now, body.duration)
            team_id = key.team_id if body.team_id is UNSET else body.team_id
            changed = msgspec.structs.replace(
                key,
                key_alias=key.key_alias if body.key_alias is UNSET else _checked_alias(body.key_alias),
                team_id=team_id,
                role=changed_role(body, key, team_id),
                grant=field_checks.grant_of(body, key.grant),
                budget=field_checks.budget_of(body, key.budget),
                metadata=field_checks.metadata_of(body, key.metadata),
                labels=field_checks.labels_of(body, key.labels),
                expires=expires,
                blocked=key.blocked if body.blocked is UNSET else body.blocked,
                webhook_url=url,
                webhook_secret=webhook.secret if webhook else key.webhook_secret if url else None,
                updated_at=now,
            )
            check_role_fits(changed)
            return changed

        with _alias_conflict():
            # A restriction must also hold for a secret in its grace period, or one that is made meanwhile.
            done: set[str] = set()
            while left := {each.token for each in self._keys.list_secrets(named.key_id)} - done:
                for secret in sorted(left):
                    self._keys.change_key(secret, change)
                done |= left
        key = self._keys.get_key(token)
        if key is None:
            raise _unknown(body.key)
        return AuditedResponse(
            key.key_alias,
            responses.json(_with_secret_of(webhook, key_view(key))),
            describe_change(before, key),
        )

    def regenerate(self, request: Request, caller: Caller) -> AuditedResponse:
        """Make a new secret for a key; the old one ends after the grace period (``POST /key/regenerate``)."""
        body = json_bodies.decode(requests.body(request), bodies.RegenerateKey)
        now, secret = self._now(), new_secret()
        ends = _expiry(now, body.grace_period) or now
        token = _token(body.key)

        def rotate(old: KeyRecord) -> tuple[KeyRecord, KeyRecord]:
            ended = msgspec.structs.replace(
                old, expires=min(ends, old.expires) if old.expires else ends, updated_at=now
            )
            new = msgspec.structs.replace(
                old,
                token=token_of(secret),
                key_name=name_of(secret),
                expires=old.expires if body.duration is UNSET else _expiry(now, body.duration),
                created_at=now,
                updated_at=now,
                created_by=caller.api_key,
                last_used_at=None,
            )
            return ended, new

        self._check_room()
        rotated = self._keys.rotate_key(token, rotate)
        if rotated is None:
            raise _unknown(body.key)
        old, new = rotated
        change = describe_change(old, new) or {"before": {}, "after": {}}
        if body.grace_period is not None:
            change["after"]["grace_period"] = body.grace_period
        return AuditedResponse(new.key_alias, responses.json(_generated(secret, key_view(new))), change)

    def delete(self, request: Request, _: Caller) -> AuditedResponse:
        """Delete keys by secret or token, or by alias with all their secrets (``POST /key/delete``)."""
        body = json_bodies.decode(requests.body(request), bodies.DeleteKeys)
        field_checks.check_number("keys", body.keys, bodies.MOST_NAMED)
        field_checks.check_number("key_aliases", body.key_aliases, bodies.MOST_NAMED)
        tokens = [_token(key) for key in body.keys]
        if body.key_aliases:
            every = self._keys.list_keys()
            for alias in body.key_aliases:
                found = [key.token for key in every if key.key_alias == alias]
                if not found:
                    raise _unknown(alias)
                tokens += found
        if not tokens:
            raise params.invalid("keys or key_aliases: name at least one")
        deleted = [key for key in map(self._keys.delete_key, tokens) if key is not None]
        if not deleted:
            raise _unknown((body.keys or body.key_aliases)[0])
        aliases = sorted({key.key_alias for key in deleted})
        return AuditedResponse(",".join(aliases), responses.json(DeletedKeys([key.token for key in deleted])))

    def info(self, request: Request, caller: Caller) -> Response:
        """Return a key that the caller may see; by default its own (``GET /key/info?key=``)."""
        params.check_names(request, {"key"})
        # Google's clients also send the caller's own key as ?key=.
        wanted = request.args.get("key")
        own = requests.api_key(request) or ""
        is_own = wanted in {None, own, token_of(own)}
        token = _token(wanted or own)
        key = self._keys.get_key(token) if is_own or caller.is_admin or caller.is_viewer else None
        if not (
            is_own or caller.sees_everything or (key and caller.is_viewer and key.team_id == caller.team)
        ):
            raise admin_only("administrators' keys, and viewers' of its team, may see another key")
        if key is None and caller.is_master and is_own:
            raise ApiError(
                "NOT_FOUND",
                "KEY_UNKNOWN",
                "The master key has no record of its own. Name a key as ?key=; GET /key/list lists all keys.",
            )
        if key is None:
            raise _unknown(wanted or own)
        [info] = self._with_budget_status([key], to_viewer=caller.is_viewer)
        return responses.json(KeyInfo(token, info, self._team_of(key)))

    def list_keys(self, request: Request, caller: Caller) -> Response:
        """List keys without their secrets, by alias (``GET /key/list?team_id&page&size``).

        A team's viewer gets its team's.
        """
        # Clients of LiteLLM ask for whole objects, which keys always are here.
        params.check_names(request, {"team_id", "page", "size", "return_full_object"})
        page = params.number(request, "page", 1, 1_000_000)
        size = params.number(request, "size", 50, bodies.MOST_OWNERS)
        team_id = request.args.get("team_id")
        team_id = own_team(caller, team_id and params.check_value("team_id", team_id))
        count = self._keys.count_keys(team_id)
        # Pages beyond the last one need no read.
        skipped = (page - 1) * size
        keys = self._keys.page_of_keys(team_id, skipped, size) if skipped < count else []
        shown = self._with_budget_status(keys, to_viewer=caller.is_viewer)
        return responses.json(KeyPage(shown, count, page, -(-count // size)))

    def _with_budget_status(self, keys: list[KeyRecord], *, to_viewer: bool) -> list[Key]:
        budget_status = self._budget_status.by_owner({f"key:{key.key_id}": key.budget for key in keys})
        return [
            msgspec.structs.replace(key_view(key, to_viewer=to_viewer), **budget_status[f"key:{key.key_id}"])
            for key in keys
        ]

    def _team_of(self, key: KeyRecord) -> Team | None:
        """Return a key's team, whose budget applies to the key as well."""
        team = self._keys.get_team(key.team_id) if key.team_id else None
        if team is None:
            return None
        owner = f"team:{team.team_id}"
        status = self._budget_status.by_owner({owner: team.budget})[owner]
        return msgspec.structs.replace(team_view(team), **status)

    def _webhook(self, url: str | None, secret: str | None) -> Endpoint | None:
        """Check a webhook, and make a secret if none is given; None if there is no URL.

        Raises:
            ApiError: URL or secret is invalid, or a secret is given without a URL.
        """
        if url is None:
            if secret is not None:
                raise params.invalid("webhook_secret: must not be given without a webhook_url")
            return None
        try:
            webhook_security.read_url(url, allow_private=self._allow_private)
        except ValueError as error:
            raise params.invalid(f"webhook_url: {error}") from error
        secret = secret or webhook_security.new_secret()
        try:
            webhook_security.read_secret(secret)
        except ValueError as error:
            raise params.invalid(f"webhook_secret: {error}") from error
        return Endpoint(url, secret)

    def _check_room(self) -> None:
        if self._keys.count_keys() >= MOST_KEYS:
            raise params.invalid(
                f"there are {MOST_KEYS:,} keys already, which is the limit: delete some first"
            )

    def _check_team(self, team_id: str) -> None:
        if self._keys.get_team(team_id) is None:
            raise ApiError(
                "NOT_FOUND",
                "TEAM_UNKNOWN",
                f"There is no team {team_id!r}. Create it with POST /team/new first.",
            )


def _generated(secret: str, key: Key) -> GeneratedKey:
    return GeneratedKey(key=secret, **msgspec.structs.asdict(key))


def _with_secret_of(webhook: Endpoint | None, key: Key) -> Key:
    """Add the secret of a webhook that was just set; it is not shown again."""
    return msgspec.structs.replace(key, webhook_secret=webhook.secret) if webhook else key


@contextmanager
def _alias_conflict() -> Iterator[None]:
    try:
        yield
    except AliasTakenError as error:
        raise ApiError(
            "ALREADY_EXISTS",
            "KEY_ALIAS_TAKEN",
            f"Another key has the alias {str(error)!r}. Costs are reported by alias: choose another one.",
        ) from error


def _checked_alias(alias: str) -> str:
    if alias == MASTER:
        raise params.invalid(f"key_alias: {MASTER!r} is reserved for the administrator")
    return field_checks.checked_alias("key_alias", alias)


def _expiry(now: datetime, duration: str | None) -> datetime | None:
    if duration is None:
        return None
    try:
        return add_duration(now, duration)
    except ValueError as error:
        raise params.invalid(f"duration: {error}") from error


def _token(key: str) -> str:
    """Return the token of a key that is given by its secret or its token."""
    return key if _TOKEN.fullmatch(key) else token_of(key)


def _unknown(key: str) -> ApiError:
    # The message must not repeat what may be a secret.
    shown = key if _TOKEN.fullmatch(key) or not key.startswith("sk-") else name_of(key)
    return ApiError("NOT_FOUND", "KEY_UNKNOWN", f"Unknown key {shown!r}. GET /key/list lists all keys.")
