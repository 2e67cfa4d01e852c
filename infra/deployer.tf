# Deployment from Cloud Build: the account that applies, and the triggers. Who plans: planner.tf. See cloudbuild.yaml.

locals {
  deployers = var.deployer != null ? toset(["deployer", "planner"]) : toset([])
  deployer  = var.deployer != null ? toset(["deployer"]) : toset([])

  # Every role that this Terraform may grant on the project, whatever is asked for now: the deployer may grant these and
  # no others, and so cannot change this list. What is turned on later by a push is in it already.
  granted_roles = concat(
    [
      for suffix in ["bigquery", "books", "deployer", "gateway", "planner", "settle"] :
      "projects/${var.project_id}/roles/${local.role_prefix}_${suffix}"
    ],
    [
      "roles/aiplatform.serviceAgent",
      "roles/eventarc.eventReceiver",
      "roles/eventarc.serviceAgent",
      "roles/logging.logWriter",
      "roles/pubsub.publisher",
      "roles/storage.objectViewer",
    ],
    local.deployer_roles,
  )
  deployer_roles = [
    "roles/artifactregistry.admin",
    "roles/cloudbuild.builds.editor",
    "roles/cloudfunctions.developer",
    "roles/cloudscheduler.admin",
    "roles/iam.roleAdmin",
    "roles/iam.serviceAccountAdmin",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.alertPolicyEditor",
    "roles/monitoring.dashboardEditor",
    "roles/monitoring.notificationChannelEditor",
    "roles/pubsub.admin",
    "roles/run.admin",
    "roles/serviceusage.serviceUsageAdmin",
  ]
  # In place of admin roles that would let it read the objects, documents and secrets as well.
  deployer_permissions = [
    "bigquery.datasets.get",
    "bigquery.datasets.getIamPolicy",
    "bigquery.datasets.setIamPolicy",
    "bigquery.datasets.update",
    "cloudbuild.connections.get",
    "cloudbuild.repositories.get",
    "datastore.backupSchedules.create",
    "datastore.backupSchedules.delete",
    "datastore.backupSchedules.get",
    "datastore.backupSchedules.list",
    "datastore.backupSchedules.update",
    "datastore.databases.create",
    "datastore.databases.delete",
    "datastore.databases.getMetadata",
    "datastore.databases.list",
    "datastore.databases.update",
    "datastore.indexes.create",
    "datastore.indexes.delete",
    "datastore.indexes.get",
    "datastore.indexes.list",
    "datastore.indexes.update",
    "datastore.operations.get",
    "datastore.operations.list",
    "secretmanager.secrets.create",
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.secrets.setIamPolicy",
    "secretmanager.secrets.update",
    "secretmanager.versions.add",
    "secretmanager.versions.destroy",
    "secretmanager.versions.disable",
    "secretmanager.versions.enable",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
    "storage.buckets.create",
    "storage.buckets.delete",
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
    "storage.buckets.setIamPolicy",
    "storage.buckets.update",
  ]
}

resource "google_project_iam_custom_role" "deployer" {
  count = var.deployer != null ? 1 : 0

  project     = var.project_id
  role_id     = "${local.role_prefix}_deployer"
  title       = "${var.name}: deployer"
  description = "Makes buckets, databases and secrets, and reads nothing that is in them"
  permissions = local.deployer_permissions

  depends_on = [time_sleep.apis]
}

resource "google_project_iam_member" "deployer_custom" {
  for_each = local.deployer

  project = var.project_id
  role    = google_project_iam_custom_role.deployer[0].id
  member  = google_service_account.this["deployer"].member
}

resource "google_project_iam_member" "deployer" {
  for_each = var.deployer != null ? toset(local.deployer_roles) : toset([])

  project = var.project_id
  role    = each.key
  member  = google_service_account.this["deployer"].member
}

resource "google_project_iam_member" "deployer_grants" {
  for_each = local.deployer

  project = var.project_id
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = google_service_account.this["deployer"].member

  # It cannot make itself, or anybody, an owner.
  condition {
    title      = "only roles of this Terraform"
    expression = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([${join(", ", [for role in distinct(local.granted_roles) : "'${role}'"])}])"
  }
}

# A function is deployed, and a schedule or build trigger made, by somebody who may act as its account.
resource "google_service_account_iam_member" "deployer_acts_as" {
  for_each = var.deployer != null ? toset(keys(local.accounts)) : toset([])

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.this["deployer"].member
}

resource "google_storage_bucket_iam_member" "deployer_source" {
  for_each = local.deployer

  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectUser"
  member = google_service_account.this["deployer"].member
}

resource "google_storage_bucket_iam_member" "deployer_state" {
  for_each = local.deployers

  bucket = var.deployer.state_bucket
  role   = each.key == "deployer" ? "roles/storage.objectUser" : "roles/storage.objectViewer"
  member = google_service_account.this[each.key].member
}

# The provider reads a secret's version back to compare it; of the master key's it does not.
resource "google_secret_manager_secret_iam_member" "deployer" {
  for_each = var.deployer == null ? {} : merge(
    { deployer = ["deployer", "config"], planner = ["planner", "config"] },
    var.deployer.smoke_job ? { smoke_job = ["deployer", "master-key"] } : {},
  )

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.value[1]].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[each.value[0]].member
}

# A gateway that is not public is looked at with a token of the deployer's.
resource "google_cloud_run_v2_service_iam_member" "deployer" {
  for_each = var.gateway.public ? toset([]) : local.deployer

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.gateway.name
  role     = "roles/run.invoker"
  member   = google_service_account.this["deployer"].member
}

resource "google_service_account_iam_member" "deployer_token" {
  for_each = var.gateway.public ? toset([]) : local.deployer

  service_account_id = google_service_account.this["deployer"].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = google_service_account.this["deployer"].member
}

# Both begin with a push. The one that applies waits for somebody to approve it, who has read what the other planned.
resource "google_cloudbuild_trigger" "this" {
  for_each = var.deployer == null ? {} : {
    apply = { account = "deployer", approval = true, description = "Applies what was planned, once it is approved" }
    plan  = { account = "planner", approval = false, description = "Tests and plans what is pushed" }
  }

  project         = var.project_id
  location        = split("/", var.deployer.repository)[3]
  name            = "${var.name}-${each.key}"
  description     = each.value.description
  service_account = google_service_account.this[each.value.account].id
  filename        = "cloudbuild.yaml"
  substitutions = {
    _DIRECTORY    = var.deployer.directory
    _NAME         = var.name
    _PHASE        = each.key
    _SMOKE        = var.gateway.ingress != "ALLOW_ALL" ? "none" : var.gateway.public ? "public" : "private"
    _STATE_BUCKET = var.deployer.state_bucket
  }

  repository_event_config {
    repository = var.deployer.repository
    push {
      branch = var.deployer.branch
    }
  }

  approval_config {
    approval_required = each.value.approval
  }

  depends_on = [time_sleep.apis]
}
