"""The command ``gateway``: parse the arguments, run the command, and report errors."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from gateway_cli import estimates, jobs, keys, prices, reconcile, spend, teams, upkeep
from gateway_cli.cells import clean
from gateway_cli.commands import Commands, Help, context_of
from gateway_cli.errors import DONE, USAGE, AnswerError, CliError

_DESCRIPTION = """\
The administrator's command line of the Vertex Batch Gateway: keys, teams, jobs, and what they cost.

It calls the gateway's HTTP API. Most commands need the administrator's key; with another one, `jobs`,
`spend`, `export`, `estimate` and `keys show` work for what that key may see."""
_EPILOG = """\
examples:
  export GATEWAY_URL=https://gateway-abc.run.app
  read -rs GATEWAY_KEY && export GATEWAY_KEY
  gateway teams create search --max-budget 250 --budget-duration 1mo
  gateway keys create --alias search-nightly --team search --duration 90d
  gateway jobs list --since today
  gateway jobs watch
  gateway spend --by team,model --since 7d

environment:
  GATEWAY_URL  the gateway; --url has precedence
  GATEWAY_KEY  the key; --key-file has precedence, and without both there is a prompt.
               A key is never given on the command line, where others can see it.
  NO_COLOR     no colours

Answers go to stdout, everything else to stderr. Amounts are USD and exact.
exit status: 0 done; 1 the gateway answered with an error, or a watched job did not succeed; 2 wrong usage;
3 the gateway did not answer. `gateway COMMAND --help` has an example for every command."""
_INTERRUPTED = 130
"""Exit status of a command that Ctrl-C ended, as in a shell."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = argparse.ArgumentParser(
        prog="gateway",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    commands = Commands(root)
    for subject in (keys, teams, jobs, spend, reconcile, estimates, prices, upkeep):
        subject.add(commands)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        arguments: Arguments after ``gateway``; by default those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        _never_fail(stream)
    args = parser().parse_args(arguments)
    if args.run is None:
        args.parser.print_help(sys.stderr)
        return USAGE
    try:
        status: int | None = args.run(context_of(args), args)
        sys.stdout.flush()
    except CliError as error:
        sys.stdout.flush()
        _complain(error)
        return error.status
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe (`| head`). Without this, Python would complain again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return status or DONE


def _complain(error: CliError) -> None:
    lines = [clean(line) for line in f"Error: {error}".split("\n")]
    if isinstance(error, AnswerError):
        told = [error.name, f"reason {error.reason}" if error.reason else "", f"HTTP {error.code}"]
        lines.append(f"  {', '.join(clean(each) for each in told if each)}")
        lines += [f"  {clean(name)}: {clean(value)}" for name, value in error.metadata.items()]
        if error.retry_after is not None:
            lines.append(f"  Try again in {error.retry_after} s.")
    sys.stderr.write("\n".join(lines) + "\n")


def _never_fail(stream: TextIO) -> None:
    """Replace characters that a terminal's encoding lacks with question marks."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
