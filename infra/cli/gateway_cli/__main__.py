"""Start ``vbatch``. The imports take a moment, in which Ctrl-C is no error either."""

import sys

from gateway_cli.errors import INTERRUPTED


def main() -> int:
    """Run a command and return its exit status."""
    try:
        from gateway_cli.cli import main as run  # noqa: PLC0415 - see above

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
