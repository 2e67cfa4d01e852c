"""cloudbuild.yaml is what Cloud Build takes, and does in each phase what it says."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import jsonschema
import pytest
import yaml

from infra.terraform import ROOT

TEXT = (ROOT / "cloudbuild.yaml").read_text()
BUILD = yaml.safe_load(TEXT)
SCHEMA = json.loads((Path(__file__).parent / "cloudbuild.schema.json").read_text())
# "Substituting variable values" of Cloud Build's documentation.
BUILT_IN = {"COMMIT_SHA", "LOCATION", "PROJECT_ID", "SHORT_SHA"}


def test_it_is_a_build():
    jsonschema.validate(BUILD, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"step": []},
        {"steps": [{"name": "python", "commands": ["true"]}]},
        {"options": {"logging": "CONSOLE"}},
        {"timeout": 7200},
    ],
)
def test_the_schema_refuses_what_is_none(change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**BUILD, **change}, SCHEMA)


def test_every_substitution_is_known_described_and_used():
    scripts = "\n".join(step["script"] for step in BUILD["steps"])
    own = set(re.findall(r"\$\{?\(*(_[A-Z_]+)", scripts)) | set(re.findall(r"\(\((_[A-Z_]+)", scripts))
    assert own == BUILD["substitutions"].keys()
    others = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", scripts))
    assert others <= BUILT_IN
    for name in BUILD["substitutions"]:
        assert re.search(rf"^  {name}: .* # .+", TEXT, re.MULTILINE), name
    # Without this a script sees none of them.
    assert BUILD["options"]["automapSubstitutions"] is True


def test_a_substitution_is_given_by_the_triggers():
    text = (ROOT / "infra/deployer.tf").read_text()
    given = set(re.findall(r"^    (_[A-Z_]+) +=", text, re.MULTILINE))
    assert {"_NAME", "_PHASE", "_REGION", "_STATE_BUCKET"} == given <= BUILD["substitutions"].keys()


def test_the_logs_go_where_a_builds_own_account_may_write():
    assert BUILD["options"]["logging"] == "CLOUD_LOGGING_ONLY"


@pytest.mark.parametrize("step", BUILD["steps"], ids=lambda step: step["id"])
def test_scripts_are_well_formed(step):
    shell = "sh" if step["script"].startswith("#!/bin/sh") else "bash"
    done = subprocess.run(  # noqa: S603 - a shell that reads and does nothing
        [shell, "-n"], input=step["script"], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


class Machine:
    """Runs the steps with every outside program replaced by one that notes how it was called."""

    PROGRAMS = ("apt-get", "curl", "gcloud", "terraform", "unzip")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"
        self.log.touch()
        (folder / "bin").mkdir()
        (folder / "work/infra/.terraform").mkdir(parents=True)
        (folder / "work/tests").mkdir()
        for name in ("plan", ".terraform.lock.hcl", ".terraform/batch-gateway-functions.zip"):
            (folder / "work/infra" / name).write_text(name)
        for program in (*self.PROGRAMS, "../work/tests/run"):
            self.program(program, "")
        self.program("terraform", 'case "$*" in *output*) printf https://made.run.app;; esac')

    def program(self, name, does):
        path = self.folder / "bin" / name
        path.write_text(f'#!/usr/bin/env bash\necho "{Path(name).name} $*" >>"{self.log}"\n{does}\n')
        path.chmod(0o755)

    def run(self, phase, **more):
        variables = {**BUILD["substitutions"], "_PHASE": phase, "_STATE_BUCKET": "state", **more}
        built_in = {
            "PROJECT_ID": "my-project",
            "COMMIT_SHA": "abc123",
            "SHORT_SHA": "abc",
            "LOCATION": "us-central1",
        }
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        for step in BUILD["steps"]:
            shell = "sh" if step["script"].startswith("#!/bin/sh") else "bash"
            done = subprocess.run(  # noqa: S603 - our own script
                [shell, "-c", step["script"].replace("/workspace", str(self.folder))],
                cwd=self.folder / "work",
                env={**variables, **built_in, "PATH": path},
                text=True,
                capture_output=True,
                timeout=60,
                check=False,
            )
            if done.returncode:
                return done.returncode, done.stdout + done.stderr
        return 0, self.log.read_text()


@pytest.fixture
def machine(tmp_path):
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    return Machine(tmp_path)


def test_a_push_is_tested_and_planned_and_nothing_is_applied(machine):
    code, calls = machine.run("plan")
    assert code == 0, calls
    assert calls.index("run ") < calls.index("terraform plan") < calls.index("gcloud storage cp")
    assert "gcloud builds triggers run batch-gateway-apply --region=us-central1 --sha=abc123" in calls
    assert "-var project_id=my-project" in calls
    assert "terraform apply" not in calls
    assert "secrets" not in calls
    with tarfile.open(machine.folder / "plan.tgz") as kept:
        shown = kept.getnames()
    assert shown == ["plan", ".terraform.lock.hcl", ".terraform/batch-gateway-functions.zip"]


def test_failing_tests_end_the_build_before_a_plan(machine):
    machine.program("../work/tests/run", "exit 1")
    code, _ = machine.run("plan")
    assert code == 1
    calls = machine.log.read_text()
    assert "terraform plan" not in calls
    assert "triggers run" not in calls


def test_an_approved_plan_is_applied_and_tried(machine):
    machine.run("plan")
    machine.log.write_text("")
    code, calls = machine.run("apply")
    assert code == 0, calls
    assert "terraform apply -input=false plan" in calls
    assert "terraform plan" not in calls
    assert "https://made.run.app/health/readiness" in calls
    assert "secrets" not in calls


JOB = "projects/1/locations/l/batchPredictionJobs/77"
COST = f'{{"name": "{JOB}", "status": "FINAL", "complete": %s, "amount": "%s"}}'


@pytest.mark.parametrize(
    ("complete", "amount", "ends"), [("true", "0.00001", 0), ("true", "0", 1), ("false", "0.00001", 1)]
)
def test_the_smoke_tests_job_must_have_a_whole_cost(machine, complete, amount, ends):
    machine.run("plan")
    machine.log.write_text("")
    machine.program("curl", f"cat >/dev/null; echo '{COST % (complete, amount)}'")
    machine.program("gcloud", 'case "$*" in *secrets*) echo sk-made-up;; esac')
    machine.program("sleep", "")
    code, calls = machine.run("apply", _SMOKE_INPUT="gs://in/one.jsonl", _SMOKE_OUTPUT="gs://out/smoke")
    assert code == ends, calls
    calls = machine.log.read_text()
    assert "batchPredictionJobs/77/cost" in calls
    # On no command line, where other processes and the log would show it.
    assert "sk-made-up" not in calls
