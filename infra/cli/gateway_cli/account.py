"""``vbatch login``, ``vbatch open`` and ``vbatch completion``."""

import argparse
import os
import sys
import webbrowser
from argparse import Namespace

from gateway_cli import profiles
from gateway_cli.declaring import Commands, Context, ask_key, base_url, read_key
from gateway_cli.errors import UsageError
from gateway_cli.options import gs_prefix

_SHELLS = ("bash", "zsh", "fish")


def add(commands: Commands) -> None:
    """Add the commands."""
    parser = commands.add(
        "login",
        login,
        "Store the URL of a gateway and a key as a profile, for all later commands.",
        "vbatch login --url https://gateway-abc.run.app\n"
        "vbatch login --url https://gateway-abc.run.app --project acme --location global\n"
        "vbatch login --profile production --url https://gateway-abc.run.app < key.txt",
        "The key is asked for, or read from stdin. It is tried, and then kept in a file that only you can "
        "read.\n"
        "GATEWAY_URL and GATEWAY_KEY of the environment have precedence over a profile.",
        formed=False,
    )
    parser.add_argument("--project", metavar="PROJECT", help="project in which jobs run")
    parser.add_argument("--location", metavar="LOCATION", help="location in which jobs run")
    parser.add_argument(
        "--output-prefix",
        type=gs_prefix,
        metavar="URI",
        help="gs://BUCKET/PATH below which the jobs of `vbatch run` write",
    )

    commands.add(
        "open",
        open_dashboard,
        "Open the dashboard in the browser, and print its address.",
        "vbatch open",
        formed=False,
    )

    parser = commands.add(
        "completion",
        completion,
        "Print the script that completes commands and options in your shell.",
        "vbatch completion bash > ~/.local/share/bash-completion/completions/vbatch\n"
        "vbatch completion zsh > ~/.zfunc/_vbatch\n"
        "vbatch completion fish > ~/.config/fish/completions/vbatch.fish",
        formed=False,
    )
    parser.add_argument("shell", choices=_SHELLS, help="the shell")


def login(context: Context, args: Namespace) -> None:
    """Run ``vbatch login``."""
    from gateway_cli.client import Client  # noqa: PLC0415 - it imports requests

    if (args.project is None) != (args.location is None):
        raise UsageError("Give --project and --location together.")
    name = args.profile or profiles.DEFAULT
    url = args.url or os.environ.get("GATEWAY_URL")
    if not url:
        raise UsageError("Which gateway? Give --url.")
    key = read_key(args.key_file) if args.key_file else None
    key = key or (ask_key() if sys.stdin.isatty() else sys.stdin.read().strip())
    if not key:
        raise UsageError("Which key? Type it at the prompt, or give it on stdin: vbatch login ... < FILE")
    client = Client(url, key)
    if client.in_the_clear:
        context.out.note(f"Warning: {client.url} is plain HTTP, so anybody on the way can read the key.")
    # What every key may do.
    client.get("/v1/jobs", {"limit": 1})
    profile = profiles.Profile(
        url=client.url,
        key=key,
        project=args.project,
        location=args.location,
        output_prefix=args.output_prefix,
    )
    file = profiles.save(name, profile)
    context.out.note(f"Logged in to {client.url}. The profile {name!r} is in {file}.")


def open_dashboard(context: Context, _: Namespace) -> None:
    """Run ``vbatch open``."""
    url = f"{base_url(context.url)}/dashboard"
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()
    if not webbrowser.open(url):
        context.out.note("No browser was found: open the address yourself.")


def completion(_: Context, args: Namespace) -> None:
    """Run ``vbatch completion``."""
    import shtab  # noqa: PLC0415 - nothing else needs it

    from gateway_cli.cli import parser  # noqa: PLC0415 - it imports this module

    root = parser()
    _complete_files(root, shtab.FILE)
    sys.stdout.write(shtab.complete(root, shell=args.shell))


def _complete_files(parser: argparse.ArgumentParser, complete: object) -> None:
    """Mark the arguments that are files, in all commands."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other list of them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - same
            for below in action.choices.values():
                _complete_files(below, complete)
        elif action.metavar == "FILE":
            action.complete = complete  # type: ignore[attr-defined]
