# The event function: one for each output bucket, beside it (decision 11).

locals {
  settle_regions = {
    for id in local.output_ids : id => (
      local.buckets[id].function_region != null ? local.buckets[id].function_region
      # A bucket's location is a region, or a group of them (eu, nam4), where no function can be.
      : can(regex("^[a-z]+-[a-z]+[0-9]+$", local.bucket_locations[id])) ? local.bucket_locations[id]
      : var.region
    )
  }
  regions = toset(concat([var.region], values(local.settle_regions)))
}

resource "google_cloudfunctions2_function" "settle" {
  for_each = local.settle_regions

  project     = var.project_id
  location    = each.value
  name        = "${var.name}-settle-${local.buckets[each.key].key}"
  description = "Vertex Batch Gateway: settles the outputs in ${local.bucket_names[each.key]}"
  labels      = local.labels

  build_config {
    runtime           = var.runtime
    entry_point       = "settle"
    docker_repository = google_artifact_registry_repository.functions[each.value].id
    service_account   = google_service_account.this["build"].id
    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  event_trigger {
    event_type = "google.cloud.storage.object.v1.finalized"
    # Where the bucket is, and nowhere else.
    trigger_region = local.bucket_locations[each.key]
    # Whatever fails is delivered again, for a day. Without this, an error would lose the output's cost until the sweep.
    retry_policy          = "RETRY_POLICY_RETRY"
    service_account_email = google_service_account.this["trigger"].email
    event_filters {
      attribute = "bucket"
      value     = local.bucket_names[each.key]
    }
  }

  service_config {
    all_traffic_on_latest_revision   = true
    available_cpu                    = var.settle.cpu
    available_memory                 = var.settle.memory
    environment_variables            = local.environment
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    max_instance_count               = var.settle.max_instances
    max_instance_request_concurrency = 1
    service_account_email            = google_service_account.this["settle"].email
    # The most that an event-driven function may have ("Quotas" of Cloud Run functions).
    timeout_seconds = 540

    # Not the master key: nobody is let in here.
    dynamic "secret_environment_variables" {
      for_each = var.secret_environment
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
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
