# APIs, and service agents that have to exist before anything is granted to them.

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
    length(var.bigquery_datasets) > 0 ? ["bigquery.googleapis.com"] : [],
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

# Read after the APIs are there: in a fresh project Resource Manager's is not.
data "google_project" "this" {
  project_id = var.project_id

  depends_on = [google_project_service.this]
}

# Cloud Storage makes its agent when it is asked for it.
data "google_storage_project_service_account" "gcs" {
  project = var.project_id

  depends_on = [google_project_service.this]
}

# Vertex AI reads input and writes output as this agent, one for each project that runs jobs.
resource "google_project_service_identity" "vertex" {
  provider = google-beta
  for_each = local.served_projects

  project = each.key
  service = "aiplatform.googleapis.com"

  depends_on = [google_project_service.this]
}

resource "google_project_service_identity" "eventarc" {
  provider = google-beta

  project = var.project_id
  service = "eventarc.googleapis.com"

  depends_on = [google_project_service.this]
}

# The first trigger of a project is refused while Eventarc's new agent is not known everywhere ("permission denied
# while using the Eventarc Service Agent"), and while the grants that it checks have not arrived.
resource "time_sleep" "eventarc" {
  create_duration = "120s"

  depends_on = [
    google_project_iam_member.gcs_publisher,
    google_project_iam_member.trigger,
    google_project_service_identity.eventarc,
  ]
}
