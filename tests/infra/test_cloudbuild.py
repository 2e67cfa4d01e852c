"""cloudbuild.yaml is what Cloud Build takes, and does in each phase what it says."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from infra.terraform import ROOT
from patience import PATIENCE

TEXT = (ROOT / "cloudbuild.yaml").read_text()
BUILD = yaml.safe_load(TEXT)
SCHEMA = json.loads((Path(__file__).parent / "cloudbuild.schema.json").read_text())
# "Substituting variable values" of Cloud Build's documentation.
BUILT_IN = {"BUILD_ID", "COMMIT_SHA", "PROJECT_ID", "SHORT_SHA"}


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
    assert {"_DIRECTORY", "_NAME", "_PHASE", "_SMOKE", "_STATE_BUCKET"} == given
    told = {
        name
        for name in BUILD["substitutions"]
        if re.search(rf"^  {name}: .*set by the trigger", TEXT, re.MULTILINE)
    }
    assert told == given


def test_the_logs_go_where_a_builds_own_account_may_write():
    assert BUILD["options"]["logging"] == "CLOUD_LOGGING_ONLY"


@pytest.mark.parametrize("step", BUILD["steps"], ids=lambda step: step["id"])
def test_scripts_are_well_formed(step):
    shell = "sh" if step["script"].startswith("#!/bin/sh") else "bash"
    done = subprocess.run(  # noqa: S603 - a shell that reads and does nothing
        [shell, "-n"], input=step["script"], text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


PLAN = """
Terraform will perform the following actions:

  # google_cloudfunctions2_function.gateway will be updated in-place
"""


class Machine:
    """Runs the steps with every outside program replaced by one that notes how it was called.

    Copies to and from the state's bucket come and go in a folder, ``bucket``.
    """

    PROGRAMS = ("apt-get", "curl", "pip", "pip-audit", "terraform", "unzip")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"
        self.log.touch()
        (folder / "bin").mkdir()
        (folder / "bucket").mkdir()
        (folder / "work/infra").mkdir(parents=True)
        (folder / "work/tests").mkdir()
        for program in (*self.PROGRAMS, "../work/tests/run"):
            self.program(program, "")
        bucket = folder / "bucket"
        self.program(
            "gcloud",
            f'case "$*" in *secrets*) echo sk-made-up;; *"/*"*) cp {bucket}/* "${{@: -1}}";; '
            f'*plan.txt*) cp "$3" "{bucket}/$BUILD_ID.txt";; esac',
        )
        self.plans(PLAN)

    def plans(self, text):
        """Set terraform's plan from now on."""
        (self.folder / "planned").write_text(text)
        does = (
            f'case "$*" in *url*) printf https://made.run.app;; show*) cat "{self.folder / "planned"}";; esac'
        )
        self.program("terraform", does)

    def program(self, name, does):
        path = self.folder / "bin" / name
        path.write_text(f'#!/usr/bin/env bash\necho "{Path(name).name} $*" >>"{self.log}"\n{does}\n')
        path.chmod(0o755)

    def run(self, phase, build="build-1", **more):
        """Runs a build and returns its exit status, and its calls or what it printed."""
        self.log.write_text("")
        variables = {**BUILD["substitutions"], "_PHASE": phase, "_STATE_BUCKET": "state", **more}
        built_in = {
            "PROJECT_ID": "my-project",
            "COMMIT_SHA": "abc123",
            "SHORT_SHA": "abc",
            "BUILD_ID": build,
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
                timeout=PATIENCE,
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


def test_a_push_is_tested_and_planned_and_nothing_is_changed(machine):
    code, calls = machine.run("plan")
    assert code == 0, calls
    assert calls.index("run ") < calls.index("terraform plan") < calls.index("gcloud storage cp")
    assert "terraform plan -input=false -lock=false" in calls
    assert "gs://state/plans/batch-gateway/abc123/build-1.txt" in calls
    assert "terraform apply" not in calls
    assert "secrets" not in calls
    # It starts nothing that somebody else's rights would do.
    assert "builds" not in calls
    assert (machine.folder / "bucket/build-1.txt").read_text() == PLAN


def test_failing_tests_end_the_build_before_a_plan(machine):
    machine.program("../work/tests/run", "exit 1")
    code, _ = machine.run("plan")
    assert code == 1
    assert "terraform plan" not in machine.log.read_text()
    assert "plan.txt" not in machine.log.read_text()


def test_a_known_vulnerability_ends_the_build_before_a_plan(machine):
    machine.program("pip-audit", "exit 1")
    code, _ = machine.run("plan")
    assert code == 1
    calls = machine.log.read_text()
    assert "pip-audit --require-hashes --disable-pip -r functions/requirements.txt" in calls
    assert "terraform plan" not in calls


def test_what_was_shown_is_applied_and_tried(machine):
    machine.run("plan")
    code, calls = machine.run("apply", build="build-2")
    assert code == 0, calls
    assert "terraform plan -input=false -lock=true" in calls
    assert "terraform apply -input=false plan" in calls
    assert "https://made.run.app/health/readiness" in calls
    assert "secrets" not in calls


def test_nothing_is_applied_that_was_not_shown(machine):
    code, said = machine.run("apply", build="build-2")
    assert code == 1
    assert "No plan of this commit was shown" in said
    machine.run("plan")
    machine.plans(PLAN.replace("gateway", "settle"))
    code, said = machine.run("apply", build="build-3")
    assert code == 1
    assert "not what was shown" in said
    assert "terraform apply" not in machine.log.read_text()
    # Shown anew, it may be.
    machine.run("plan", build="build-4")
    assert machine.run("apply", build="build-5")[0] == 0


@pytest.mark.parametrize(
    "line",
    [
        '  # google_cloudbuild_trigger.this["plan"] will be destroyed',
        "  # google_firestore_database.this must be replaced",
        '-/+ # module.batch_gateway.google_storage_bucket.this["output/us"] must be replaced',
        "  # google_storage_bucket.source is tainted, so must be replaced",
        "  # google_firestore_database.this will be replaced, as requested",
        ' # google_storage_bucket.this["output/us"] will no longer be managed by Terraform',
    ],
)
@pytest.mark.parametrize("phase", ["plan", "apply"])
def test_triggers_the_database_and_buckets_go_only_where_that_is_said(machine, phase, line):
    line = line.removeprefix("-/+")
    machine.plans(PLAN + line + "\n")
    machine.run("plan", build="shown", _ALLOW_DESTROY="yes")
    code, said = machine.run(phase)
    assert code == 1
    assert line.strip() in said
    assert "given by hand" in said
    assert "terraform apply" not in machine.log.read_text()
    assert machine.run(phase, build="again", _ALLOW_DESTROY="yes")[0] == 0


@pytest.mark.parametrize(
    "line",
    [
        '  # google_storage_bucket_iam_member.read_output["gateway/output/us"] will be destroyed',
        "  # google_storage_bucket_object.source must be replaced",
        '  # google_storage_bucket.this["output/us"] will be created',
        "  # google_firestore_database.this will be updated in-place",
        "  # (because google_storage_bucket.this is not in configuration)",
    ],
)
def test_other_changes_need_no_word(machine, line):
    machine.plans(PLAN + line + "\n")
    assert machine.run("plan")[0] == 0


def test_a_private_gateway_is_looked_at_with_a_token(machine):
    machine.run("plan")
    machine.program(
        "curl", 'case "$*" in *metadata*) printf made-up-token;; *) cat "$(cut -c2- <<<"$3")";; esac'
    )
    code, calls = machine.run("apply", build="build-2", _SMOKE="private")
    assert code == 0, calls
    assert "identity?audience=https://made.run.app" in calls
    assert "https://made.run.app/health/readiness" in calls
    assert "made-up-token" not in calls
    assert (machine.folder / "headers").read_text() == "X-Serverless-Authorization: Bearer made-up-token\n"


def test_a_gateway_that_takes_no_calls_from_outside_is_not_tried(machine):
    machine.run("plan")
    code, calls = machine.run("apply", build="build-2", _SMOKE="none")
    assert code == 0, calls
    assert "curl" not in calls


JOB = "projects/1/locations/l/batchPredictionJobs/77"
COST = f'{{"name": "{JOB}", "status": "FINAL", "complete": %s, "amount": "%s"}}'


@pytest.mark.parametrize(
    ("complete", "amount", "ends"), [("true", "0.00001", 0), ("true", "0", 1), ("false", "0.00001", 1)]
)
def test_the_smoke_tests_job_must_have_a_whole_cost(machine, complete, amount, ends):
    machine.run("plan")
    machine.program("curl", f"echo '{COST % (complete, amount)}'")
    machine.program("sleep", "")
    inputs = {"_SMOKE_INPUT": "gs://in/one.jsonl", "_SMOKE_OUTPUT": "gs://out/smoke"}
    code, calls = machine.run("apply", build="build-2", **inputs)
    assert code == ends, calls
    calls = machine.log.read_text()
    assert "locations/global/batchPredictionJobs/77/cost" in calls
    # On no command line, where other processes and the log would show it.
    assert "sk-made-up" not in calls
    assert "Authorization: Bearer sk-made-up" in (machine.folder / "headers").read_text()
