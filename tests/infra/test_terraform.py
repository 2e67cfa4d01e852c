"""The Terraform is well formed, does what its own tests say, and applies and goes without a trace."""

import re
from graphlib import TopologicalSorter

import pytest

from infra.terraform import EXAMPLES, MINIMAL, PRODUCTION, ROOT, setup

FILES = sorted((ROOT / "infra").glob("*.tf"))


def test_every_file_is_formatted(workspace):
    assert workspace.run("infra", "fmt", "-check", "-recursive") == ""


@pytest.mark.parametrize("where", EXAMPLES)
def test_it_is_valid_and_nothing_in_it_is_deprecated(workspace, applied, where):
    if not setup().simulated:
        workspace.init(where)
        said = workspace.run(where, "validate", "-no-color")
    elif where == MINIMAL:
        # A plan validates too. What an apply comes to, the module alone and the other example show.
        workspace.init(where)
        said = workspace.plan(where)
        assert re.search(r"Plan: \d{3} to add, 0 to change, 0 to destroy", said)
    else:
        said = applied(where).said
    assert "Warning:" not in said


def test_its_own_tests_pass(workspace):
    assert re.search(r"Success! \d+ passed, 0 failed\.", workspace.run("infra", "test", "-no-color"))


@pytest.mark.parametrize("where", ["infra", PRODUCTION])
def test_an_apply_settles(applied, where):
    result = applied(where)
    assert len(result.resources) > 100
    assert "No changes." in result.said


def test_a_destroy_leaves_nothing(applied, workspace):
    """Of the example that has everything; what the defaults make, ``terraform test`` destroys."""
    assert applied(PRODUCTION).resources
    assert workspace.destroy(PRODUCTION) == []


def test_each_validation_of_a_variable_is_seen_to_refuse():
    text = (ROOT / "infra" / "variables.tf").read_text()
    refused = re.findall(
        r"^ +var\.(\w+),$", (ROOT / "infra/tests/variables.tftest.hcl").read_text(), re.MULTILINE
    )
    blocks = re.findall(r'^variable "(\w+)" \{(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 20
    assert {name: block.count("validation {") for name, block in blocks if "validation {" in block} == {
        name: refused.count(name) for name in set(refused)
    }


def test_variables_and_outputs_are_described_and_in_order():
    for file, kind in (("variables.tf", "variable"), ("outputs.tf", "output")):
        text = (ROOT / "infra" / file).read_text()
        blocks = re.findall(rf'^{kind} "(\w+)" \{{(.*?)^\}}', text, re.MULTILINE | re.DOTALL)
        assert [name for name, _ in blocks] == sorted(name for name, _ in blocks)
        assert all("description" in block for _, block in blocks)
        assert kind == "output" or all(re.search(r"^  type +=", block, re.MULTILINE) for _, block in blocks)


def test_labels_are_on_everything_that_takes_them(applied):
    for resource in applied(PRODUCTION).resources:
        values = resource["values"]
        given = {**(values.get("labels") or {}), **(values.get("user_labels") or {})}
        if resource["type"] == "google_monitoring_notification_channel":
            given = values["user_labels"]
        if {"labels", "user_labels"} & values.keys() and resource["type"] != "google_logging_metric":
            assert given.get("app") == "batch-gateway", resource["address"]
            assert given.get("cost_center") == "ai-platform", resource["address"]


def test_the_master_key_is_neither_in_the_plan_nor_in_the_state(applied):
    result = applied("infra")
    versions = [each for each in result.resources if each["address"].endswith("_version.master_key")]
    assert [each["values"]["secret_data_wo"] for each in versions] == [None]
    assert "sk-" not in str(result.plan["planned_values"])
    assert "sk-" not in str(result.state)


def test_every_resource_names_its_project(applied):
    # There are no provider blocks: what a resource leaves out, nobody fills in.
    for resource in applied("infra").resources:
        assert resource["values"].get("project", "my-project") in {"my-project", "projects/my-project"}


def test_files_are_small_and_of_one_subject():
    for file in FILES:
        if file.name != "variables.tf":
            assert len(file.read_text().splitlines()) <= 250, file.name


AFTER_GRANTS = {
    "google_cloudfunctions2_function.gateway",
    "google_cloudfunctions2_function.settle",
    "google_firestore_backup_schedule.daily",
    "google_firestore_field.expires",
    "google_firestore_field.unindexed",
    "google_firestore_index.this",
}
"""Resources that a new project refuses, or that are built without a right that has not arrived."""


def test_nothing_comes_before_the_apis_and_what_needs_grants_comes_after_them(workspace):
    edges = re.findall(r'^ +"(\S+)" -> "(\S+)";', workspace.run("infra", "graph"), re.MULTILINE)
    needs = {each: {target for source, target in edges if source == each} for edge in edges for each in edge}
    for each in TopologicalSorter(needs).static_order():
        needs[each] |= {further for direct in needs[each] for further in needs[direct]}
    before = {each for each, all_of_it in needs.items() if "time_sleep.apis" not in all_of_it}
    assert before == {
        "data.archive_file.source",
        "data.google_storage_bucket.given",
        "google_project_service.served",
        "google_project_service.this",
        "time_sleep.apis",
    }
    assert {each for each in AFTER_GRANTS if "time_sleep.grants" not in needs[each]} == set()
    grants = {each for each in needs["time_sleep.grants"] if "_iam_member." in each}
    assert {"google_project_iam_member.agents", "google_project_iam_member.books"} < grants
