# The master key, and the configuration that is mounted as a file.

resource "google_secret_manager_secret" "this" {
  for_each = toset(["config", "master-key"])

  project   = var.project_id
  secret_id = "${var.name}-${each.key}"
  labels    = local.labels
  replication {
    auto {}
  }

  depends_on = [time_sleep.apis]
}

resource "google_secret_manager_secret_version" "config" {
  secret      = google_secret_manager_secret.this["config"].id
  secret_data = yamlencode(local.config)
  # Revisions name their version, so an earlier one must stay for a roll-back to an earlier revision.
  deletion_policy = "ABANDON"

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = length(local.missing_variables) == 0
      error_message = "config takes from the environment what is not there, so that no instance would start: add ${join(", ", local.missing_variables)} to environment or secret_environment."
    }
    precondition {
      condition     = length(local.credential_files) == 0
      error_message = "config names files of credentials, which are not deployed: ${join(", ", local.credential_files)}. Put the JSON into Secret Manager and name it os.environ/NAME, with NAME in secret_environment."
    }
  }
}

resource "google_secret_manager_secret_version" "master_key" {
  secret = google_secret_manager_secret.this["master-key"].id
  # 256 random bits in 64 digits. Write-only: neither plan nor state holds it.
  secret_data_wo         = coalesce(var.master_key, "sk-${replace("${uuid()}${uuid()}", "-", "")}")
  secret_data_wo_version = var.master_key_version
  # After a rotation the old key opens nothing, and could be brought back if something still depends on it.
  deletion_policy = "DISABLE"

  lifecycle {
    create_before_destroy = true
  }
}
