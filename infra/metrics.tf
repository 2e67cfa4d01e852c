# Metrics out of the application's structured log lines. Those about jobs are written in batch_gateway/log_events.py, the others
# where what they tell of happens; tests/infra/test_watching.py runs each filter on the lines that the code writes.

locals {
  # Lines of the application only, and of this installation's services.
  log_scope = join("\n", [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.service_name=~\"^${var.name}-(gateway|settle-.*)$\"",
  ])

  label_fields = {
    call   = "jsonPayload.call"
    event  = "jsonPayload.event"
    model  = "jsonPayload.\"gen_ai.request.model\""
    owner  = "jsonPayload.owner"
    state  = "jsonPayload.state"
    status = "jsonPayload.status"
    team   = "jsonPayload.team"
  }

  # `events`: of which lines; `scope`: of others than the application's. `value`: the field that is summed up;
  # without it lines are counted.
  metrics = merge(var.billing_export == null ? {} : {
    bill_drift_percent = {
      description = "By how much our books and Google's bill differ, once a day"
      events      = ["bill.compared"]
      value       = "jsonPayload.drift_percent"
      unit        = "%"
    }
    }, {
    budget_events = {
      description = "Budgets that were passed, or nearly"
      events      = ["budget.exceeded", "budget.warning"]
      labels      = ["event", "owner"]
    }
    budget_overruns = {
      description = "Jobs that cost more than was reserved for them"
      events      = ["budget.overrun"]
      labels      = ["model", "team"]
    }
    cost_usd = {
      description = "Cost that settlements added, in USD; negative where an overwritten output shrank"
      events      = ["output.settled"]
      labels      = ["model", "team"]
      value       = "jsonPayload.cost_usd"
      unit        = "{USD}"
    }
    inputs = {
      description = "Input files that were taken, or whose upload began"
      events      = ["input.taken"]
      labels      = ["team"]
    }
    job_states = {
      description = "Jobs that were seen to come into a state"
      events      = ["job.state_changed"]
      labels      = ["model", "state", "team"]
    }
    jobs_created = {
      description = "Jobs created through the gateway"
      events      = ["job.created"]
      labels      = ["model", "team"]
    }
    jobs_ended = {
      description = "Jobs that have ended"
      events      = ["batch.cancelled", "batch.completed", "batch.expired", "batch.failed"]
      labels      = ["model", "state", "team"]
    }
    jobs_stuck = {
      description = "Looks at a job that found it queued or running for longer than Vertex AI lets jobs be"
      events      = ["job.stuck"]
      labels      = ["model", "state", "team"]
    }
    request_seconds = {
      description = "How long the gateway's callers waited; the sweep is none"
      scope = join("\n", [
        "resource.type=\"cloud_run_revision\"",
        "resource.labels.service_name=\"${var.name}-gateway\"",
        "log_id(\"run.googleapis.com/requests\")",
        "NOT httpRequest.requestUrl:\"/internal/reconcile\"",
      ])
      value = "httpRequest.latency"
      unit  = "s"
    }
    settlement_failures = {
      description = "Outputs that could not be settled, and come again"
      events      = ["settlement.failed"]
    }
    settlement_lag_seconds = {
      description = "From an output written to its cost in the books"
      events      = ["output.settled"]
      value       = "jsonPayload.lag_seconds"
      unit        = "s"
    }
    stray_outputs = {
      description = "Outputs that belong to no job on record, and jobs whose output is not there"
      events      = ["output.lost", "output.parked"]
      labels      = ["event"]
    }
    sweeps = {
      description = "Sweeps that came to their end"
      events      = ["sweep.done"]
    }
    unpriced_rows = {
      description = "Rows in the books without a price"
      events      = ["output.settled"]
      labels      = ["model", "team"]
      value       = "jsonPayload.unpriced_rows"
      where       = "jsonPayload.unpriced_rows>0"
      unit        = "{row}"
    }
    upstream_errors = {
      description = "Errors that Vertex AI answered with, and calls that it did not answer"
      events      = ["upstream.error"]
      labels      = ["status"]
    }
    upstream_refusals = {
      description = "Calls that Vertex AI refused: rights, models, jobs that are not there, quotas"
      events      = ["upstream.refused"]
      labels      = ["call", "status"]
    }
    uris_not_allowed = {
      description = "Jobs whose rows named a file that their key may not read"
      events      = ["batch.uri_not_allowed"]
      labels      = ["model", "team"]
    }
  })
}

resource "google_logging_metric" "this" {
  for_each = local.metrics

  project     = var.project_id
  name        = "${var.name}/${each.key}"
  description = each.value.description
  filter = join("\n", compact([
    try(each.value.scope, local.log_scope),
    try("jsonPayload.event=(${join(" OR ", [for event in each.value.events : "\"${event}\""])})", ""),
    try(each.value.where, ""),
  ]))
  value_extractor  = try("EXTRACT(${each.value.value})", null)
  label_extractors = { for label in try(each.value.labels, []) : label => "EXTRACT(${local.label_fields[label]})" }

  metric_descriptor {
    display_name = "${var.name}: ${each.value.description}"
    metric_kind  = "DELTA"
    value_type   = can(each.value.value) ? "DISTRIBUTION" : "INT64"
    unit         = try(each.value.unit, "1")

    dynamic "labels" {
      for_each = try(each.value.labels, [])
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  # From a ten-thousandth (of a dollar, of a second) to a million.
  dynamic "bucket_options" {
    for_each = can(each.value.value) ? [1] : []
    content {
      exponential_buckets {
        growth_factor      = 2
        num_finite_buckets = 34
        scale              = 0.0001
      }
    }
  }

  depends_on = [time_sleep.apis]
}

locals {
  # As PromQL knows them: logging.googleapis.com/user/batch-gateway/sweeps.
  promql = {
    for key in keys(local.metrics) : key =>
    "logging_googleapis_com:user_${replace(var.name, "-", "_")}_${key}%s{monitored_resource=\"cloud_run_revision\"}"
  }
}
