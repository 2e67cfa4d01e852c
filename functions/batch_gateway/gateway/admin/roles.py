"""Read the roles of keys, and check that the rest of a key makes sense with its role."""

from msgspec import UNSET

from batch_gateway.core.access.callers import Caller, admin_only
from batch_gateway.core.access.keys import KeyRecord, Role
from batch_gateway.core.access.label_policy import LabelPolicy
from batch_gateway.core.access.limits import Budget, Grant
from batch_gateway.gateway.admin.bodies import ROLES, UpdateKey
from batch_gateway.gateway.http.params import invalid


def read_role(name: str | None, team_id: str | None) -> Role | None:
    """Return the role that a name stands for: ours, or one of LiteLLM's ``user_role``.

    Args:
        name: As it is in a request; None for no role.
        team_id: Team of the key.

    Raises:
        ApiError: There is no such role, or LiteLLM's role means another scope than the key would have.
    """
    if name is None:
        return None
    if name not in ROLES:
        raise invalid(
            f"role: {name[:100]!r} is not one of {', '.join(ROLES)}. Leave it out for a key that runs jobs"
        )
    if name == "proxy_admin_viewer" and team_id is not None:
        raise invalid(f"role: {name!r} sees every team. For a key that sees its team only, use 'viewer'")
    if name == "internal_user_viewer" and team_id is None:
        raise invalid(f"role: {name!r} needs a team_id. For a key that sees every team, use 'viewer'")
    return ROLES[name]


def changed_role(body: UpdateKey, key: KeyRecord, team_id: str | None) -> Role | None:
    """Return the role of a key after a change.

    Args:
        body: The change.
        key: The key before it.
        team_id: Its team after it.

    Raises:
        ApiError: As for read_role; or a team's viewer would see every team, and that was not said.
    """
    if body.role is not UNSET:
        return read_role(body.role, team_id)
    if key.role == "viewer" and key.team_id is not None and team_id is None:
        raise invalid(
            "team_id: without a team this viewer would see every team. If it shall, also set role to 'viewer'"
        )
    return key.role


def check_role_fits(key: KeyRecord) -> None:
    """Check that a key has nothing that its role makes void.

    An administrator could lift any limit of its own key, and a viewer runs no jobs that could be limited.

    Raises:
        ApiError: INVALID_ARGUMENT; the message names the field.
    """
    if key.role is None:
        return
    if key.role == "admin" and key.team_id is not None:
        raise invalid("role: a team's key cannot be an administrator's. Leave out team_id, or set it to null")
    because = "may do everything" if key.role == "admin" else "runs no jobs"
    limits = Grant.__struct_fields__
    given = [
        name for name in limits if getattr(key.grant, name) and (name, key.role) != ("rpm_limit", "viewer")
    ]
    given += [
        name.removesuffix("_nano")
        for name in Budget.__struct_fields__
        if getattr(key.budget, name) is not None
    ]
    given += [name for name in LabelPolicy.__struct_fields__ if getattr(key.labels, name)]
    given += ["webhook_url"] if key.webhook_url else []
    if given:
        raise invalid(
            f"{given[0]}: a key with the role {key.role!r} cannot have it, because it {because}. "
            "Leave it out, or set it to null"
        )


def own_team(caller: Caller, team_id: str | None) -> str | None:
    """Return the team to show: the one that was asked for, or the caller's own if it may see no other.

    Args:
        caller: A viewer or an administrator.
        team_id: Team that was asked for; None for all.

    Raises:
        ApiError: The caller may not see that team.
    """
    if caller.sees_everything:
        return team_id
    if team_id not in {None, "", caller.team}:
        raise admin_only("keys that see every team may ask for another one than their own")
    return caller.team
