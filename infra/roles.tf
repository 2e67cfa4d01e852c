# Custom roles: exactly what the code calls. A test compares these lists with the calls in the code.

locals {
  uses_bigquery = length(var.bigquery_datasets) > 0 || var.billing_export != null

  role_prefix = replace(var.name, "-", "_")

  books_permissions = [
    "datastore.entities.create",
    "datastore.entities.delete",
    "datastore.entities.get",
    "datastore.entities.list",
    "datastore.entities.update",
  ]
  # A delete's operation is polled with the rights on the job: Vertex AI has no permission for reading an operation
  # (only aiplatform.operations.list; "IAM permissions reference"). Jobs run as Vertex AI's own agent, so nobody has to
  # be acted as, and iam.serviceAccounts.actAs is not needed.
  vertex_permissions = {
    gateway = concat(
      [
        "aiplatform.batchPredictionJobs.cancel",
        "aiplatform.batchPredictionJobs.create",
        "aiplatform.batchPredictionJobs.delete",
        "aiplatform.batchPredictionJobs.get",
        "aiplatform.batchPredictionJobs.list",
        "aiplatform.models.get",
      ],
      # Only where no places are configured does the sweep have to ask which ones there are.
      local.serves_whole_project ? ["aiplatform.locations.list"] : [],
    )
    settle = [
      "aiplatform.batchPredictionJobs.get",
      "aiplatform.models.get",
    ]
  }
  vertex_roles = {
    for pair in setproduct(keys(local.vertex_permissions), local.served_projects) :
    "${pair[0]}/${pair[1]}" => { function = pair[0], project = pair[1] }
  }
}

resource "google_project_iam_custom_role" "books" {
  project     = var.project_id
  role_id     = "${local.role_prefix}_books"
  title       = "${var.name}: books"
  description = "Reads and writes the documents of Vertex Batch Gateway"
  permissions = local.books_permissions

  depends_on = [time_sleep.apis]
}

# A custom role holds in its own project only: one for each project that is served.
resource "google_project_iam_custom_role" "vertex" {
  for_each = local.vertex_roles

  project     = each.value.project
  role_id     = "${local.role_prefix}_${each.value.function}"
  title       = "${var.name}: ${each.value.function}"
  description = "What Vertex Batch Gateway's ${each.value.function} function calls of Vertex AI"
  permissions = local.vertex_permissions[each.value.function]

  depends_on = [time_sleep.apis]
}

resource "google_project_iam_custom_role" "bigquery" {
  count = local.uses_bigquery ? 1 : 0

  project     = var.project_id
  role_id     = "${local.role_prefix}_bigquery"
  title       = "${var.name}: BigQuery"
  description = "Runs the queries that read output tables and the bill"
  permissions = ["bigquery.jobs.create"]

  depends_on = [time_sleep.apis]
}
