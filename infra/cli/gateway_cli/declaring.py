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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway_cli import profiles
from gateway_cli.errors import UsageError
from gateway_cli.printing import FORMS, Printer
from gateway_cli.profiles import Profile

if TYPE_CHECKING:
    from gateway_cli.client import Client

_COMMON = "options of every command"
_PREFIXES = ("/vertex_ai", "/vertex-ai")
"""Prefixes that a base URL for Google's clients may end in; the gateway's own calls do not have them."""
_WIDTH = 100
"""Characters per line of a description."""


@dataclass(frozen=True)
class Context:
    """The context of a command: options have precedence over the environment, and that over the profile.

    Attributes:
        args: The command's arguments.
        out: Prints the answers.
        now: The current time.
        utc: Whether days begin at midnight UTC.
    """

    args: Namespace
    out: Printer
    now: datetime
    utc: bool

    @property
    def zone(self) -> tzinfo | None:
        """Return the time zone; None for the machine's."""
        return UTC if self.utc else None

    @cached_property
    def profile(self) -> Profile | None:
        """Return the profile in use, if there is one."""
        return profiles.load(self.args.profile)

    @cached_property
    def url(self) -> str:
        """Return the URL of the gateway.

        Raises:
            UsageError: No gateway is named.
        """
        url = self.args.url or os.environ.get("GATEWAY_URL") or (self.profile and self.profile.url)
        if not url:
            raise UsageError("Which gateway? Run `vbatch login`, set GATEWAY_URL, or give --url.")
        if self.args.profile and self.profile and not same_url(url, self.profile.url):
            self.out.note(f"Note: this calls {url}, not the URL of the profile {self.args.profile!r}.")
        return url

    @cached_property
    def client(self) -> "Client":
        """Return the client of the gateway.

        Raises:
            UsageError: There is no URL or no key.
        """
        # What takes the longest to import is imported when it is needed: help and completion do without.
        from gateway_cli.client import Client  # noqa: PLC0415

        client = Client(self.url, self._key())
        if client.in_the_clear:
            self.out.note(f"Warning: {client.url} is plain HTTP, so anybody on the way can read the key.")
        return client

    @property
    def place(self) -> str:
        """Return the path of the project and location in which a job is to run; empty: the only ones served.

        Raises:
            UsageError: Only one of them is given.
        """
        project, location = self.args.project, self.args.location
        if project is None and location is None:
            project, location = map(os.environ.get, ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"))
            if not (project and location) and self.profile:
                project, location = self.profile.project, self.profile.location
        elif project is None or location is None:
            raise UsageError("Give --project and --location together.")
        return f"/projects/{quote(project)}/locations/{quote(location)}" if project and location else ""

    def _key(self) -> str:
        key = read_key(self.args.key_file)
        if key and self.args.profile and not self.args.key_file:
            self.out.note(f"Note: this uses GATEWAY_KEY, not the key of the profile {self.args.profile!r}.")
        # A profile's key is for its own gateway: another one must not get to see it.
        if key is None and self.profile and same_url(self.url, self.profile.url):
            key = self.profile.key
        if key is None and not sys.stdin.isatty():
            raise UsageError("Which key? Run `vbatch login`, set GATEWAY_KEY, or give --key-file.")
        return key or ask_key()


def same_url(one: str, other: str) -> bool:
    """Return whether two base URLs name the same gateway."""
    return base_url(one) == base_url(other)


def base_url(url: str) -> str:
    """Return a gateway's URL without a slash, or a prefix for Google's clients, at its end."""
    url = url.rstrip("/")
    for prefix in _PREFIXES:
        url = url.removesuffix(prefix)
    return url


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
    """The commands of a group, such as ``vbatch keys``."""

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
        "--url",
        metavar="URL",
        help="the gateway; without it, GATEWAY_URL of the environment, else the profile's",
    )
    common.add_argument(
        "--profile",
        metavar="NAME",
        help=f"a profile that `vbatch login` stored (default: {profiles.DEFAULT}, if there is one)",
    )
    common.add_argument(
        "--key-file",
        metavar="FILE",
        help="a file that holds the key and nothing else; without it, GATEWAY_KEY, else the profile's",
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
    """Return the context of a command."""
    out = Printer(getattr(args, "output", "csv"), UTC if args.utc else None)
    return Context(args, out, datetime.now(UTC), args.utc)


def read_key(file: str | None) -> str | None:
    """Return the key of a file, or else of the environment; None if neither has one.

    Raises:
        UsageError: The file cannot be read, or is empty.
    """
    if file is None:
        return os.environ.get("GATEWAY_KEY", "").strip() or None
    try:
        key = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The key could not be read from {file}: {error}") from error
    if not key:
        raise UsageError(f"{file} is empty.")
    return key


def ask_key() -> str:
    """Return the key that is typed at a prompt.

    Raises:
        UsageError: Nothing is typed.
    """
    key = getpass.getpass("Gateway key: ").strip()
    if not key:
        raise UsageError("No key was given.")
    return key
