"""The IAM matrix: what the code calls is granted, and nothing beyond."""

import ast
from itertools import product

import pytest

from infra.code_calls import calls_of, firestore_permissions, module_calls
from infra.iam import Grant, granted
from infra.terraform import PRODUCTION, ROOT

FUNCTIONS = ROOT / "functions"
ENTRIES = {"gateway": "batch_gateway.gateway", "settle": "batch_gateway.settlement.settle"}
"""Entry modules of each function. The gateway runs the sweep, and with it all of settlement."""

JOBS = "aiplatform.batchPredictionJobs"
UPSTREAM = {
    # A relayed call goes by its route: create, list, get, cancel, delete, and the operation of a delete.
    "gateway.jobs.create._send": {f"{JOBS}.create"},
    # A create that was answered before is answered with the job as it is now.
    "gateway.jobs.create._replay": {f"{JOBS}.get"},
    "gateway.jobs.create_outcome.find_marked": {f"{JOBS}.list"},
    "gateway.jobs.estimate._base_of": {"aiplatform.models.get"},
    "gateway.jobs.passthrough._relay": {f"{JOBS}.cancel", f"{JOBS}.delete", f"{JOBS}.get", f"{JOBS}.list"},
    "gateway.jobs.passthrough.owned_job": {f"{JOBS}.get"},
    "gateway.jobs.resume._replaceable": {f"{JOBS}.get"},
    "gateway.jobs.owned_jobs.refresh": {f"{JOBS}.get"},
    # Only where no models are configured, see test_a_whole_project_needs_to_be_asked_for_its_locations.
    "gateway.admin.sweep._locations": set(),
    "settlement.adoption.scan_jobs": {f"{JOBS}.list"},
    "settlement.enforcement.apply_budget_action": {f"{JOBS}.cancel"},
    "settlement.sweep_jobs._fetch_state": {f"{JOBS}.get"},
    "settlement.job_lookup.find_base_model": {"aiplatform.models.get"},
    "settlement.job_lookup.fetch_job": {f"{JOBS}.get"},
}
"""Needs of each place in the code that calls Vertex AI. New ones go here, and Terraform follows."""
OBJECTS = {
    "begin_upload": {"storage.objects.create"},
    "create": {"storage.objects.create"},
    "list": {"storage.objects.list"},
    "read": {"storage.objects.get"},
    "stat": {"storage.objects.get"},
}
TABLES = {
    "stat": {"bigquery.tables.get"},
    "usage_lines": {"bigquery.tables.getData"},
    "rows": {"bigquery.tables.getData"},
}
BILL = {"bigquery.tables.get", "bigquery.tables.getData"}
"""Needs of reading the billing export: its columns, then its rows."""

PROJECT, RESEARCH = "my-project", "research-project"
DATABASE = f'project {PROJECT} if resource.name == "projects/{PROJECT}/databases/batch-gateway"'
INPUTS = [f"bucket {PROJECT}-batch-gateway-input"]
OUTPUTS = [f"bucket {PROJECT}-batch-gateway-{key}" for key in ("output", "us")] + [
    f"bucket {PROJECT}-warehouse"
]
SERVICES = ["output", "us", "warehouse"]


def needed_by(function):
    """Return the grants that a function's code needs in the production example."""
    calls = calls_of(FUNCTIONS, ENTRIES[function])
    unknown = {call.place for call in calls if call.port == "upstream"} - UPSTREAM.keys()
    assert not unknown, f"say in UPSTREAM what these calls of Vertex AI need: {sorted(unknown)}"
    vertex = set().union(*(UPSTREAM[call.place] for call in calls if call.port == "upstream"))
    tables = set().union(*(TABLES[call.method] for call in calls if call.port == "tables"))
    needs = {
        Grant(function, permission, f"project {project}")
        for permission in vertex
        for project in (PROJECT, RESEARCH)
    }
    needs |= {Grant(function, permission, DATABASE) for permission in firestore_permissions(FUNCTIONS)}
    for call in (call for call in calls if call.port == "objects"):
        # Estimates, checks and uploads are of input; all else that is read is output.
        buckets = (
            INPUTS if call.place.startswith(("gateway.jobs.estimate.", "gateway.jobs.input")) else OUTPUTS
        )
        needs |= {Grant(function, *pair) for pair in product(OBJECTS[call.method], buckets)}
    needs |= {Grant(function, permission, "dataset batch_output") for permission in tables}
    reads_bill = any(call.port == "export" for call in calls)
    if reads_bill:
        needs |= {Grant(function, permission, "dataset billing") for permission in BILL}
    if tables or reads_bill:
        needs.add(Grant(function, "bigquery.jobs.create", f"project {PROJECT}"))
    # Only the gateway lets anybody in.
    secrets = ("secret config", "secret master-key") if function == "gateway" else ("secret config",)
    return needs | {Grant(function, "secretmanager.versions.access", secret) for secret in secrets}


DECLARED = {
    # Events go out through the outbox, by whichever function has noted them.
    *(Grant(function, "pubsub.topics.publish", "topic events") for function in ENTRIES),
}
"""Needs of the functions that are not to be seen from calls of ports alone."""

OTHERS = {
    Grant("allUsers", "run.routes.invoke", "service gateway"),
    Grant("scheduler", "run.routes.invoke", "service gateway"),
    Grant("trigger", "eventarc.events.receiveEvent", f"project {PROJECT}"),
    *(Grant("trigger", "run.routes.invoke", f"service settle-{key}") for key in SERVICES),
    Grant("agent gs-project-accounts", "pubsub.topics.publish", f"project {PROJECT}"),
    Grant("agent gcp-sa-monitoring-notification", "pubsub.topics.publish", "topic incidents"),
    *(
        Grant("agent gcp-sa-aiplatform", f"storage.objects.{verb}", where)
        for verb, where in [
            *product(("get", "list"), INPUTS),
            *product(("create", "delete", "get", "list", "update"), OUTPUTS),
        ]
    ),
    *(Grant("agent gcp-sa-aiplatform", "storage.buckets.get", where) for where in (*INPUTS, *OUTPUTS)),
    *(
        Grant("agent gcp-sa-aiplatform", "what Vertex AI's agent does", f"project {project}")
        for project in (PROJECT, RESEARCH)
    ),
    Grant("agent gcp-sa-eventarc", "what Eventarc's agent does", f"project {PROJECT}"),
    Grant("agent gcp-sa-aiplatform", "bigquery.tables.create", "dataset batch_output"),
    Grant("agent gcp-sa-aiplatform", "bigquery.tables.updateData", "dataset batch_output"),
    *(
        Grant("build", "artifactregistry.repositories.uploadArtifacts", f"repository {region}")
        for region in ("europe-west1", "europe-west4", "us-central1")
    ),
    Grant("build", "logging.logEntries.create", f"project {PROJECT}"),
    *(
        Grant("build", permission, where)
        for permission, where in product(
            ("storage.objects.get", "storage.objects.list"),
            (
                f"bucket {PROJECT}-batch-gateway-source",
                f'project {PROJECT} if resource.name.startsWith("projects/_/buckets/gcf-v2-sources-")',
            ),
        )
    ),
}
"""Grants of everybody but the functions and the deployer."""


def compare(needed, there):
    """(missing, beyond), for a message that can be read."""
    return sorted(needed - there), sorted(there - needed)


@pytest.fixture
def there(applied):
    return granted(applied(PRODUCTION).resources, "batch-gateway")


def test_the_functions_have_what_their_code_calls_and_nothing_beyond(there):
    needed = needed_by("gateway") | needed_by("settle") | DECLARED
    assert compare(needed, {grant for grant in there if grant.who in ENTRIES}) == ([], [])


def test_everybody_else_has_what_is_listed_and_nothing_beyond(there):
    known = {*ENTRIES, "deployer", "planner"}
    assert compare(OTHERS, {grant for grant in there if grant.who not in known}) == ([], [])


def test_the_matrix_sees_a_missing_and_an_additional_grant(applied):
    resources = applied(PRODUCTION).resources
    fewer = [each for each in resources if "read_output" not in each["address"]]
    missing, beyond = compare(
        needed_by("settle"), {g for g in granted(fewer, "batch-gateway") if g.who == "settle"} - DECLARED
    )
    assert {grant.permission for grant in missing} == {"storage.objects.get", "storage.objects.list"}
    assert not beyond
    account = "serviceAccount:batch-gateway-settle@my-project.iam.gserviceaccount.com"
    more = {
        "address": "made_up",
        "type": "google_project_iam_member",
        "values": {"role": "roles/owner", "member": account, "project": PROJECT, "condition": []},
    }
    _, beyond = compare(
        needed_by("settle") | DECLARED,
        {g for g in granted([*resources, more], "batch-gateway") if g.who == "settle"},
    )
    assert beyond == [Grant("settle", "roles/owner", f"project {PROJECT}")]


def test_a_new_call_of_vertex_ai_is_seen():
    source = "def renew(deps):\n    deps.upstream.send('PATCH', '/v1/projects/p')\n"
    assert {call.place for call in module_calls(source, "settlement.renewal")} == {"settlement.renewal.renew"}
    assert "settlement.renewal.renew" not in UPSTREAM


def test_no_place_is_listed_that_is_not_in_the_code():
    places = {call.place for call in calls_of(FUNCTIONS, ENTRIES["gateway"]) if call.port == "upstream"}
    assert sorted(UPSTREAM.keys() - places) == []


def test_vertex_ai_and_firestore_are_reached_through_the_adapters_only():
    """This matrix goes by the adapters: no other module may bring an SDK of Google's."""
    for path in (FUNCTIONS / "batch_gateway").rglob("*.py"):
        if "adapters" not in path.parts and path.name != "wiring.py":
            for node in ast.walk(ast.parse(path.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
                assert not [name for name in names if name.split(".")[0] == "google"], path


def test_a_whole_project_needs_to_be_asked_for_its_locations(applied):
    roles = [
        each["values"]
        for each in applied("infra").resources
        if each["type"] == "google_project_iam_custom_role"
    ]
    assert not any("aiplatform.locations.list" in role["permissions"] for role in roles)


def test_nobody_has_a_primitive_role_or_all_objects_of_the_project(there):
    for grant in there:
        assert grant.permission not in {"roles/owner", "roles/editor", "roles/viewer"}
        if grant.where.startswith("project") and " if " not in grant.where:
            assert not grant.permission.startswith(
                ("roles/storage.", "storage.objects.", "roles/datastore.", "roles/aiplatform.")
            )
            assert not grant.permission.startswith(("roles/secretmanager.", "roles/bigquery."))


def test_the_deployer_grants_no_role_but_those_of_this_terraform(there):
    [grant] = [grant for grant in there if grant.permission == "roles/resourcemanager.projectIamAdmin"]
    assert "hasOnly([" in grant.where
    assert "roles/owner" not in grant.where
    assert "roles/editor" not in grant.where


def test_the_deployer_reads_no_documents_objects_or_keys(there):
    for grant in there:
        if grant.who == "deployer":
            assert not grant.permission.startswith("datastore.entities.")
            if grant.permission.startswith("storage.objects."):
                assert grant.where in {f"bucket {PROJECT}-batch-gateway-source", f"bucket {PROJECT}-state"}
            if grant.permission == "secretmanager.versions.access":
                assert grant.where == "secret config"


def test_the_deployer_may_grant_every_role_that_is_granted_on_the_project(applied):
    resources = applied(PRODUCTION).resources
    members = [each["values"] for each in resources if each["type"] == "google_project_iam_member"]
    [condition] = [
        each["condition"][0]["expression"] for each in members if each["role"].endswith("projectIamAdmin")
    ]
    for member in members:
        if member["project"] == PROJECT and not member["role"].endswith("projectIamAdmin"):
            assert f"'{member['role']}'" in condition, member["role"]


def test_who_plans_changes_nothing_and_reads_nothing_that_is_in_it(there):
    changing = {"create", "delete", "update", "set", "add", "actAs", "destroy", "cancel", "approve"}
    mine = {grant for grant in there if grant.who == "planner"}
    assert {grant for grant in mine if grant.permission.rpartition(".")[2] in changing} == {
        Grant("planner", "logging.logEntries.create", f"project {PROJECT}"),
        Grant(
            "planner",
            "storage.objects.create",
            f"bucket {PROJECT}-state if resource.name.startsWith('projects/_/buckets/{PROJECT}-state"
            "/objects/plans/batch-gateway/')",
        ),
    }
    for grant in mine:
        assert not grant.permission.startswith(("roles/", "datastore.entities.", "logging.logEntries.list"))
        assert "setIamPolicy" not in grant.permission
        if grant.permission.startswith("storage.objects.get"):
            assert grant.where in {f"bucket {PROJECT}-batch-gateway-source", f"bucket {PROJECT}-state"}
        if grant.permission == "secretmanager.versions.access":
            assert grant.where == "secret config"
        assert grant.permission != "iam.serviceAccounts.actAs"


READS = {
    "google_artifact_registry_repository": {"artifactregistry.repositories.get"},
    "google_cloud_scheduler_job": {"cloudscheduler.jobs.get"},
    "google_cloudbuild_trigger": {"cloudbuild.builds.get"},
    "google_cloudfunctions2_function": {"cloudfunctions.functions.get"},
    "google_firestore_backup_schedule": {"datastore.backupSchedules.get"},
    "google_firestore_database": {"datastore.databases.getMetadata"},
    "google_firestore_field": {"datastore.indexes.get"},
    "google_firestore_index": {"datastore.indexes.get"},
    "google_logging_metric": {"logging.logMetrics.get"},
    "google_monitoring_alert_policy": {"monitoring.alertPolicies.get"},
    "google_monitoring_dashboard": {"monitoring.dashboards.get"},
    "google_monitoring_notification_channel": {"monitoring.notificationChannels.get"},
    "google_project_iam_custom_role": {"iam.roles.get"},
    "google_project_service": {"serviceusage.services.get", "serviceusage.services.list"},
    "google_pubsub_topic": {"pubsub.topics.get"},
    "google_secret_manager_secret": {"secretmanager.secrets.get"},
    "google_secret_manager_secret_version": {"secretmanager.versions.get", "secretmanager.versions.access"},
    "google_service_account": {"iam.serviceAccounts.get"},
    "google_storage_bucket": {"storage.buckets.get"},
    "google_storage_bucket_object": {"storage.objects.get"},
    "google_artifact_registry_repository_iam_member": {"artifactregistry.repositories.getIamPolicy"},
    "google_bigquery_dataset_iam_member": {"bigquery.datasets.get", "bigquery.datasets.getIamPolicy"},
    "google_cloud_run_v2_service_iam_member": {"run.services.getIamPolicy"},
    "google_project_iam_member": {"resourcemanager.projects.getIamPolicy"},
    "google_pubsub_topic_iam_member": {"pubsub.topics.getIamPolicy"},
    "google_secret_manager_secret_iam_member": {"secretmanager.secrets.getIamPolicy"},
    "google_service_account_iam_member": {"iam.serviceAccounts.getIamPolicy"},
    "google_storage_bucket_iam_member": {"storage.buckets.getIamPolicy"},
    # The billing account is outside the project; a state holds these alone.
    "google_billing_budget": set(),
    "google_project_service_identity": set(),
    "time_sleep": set(),
}
"""Permissions for a refresh of each kind (the provider's read functions; the IAM permissions reference)."""


def test_who_plans_may_read_everything_that_is_planned(applied, there):
    kinds = {each["type"] for each in applied(PRODUCTION).resources}
    assert kinds <= READS.keys(), f"say what a plan reads of {sorted(kinds - READS.keys())}"
    has = {grant.permission for grant in there if grant.who == "planner"}
    assert set().union(*(READS[kind] for kind in kinds)) <= has


def test_only_what_is_used_of_a_module_counts():
    source = (
        "class Cancelling:\n    def run(self):\n        self.upstream.send('POST', '/')\n"
        "def end(deps):\n    return Cancelling(deps)\n"
        "def note(deps):\n    deps.upstream.get('/')\n"
    )
    for used, expected in ((None, {"run", "note"}), ({"end"}, {"run"}), ({"note"}, {"note"})):
        names = None if used is None else frozenset(used)
        places = {call.place for call in module_calls(source, "settlement.budgets", names)}
        assert places == {f"settlement.budgets.{name}" for name in expected}
