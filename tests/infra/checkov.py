"""Checkov in an environment of its own, made on first use and kept in .cache: it brings a hundred packages.

Version 3.3.30, Apache 2.0.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.terraform import CACHE, NotHereError

VERSION = "3.3.30"
_SECONDS = 600


def install() -> Path:
    """Checkov's command.

    Raises:
        NotHereError: It cannot be installed here.
    """
    folder = CACHE.parent / f"checkov-{VERSION}"
    command = folder / "bin" / "checkov"
    stamp = folder / ".complete"
    if not stamp.exists():
        try:
            _run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
            pip = (sys.executable, "-m", "pip", "--python", str(folder / "bin/python"))
            _run(*pip, "install", "-q", "--no-compile", f"checkov=={VERSION}")
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise NotHereError(f"checkov {VERSION} cannot be installed: {error}") from error
        stamp.touch()
    return command


def findings(command: Path, plan: dict[str, Any], folder: Path) -> tuple[set[tuple[str, str]], int]:
    """Return Checkov's findings in a plan: (check, address of the resource); and how many checks passed."""
    file = folder / "plan.json"
    file.write_text(json.dumps(plan))
    options = ("--framework", "terraform_plan", "--skip-download", "--quiet", "--soft-fail", "-o", "json")
    report = json.loads(_run(str(command), "-f", str(file), *options))
    failed = report["results"]["failed_checks"]
    return {(each["check_id"], each["resource"]) for each in failed}, report["summary"]["passed"]


def _run(*command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(  # noqa: S603 - an installer and a checker with arguments of ours
        command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=True
    ).stdout
