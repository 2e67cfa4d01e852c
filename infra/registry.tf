# Images of the functions. A repository must be in its function's own region.

resource "google_artifact_registry_repository" "functions" {
  for_each = local.regions

  project       = var.project_id
  location      = each.key
  repository_id = "${var.name}-functions"
  description   = "Images of Vertex Batch Gateway's functions"
  format        = "DOCKER"
  labels        = local.labels

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "2592000s"
    }
  }
  cleanup_policies {
    id     = "keep-for-rollback"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }

  depends_on = [time_sleep.apis]
}
