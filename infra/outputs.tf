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
        project="${split("/", local.first_place)[1]}",
        location="${split("/", local.first_place)[3]}",
        credentials=Credentials(token=os.environ["GATEWAY_KEY"]),
        http_options={"base_url": "${local.url}"},
    )
  EOT
}

output "curl" {
  description = "A first call: lists the jobs, with GATEWAY_KEY in the environment."
  value       = "curl -sS '${local.url}/v1/${local.first_place}/batchPredictionJobs' -H \"Authorization: Bearer $GATEWAY_KEY\""
}

output "dashboard_url" {
  description = "The dashboard in Cloud Monitoring."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${element(split("/", google_monitoring_dashboard.this.id), 3)}?project=${var.project_id}"
}

output "database" {
  description = "Name of the Firestore database."
  value       = google_firestore_database.this.name
}

output "environment" {
  description = "What the README's examples take from the environment, beside GATEWAY_KEY."
  value       = <<-EOT
    export GATEWAY_URL=${local.url}
    export PARENT=v1/${local.first_place}
    export INPUT_BUCKET=${try(local.bucket_names[sort(local.input_ids)[0]], "")}
    export OUTPUT_BUCKET=${local.bucket_names[sort(local.output_ids)[0]]}
  EOT
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
  # Of the first model on Vertex AI; without a model_list every location is served. us-central1 is LiteLLM's default.
  first_model = try(local.vertex_models[0], { vertex_location = "global" })
  first_place = join("/", [
    "projects", try(local.model_projects[local.first_model.vertex_project], var.project_id),
    "locations", try(local.first_model.vertex_location, "us-central1"),
  ])
}
