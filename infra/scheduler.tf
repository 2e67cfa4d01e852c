# The sweep.

locals {
  # What the scheduler's token is made for: the address that Cloud Run gives the service by its name, which is known before there
  # is a service, so that the gateway's configuration can hold it ("Deterministic URL" of Cloud Run's documentation).
  sweep_audience = "https://${var.name}-gateway-${local.project_number}.${var.region}.run.app"
  # Minutes of the day at which it runs, out of the first two fields of cron: *, 5, 1-9, */5, 0-30/10, and lists of them.
  sweep_fields = [
    for index, last in [59, 23] : [
      for number in range(last + 1) : number
      if anytrue([
        for part in split(",", element(split(" ", var.sweep.schedule), index)) : try(
          number >= (startswith(part, "*") ? 0 : tonumber(regex("^[0-9]+", part)))
          && number <= (can(regex("^[0-9]+$", part)) ? tonumber(part) : try(tonumber(regex("-([0-9]+)", part)[0]), last))
          && (number - (startswith(part, "*") ? 0 : tonumber(regex("^[0-9]+", part)))) % try(tonumber(regex("/([0-9]+)$", part)[0]), 1) == 0,
          false,
        )
      ])
    ]
  ]
  sweep_times = [for pair in setproduct(local.sweep_fields[1], local.sweep_fields[0]) : 60 * pair[0] + pair[1]]
  longest_pause_minutes = max(1, [
    for index, time in local.sweep_times :
    (index + 1 < length(local.sweep_times) ? local.sweep_times[index + 1] : local.sweep_times[0] + 1440) - time
  ]...)
}

resource "google_cloud_scheduler_job" "sweep" {
  project     = var.project_id
  region      = coalesce(var.sweep.region, var.region)
  name        = "${var.name}-sweep"
  description = "Finds what events missed: POST /internal/reconcile"
  schedule    = var.sweep.schedule
  time_zone   = "Etc/UTC"
  # Cloud Scheduler waits for half an hour at most.
  attempt_deadline = "${min(var.gateway.timeout_seconds, 1800)}s"

  http_target {
    http_method = "POST"
    # The service's own address: Cloud Run takes no token for cloudfunctions.net.
    uri = "${google_cloudfunctions2_function.gateway.service_config[0].uri}/internal/reconcile"
    oidc_token {
      audience              = local.sweep_audience
      service_account_email = google_service_account.this["scheduler"].email
    }
  }

  retry_config {
    # The next sweep comes soon and does what this one has left.
    retry_count = 0
  }
}
