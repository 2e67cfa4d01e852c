# What can be asked for beyond the defaults. Google is mocked. A run takes seconds, so that each asks for several things
# that have nothing to do with each other.

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

run "a_file_that_names_what_is_not_there" {
  command = plan

  variables {
    environment = { REGION = "global" }
    config      = <<-EOT
      model_list:
        - model_name: flash
          litellm_params: {model: vertex_ai/gemini-3.5-flash, vertex_location: os.environ/REGION, vertex_credentials: os.environ/CREDENTIALS}
      general_settings: {pubsub_topic: os.environ/TOPIC}
    EOT
  }

  expect_failures = [google_secret_manager_secret_version.config]
}

run "a_file_that_names_a_file" {
  command = plan

  variables {
    config = "model_list: [{model_name: a, litellm_params: {model: vertex_ai/gemini-3.5-flash, vertex_credentials: keys/vertex.json}}]"
  }

  expect_failures = [google_secret_manager_secret_version.config]
}

run "a_bucket_of_too_long_a_name" {
  command = plan

  variables {
    name           = "twenty-letters-long1"
    project_id     = "a-project-of-thirty-letters-01"
    output_buckets = { sixteen-letters1 = {} }
  }

  expect_failures = [google_storage_bucket.this]
}

run "buckets_anywhere_a_whole_project_and_no_alerts" {
  command = plan

  variables {
    alerts            = { enabled = false }
    bigquery_datasets = ["my-project.batch_output"]
    region            = "us-central1"
    input_buckets     = {}
    output_buckets = {
      europe = { location = "EU" }
      given  = { create = false, name = "their-bucket" }
      iowa   = { location = "us-central1" }
      moved  = { location = "europe-west1", function_region = "europe-west4" }
      nearby = { location = "europe-west1" }
    }
    models = []
  }

  assert {
    condition = { for id, each in google_cloudfunctions2_function.settle : id => each.location } == {
      "output/europe" = "us-central1"
      "output/given"  = "us-central1"
      "output/iowa"   = "us-central1"
      "output/moved"  = "europe-west4"
      "output/nearby" = "europe-west1"
    }
    error_message = "Settlement runs beside the bucket where it can."
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.create_input) == 0
    error_message = "Without an input bucket of ours, nothing is created anywhere."
  }
  assert {
    condition = { for id, each in google_cloudfunctions2_function.settle : id => each.event_trigger[0].trigger_region } == {
      "output/europe" = "eu"
      "output/given"  = "eu"
      "output/iowa"   = "us-central1"
      "output/moved"  = "europe-west1"
      "output/nearby" = "europe-west1"
    }
    error_message = "A trigger is in its bucket's location, also of a bucket that was given."
  }
  assert {
    condition     = keys(google_artifact_registry_repository.functions) == ["europe-west1", "europe-west4", "us-central1"]
    error_message = "Each region that functions are in has a repository."
  }
  assert {
    condition     = !contains(keys(google_storage_bucket.this), "output/given")
    error_message = "A given bucket is not made."
  }

  assert {
    condition     = !can(local.config.model_list)
    error_message = "Without models the configuration names none."
  }
  assert {
    condition     = contains(google_project_iam_custom_role.vertex["gateway/my-project"].permissions, "aiplatform.locations.list")
    error_message = "The sweep has to ask which locations there are."
  }

  assert {
    condition     = length(google_monitoring_alert_policy.log) + length(google_monitoring_alert_policy.metric) == 0
    error_message = "Alerts can be done without."
  }

  assert {
    condition     = google_bigquery_dataset_iam_member.read_output["my-project.batch_output"].role == "roles/bigquery.dataViewer"
    error_message = "The sweep reads the dataset."
  }
}

run "several_projects_behind_iam_deployed_from_cloud_build" {
  command = plan

  variables {
    billing_export = "finance-project.billing.gcp_billing_export_v1_012345_6789AB_CDEF01"
    deployer = {
      repository   = "projects/my-project/locations/europe-west1/connections/github/repositories/batch"
      state_bucket = "state"
    }
    gateway = { public = false, invokers = ["group:data@example.com"], ingress = "ALLOW_INTERNAL_AND_GCLB", timeout_seconds = 3600 }
    models = [
      { name = "gemini-3.5-flash" },
      { name = "research", model = "gemini-3.8-flash", project = "research-project", location = "global" },
    ]
    sweep = { schedule = "30 3 * * *" }
  }

  assert {
    condition     = keys(google_project_iam_custom_role.vertex) == ["gateway/my-project", "gateway/research-project", "settle/my-project", "settle/research-project"]
    error_message = "Each served project has the roles."
  }
  assert {
    condition     = keys(google_project_service_identity.vertex) == ["my-project", "research-project"] && keys(google_project_service.served) == ["research-project"]
    error_message = "Each served project has Vertex AI's API and agent."
  }
  assert {
    condition     = keys(google_storage_bucket_iam_member.vertex_locates) == ["my-project/input/input", "my-project/output/output", "research-project/input/input", "research-project/output/output"]
    error_message = "Each agent may see where each bucket is."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.metric["sweep_missing"].conditions[0].condition_prometheus_query_language[0].query, "[1500m]")
    error_message = "That one is missing is told after a day and an hour."
  }
  assert {
    condition     = google_cloud_scheduler_job.sweep.attempt_deadline == "1800s"
    error_message = "Cloud Scheduler waits for half an hour at most."
  }

  assert {
    condition     = local.config.general_settings.private
    error_message = "The gateway is not told that Cloud Run checks who calls."
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.public) == 0
    error_message = "Not for everybody."
  }
  assert {
    condition     = keys(google_cloud_run_v2_service_iam_member.invokers) == ["group:data@example.com"]
    error_message = "For those who were named."
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.deployer) == 1 && google_cloudbuild_trigger.this["apply"].substitutions["_SMOKE"] == "none"
    error_message = "Who deploys may look at it, and does not try where nobody gets in."
  }
  assert {
    condition     = google_cloudbuild_trigger.pricecheck["deployer"].git_file_source[0].revision == "refs/heads/main" && length(google_cloud_scheduler_job.pricecheck) == 1
    error_message = "Where a repository is connected, the price table is compared with the public ones."
  }

  assert {
    condition     = google_cloudbuild_trigger.this["apply"].approval_config[0].approval_required && !google_cloudbuild_trigger.this["plan"].approval_config[0].approval_required
    error_message = "A plan is made at once, and applied when somebody approves."
  }
  assert {
    condition     = !contains(keys(google_secret_manager_secret_iam_member.deployer), "smoke_job")
    error_message = "The deployer reads the master key only for a smoke test that was asked for."
  }
  assert {
    condition     = alltrue([for each in google_cloudbuild_trigger.this : each.filename == "cloudbuild.yaml" && each.repository_event_config[0].push[0].branch == "^main$"])
    error_message = "Both begin with a push, and run the file of the commit that was pushed."
  }

  assert {
    condition     = google_bigquery_dataset_iam_member.read_bill[0].project == "finance-project" && google_bigquery_dataset_iam_member.read_bill[0].dataset_id == "billing" && google_bigquery_dataset_iam_member.read_bill[0].role == "roles/bigquery.dataViewer"
    error_message = "The gateway reads the dataset of the export, and no other."
  }
  assert {
    condition     = google_project_iam_custom_role.bigquery[0].permissions == toset(["bigquery.jobs.create"])
    error_message = "The gateway runs the query."
  }
  assert {
    condition     = local.config.general_settings.billing_export == "finance-project.billing.gcp_billing_export_v1_012345_6789AB_CDEF01"
    error_message = "The functions know the export."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.log["bill_drift"].conditions[0].condition_matched_log[0].filter, "jsonPayload.drift_percent>5")
    error_message = "Drift is told from the threshold on."
  }
}

run "a_proxys_own_file_and_everything_watched" {
  command = apply

  variables {
    alerts = { daily_spend_usd = 100, job_finished = true }
    notifications = {
      channels       = ["projects/my-project/notificationChannels/987"]
      emails         = ["ops@example.com"]
      pubsub_topics  = ["projects/my-project/topics/incidents"]
      slack_channels = ["#batch"]
    }
    slack_token        = "xoxb-made-up"
    billing_budget     = { amount = 100, billing_account = "012345-6789AB-CDEF01" }
    events_topic       = true
    environment        = { THEIR_PROJECT = "their-project" }
    secret_environment = { CREDENTIALS = { secret = "vertex-credentials", version = "3" } }
    config             = <<-EOT
      model_list:
        - model_name: flash
          litellm_params: {model: vertex_ai/gemini-3.5-flash, vertex_project: os.environ/THEIR_PROJECT, vertex_location: europe-west4}
        - model_name: other-cloud
          litellm_params: {model: openai/gpt-5, api_key: os.environ/KEY}
        - model_name: own-credentials
          litellm_params: {model: vertex_ai/gemini-3.8-flash, vertex_project: closed-project, vertex_credentials: os.environ/CREDENTIALS}
      general_settings:
        master_key: os.environ/LITELLM_MASTER_KEY
        database_url: os.environ/DATABASE_URL
        settlement_seconds: 300
    EOT
  }

  assert {
    condition     = keys(google_project_service_identity.vertex) == ["their-project"]
    error_message = "Grants are made where the functions' own identity calls, and nowhere else."
  }
  assert {
    condition     = length(yamldecode(google_secret_manager_secret_version.config.secret_data).model_list) == 3
    error_message = "The file is taken as it is."
  }
  assert {
    condition = yamldecode(google_secret_manager_secret_version.config.secret_data).general_settings == {
      budget_action             = "nothing"
      database_url              = "os.environ/DATABASE_URL"
      input_prefix              = "gs://my-project-batch-gateway-input"
      output_prefix             = "gs://my-project-batch-gateway-output"
      private                   = false
      pubsub_topic              = google_pubsub_topic.events[0].id
      reconcile_audience        = google_cloud_scheduler_job.sweep.http_target[0].oidc_token[0].audience
      reconcile_service_account = google_service_account.this["scheduler"].email
      settlement_seconds        = 300
    }
    error_message = "Its settings are kept but for the master key, and ours are added."
  }
  assert {
    condition = alltrue([for each in [google_cloudfunctions2_function.gateway, google_cloudfunctions2_function.settle["output/output"]] :
      each.service_config[0].environment_variables["THEIR_PROJECT"] == "their-project" && anytrue([
        for secret in each.service_config[0].secret_environment_variables : secret.key == "CREDENTIALS" && secret.secret == "vertex-credentials" && secret.version == "3"
      ])
    ])
    error_message = "Both functions have what the file takes from the environment."
  }
  assert {
    condition     = keys(google_secret_manager_secret_iam_member.environment) == ["gateway/vertex-credentials", "settle/vertex-credentials"]
    error_message = "Both functions may read it."
  }
  assert {
    condition     = strcontains(output.curl, "/v1/projects/their-project/locations/europe-west4/")
    error_message = "The first call goes where the first model is served."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.metric["daily_spend"].conditions[0].condition_prometheus_query_language[0].query, "> 100")
    error_message = "The limit is what was asked for."
  }
  assert {
    condition     = alltrue([for policy in merge(google_monitoring_alert_policy.log, google_monitoring_alert_policy.metric) : length(policy.notification_channels) == 4])
    error_message = "Every alert goes to every channel."
  }
  assert {
    condition     = contains(keys(google_monitoring_alert_policy.log), "job_finished")
    error_message = "Finished jobs are told of if wanted."
  }
  assert {
    condition     = length(google_billing_budget.this[0].threshold_rules) == 3
    error_message = "The budget tells three times."
  }
  assert {
    condition     = length(google_billing_budget.this[0].all_updates_rule[0].monitoring_notification_channels) == 1
    error_message = "A budget takes channels of the kind e-mail only."
  }
  assert {
    condition     = contains(keys(google_project_service.this), "billingbudgets.googleapis.com")
    error_message = "A budget needs its API."
  }
}
