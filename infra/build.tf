# What the account that builds the functions' images may do.

resource "google_artifact_registry_repository_iam_member" "build" {
  for_each = local.regions

  project    = var.project_id
  location   = each.key
  repository = google_artifact_registry_repository.functions[each.key].name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.this["build"].member
}

resource "google_storage_bucket_iam_member" "build" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.this["build"].member
}

resource "google_project_iam_member" "build" {
  for_each = {
    logs    = { role = "roles/logging.logWriter", prefix = null }
    sources = { role = "roles/storage.objectViewer", prefix = "projects/_/buckets/gcf-v2-sources-" }
  }

  project = var.project_id
  role    = each.value.role
  member  = google_service_account.this["build"].member

  # Cloud Run functions copies the archive to a bucket of its own, which is not there before the first deployment.
  dynamic "condition" {
    for_each = each.value.prefix == null ? [] : [each.value.prefix]
    content {
      title      = "copies of function sources only"
      expression = "resource.name.startsWith(\"${condition.value}\")"
    }
  }
}
