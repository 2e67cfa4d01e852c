# What `terraform apply -var project_id=…` gives, with nothing else said. Google is mocked: no account is needed.

mock_provider "google" {
  mock_data "google_storage_bucket" {
    defaults = {
      location = "EU"
    }
  }
  mock_resource "google_service_account" {
    defaults = {
      email  = "account@my-project.iam.gserviceaccount.com"
      member = "serviceAccount:account@my-project.iam.gserviceaccount.com"
      name   = "projects/my-project/serviceAccounts/account@my-project.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = {
      service_config = {
        uri = "https://made-uc.a.run.app"
      }
    }
  }
  mock_resource "google_project_iam_custom_role" {
    defaults = {
      id = "projects/my-project/roles/made"
    }
  }
  mock_resource "google_monitoring_dashboard" {
    defaults = {
      id = "projects/123456789012/dashboards/made"
    }
  }
  mock_resource "google_monitoring_notification_channel" {
    defaults = {
      name = "projects/my-project/notificationChannels/1234567890"
    }
  }
}

mock_provider "google-beta" {
  mock_resource "google_project_service_identity" {
    defaults = {
      email  = "service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com"
      member = "serviceAccount:service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com"
    }
  }
}

mock_provider "time" {}

variables {
  project_id = "my-project"
  # Terraform 1.11 tests no apply with an ephemeral variable that is left out.
  master_key = "sk-made-up-0123456789abcdef0123456789abcdef"
}

run "apply" {
  command = apply

  assert {
    condition     = google_cloudfunctions2_function.gateway.build_config[0].entry_point == "gateway"
    error_message = "The gateway's entry point is what functions/main.py exports."
  }
  assert {
    condition     = google_cloudfunctions2_function.gateway.service_config[0].min_instance_count == 0
    error_message = "Idle, it must cost nothing."
  }
  assert {
    condition     = keys(google_cloudfunctions2_function.settle) == ["output/output"]
    error_message = "One settle function for each output bucket."
  }
  assert {
    condition     = google_cloudfunctions2_function.settle["output/output"].event_trigger[0].retry_policy == "RETRY_POLICY_RETRY"
    error_message = "A failed event must come again."
  }
  assert {
    condition     = google_cloudfunctions2_function.settle["output/output"].event_trigger[0].trigger_region == "us-central1"
    error_message = "A trigger is where its bucket is."
  }
  assert {
    condition     = google_cloudfunctions2_function.settle["output/output"].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "Nobody but Eventarc calls settle."
  }
  assert {
    condition     = google_cloudfunctions2_function.settle["output/output"].service_config[0].timeout_seconds > var.settle.settlement_seconds
    error_message = "Settlement stops before the function is ended."
  }
  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED" && google_firestore_database.this.deletion_policy == "ABANDON"
    error_message = "The books are protected unless told otherwise."
  }
  assert {
    condition     = google_firestore_database.this.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED" && length(google_firestore_backup_schedule.daily) == 1
    error_message = "The books can be restored."
  }
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access && !bucket.force_destroy])
    error_message = "Buckets are closed to the public, and kept."
  }
  assert {
    condition     = google_secret_manager_secret_version.master_key.secret_data == null
    error_message = "The master key must not be in the state."
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.public) == 1
    error_message = "Clients reach the gateway with its keys."
  }
  assert {
    condition     = google_cloudfunctions2_function.gateway.service_config[0].environment_variables["THREADS"] == tostring(google_cloudfunctions2_function.gateway.service_config[0].max_instance_request_concurrency)
    error_message = "functions-framework answers as many requests at a time as Cloud Run sends."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.settle["output/output"].service_config[0].secret_environment_variables) == 0
    error_message = "Who settles does not have the master key."
  }
  assert {
    condition     = !contains(keys(google_service_account.this), "deployer") && !contains(keys(google_service_account.this), "planner") && length(google_project_iam_member.deployer) == 0 && length(google_cloudbuild_trigger.pricecheck) == 0
    error_message = "No deployment from Cloud Build, no rights for one."
  }
  assert {
    condition     = alltrue([for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : lookup(tile, "xPos", 1) != 0 && lookup(tile, "yPos", 1) != 0])
    error_message = "The API does not give zeros back, and each plan would have a change."
  }
  assert {
    condition     = length(google_billing_budget.this) == 0 && length(google_pubsub_topic.events) == 0 && length(google_cloudbuild_trigger.this) == 0 && length(google_project_iam_custom_role.bigquery) == 0
    error_message = "What is optional is not there unless it is asked for."
  }
  assert {
    condition     = alltrue([for policy in merge(google_monitoring_alert_policy.log, google_monitoring_alert_policy.metric) : startswith(policy.display_name, "batch-gateway: ")])
    error_message = "Alerts say whose they are."
  }
  assert {
    condition     = !contains(keys(google_monitoring_alert_policy.metric), "daily_spend") && !contains(keys(google_monitoring_alert_policy.log), "job_finished")
    error_message = "Alerts that need a wish are not made without one."
  }
  assert {
    condition     = google_cloud_scheduler_job.sweep.http_target[0].uri == "${google_cloudfunctions2_function.gateway.service_config[0].uri}/internal/reconcile"
    error_message = "The sweep is called at the service's own address."
  }
  assert {
    condition     = google_cloud_scheduler_job.sweep.http_target[0].oidc_token[0].audience == yamldecode(google_secret_manager_secret_version.config.secret_data).general_settings.reconcile_audience
    error_message = "The sweep's token is made for what the gateway believes."
  }
  assert {
    condition     = yamldecode(google_secret_manager_secret_version.config.secret_data).general_settings.reconcile_service_account == google_service_account.this["scheduler"].email
    error_message = "The configuration names the scheduler's account."
  }
  assert {
    condition     = alltrue([for model in yamldecode(google_secret_manager_secret_version.config.secret_data).model_list : model.litellm_params.vertex_project == "my-project" && model.litellm_params.vertex_location == "global"])
    error_message = "Models are served in this project, at global."
  }
  assert {
    condition     = yamldecode(google_secret_manager_secret_version.config.secret_data).general_settings.input_prefix == "gs://${google_storage_bucket.this["input/input"].name}"
    error_message = "Uploads go into the input bucket."
  }
  assert {
    condition     = yamldecode(google_secret_manager_secret_version.config.secret_data).general_settings.output_prefix == "gs://${google_storage_bucket.this["output/output"].name}"
    error_message = "Jobs write into the output bucket."
  }
  assert {
    condition     = { for id, each in google_storage_bucket_iam_member.create_input : id => each.role } == { "input/input" = "roles/storage.objectCreator" }
    error_message = "The gateway creates objects in the input bucket, and overwrites none."
  }
  assert {
    condition     = startswith(google_storage_bucket_object.source.name, "functions-") && length(google_storage_bucket_object.source.name) == length("functions-0123456789abcdef.zip")
    error_message = "The archive's name holds the hash of its content."
  }
  assert {
    condition     = output.url == google_cloudfunctions2_function.gateway.service_config[0].uri && strcontains(output.curl, output.url) && strcontains(output.client_snippet, output.url)
    error_message = "Outputs show how to call it."
  }
  assert {
    condition = { for key, each in google_project_iam_member.agents : key => each.role } == {
      "aiplatform/my-project" = "roles/aiplatform.serviceAgent"
      "eventarc/my-project"   = "roles/eventarc.serviceAgent"
    }
    error_message = "Agents that are made on request are given their roles."
  }
  assert {
    condition     = alltrue([for each in google_storage_bucket_iam_member.vertex_locates : each.role == "roles/storage.legacyBucketReader"]) && length(google_storage_bucket_iam_member.vertex_locates) == 2
    error_message = "Vertex AI's agent may see where each bucket is."
  }
  assert {
    condition     = output.environment == <<-EOT
      export GATEWAY_URL=https://made-uc.a.run.app
      export PARENT=v1/projects/my-project/locations/global
      export INPUT_BUCKET=my-project-batch-gateway-input
      export OUTPUT_BUCKET=my-project-batch-gateway-output
    EOT
    error_message = "The README's examples have what they take from the environment."
  }
}

# What a later apply may change, all in one plan.
run "a_later_apply" {
  command = plan

  variables {
    bigquery_datasets   = ["my-project.batch_output"]
    database            = { name = "restored" }
    deletion_protection = false
    region              = "europe-west1"
    secret_environment  = { PASSWORD = { secret = "login" }, TOKEN = { secret = "token" }, USER = { secret = "login" } }
  }

  assert {
    condition     = google_project_iam_member.gcs_publisher.member == "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
    error_message = "The storage agent's grant would be replaced, and no event of the project be published meanwhile."
  }
  assert {
    condition = time_sleep.grants.triggers == tomap({
      database = "restored"
      projects = "my-project"
      regions  = "europe-west1"
      secrets  = "login token"
    })
    error_message = "Functions would be deployed, and a new database changed, before the grants have arrived."
  }
  assert {
    condition     = keys(google_secret_manager_secret_iam_member.environment) == ["gateway/login", "gateway/token", "settle/login", "settle/token"]
    error_message = "Two grants of the same would go both with one of two variables that name one secret."
  }
  assert {
    condition     = google_storage_bucket_object.source.name == element(split("/", run.apply.source_object), 3)
    error_message = "The archive's name depends on its content only."
  }
  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_DISABLED" && google_firestore_database.this.deletion_policy == "DELETE"
    error_message = "A destroy takes the database along."
  }
  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.force_destroy])
    error_message = "A destroy takes the buckets along."
  }
}
