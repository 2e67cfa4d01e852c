# Who may do what. Grants are on a bucket, secret, repository, topic, dataset or service wherever there is such a
# grant, and on the project, under a condition where one can be had, only where there is none.

locals {
  functions           = toset(["gateway", "settle"])
  environment_secrets = toset([for each in values(var.secret_environment) : each.secret])
}

# --- the functions' own

resource "google_project_iam_member" "books" {
  for_each = local.functions

  project = var.project_id
  role    = google_project_iam_custom_role.books.id
  member  = google_service_account.this[each.key].member

  condition {
    title       = "this database only"
    description = "The books of ${var.name}"
    expression  = "resource.name == \"projects/${var.project_id}/databases/${google_firestore_database.this.name}\""
  }

  # The functions use the old database until they are deployed with the new one.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_project_iam_member" "vertex" {
  for_each = local.vertex_roles

  project = each.value.project
  role    = google_project_iam_custom_role.vertex[each.key].id
  member  = google_service_account.this[each.value.function].member
}

resource "google_storage_bucket_iam_member" "read_output" {
  for_each = { for pair in setproduct(local.functions, local.output_ids) : "${pair[0]}/${pair[1]}" => pair }

  bucket = local.bucket_names[each.value[1]]
  role   = "roles/storage.objectViewer"
  member = google_service_account.this[each.value[0]].member
}

# For estimates, and for the checks of what rows name.
resource "google_storage_bucket_iam_member" "read_input" {
  for_each = local.input_ids

  bucket = local.bucket_names[each.key]
  role   = "roles/storage.objectViewer"
  member = google_service_account.this["gateway"].member
}

# For uploads, in the input buckets that are made here. Without the right to delete, nothing can be overwritten.
resource "google_storage_bucket_iam_member" "create_input" {
  for_each = local.made_input_ids

  bucket = local.bucket_names[each.key]
  role   = "roles/storage.objectCreator"
  member = google_service_account.this["gateway"].member
}

resource "google_secret_manager_secret_iam_member" "functions" {
  for_each = {
    for pair in [["gateway", "config"], ["gateway", "master-key"], ["settle", "config"]] : "${pair[0]}/${pair[1]}" => pair
  }

  project   = var.project_id
  secret_id = google_secret_manager_secret.this[each.value[1]].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[each.value[0]].member
}

# By secret, because two variables may name one, and the grant must not go with the first of them.
resource "google_secret_manager_secret_iam_member" "environment" {
  for_each = {
    for pair in setproduct(local.functions, local.environment_secrets) : "${pair[0]}/${pair[1]}" => pair
  }

  project   = var.project_id
  secret_id = each.value[1]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this[each.value[0]].member

  # Instances that start before the functions are deployed anew still take the old secret.
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_pubsub_topic_iam_member" "events" {
  for_each = var.events_topic ? local.functions : toset([])

  project = var.project_id
  topic   = google_pubsub_topic.events[0].name
  role    = "roles/pubsub.publisher"
  member  = google_service_account.this[each.key].member
}

resource "google_project_iam_member" "bigquery" {
  count = local.uses_bigquery ? 1 : 0

  project = var.project_id
  role    = google_project_iam_custom_role.bigquery[0].id
  member  = google_service_account.this["gateway"].member
}

resource "google_bigquery_dataset_iam_member" "read_output" {
  for_each = var.bigquery_datasets

  project    = split(".", each.key)[0]
  dataset_id = split(".", each.key)[1]
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.this["gateway"].member
}

resource "google_bigquery_dataset_iam_member" "read_bill" {
  count = var.billing_export != null ? 1 : 0

  project    = split(".", var.billing_export)[0]
  dataset_id = split(".", var.billing_export)[1]
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.this["gateway"].member
}

# --- who may call

resource "google_cloud_run_v2_service_iam_member" "public" {
  count = var.gateway.public ? 1 : 0

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.gateway.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_service_iam_member" "invokers" {
  for_each = var.gateway.invokers

  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.gateway.name
  role     = "roles/run.invoker"
  member   = each.key
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.gateway.name
  role     = "roles/run.invoker"
  member   = google_service_account.this["scheduler"].member
}

# On the service behind the function: a function's own invoker role does not let Eventarc through.
resource "google_cloud_run_v2_service_iam_member" "trigger" {
  for_each = local.settle_regions

  project  = var.project_id
  location = each.value
  name     = google_cloudfunctions2_function.settle[each.key].name
  role     = "roles/run.invoker"
  member   = google_service_account.this["trigger"].member
}

resource "google_project_iam_member" "trigger" {
  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.this["trigger"].member
}

# --- Google's agents

# An agent that is made on request is not given its role, as it is when a service makes it by itself ("Create and grant
# roles to service agents"). Without them no trigger can be made, and no job runs.
resource "google_project_iam_member" "agents" {
  for_each = merge(
    { "eventarc/${var.project_id}" = google_project_service_identity.eventarc.member },
    { for project, agent in google_project_service_identity.vertex : "aiplatform/${project}" => agent.member },
  )

  project = split("/", each.key)[1]
  role    = "roles/${split("/", each.key)[0]}.serviceAgent"
  member  = each.value
}

# Finalize events of Cloud Storage come over Pub/Sub. In the project of this installation: events come from the
# bucket's project, and Eventarc takes them only from its own.
resource "google_project_iam_member" "gcs_publisher" {
  project = var.project_id
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${local.project_number}@gs-project-accounts.iam.gserviceaccount.com"

  depends_on = [data.google_storage_project_service_account.gcs]
}

locals {
  agent_inputs  = { for pair in setproduct(local.served_projects, local.input_ids) : "${pair[0]}/${pair[1]}" => pair }
  agent_outputs = { for pair in setproduct(local.served_projects, local.output_ids) : "${pair[0]}/${pair[1]}" => pair }
}

resource "google_storage_bucket_iam_member" "vertex_reads" {
  for_each = local.agent_inputs

  bucket = local.bucket_names[each.value[1]]
  role   = "roles/storage.objectViewer"
  member = google_project_service_identity.vertex[each.value[0]].member
}

resource "google_storage_bucket_iam_member" "vertex_writes" {
  for_each = local.agent_outputs

  bucket = local.bucket_names[each.value[1]]
  role   = "roles/storage.objectUser"
  member = google_project_service_identity.vertex[each.value[0]].member
}

# A job fails with "Failed to get GCS bucket location" where its agent may see objects, but not their bucket.
resource "google_storage_bucket_iam_member" "vertex_locates" {
  for_each = merge(local.agent_inputs, local.agent_outputs)

  bucket = local.bucket_names[each.value[1]]
  role   = "roles/storage.legacyBucketReader"
  member = google_project_service_identity.vertex[each.value[0]].member
}

resource "google_bigquery_dataset_iam_member" "vertex_writes" {
  for_each = { for pair in setproduct(local.served_projects, var.bigquery_datasets) : "${pair[0]}/${pair[1]}" => pair }

  project    = split(".", each.value[1])[0]
  dataset_id = split(".", each.value[1])[1]
  role       = "roles/bigquery.dataEditor"
  member     = google_project_service_identity.vertex[each.value[0]].member
}
