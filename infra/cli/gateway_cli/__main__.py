"""``python -m gateway_cli``."""

import sys

from gateway_cli.cli import main

sys.exit(main())
