"""Declare commands, and make the context in which they run."""

import argparse
import getpass
import os
import shutil
import sys
import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from gateway_cli.client import Client
from gateway_cli.errors import UsageError
from gateway_cli.printing import FORMS, Printer

_COMMON = "options of every command"
_WIDTH = 100
"""Characters per line of a description."""


@dataclass(frozen=True)
class Context:
    """The context of a command.

    Attributes:
        client: Client of the gateway.
        out: Prints the answers.
        now: The current time.
        utc: Whether days begin at midnight UTC.
    """

    client: Client
    out: Printer
    now: datetime
    utc: bool

    @property
    def zone(self) -> tzinfo | None:
        """Return the time zone; None for the machine's."""
        return UTC if self.utc else None


Command = Callable[[Context, Namespace], int | None]
"""Runs a command, and returns the exit status if that is not 0."""


class Help(argparse.RawDescriptionHelpFormatter):
    """Help text of limited width, with the options of every command at its end."""

    def __init__(self, prog: str) -> None:
        super().__init__(
            prog, max_help_position=32, width=min(_WIDTH, shutil.get_terminal_size().columns - 2)
        )


class _Parser(ArgumentParser):
    """A parser that lists the options of every command last, in whatever order they were added."""

    def format_help(self) -> str:
        self._action_groups.sort(key=lambda group: group.title == _COMMON)
        return super().format_help()


class Commands:
    """The commands of a group, such as ``gateway keys``."""

    def __init__(self, parser: ArgumentParser) -> None:
        self._added = parser.add_subparsers(
            title="commands", metavar="COMMAND", prog=parser.prog, parser_class=_Parser
        )
        parser.set_defaults(run=None, parser=parser)

    def add(
        self, name: str, command: Command, summary: str, example: str, more: str = "", *, formed: bool = True
    ) -> ArgumentParser:
        """Add a command.

        Args:
            name: Name of the command.
            command: The function that runs it.
            summary: Description in one sentence.
            example: Example command lines.
            more: Further description.
            formed: Whether its answer can be printed in several forms.
        """
        parser = self._parser_of(name, summary, f"{summary}\n\n{more}".strip(), example)
        parser.set_defaults(run=command, parser=parser)
        _add_common(parser, formed=formed)
        return parser

    def group(self, name: str, summary: str, example: str) -> "Commands":
        """Add a group of commands."""
        return Commands(self._parser_of(name, summary, summary, example))

    def _parser_of(self, name: str, summary: str, description: str, example: str) -> ArgumentParser:
        lines = "\n".join(f"  {line}" for line in example.strip().splitlines())
        parser: ArgumentParser = self._added.add_parser(
            name,
            help=summary,
            description=_wrapped(description),
            epilog=f"example{'s' if lines.count(chr(10)) else ''}:\n{lines}",
            formatter_class=Help,
            allow_abbrev=False,
        )
        return parser


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.fill(line, _WIDTH) for line in text.splitlines())


def _add_common(parser: ArgumentParser, *, formed: bool) -> None:
    common = parser.add_argument_group(_COMMON)
    common.add_argument(
        "--url", metavar="URL", help="the gateway; without it, GATEWAY_URL of the environment"
    )
    common.add_argument(
        "--key-file",
        metavar="FILE",
        help="a file that holds the key and nothing else; without it, GATEWAY_KEY, else a prompt",
    )
    if formed:
        common.add_argument(
            "-o",
            "--output",
            choices=FORMS,
            default="table",
            help="how the answer is printed (default: table)",
        )
    common.add_argument(
        "--utc", action="store_true", help="times and days in UTC, not in this machine's zone"
    )


def context_of(args: Namespace) -> Context:
    """Return the context of a command.

    Raises:
        UsageError: There is no URL or no key.
    """
    url = args.url or os.environ.get("GATEWAY_URL")
    if not url:
        raise UsageError("Which gateway? Set GATEWAY_URL, or give --url.")
    client = Client(url, _key(args.key_file))
    out = Printer(getattr(args, "output", "csv"), UTC if args.utc else None)
    if client.in_the_clear:
        out.note(f"Warning: {client.url} is plain HTTP, so anybody on the way can read the key.")
    return Context(client, out, datetime.now(UTC), args.utc)


def _key(file: str | None) -> str:
    if file is not None:
        try:
            key = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"The key could not be read from {file}: {error}") from error
        if not key:
            raise UsageError(f"{file} is empty.")
        return key
    key = os.environ.get("GATEWAY_KEY", "").strip()
    if key:
        return key
    if not sys.stdin.isatty():
        raise UsageError("Which key? Set GATEWAY_KEY, or give --key-file.")
    key = getpass.getpass("Gateway key: ").strip()
    if not key:
        raise UsageError("No key was given.")
    return key
