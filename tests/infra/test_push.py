"""Plan a push after an apply by hand with every option set, by the words of cloudbuild.yaml itself."""

import os
import re
import subprocess

import pytest
import yaml

from infra.terraform import ROOT, NotHereError, Workspace, setup

SETTINGS = """
project_id = "my-project"
region     = "europe-west4"
labels     = { environment = "production" }
models = [
  { name = "flash", model = "gemini-3.5-flash", location = "eu" },
  { name = "research", model = "gemini-3.5-flash-lite", project = "research-project" },
]
database           = { backup_days = 30, location = "eur3", name = "ledger", point_in_time_recovery = false }
gateway = {
  concurrency     = 80
  cpu             = "2"
  invokers        = ["group:data@example.com"]
  public          = false
  timeout_seconds = 300
}
settle             = { max_instances = 5, settlement_seconds = 300 }
input_buckets      = { input = { location = "EU", expire_days = 30 } }
output_buckets     = { output = { location = "EU" }, us = { location = "us-central1", expire_days = 90 } }
events_topic       = true
budget_action      = "warn"
alerts             = { daily_spend_usd = 100, error_percent = 2, job_finished = true, latency_seconds = 5 }
notifications = {
  emails         = ["ops@example.com"]
  pubsub_topics  = ["projects/my-project/topics/incidents"]
  slack_channels = ["#batch"]
}
slack_token        = "xoxb-made-up"
billing_budget     = { amount = 100, billing_account = "012345-6789AB-CDEF01" }
environment        = { REGION = "global" }
secret_environment = { TOKEN = { secret = "token", version = "1" } }
master_key_version = 2
sweep              = { schedule = "0 */2 * * *" }
waits              = { grants = "5m" }
runtime            = "python312"
deletion_protection = false
"""
DEPLOYER = """
deployer = {
  repository   = "projects/my-project/locations/europe-west4/connections/github/repositories/batch"
  smoke_job    = true
  state_bucket = "state"
}
"""
BIGQUERY = """
bigquery_datasets = ["my-project.batch_output"]
billing_export    = "finance-project.billing.gcp_billing_export_v1_012345_6789AB_CDEF01"
"""
[STEP] = [
    step
    for step in yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())["steps"]
    if step["id"] == "terraform"
]


@pytest.fixture(scope="module")
def push(tmp_path_factory):
    """Pushes settings: runs the build's own step, without its remote state; gives status and plan."""
    try:
        if not setup().simulated:
            pytest.skip("providers are the real ones: a plan would need a Google account")
        workspace = Workspace(tmp_path_factory.mktemp("push"))
        workspace.init("infra")
    except NotHereError as error:
        pytest.skip(str(error))
    settings = workspace.folder / "infra/settings.auto.tfvars"
    settings.write_text(SETTINGS + DEPLOYER)
    workspace.run("infra", "apply", "-auto-approve", "-no-color")
    script = STEP["script"].replace("/workspace", str(workspace.folder)).replace('"gcs"', '"local"')
    script, changed = re.subn(r" -backend-config=\S+", "", script)
    assert changed == 2

    def run(text):
        settings.write_text(text)
        trigger = {"_PHASE": "plan", "_DIRECTORY": "infra", "_NAME": "batch-gateway", "_ALLOW_DESTROY": "no"}
        done = subprocess.run(  # noqa: S603 - our own script
            ["sh", "-c", script],  # noqa: S607 - whichever is first in PATH
            cwd=workspace.folder,
            env={**setup().environment, **trigger, "PROJECT_ID": "my-project", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_every_variable_is_set():
    declared = set(re.findall(r'^variable "(\w+)"', (ROOT / "infra/variables.tf").read_text(), re.MULTILINE))
    given = set(re.findall(r"^(\w+) +=", SETTINGS + DEPLOYER + BIGQUERY, re.MULTILINE))
    # The one in place of models; the one that is in no file; and the one that another installation has.
    assert declared - given == {"config", "master_key", "name"}


def test_a_push_right_after_an_apply_changes_nothing(push):
    code, said = push(SETTINGS + DEPLOYER)
    assert code == 0, said
    assert "No changes." in said


def test_a_push_that_forgot_what_was_given_by_hand_is_stopped(push):
    code, said = push(SETTINGS)
    assert code == 1
    assert 'google_cloudbuild_trigger.this["plan"] will be destroyed' in said
    assert "given by hand" in said


def test_a_push_that_turns_on_bigquery_replaces_nothing_that_holds_anything(push):
    code, said = push(SETTINGS + DEPLOYER + BIGQUERY)
    assert code == 0, said
    assert "google_project_iam_custom_role.bigquery[0] will be created" in said
    replaced = re.findall(r"^ *# (\S+) (?:must be|will be) (?:replaced|destroyed)", said, re.MULTILINE)
    # The one has the settings, which name the billing export; the other waits for the API.
    assert replaced == ["google_secret_manager_secret_version.config", "time_sleep.apis"]
    changed = re.findall(r"^ *# (\S+) will be updated", said, re.MULTILINE)
    assert not [each for each in changed if "deployer" in each or "gcs_publisher" in each]
