# The sweep.

resource "google_cloud_scheduler_job" "sweep" {
  project          = var.project_id
  region           = coalesce(var.sweep.region, var.region)
  name             = "${var.name}-sweep"
  description      = "Finds what events missed: POST /internal/reconcile"
  schedule         = var.sweep.schedule
  time_zone        = "Etc/UTC"
  attempt_deadline = "${var.gateway.timeout_seconds}s"

  http_target {
    http_method = "POST"
    # The service's own address, and not cloudfunctions.net: the gateway takes the host that was called for the audience.
    uri = "${google_cloudfunctions2_function.gateway.service_config[0].uri}/internal/reconcile"
    oidc_token {
      audience              = google_cloudfunctions2_function.gateway.service_config[0].uri
      service_account_email = google_service_account.this["scheduler"].email
    }
  }

  retry_config {
    # The next sweep comes soon and does what this one has left.
    retry_count = 0
  }
}
