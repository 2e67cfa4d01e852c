# APIs, the service agents that Google makes for them, and the two waits of a first apply.

locals {
  labels = merge(var.labels, { app = var.name })

  services = toset(concat([
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "eventarc.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    ],
    local.uses_bigquery ? ["bigquery.googleapis.com"] : [],
    var.billing_budget != null ? ["billingbudgets.googleapis.com"] : [],
  ))
}

resource "google_project_service" "this" {
  for_each = local.services

  project = var.project_id
  service = each.key
  # Others in the project may use them too.
  disable_on_destroy = false
}

resource "google_project_service" "served" {
  for_each = setsubtract(local.served_projects, [var.project_id])

  project            = each.key
  service            = "aiplatform.googleapis.com"
  disable_on_destroy = false
}

# An API that was just enabled answers SERVICE_DISABLED for a while ("Managing project services" of the provider).
resource "time_sleep" "apis" {
  create_duration = var.waits.apis
  # One more API, one more wait.
  triggers = { services = join(" ", sort(concat(tolist(local.services), keys(google_project_service.served)))) }

  depends_on = [google_project_service.served, google_project_service.this]
}

# Vertex AI reads input and writes output as this agent, one for each project that runs jobs.
resource "google_project_service_identity" "vertex" {
  provider = google-beta
  for_each = local.served_projects

  project = each.key
  service = "aiplatform.googleapis.com"

  depends_on = [time_sleep.apis]
}

resource "google_project_service_identity" "eventarc" {
  provider = google-beta

  project = var.project_id
  service = "eventarc.googleapis.com"

  depends_on = [time_sleep.apis]
}

# Cloud Storage makes its agent when it is asked for it. Nothing takes a value from here: read anew whenever an API
# is added, it would be unknown in that plan, and replace what goes by it.
data "google_storage_project_service_account" "gcs" {
  project = var.project_id

  depends_on = [time_sleep.apis]
}

locals {
  project_number = regex("service-([0-9]+)@", google_project_service_identity.eventarc.email)[0]
}

# What is built, triggered or changed in the database comes after the grants that it is checked by, and grants take
# minutes to arrive everywhere. What waits names this.
resource "time_sleep" "grants" {
  create_duration = var.waits.grants
  # What an apply after the first may bring is waited for, too: another region has a registry of its own, another
  # project an agent, another secret a grant, and another database is as new as the first.
  triggers = {
    database = var.database.name
    projects = join(" ", sort(local.served_projects))
    regions  = join(" ", sort(local.regions))
    secrets  = join(" ", sort(local.environment_secrets))
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.build,
    google_firestore_database.this,
    google_project_iam_member.agents,
    google_project_iam_member.books,
    google_project_iam_member.build,
    google_project_iam_member.gcs_publisher,
    google_project_iam_member.trigger,
    google_project_iam_member.vertex,
    google_secret_manager_secret_iam_member.environment,
    google_secret_manager_secret_iam_member.functions,
    google_storage_bucket_iam_member.build,
  ]
}
