"""The clients' own environments: made on first use, kept in .cache/clients, apart from .venv.

An environment is named after what it is made from, so a changed pin makes another one. `python
tests/integration/clients/environments.py` makes all of them, side by side.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[2] / ".cache" / "clients"
PYTHON = ("python-current", "python-aiplatform", "python-1", "python-focus")
NODE = "node"
NODE_MAJOR = 20
_STAMP = ".complete"
_SECONDS = 600


class InstallError(Exception):
    """An environment could not be made; the text holds the end of the installer's output."""


def interpreter(name: str) -> Path:
    """The Python of an environment, which is made if it isn't there yet."""
    pins = HERE / f"{name}.txt"
    with _environment(name, pins.read_text() + platform.python_version()) as (directory, made):
        python = directory / "bin" / "python"
        if not made:
            _run(sys.executable, "-m", "venv", "--without-pip", str(directory))
            # The pins are complete; nothing is compiled that no client imports.
            options = ("--disable-pip-version-check", "--no-compile", "--no-deps")
            pip = (sys.executable, "-m", "pip", "--python", str(python))
            _run(*pip, "install", *options, "-r", str(pins))
    return python


def node_modules() -> Path:
    """The installed packages of package.json."""
    pins = HERE / "package.json"
    with _environment(NODE, pins.read_text()) as (directory, made):
        if not made:
            directory.mkdir()
            shutil.copy(pins, directory)
            options = ("--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")
            _run("npm", "install", *options, cwd=directory)
    return directory / "node_modules"


def why_no_node() -> str | None:
    """Why the clients for Node cannot run here; None if they can."""
    if not (shutil.which("node") and shutil.which("npm")):
        return f"node and npm are not installed; the clients for Node need version {NODE_MAJOR} or newer"
    version = _run("node", "--version").strip()
    if int(version.lstrip("v").partition(".")[0]) < NODE_MAJOR:
        return f"the clients for Node need node {NODE_MAJOR} or newer, and this one is {version}"
    return None


@contextmanager
def _environment(name: str, made_from: str) -> Iterator[tuple[Path, bool]]:
    """Yields an environment's directory and whether it is complete; only one process makes it."""
    digest = hashlib.sha256(made_from.encode()).hexdigest()[:12]
    directory = CACHE / f"{name}-{digest}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = (directory / _STAMP).exists()
        if not made:
            shutil.rmtree(directory, ignore_errors=True)
        yield directory, made
        (directory / _STAMP).touch()


def _run(*command: str, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: S603 - installers with arguments of ours
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise InstallError(f"{' '.join(command)} ended with {done.returncode}:\n{tail}")
    return done.stdout


def main() -> None:
    """Makes every environment that can be made here."""
    makers = [lambda name=name: interpreter(name) for name in PYTHON]
    if reason := why_no_node():
        sys.stderr.write(f"without Node: {reason}\n")
    else:
        makers.append(node_modules)
    with ThreadPoolExecutor() as pool:
        for made in pool.map(lambda make: make(), makers):
            sys.stdout.write(f"{made}\n")


if __name__ == "__main__":
    main()
