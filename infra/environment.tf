# The environment of both functions.

locals {
  environment = merge(var.environment, {
    FIRESTORE_DATABASE   = google_firestore_database.this.name
    GATEWAY_CONFIG       = "${local.config_folder}/config.yaml"
    GOOGLE_CLOUD_PROJECT = var.project_id
    # Adds the execution's id to log lines. Google sets it by itself; said here, it is no difference in a plan.
    LOG_EXECUTION_ID = "true"
  })
}
