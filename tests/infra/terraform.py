"""Terraform for the tests: where it runs, with which providers, and what a simulated apply gives.

Everything happens in a copy of the repository's folders: neither lock files nor states land in the tree.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "terraform"
_NEEDED = (1, 11)
_SECONDS = 600
# An account must never be reached from here, whatever this machine is signed in to.
_CREDENTIALS = re.compile(r"^(GOOGLE|GCLOUD|GCP|CLOUDSDK|TF_VAR|TF_CLI_ARGS)")

MINIMAL, PRODUCTION = "infra/examples/minimal", "infra/examples/production"
EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "infra": {"project_id": "my-project"},
    MINIMAL: {"project_id": "my-project"},
    PRODUCTION: {
        "project_id": "my-project",
        "billing_account": "012345-6789AB-CDEF01",
        "research_project_id": "research-project",
        "state_bucket": "my-project-state",
    },
}
"""Folders that can be planned, and the variables that each needs."""


class NotHereError(Exception):
    """Terraform or its providers are not to be had on this machine; the text says what is missing."""


class Setup(NamedTuple):
    """How terraform is run here.

    Attributes:
        environment: Of its processes.
        simulated: Whether the providers are stand-ins, which reach nothing: only then is anything planned
            or applied but by ``terraform test``, whose mocks need no account.
    """

    environment: dict[str, str]
    simulated: bool


class Applied(NamedTuple):
    """Result of a simulated apply of a folder.

    Attributes:
        plan: ``terraform show -json`` of a second plan, made of what was applied.
        said: What terraform said of that plan.
    """

    plan: dict[str, Any]
    said: str

    @property
    def state(self) -> dict[str, Any]:
        """Return the state after the apply."""
        return self.plan["prior_state"]["values"]

    @property
    def resources(self) -> list[dict[str, Any]]:
        """Every managed resource of the state, those of modules too."""
        return _resources(self.state["root_module"])


def _resources(module: dict[str, Any]) -> list[dict[str, Any]]:
    own = [each for each in module.get("resources", []) if each["mode"] == "managed"]
    return own + [each for child in module.get("child_modules", []) for each in _resources(child)]


@cache
def setup() -> Setup:
    """Return how terraform is run here.

    A folder beside the checkout may bring stand-ins for the providers: any ``*/terraform/setup``, a program
    that puts what is needed into the folder that it is given, and prints ``export TF_CLI_CONFIG_FILE=…``.
    Without one, providers come from where terraform is configured to get them.

    Raises:
        NotHereError: There is no terraform, or one that is too old.
    """
    if not shutil.which("terraform"):
        raise NotHereError("terraform is not installed (https://developer.hashicorp.com/terraform/install)")
    found = json.loads(_output("terraform", "version", "-json"))["terraform_version"]
    if tuple(int(part) for part in found.split(".")[:2]) < _NEEDED:
        raise NotHereError(f"terraform {found} is too old: write-only arguments came with 1.11")
    environment = {name: value for name, value in os.environ.items() if not _CREDENTIALS.match(name)}
    # Terraform lives for seconds, and would spend a quarter of its time on collecting garbage.
    environment |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "GOGC": "300"}
    for program in sorted(ROOT.parent.glob("*/terraform/setup")):
        told = re.search(r"^export TF_CLI_CONFIG_FILE=(.+)$", _output(str(program), str(CACHE)), re.MULTILINE)
        if told:
            return Setup({**environment, "TF_CLI_CONFIG_FILE": told[1].strip("'\"")}, simulated=True)
    if not Path(environment.get("TF_CLI_CONFIG_FILE", "")).is_file():
        environment.pop("TF_CLI_CONFIG_FILE", None)
    return Setup(environment, simulated=False)


def _output(*command: str) -> str:
    return subprocess.run(  # noqa: S603 - terraform itself, or what brings its providers
        command, capture_output=True, text=True, timeout=_SECONDS, check=True
    ).stdout


class Workspace:
    """A copy of what Terraform reads, and the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(
            ".terraform", ".terraform.lock.hcl", "*.tfstate*", "__pycache__", "local"
        )
        shutil.copytree(ROOT / "infra", folder / "infra", ignore=ignored)
        shutil.copytree(
            ROOT / "functions", folder / "functions", ignore=shutil.ignore_patterns("__pycache__")
        )
        # A remote state would need an account; of all that the folders say this alone is overridden.
        override = 'terraform {\n  backend "local" {}\n}\n'
        (folder / "infra/examples/production/backend_override.tf").write_text(override)

    def run(self, where: str, *arguments: str, given: str = "") -> str:
        """Runs terraform in a folder, with something given to its input.

        Returns:
            What it printed.

        Raises:
            AssertionError: It failed.
        """
        done = subprocess.run(  # noqa: S603 - terraform with arguments of ours
            ["terraform", f"-chdir={where}", *arguments],  # noqa: S607 - whichever is first in PATH
            cwd=self.folder,
            input=given,
            env=setup().environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (
            f"terraform {' '.join(arguments)} in {where}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout

    def init(self, where: str) -> None:
        """Gets the providers.

        Raises:
            NotHereError: They are not to be had.
        """
        try:
            self.run(where, "init", "-no-color", "-input=false")
        except AssertionError as error:
            if re.search(
                r"Failed to query available provider packages|could not connect|Could not retrieve",
                str(error),
            ):
                raise NotHereError(
                    "terraform's providers are not to be had: no registry is reached"
                ) from error
            raise

    def plan(self, where: str, *options: str) -> str:
        """Plans a folder with its variables and returns what terraform said.

        Raises:
            NotHereError: The providers are the real ones, which would want an account.
        """
        _want_simulated()
        return self.run(where, "plan", "-no-color", *options, *_variables(where))

    def apply(self, where: str) -> Applied:
        """Plans, applies as Cloud Build does, and plans again, with stand-ins.

        Raises:
            NotHereError: The providers are the real ones, which would want an account.
        """
        _want_simulated()
        self.init(where)
        self.plan(where, "-out=plan")
        self.run(where, "apply", "plan")
        said = self.plan(where, "-out=again")
        return Applied(json.loads(self.run(where, "show", "-json", "again")), said)

    def destroy(self, where: str) -> list[str]:
        """Destroys what was applied, and returns the addresses that are left in the state."""
        self.run(where, "destroy", "-auto-approve", "-refresh=false", *_variables(where))
        return self.run(where, "state", "list").split()


def _variables(where: str) -> list[str]:
    return [f"-var={name}={value}" for name, value in EXAMPLES[where].items()]


def _want_simulated() -> None:
    if not setup().simulated:
        raise NotHereError("providers are the real ones: a plan would need a Google account")
