# The configuration file of the functions: made from `models`, or given.

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
  # The master key comes from the environment, whatever name the file has for it.
  given_settings = { for key, value in try(local.base_config.general_settings, {}) : key => value if key != "master_key" }
  config = merge(local.base_config, {
    general_settings = merge(
      {
        budget_action      = var.budget_action
        private            = !var.gateway.public
        settlement_seconds = var.settle.settlement_seconds
      },
      length(local.made_input_ids) > 0 ? { input_prefix = "gs://${local.bucket_names[sort(local.made_input_ids)[0]]}" } : {},
      length(local.output_ids) > 0 ? { output_prefix = "gs://${local.bucket_names[sort(local.output_ids)[0]]}" } : {},
      local.given_settings,
      {
        reconcile_audience        = local.sweep_audience
        reconcile_service_account = google_service_account.this["scheduler"].email
      },
      var.billing_export != null ? { billing_export = var.billing_export } : {},
      var.events_topic ? { pubsub_topic = google_pubsub_topic.events[0].id } : {},
    )
  })

  # What the gateway takes from the environment: of models on Vertex AI all but what is another provider's, and its own
  # settings. Other models and settings it ignores, and what they name need not be there.
  vertex_models = [
    for each in local.configured_models : each.litellm_params
    if can(regex("^vertex_ai(_beta)?/", each.litellm_params.model))
  ]
  own_settings = ["allow_private_webhooks", "billing_export", "budget_action", "input_prefix", "output_prefix", "private", "pubsub_topic", "settlement_seconds"]
  named_variables = toset(flatten([
    for value in concat(
      [for each in local.vertex_models : { for key, value in each : key => value if key == "model" || startswith(key, "vertex_") }],
      [for key, value in local.given_settings : value if contains(local.own_settings, key)],
    ) : regexall("\"?os\\.environ/([A-Za-z0-9_]+)", jsonencode(value))
  ]))
  missing_variables = setsubtract(local.named_variables, concat(keys(var.environment), keys(var.secret_environment)))
  # Files are not deployed along.
  credential_files = [
    for each in local.vertex_models : each.vertex_credentials
    if can(regex("^[^{]", each.vertex_credentials)) && !startswith(try(each.vertex_credentials, ""), "os.environ/")
  ]

  # Projects whose jobs are called with the functions' own identity. A model with credentials of its own brings its rights.
  configured_models    = try(local.base_config.model_list, [])
  serves_whole_project = length(local.configured_models) == 0
  served_projects = local.serves_whole_project ? toset([var.project_id]) : toset([
    for each in local.vertex_models : local.model_projects[try(each.vertex_project, var.project_id)]
    if !can(each.vertex_credentials)
  ])
  # By how they are written: os.environ/NAME stands for what it names.
  model_projects = {
    for written in distinct([for each in local.vertex_models : try(each.vertex_project, var.project_id)]) :
    written => lookup(var.environment, trimprefix(written, "os.environ/"), written)
  }
}
