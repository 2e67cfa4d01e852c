"""``vbatch keys``: manage API keys."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from gateway_cli import limits
from gateway_cli.cells import Column, Kind, of
from gateway_cli.declaring import Commands, Context
from gateway_cli.errors import AnswerError, CliError, UsageError
from gateway_cli.options import add_yes
from gateway_cli.printing import confirm

if TYPE_CHECKING:
    from gateway_cli.client import Client

_PAGE = 100
_SHORTEST_TOKEN = 8
"""Least number of a token's characters that name a key, if no other token begins with them."""
_ROLES = ("admin", "viewer")
_ROLE_HELP = (
    "admin: may do what the master key may, under its own name; viewer: may only read, what is its team's or "
    "without a team everything (default: neither, it runs jobs)"
)
_HOW_NAMED = "KEY is an alias, or a token as `vbatch keys list -o json` shows it (its beginning is enough)."


def add(commands: Commands) -> None:
    """Add the commands."""
    keys = commands.group(
        "keys",
        "Create, change, rotate and delete API keys.",
        "vbatch keys create --alias nightly --team search --duration 90d\nvbatch keys list --team search",
    )
    parser = keys.add(
        "list", list_keys, "List keys.", "vbatch keys list\nvbatch keys list --team search -o csv"
    )
    parser.add_argument("--team", metavar="TEAM", help="only this team's")

    parser = keys.add(
        "create",
        create,
        "Create a key. Its secret is shown once.",
        "vbatch keys create --alias nightly --team search --duration 90d\n"
        "vbatch keys create --alias trial --model 'gemini-3.5-*' --max-budget 20 --budget-duration 1mo\n"
        "vbatch keys create --alias finance --role viewer\n"
        "vbatch keys create --alias ci -o json | jq -r .key > ci.key",
        "The gateway keeps only a hash of the secret, so it cannot be shown again.",
    )
    parser.add_argument(
        "--alias", metavar="ALIAS", required=True, help="its name in costs and in the audit trail"
    )
    parser.add_argument("--team", metavar="TEAM", help="its team, which must exist")
    parser.add_argument("--role", choices=_ROLES, metavar="ROLE", help=_ROLE_HELP)
    parser.add_argument(
        "--duration", metavar="TIME", help="how long it is valid: 24h, 90d, 6mo (default: no expiry)"
    )
    limits.add(parser)

    parser = keys.add(
        "show",
        show,
        "Show a key; by default, your own.",
        "vbatch keys show\nvbatch keys show nightly",
        f"Without KEY: the key of this call. {_HOW_NAMED}",
    )
    parser.add_argument("name", nargs="?", metavar="KEY", help="alias or token")

    parser = keys.add(
        "update",
        update,
        "Change a key.",
        "vbatch keys update nightly --max-budget 100 --budget-duration 1mo\n"
        "vbatch keys update nightly --clear rpm-limit --clear expiry",
        f"Other fields keep their values; lists and metadata are replaced as a whole. {_HOW_NAMED}\n"
        "It takes effect within ten seconds.",
    )
    parser.add_argument("name", metavar="KEY", help="alias or token")
    parser.add_argument("--alias", metavar="ALIAS", help="a new alias")
    parser.add_argument("--team", metavar="TEAM", dest="team_id", help="another team")
    parser.add_argument("--role", choices=_ROLES, metavar="ROLE", help=_ROLE_HELP)
    parser.add_argument("--duration", metavar="TIME", help="how long it is valid from now on")
    limits.add(parser)
    limits.add_clear(parser, {"team": "team_id", "role": "role", "expiry": "duration"})

    parser = keys.add(
        "rotate",
        rotate,
        "Give a key a new secret, which is shown once.",
        "vbatch keys rotate nightly --grace-period 24h",
        f"Alias, team, limits and costs stay. {_HOW_NAMED}",
    )
    parser.add_argument("name", metavar="KEY", help="alias or token")
    parser.add_argument(
        "--grace-period", metavar="TIME", help="how long the old secret still works (default: not at all)"
    )
    parser.add_argument(
        "--duration", metavar="TIME", help="how long the new secret is valid (default: as before)"
    )
    add_yes(parser)

    for word, blocked in (("disable", True), ("enable", False)):
        parser = keys.add(
            word,
            disable if blocked else enable,
            "Refuse a key's requests until it is enabled again."
            if blocked
            else "Accept a disabled key's requests again.",
            f"vbatch keys {word} nightly",
            f"{_HOW_NAMED}\nIt takes effect within ten seconds.",
        )
        parser.add_argument("name", metavar="KEY", help="alias or token")

    parser = keys.add(
        "delete",
        delete,
        "Delete a key permanently. Its costs stay on record.",
        "vbatch keys delete nightly\nvbatch keys delete nightly --yes",
        _HOW_NAMED,
    )
    parser.add_argument("name", metavar="KEY", help="alias or token")
    add_yes(parser)


def list_keys(context: Context, args: Namespace) -> None:
    """Run ``vbatch keys list``."""
    columns = (
        Column("alias", lambda key: key["key_alias"]),
        Column("team", lambda key: key["team_id"], spare=1),
        of("role", "role", spare=7),
        limits.status_column(context.now),
        Column("secret", lambda key: key["key_name"], spare=5),
        *limits.SPENT,
        Column("rpm_limit", lambda key: key["rpm_limit"], Kind.NUMBER, spare=6),
        Column("expires", lambda key: key["expires"], Kind.TIME, spare=2),
        of("last_used_at", "last_used_at", Kind.TIME, spare=8),
        Column("created_at", lambda key: key["created_at"], Kind.TIME, csv_only=True),
        Column("token", lambda key: key["token"], csv_only=True),
    )
    none = (
        "No keys yet: make one with `vbatch keys create`."
        if not args.team
        else f"No keys of team {args.team}."
    )
    context.out.rows(columns, _all(context.client, args.team), none=none)


def create(context: Context, args: Namespace) -> None:
    """Run ``vbatch keys create``."""
    given = {"key_alias": args.alias, "team_id": args.team, "role": args.role, "duration": args.duration}
    body = {name: value for name, value in given.items() if value is not None} | limits.body_of(args)
    _show_secret(context, context.client.post("/key/generate", body))


def show(context: Context, args: Namespace) -> None:
    """Run ``vbatch keys show``."""
    query = {"key": _find(context.client, args.name)["token"]} if args.name else None
    try:
        answer = context.client.get("/key/info", query)
    except AnswerError as error:
        if error.reason == "KEY_UNKNOWN" and query is None:
            raise CliError(
                "You are using the master key. It may do everything, and has no record of its own; "
                "`vbatch keys list` lists the keys that have."
            ) from error
        raise
    context.out.record(_columns(context), answer["info"])


def update(context: Context, args: Namespace) -> None:
    """Run ``vbatch keys update``."""
    given = {"key_alias": args.alias, "team_id": args.team_id, "role": args.role, "duration": args.duration}
    body = {name: value for name, value in given.items() if value is not None} | limits.body_of(args)
    if not body:
        raise UsageError("Nothing to change. See `vbatch keys update --help`.")
    _change(context, args.name, body)


def disable(context: Context, args: Namespace) -> None:
    """Run ``vbatch keys disable``."""
    _change(context, args.name, {"blocked": True})


def enable(context: Context, args: Namespace) -> None:
    """Run ``vbatch keys enable``."""
    _change(context, args.name, {"blocked": False})


def rotate(context: Context, args: Namespace) -> None:
    """Run ``vbatch keys rotate``."""
    key = _find(context.client, args.name)
    if not args.grace_period:
        confirm(
            f"The present secret of key {key['key_alias']!r} stops working at once, unless you give a "
            "--grace-period.",
            yes=args.yes,
        )
    given = {"key": key["token"], "grace_period": args.grace_period, "duration": args.duration}
    body = {name: value for name, value in given.items() if value is not None}
    _show_secret(context, context.client.post("/key/regenerate", body))


def delete(context: Context, args: Namespace) -> None:
    """Run ``vbatch keys delete``."""
    key = _find(context.client, args.name)
    named = {"key_aliases": [key["key_alias"]]} if args.name == key["key_alias"] else {"keys": [key["token"]]}
    what = (
        f"key {key['key_alias']!r}"
        if "key_aliases" in named
        else f"the secret {key['key_name']} of key {key['key_alias']!r}"
    )
    confirm(f"This deletes {what} permanently.", yes=args.yes)
    answer = context.client.post("/key/delete", named)
    deleted = [{"alias": key["key_alias"], "token": token} for token in answer["deleted_keys"]]
    columns = (
        Column("alias", lambda each: each["alias"]),
        Column("token", lambda each: each["token"], csv_only=True),
    )
    if context.out.form == "table":
        context.out.note(f"Deleted {what}.")
    else:
        context.out.rows(columns, deleted, raw=answer)


def _change(context: Context, name: str, body: dict[str, Any]) -> None:
    key = _find(context.client, name)
    changed = context.client.post("/key/update", {"key": key["token"], **body})
    context.out.record(limits.changed(_columns(context), body, context.out), changed)


def _show_secret(context: Context, key: dict[str, Any]) -> None:
    secret = Column("key", lambda each: each["key"], style=lambda _: "bold")
    columns = (secret, *_columns(context))
    context.out.record(limits.given(columns, key, context.out), key)
    context.out.note(
        "Warning: this is the only time the secret is shown. Keep it in a secret manager now; if it is lost, "
        "`vbatch keys rotate` makes another one."
    )


def _columns(context: Context) -> tuple[Column, ...]:
    return (
        Column("alias", lambda key: key["key_alias"]),
        Column("team", lambda key: key["team_id"]),
        of("role", "role"),
        limits.status_column(context.now),
        Column("secret", lambda key: key["key_name"]),
        Column("expires", lambda key: key["expires"], Kind.TIME),
        *limits.BUDGET,
        *limits.GRANT,
        *limits.REST,
        of("last_used_at", "last_used_at", Kind.TIME),
        Column("created_by", lambda key: key["created_by"]),
        Column("token", lambda key: key["token"]),
    )


def _all(client: "Client", team: str | None = None) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = []
    number = 1
    while True:
        page = client.get("/key/list", {"team_id": team, "page": number, "size": _PAGE})
        keys += page["keys"]
        if number >= page["total_pages"]:
            return keys
        number += 1


def _find(client: "Client", name: str) -> dict[str, Any]:
    """Return the key with an alias or token; during a rotation, the record of its newest secret.

    Raises:
        CliError: No key has the name, or several tokens begin with it.
    """
    keys = _all(client)
    found = [key for key in keys if key["key_alias"] == name]
    if not found and len(name) >= _SHORTEST_TOKEN:
        found = [key for key in keys if key["token"].startswith(name)]
        if len(found) > 1:
            raise CliError(f"{len(found)} tokens begin with {name!r}: give more characters.")
    if found:
        return max(found, key=lambda key: str(key["created_at"]))
    if name.startswith("sk-"):
        # Neither repeated nor sent: it may be a secret that was put on the command line by mistake.
        raise UsageError(
            "That looks like a secret, and may now be in your shell's history. Name the key by its alias; "
            "`vbatch keys list` shows the end of each secret."
        )
    raise CliError(f"Unknown key {name!r}. `vbatch keys list` lists all keys.")
