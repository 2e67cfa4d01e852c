# Once a week the price table is compared with the public ones: tests/pricecheck/compare.py. Off unless a repository is connected.
# Scheduler, topic, trigger: so nobody needs the right to start any build. A build that fails has found something new.

locals {
  # The branch is a regular expression, for pushes; here it has to be one branch.
  deployed_ref = var.deployer == null ? "" : "refs/heads/${trimsuffix(trimprefix(var.deployer.branch, "^"), "$")}"
}

resource "google_pubsub_topic" "pricecheck" {
  for_each = local.deployer

  project = var.project_id
  name    = "${var.name}-pricecheck"
  labels  = local.labels

  depends_on = [time_sleep.apis]
}

resource "google_cloud_scheduler_job" "pricecheck" {
  for_each = local.deployer

  project     = var.project_id
  region      = coalesce(var.sweep.region, var.region)
  name        = "${var.name}-pricecheck"
  description = "Compares the price table with the public ones"
  schedule    = "0 6 * * 1"
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.pricecheck[each.key].id
    data       = base64encode("compare")
  }
}

resource "google_cloudbuild_trigger" "pricecheck" {
  for_each = local.deployer

  project         = var.project_id
  location        = split("/", var.deployer.repository)[3]
  name            = "${var.name}-pricecheck"
  description     = "Compares the price table with the public ones"
  service_account = google_service_account.this["planner"].id

  pubsub_config {
    topic = google_pubsub_topic.pricecheck[each.key].id
  }

  source_to_build {
    repository = var.deployer.repository
    ref        = local.deployed_ref
    repo_type  = "GITHUB"
  }

  git_file_source {
    path       = "tests/pricecheck/cloudbuild.yaml"
    repository = var.deployer.repository
    revision   = local.deployed_ref
    repo_type  = "GITHUB"
  }

  depends_on = [time_sleep.apis]
}
