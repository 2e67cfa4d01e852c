"""The command line as a package: it installs by itself, with its own dependencies."""

import json
import subprocess
import sys

from command_line import SOURCE
from patience import PATIENCE


def test_it_installs_into_an_empty_environment(tmp_path):
    def run(*command):
        done = subprocess.run(  # noqa: S603 - our own command
            [*map(str, command)],
            capture_output=True,
            text=True,
            timeout=5 * PATIENCE,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # The pip of these tests is used, as to install another one takes longer than all the rest.
    run(sys.executable, "-m", "venv", "--without-pip", "env")
    programs = tmp_path / "env" / "bin"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python")
    run(*pip, "install", SOURCE)
    assert run(programs / "vbatch", "--version").startswith("vbatch 20")
    # Its own dependencies are enough for every command.
    run(
        *(programs / "python", "-P", "-c"),
        "import importlib, pkgutil, gateway_cli as p; "
        "[importlib.import_module(f'gateway_cli.{m.name}') for m in pkgutil.iter_modules(p.__path__)]",
    )
    run(programs / "vbatch", "completion", "fish")
    installed = {each["name"].lower() for each in json.loads(run(*pip, "list", "--format", "json"))}
    assert {"vertex-batch-gateway-cli", "requests", "msgspec", "rich", "shtab"} <= installed
    assert not installed & {"playwright", "flask", "google-cloud-storage"}
