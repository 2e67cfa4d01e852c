# The master key, and the configuration that is mounted as a file.

locals {
  config_folder = "/etc/${var.name}"

  model_list = [
    for each in var.models : {
      model_name = each.name
      litellm_params = {
        model           = "vertex_ai/${coalesce(each.model, each.name)}"
        vertex_project  = coalesce(each.project, var.project_id)
        vertex_location = each.location
      }
    }
  ]
  given_config = var.config == null ? null : yamldecode(var.config)
  # By way of JSON, because the two sides are objects of different types.
  base_config = jsondecode(
    var.config != null ? jsonencode(local.given_config)
    : length(var.models) > 0 ? jsonencode({ model_list = local.model_list })
    : "{}"
  )
  config = merge(local.base_config, {
    general_settings = merge(
      {
        budget_action      = var.budget_action
        private            = !var.gateway.public
        settlement_seconds = var.settle.settlement_seconds
      },
      try(local.base_config.general_settings, {}),
      { reconcile_service_account = google_service_account.this["scheduler"].email },
      var.events_topic ? { pubsub_topic = google_pubsub_topic.events[0].id } : {},
    )
  })

  # Projects whose jobs are called with the functions' own identity. A model with credentials of its own brings its rights.
  configured_models    = try(local.base_config.model_list, [])
  serves_whole_project = length(local.configured_models) == 0
  served_projects = local.serves_whole_project ? toset([var.project_id]) : toset([
    for each in local.configured_models : try(each.litellm_params.vertex_project, var.project_id)
    if !can(each.litellm_params.vertex_credentials) && can(regex("^vertex_ai(_beta)?/", each.litellm_params.model))
  ])
}

resource "google_secret_manager_secret" "this" {
  for_each = toset(["config", "master-key"])

  project   = var.project_id
  secret_id = "${var.name}-${each.key}"
  labels    = local.labels
  replication {
    auto {}
  }

  depends_on = [google_project_service.this]
}

resource "google_secret_manager_secret_version" "config" {
  secret      = google_secret_manager_secret.this["config"].id
  secret_data = yamlencode(local.config)
  # Revisions name their version, so an earlier one must stay for a roll-back to an earlier revision.
  deletion_policy = "ABANDON"

  lifecycle {
    create_before_destroy = true
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
