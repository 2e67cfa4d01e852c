"""The command ``vbatch``: parse the arguments, run the command, and report errors."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from gateway_cli import (
    __version__,
    account,
    administration,
    estimates,
    jobs,
    keys,
    prices,
    reconcile,
    running,
    spend,
    teams,
)
from gateway_cli.cells import clean
from gateway_cli.declaring import Commands, Help, context_of
from gateway_cli.errors import (
    DONE,
    INTERRUPTED,
    REFUSED,
    USAGE,
    AnswerError,
    CliError,
    DeclinedError,
    InterruptedRunError,
)
from gateway_cli.wording import in_commands

_DESCRIPTION = """\
The command line of the Vertex Batch Gateway: batch jobs from a file to their results, and what they cost.

It calls the gateway's HTTP API. With the key of a team, every command works for what that key may see.
`teams`, `reprice`, `audit` and `keys`, but for `keys show`, need an administrator's key (to read, a viewer's
will do), and `sweep` needs the master key."""
_EPILOG = """\
examples:
  vbatch login --url https://gateway-abc.run.app
  vbatch run prompts.jsonl --model gemini-3.5-flash
  vbatch jobs list --since today
  vbatch spend --by team,model --since 7d
  vbatch keys create --alias search-nightly --team search --duration 90d

environment:
  GATEWAY_URL  the gateway; --url has precedence, and it has precedence over the profile's
  GATEWAY_KEY  the key; --key-file has precedence, and it has precedence over the profile's.
               A key is never given on the command line, where others can see it.
  GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION
               where jobs run; --project and --location have precedence
  NO_COLOR     no colours

Answers go to stdout, everything else to stderr. Amounts are USD and exact.
exit status: 0 done; 1 refused by the gateway, by you when asked, or by --max-cost or --strict, or a watched
job did not succeed; 2 wrong usage; 3 the gateway did not answer; 130 after Ctrl-C.
`vbatch COMMAND --help` has an example for every command."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = argparse.ArgumentParser(
        prog="vbatch",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"vbatch {__version__}")
    commands = Commands(root)
    for subject in (account, running, jobs, spend, reconcile, estimates, prices, keys, teams, administration):
        subject.add(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        arguments: Arguments after ``vbatch``; by default those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        _never_fail(stream)
    args, unknown = parser().parse_known_args(arguments)
    if unknown:
        # The parser of the command shows the options that there are.
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if args.run is None:
        args.parser.print_help(sys.stderr)
        return USAGE
    try:
        status: int | None = args.run(context_of(args), args)
        sys.stdout.flush()
    except InterruptedRunError as error:
        sys.stderr.write(f"\n{error}\n")
        return error.status
    except CliError as error:
        sys.stdout.flush()
        _complain(error)
        return error.status
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return INTERRUPTED
    except OSError as error:
        # Stdout takes no more. Without this, Python would complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # A reader that has closed the pipe (`| head`) has enough; a full disk has not.
        has_enough = isinstance(error, BrokenPipeError)
        if not has_enough:
            sys.stderr.write(f"Error: {error.strerror or error}\n")
        return DONE if has_enough else REFUSED
    return status or DONE


def _complain(error: CliError) -> None:
    # Who says no has not made an error.
    head = "" if isinstance(error, DeclinedError) else "Error: "
    lines = [clean(line) for line in f"{head}{in_commands(str(error))}".split("\n")]
    if isinstance(error, AnswerError):
        told = [error.name or f"HTTP {error.code}", f"reason {error.reason}" if error.reason else ""]
        lines.append(f"  {', '.join(clean(each) for each in told if each)}")
        lines += [f"  {clean(name)}: {clean(value)}" for name, value in error.metadata.items()]
        if error.retry_after is not None:
            lines.append(f"  Try again in {error.retry_after} s.")
    sys.stderr.write("\n".join(lines) + "\n")


def _never_fail(stream: TextIO) -> None:
    """Replace characters that a terminal's encoding lacks with question marks."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
