"""Checkov has nothing to say that has no answer here."""

import re

import pytest

from infra.checkov import findings
from infra.terraform import PRODUCTION, NotHereError

KEPT = {
    # Data access logs of Cloud Audit Logs are for this, where an organization wants them.
    (
        "CKV_GCP_62",
        r"google_storage_bucket\..*",
    ): "a bucket of logs for each bucket costs, and nobody reads it",
    ("CKV_GCP_63", r"google_storage_bucket\..*"): "there is no bucket of logs, see CKV_GCP_62",
    # Cloud Storage's soft delete keeps deleted objects for a week anyway.
    ("CKV_GCP_78", r"google_storage_bucket\.this.*"): "versions would double what can be made again",
    # It would be needed for Firestore and buckets alike.
    ("CKV_GCP_83", r"google_pubsub_topic\..*"): "a key of one's own is an organization's choice",
    ("CKV_GCP_84", r"google_artifact_registry_repository\..*"): "as CKV_GCP_83; the images hold no secrets",
    (
        "CKV_GCP_124",
        r"google_cloudfunctions2_function\.gateway",
    ): "clients are anywhere, and it has its own keys",
    # Google's own agents, with the roles that Google gives them elsewhere.
    ("CKV_GCP_49", r"google_project_iam_member\.agents.*"): "without its role an agent does nothing",
    # What it may grant is limited by a condition; buckets, databases and secrets it cannot read.
    (
        "CKV_GCP_42",
        r"google_project_iam_member\.deployer.*",
    ): "the deployer administers what this Terraform makes",
    ("CKV_GCP_49", r"google_project_iam_member\.deployer.*"): "it makes the accounts; the README warns of it",
}
"""(check, resources) that stay as they are, and why."""


@pytest.fixture(scope="module")
def found(applied, checkov, tmp_path_factory):
    plan = applied(PRODUCTION).plan
    try:
        command = checkov.result()
    except NotHereError as error:
        pytest.skip(str(error))
    failed, passed = findings(command, plan, tmp_path_factory.mktemp("checkov"))
    assert passed > 100, "it has not looked at the plan"
    return {(check, resource.removeprefix("module.batch_gateway.")) for check, resource in failed}


def answered(check, resource):
    return [key for key in KEPT if key[0] == check and re.fullmatch(key[1], resource)]


def test_every_finding_has_an_answer(found):
    assert sorted(each for each in found if not answered(*each)) == []


def test_every_answer_is_to_a_finding(found):
    assert {key for each in found for key in answered(*each)} == KEPT.keys()
