# The HTTP function.

resource "google_cloudfunctions2_function" "gateway" {
  project     = var.project_id
  location    = var.region
  name        = "${var.name}-gateway"
  description = "Vertex Batch Gateway: the HTTP API"
  labels      = local.labels

  build_config {
    runtime           = var.runtime
    entry_point       = "gateway"
    docker_repository = google_artifact_registry_repository.functions[var.region].id
    service_account   = google_service_account.this["build"].id
    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  # Startup CPU boost has no argument here: Cloud Run functions turns it on for every function.
  service_config {
    all_traffic_on_latest_revision = true
    available_cpu                  = var.gateway.cpu
    available_memory               = var.gateway.memory
    # Without THREADS functions-framework answers four requests at a time, and Cloud Run sends it more all the same.
    environment_variables            = merge(local.environment, { THREADS = tostring(var.gateway.concurrency) })
    ingress_settings                 = var.gateway.ingress
    max_instance_count               = var.gateway.max_instances
    max_instance_request_concurrency = var.gateway.concurrency
    min_instance_count               = var.gateway.min_instances
    service_account_email            = google_service_account.this["gateway"].email
    timeout_seconds                  = var.gateway.timeout_seconds

    secret_environment_variables {
      key        = "GATEWAY_MASTER_KEY"
      project_id = var.project_id
      secret     = google_secret_manager_secret.this["master-key"].secret_id
      version    = google_secret_manager_secret_version.master_key.version
    }
    dynamic "secret_environment_variables" {
      for_each = var.secret_environment
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
    # Numbered versions: with "latest" a change would reach some instances, and no revision would be to blame.
    secret_volumes {
      mount_path = local.config_folder
      project_id = var.project_id
      secret     = google_secret_manager_secret.this["config"].secret_id
      versions {
        path    = "config.yaml"
        version = google_secret_manager_secret_version.config.version
      }
    }
  }

  depends_on = [time_sleep.grants]
}
