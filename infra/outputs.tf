output "buckets" {
  description = "Names of the buckets, by input/KEY and output/KEY."
  value       = local.bucket_names
}

output "client_snippet" {
  description = "Python for the Google Gen AI SDK, with GATEWAY_KEY in the environment."
  value       = <<-EOT
    import os
    from google import genai
    from google.oauth2.credentials import Credentials

    client = genai.Client(
        vertexai=True,
        project="${sort(local.served_projects)[0]}",
        location="${local.first_location}",
        credentials=Credentials(token=os.environ["GATEWAY_KEY"]),
        http_options={"base_url": "${local.url}"},
    )
  EOT
}

output "curl" {
  description = "A first call: lists the jobs, with GATEWAY_KEY in the environment."
  value       = "curl -sS '${local.url}/v1/projects/${sort(local.served_projects)[0]}/locations/${local.first_location}/batchPredictionJobs' -H \"Authorization: Bearer $GATEWAY_KEY\""
}

output "dashboard_url" {
  description = "The dashboard in Cloud Monitoring."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${element(split("/", google_monitoring_dashboard.this.id), 3)}?project=${var.project_id}"
}

output "database" {
  description = "Name of the Firestore database."
  value       = google_firestore_database.this.name
}

output "events_topic" {
  description = "The topic of the application's events; null if there is none."
  value       = try(google_pubsub_topic.events[0].id, null)
}

output "master_key_command" {
  description = "Prints the master key, for those who may read it."
  value       = "gcloud secrets versions access ${google_secret_manager_secret_version.master_key.version} --secret=${google_secret_manager_secret.this["master-key"].secret_id} --project=${var.project_id}"
}

output "service_accounts" {
  description = "Addresses of the accounts, by what they do."
  value       = { for key, each in google_service_account.this : key => each.email }
}

output "source_object" {
  description = "The archive that is deployed; its name holds the hash of what is in it."
  value       = "gs://${google_storage_bucket_object.source.bucket}/${google_storage_bucket_object.source.name}"
}

output "url" {
  description = "The gateway's URL: what clients take in place of https://REGION-aiplatform.googleapis.com."
  value       = local.url
}

output "vertex_agents" {
  description = "Vertex AI's agents, by project: what reads input and writes output. Buckets that are not named here must let them."
  value       = { for project, each in google_project_service_identity.vertex : project => each.email }
}

locals {
  url = google_cloudfunctions2_function.gateway.service_config[0].uri
  first_location = (
    var.config == null && length(var.models) > 0 ? local.model_list[0].litellm_params.vertex_location
    : try(local.given_config.model_list[0].litellm_params.vertex_location, var.region)
  )
}
