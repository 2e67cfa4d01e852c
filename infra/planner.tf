# The account that plans what is pushed: before anybody has approved it, so that it reads and changes nothing.

locals {
  planner = var.deployer != null ? toset(["planner"]) : toset([])

  # What a plan reads of everything that is here, and nothing that is in it: roles/viewer would read documents and logs.
  planner_permissions = [
    "artifactregistry.repositories.get",
    "artifactregistry.repositories.getIamPolicy",
    "bigquery.datasets.get",
    "bigquery.datasets.getIamPolicy",
    "cloudbuild.builds.get",
    "cloudbuild.connections.get",
    "cloudbuild.repositories.get",
    "cloudfunctions.functions.get",
    "cloudscheduler.jobs.get",
    "datastore.backupSchedules.get",
    "datastore.databases.getMetadata",
    "datastore.indexes.get",
    "datastore.indexes.list",
    "eventarc.triggers.get",
    "iam.roles.get",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
    "logging.logMetrics.get",
    "monitoring.alertPolicies.get",
    "monitoring.dashboards.get",
    "monitoring.notificationChannels.get",
    "pubsub.topics.get",
    "pubsub.topics.getIamPolicy",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    "run.services.get",
    "run.services.getIamPolicy",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.versions.get",
    "serviceusage.services.get",
    "serviceusage.services.list",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
  ]
}

resource "google_project_iam_custom_role" "planner" {
  count = var.deployer != null ? 1 : 0

  project     = var.project_id
  role_id     = "${local.role_prefix}_planner"
  title       = "${var.name}: planner"
  description = "Sees what is deployed, and nothing that is in it"
  permissions = local.planner_permissions

  depends_on = [time_sleep.apis]
}

resource "google_project_iam_member" "planner" {
  for_each = var.deployer != null ? toset(["custom", "logs"]) : toset([])

  project = var.project_id
  role    = each.key == "custom" ? google_project_iam_custom_role.planner[0].id : "roles/logging.logWriter"
  member  = google_service_account.this["planner"].member
}

resource "google_storage_bucket_iam_member" "planner_source" {
  for_each = local.planner

  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.this["planner"].member
}

# Beside reading the planner may lay down the text of a plan, which it can neither change nor take away afterwards.
resource "google_storage_bucket_iam_member" "planner_keeps_plans" {
  for_each = local.planner

  bucket = var.deployer.state_bucket
  role   = "roles/storage.objectCreator"
  member = google_service_account.this["planner"].member

  condition {
    title      = "plans only"
    expression = "resource.name.startsWith('projects/_/buckets/${var.deployer.state_bucket}/objects/plans/${var.name}/')"
  }
}
