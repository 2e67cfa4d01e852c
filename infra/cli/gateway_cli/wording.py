"""Say in commands what the gateway's messages say in calls of its API."""

import re

_COMMANDS = {
    "GET /audit": "audit",
    "GET /key/info": "keys show",
    "GET /key/list": "keys list",
    "GET /team/info": "teams show",
    "GET /team/list": "teams list",
    "POST /internal/reconcile": "sweep",
    "POST /key/delete": "keys delete",
    "POST /key/generate": "keys create",
    "POST /key/regenerate": "keys rotate",
    "POST /key/update": "keys update",
    "POST /team/delete": "teams delete",
    "POST /team/new": "teams create",
    "POST /team/update": "teams update",
}
_CALL = re.compile("|".join(rf"{re.escape(call)}(?![\w/])" for call in _COMMANDS))


def in_commands(message: str) -> str:
    """Return a message with the calls that it names replaced by commands."""
    return _CALL.sub(lambda found: f"`vbatch {_COMMANDS[found[0]]}`", message)
