# The account that applies this from Cloud Build, and the builds that use it. See cloudbuild.yaml.

locals {
  deployer = var.deployer != null ? toset(["deployer"]) : toset([])

  # Roles that this Terraform grants, and so the only ones that the deployer may grant or take away on the project.
  granted_roles = concat(
    [google_project_iam_custom_role.books.id],
    [for each in local.vertex_roles : google_project_iam_custom_role.vertex["${each.function}/${each.project}"].id if each.project == var.project_id],
    google_project_iam_custom_role.bigquery[*].id,
    google_project_iam_custom_role.deployer[*].id,
    ["roles/eventarc.eventReceiver", "roles/logging.logWriter", "roles/pubsub.publisher", "roles/storage.objectViewer"],
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

  depends_on = [google_project_service.this]
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
  for_each = toset(compact([try(var.deployer.state_bucket, null)]))

  bucket = each.key
  role   = "roles/storage.objectUser"
  member = google_service_account.this["deployer"].member
}

# The provider reads a secret's version back to compare it; of the master key's it does not.
resource "google_secret_manager_secret_iam_member" "deployer" {
  for_each = var.deployer == null ? toset([]) : toset(var.deployer.smoke_job ? ["config", "master-key"] : ["config"])

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.key].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this["deployer"].member
}

locals {
  builds = {
    # A push is checked and planned; the plan is kept, and the apply is asked for.
    plan = { approval = false, description = "Checks and plans what is pushed" }
    # Waits for somebody to approve, then applies exactly that plan.
    apply = { approval = true, description = "Applies a plan, once it is approved" }
  }
  triggers = try(var.deployer.repository, null) == null ? {} : local.builds
}

resource "google_cloudbuild_trigger" "this" {
  for_each = local.triggers

  project         = var.project_id
  location        = split("/", var.deployer.repository)[3]
  name            = "${var.name}-${each.key}"
  description     = each.value.description
  service_account = google_service_account.this["deployer"].id
  substitutions = {
    _NAME         = var.name
    _PHASE        = each.key
    _REGION       = var.region
    _STATE_BUCKET = var.deployer.state_bucket
  }

  # A push starts the plan; the plan starts the apply.
  filename = each.key == "plan" ? "cloudbuild.yaml" : null
  dynamic "repository_event_config" {
    for_each = each.key == "plan" ? [1] : []
    content {
      repository = var.deployer.repository
      push {
        branch = var.deployer.branch
      }
    }
  }
  dynamic "git_file_source" {
    for_each = each.key == "apply" ? [1] : []
    content {
      path       = "cloudbuild.yaml"
      repository = var.deployer.repository
      repo_type  = "UNKNOWN"
    }
  }
  dynamic "source_to_build" {
    for_each = each.key == "apply" ? [1] : []
    content {
      ref        = "refs/heads/main"
      repository = var.deployer.repository
      repo_type  = "UNKNOWN"
    }
  }

  approval_config {
    approval_required = each.value.approval
  }

  depends_on = [google_project_service.this]
}
