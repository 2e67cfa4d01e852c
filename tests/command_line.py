"""The command line in a process of its own, from the source."""

import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "infra" / "cli"
COMMAND = (
    sys.executable,
    # A file in the working directory must not be taken for one of our modules.
    "-P",
    "-c",
    f"import sys; sys.path[:0] = [{str(SOURCE)!r}]; from gateway_cli.__main__ import main; sys.exit(main())",
)
