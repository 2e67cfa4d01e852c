"""``vbatch teams``: manage teams."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from gateway_cli import limits
from gateway_cli.cells import Column, Kind
from gateway_cli.declaring import Commands, Context
from gateway_cli.errors import UsageError
from gateway_cli.options import add_yes
from gateway_cli.printing import confirm

if TYPE_CHECKING:
    from gateway_cli.client import Client

_PAGE = 100


def add(commands: Commands) -> None:
    """Add the commands."""
    teams = commands.group(
        "teams",
        "Make, change and delete teams, and see their budgets.",
        "vbatch teams create search --max-budget 250 --budget-duration 1mo\nvbatch teams show search",
    )
    teams.add("list", list_teams, "List teams.", "vbatch teams list\nvbatch teams list -o csv")

    parser = teams.add(
        "create",
        create,
        "Make a team.",
        "vbatch teams create search --name Search --uri-prefix gs://batch-in --uri-prefix "
        "gs://batch-out/search",
        "What a team may not do, none of its keys may. The id is also the label `team` on its jobs.",
    )
    parser.add_argument("team", metavar="TEAM", help="its id: small letters, digits, '_' and '-'")
    parser.add_argument("--name", metavar="NAME", help="a name for people")
    limits.add(parser)

    parser = teams.add("show", show, "Look at a team and its keys.", "vbatch teams show search")
    parser.add_argument("team", metavar="TEAM", help="id")

    parser = teams.add(
        "update",
        update,
        "Change a team.",
        "vbatch teams update search --max-budget 500\nvbatch teams update search --clear location",
        "What is not given stays as it is; lists and metadata are replaced as a whole.\n"
        "It takes effect within ten seconds.",
    )
    parser.add_argument("team", metavar="TEAM", help="id")
    parser.add_argument("--name", metavar="NAME", dest="team_alias", help="a name for people")
    limits.add(parser)
    limits.add_clear(parser, {"name": "team_alias"})

    for word, blocked in (("disable", True), ("enable", False)):
        parser = teams.add(
            word,
            disable if blocked else enable,
            "Refuse the requests of all its keys until it is enabled again."
            if blocked
            else "Let its keys in again.",
            f"vbatch teams {word} search",
            "It takes effect within ten seconds.",
        )
        parser.add_argument("team", metavar="TEAM", help="id")

    parser = teams.add(
        "delete",
        delete,
        "Delete a team that has no keys left. What it spent stays on record.",
        "vbatch teams delete search",
    )
    parser.add_argument("team", metavar="TEAM", help="id")
    add_yes(parser)


def list_teams(context: Context, _: Namespace) -> None:
    """Run ``vbatch teams list``."""
    columns = (
        Column("team", lambda team: team["team_id"]),
        Column("name", lambda team: team["team_alias"], spare=1),
        limits.status_column(context.now),
        *limits.SPENT,
        Column("models", lambda team: team["models"] or "all", spare=5),
        Column("rpm_limit", lambda team: team["rpm_limit"], Kind.NUMBER, spare=6),
    )
    context.out.rows(columns, _all(context.client), none="No teams yet: make one with `vbatch teams create`.")


def _all(client: "Client") -> list[dict[str, Any]]:
    teams: list[dict[str, Any]] = []
    number = 1
    while True:
        page = client.get("/team/list", {"page": number, "size": _PAGE})
        teams += page
        if len(page) < _PAGE:
            return teams
        number += 1


def create(context: Context, args: Namespace) -> None:
    """Run ``vbatch teams create``."""
    named = {"team_alias": args.name} if args.name is not None else {}
    body = {"team_id": args.team, **named, **limits.body_of(args)}
    team = context.client.post("/team/new", body)
    context.out.record(limits.given(_columns(context), team, context.out), team)


def show(context: Context, args: Namespace) -> None:
    """Run ``vbatch teams show``."""
    answer = context.client.get("/team/info", {"team_id": args.team})
    team = {**answer["team_info"], "keys": [key["key_alias"] for key in answer["keys"]]}
    columns = (*_columns(context), Column("keys", lambda each: each["keys"]))
    context.out.record(columns, team, raw=answer)


def update(context: Context, args: Namespace) -> None:
    """Run ``vbatch teams update``."""
    named = {"team_alias": args.team_alias} if args.team_alias is not None else {}
    body = {**named, **limits.body_of(args)}
    if not body:
        raise UsageError("Nothing to change. See `vbatch teams update --help`.")
    _change(context, args.team, body)


def disable(context: Context, args: Namespace) -> None:
    """Run ``vbatch teams disable``."""
    _change(context, args.team, {"blocked": True})


def enable(context: Context, args: Namespace) -> None:
    """Run ``vbatch teams enable``."""
    _change(context, args.team, {"blocked": False})


def delete(context: Context, args: Namespace) -> None:
    """Run ``vbatch teams delete``."""
    confirm(f"This deletes team {args.team!r} permanently.", yes=args.yes)
    answer = context.client.post("/team/delete", {"team_ids": [args.team]})
    if context.out.form == "table":
        context.out.note(f"Deleted team {args.team!r}.")
    else:
        context.out.rows([Column("team", lambda each: each)], answer["deleted_teams"], raw=answer)


def _change(context: Context, team: str, body: dict[str, Any]) -> None:
    changed = context.client.post("/team/update", {"team_id": team, **body})
    context.out.record(limits.changed(_columns(context), body, context.out), changed)


def _columns(context: Context) -> tuple[Column, ...]:
    return (
        Column("team", lambda team: team["team_id"]),
        Column("name", lambda team: team["team_alias"]),
        limits.status_column(context.now),
        *limits.BUDGET,
        *limits.GRANT,
        *limits.REST,
    )
