"""List Terraform's grants as a set of (who, permission, where), to be compared with the needs."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

ROLES: Mapping[str, frozenset[str]] = {
    "roles/artifactregistry.writer": frozenset({"artifactregistry.repositories.uploadArtifacts"}),
    "roles/bigquery.dataEditor": frozenset({"bigquery.tables.create", "bigquery.tables.updateData"}),
    "roles/bigquery.dataViewer": frozenset({"bigquery.tables.get", "bigquery.tables.getData"}),
    "roles/aiplatform.serviceAgent": frozenset({"what Vertex AI's agent does"}),
    "roles/eventarc.eventReceiver": frozenset({"eventarc.events.receiveEvent"}),
    "roles/eventarc.serviceAgent": frozenset({"what Eventarc's agent does"}),
    "roles/iam.serviceAccountUser": frozenset({"iam.serviceAccounts.actAs"}),
    "roles/logging.logWriter": frozenset({"logging.logEntries.create"}),
    "roles/pubsub.publisher": frozenset({"pubsub.topics.publish"}),
    "roles/run.invoker": frozenset({"run.routes.invoke"}),
    "roles/secretmanager.secretAccessor": frozenset({"secretmanager.versions.access"}),
    "roles/storage.legacyBucketReader": frozenset({"storage.buckets.get"}),
    "roles/storage.objectCreator": frozenset({"storage.objects.create"}),
    "roles/storage.objectUser": frozenset(
        {
            "storage.objects.create",
            "storage.objects.delete",
            "storage.objects.get",
            "storage.objects.list",
            "storage.objects.update",
        }
    ),
    "roles/storage.objectViewer": frozenset({"storage.objects.get", "storage.objects.list"}),
}
"""Permissions that predefined roles are granted for ("IAM roles and permissions index" of Google's pages).

Reading a project's name, folders in buckets and the like, which come along, are left out.
"""


class Grant(NamedTuple):
    """One permission that somebody has somewhere.

    Attributes:
        who: Short name of an account (``gateway``), or the member as it stands.
        permission: Such as ``storage.objects.get``; a role's name if it is not in ROLES.
        where: Kind and name of what it is on, with the condition if there is one.
    """

    who: str
    permission: str
    where: str


_WHERE = {
    "google_artifact_registry_repository_iam_member": ("repository", "location"),
    "google_bigquery_dataset_iam_member": ("dataset", "dataset_id"),
    "google_cloud_run_v2_service_iam_member": ("service", "name"),
    "google_project_iam_member": ("project", "project"),
    "google_pubsub_topic_iam_member": ("topic", "topic"),
    "google_secret_manager_secret_iam_member": ("secret", "secret_id"),
    "google_service_account_iam_member": ("account", "service_account_id"),
    "google_storage_bucket_iam_member": ("bucket", "bucket"),
}


def granted(resources: Iterable[Mapping[str, Any]], name: str) -> set[Grant]:
    """Every grant among applied resources, role by role and permission by permission.

    Args:
        resources: Of a state.
        name: The installation's name, which names of accounts begin with.

    Raises:
        KeyError: A kind of grant that is not known here, such as a binding, which would take grants away
            that others have made.
    """
    resources = list(resources)
    custom = {
        each["values"]["id"]: frozenset(each["values"]["permissions"])
        for each in resources
        if each["type"] == "google_project_iam_custom_role"
    }
    found = set()
    for each in resources:
        if "_iam_" in each["type"] and each["type"] != "google_project_iam_custom_role":
            values = each["values"]
            kind, attribute = _WHERE[each["type"]]
            where = f"{kind} {_short(values[attribute], name)}"
            where += "".join(f" if {condition['expression']}" for condition in values.get("condition") or [])
            role = values["role"]
            for permission in custom.get(role) or ROLES.get(role) or {role}:
                found.add(Grant(_short(values["member"], name), permission, where))
    return found


def _short(value: str, name: str) -> str:
    """``gateway`` for the address of an account of ours; an agent by its service; else the value."""
    user, at, host = value.rpartition("/")[2].removeprefix("serviceAccount:").partition("@")
    if not at:
        return value.removeprefix(f"{name}-")
    if user.startswith(f"{name}-"):
        return user.removeprefix(f"{name}-")
    return f"agent {host.partition('.')[0]}" if user.startswith("service-") else value
