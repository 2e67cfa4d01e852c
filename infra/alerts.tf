# What somebody is told of. Single events are matched in the log: at once, and with the job's name in the message.
# Rates are PromQL, whose metrics need not be there yet: an alert on a metric of Cloud Logging in another form is
# refused until the metric is minutes old.

locals {
  job_labels = {
    job   = "EXTRACT(jsonPayload.job)"
    model = "EXTRACT(jsonPayload.\"gen_ai.request.model\")"
    team  = "EXTRACT(jsonPayload.team)"
  }
  job_line = "Job $${log.extracted_label.job} (model $${log.extracted_label.model}, team $${log.extracted_label.team})"

  # `where`: which lines. `every`: at most one message in this time.
  log_alerts = merge(
    {
      job_failed = {
        title    = "a job failed"
        severity = "ERROR"
        where    = "jsonPayload.event=(\"batch.failed\" OR \"batch.expired\")"
        labels   = local.job_labels
        every    = "300s"
        text     = "${local.job_line} failed or expired. What it had written until then is in its cost. Vertex AI's reason is in the line's `error`, and in the job."
      }
      job_stuck = {
        title    = "a job is stuck"
        severity = "WARNING"
        where    = "jsonPayload.event=\"job.stuck\""
        labels   = local.job_labels
        every    = "21600s"
        text     = "${local.job_line} has been queued for over 72 hours or running for over 24, which is longer than Vertex AI lets jobs be. Look at it in the console, cancel it, and ask Google's support."
      }
      unpriced_rows = {
        title    = "rows whose cost is not known"
        severity = "WARNING"
        where    = "jsonPayload.event=\"output.settled\"\n(jsonPayload.unpriced_rows>0 OR jsonPayload.rows.malformed>0 OR jsonPayload.rows.unrecognized>0)"
        labels   = local.job_labels
        every    = "3600s"
        text     = "${local.job_line} has rows whose cost is not known: its amount is a floor. If they have no price, set the model's (PUT /v1/prices), and price the job again. If they could not be read, its cost report says how many, and lines with `rows.unrecognized` say which."
      }
      price_missing = {
        title    = "a model without a price"
        severity = "WARNING"
        where    = "jsonPayload.event=\"price.missing\""
        labels   = merge(local.job_labels, { for field in ["command", "unpriced_model"] : field => "EXTRACT(jsonPayload.${field})" })
        every    = "3600s"
        text     = "${local.job_line} used $${log.extracted_label.unpriced_model}, which has no price, or none for its input or output: its cost is not, or not wholly, in the totals. Fill in the rates, and run: $${log.extracted_label.command} - then price the job again (POST /v1/costs:reprice)."
      }
      stray_output = {
        title    = "an output that is nobody's, or a job without its output"
        severity = "WARNING"
        where    = "jsonPayload.event=(\"output.parked\" OR \"output.lost\")"
        labels   = { uri = "EXTRACT(jsonPayload.uri)" }
        every    = "3600s"
        text     = "$${log.extracted_label.uri}: parked outputs belong to no job on record, and the sweep goes on looking for one; lost ones were deleted before they were read, and their cost is not known."
      }
      budget = {
        title    = "a budget was passed, or nearly"
        severity = "WARNING"
        where    = "jsonPayload.event=(\"budget.warning\" OR \"budget.exceeded\")"
        labels   = { for field in ["owner", "spent"] : field => "EXTRACT(jsonPayload.${field})" }
        every    = "300s"
        text     = "$${log.extracted_label.owner} has spent $${log.extracted_label.spent} USD; the line has the limits. Beyond `max_budget` creates are refused until the window resets or the limit is raised."
      }
      job_over_budget = {
        title    = "a job costs more than it may"
        severity = "WARNING"
        where    = "jsonPayload.event=(\"budget.overrun\" OR \"budget.job_running\" OR \"budget.job_cancelled\" OR \"budget.cancel_failed\")"
        labels   = merge(local.job_labels, { event = "EXTRACT(jsonPayload.event)" })
        every    = "3600s"
        text     = "${local.job_line}, $${log.extracted_label.event}: `overrun`, it cost more than was reserved for it; `job_running`, it runs on over its budget, as `budget_action` says; `job_cancelled`, it was cancelled for that; `cancel_failed`, Vertex AI did not cancel it, and the next sweep tries again."
      }
      uri_not_allowed = {
        title    = "a job read a file that its key may not"
        severity = "ERROR"
        where    = "jsonPayload.event=\"batch.uri_not_allowed\""
        labels   = merge(local.job_labels, { uri = "EXTRACT(jsonPayload.uri)" })
        every    = "300s"
        text     = "${local.job_line}: its rows named $${log.extracted_label.uri}, which is outside allowed_uri_prefixes. They did not when the job was created, so its input was changed in between. Ask the key's owner; block the key if nobody knows why, and see whether the output must go."
      }
      vertex_refuses = {
        title    = "Vertex AI refuses the gateway"
        severity = "ERROR"
        # Jobs that are not there are a caller's mistake, and quotas pass: those are lesser lines, and in the metric.
        where  = "jsonPayload.event=\"upstream.refused\"\nseverity>=ERROR"
        labels = { for field in ["call", "detail", "location", "project", "reason"] : field => "EXTRACT(jsonPayload.${field})" }
        every  = "3600s"
        text = join(" ", [
          "$${log.extracted_label.call} in $${log.extracted_label.project}/$${log.extracted_label.location}: $${log.extracted_label.reason} $${log.extracted_label.detail}",
          "- SERVICE_DISABLED: enable the API that it names. 401 or 403 otherwise: the account ${google_service_account.this["gateway"].email} or ${google_service_account.this["settle"].email} lacks a right there, or an organization policy forbids the model: apply again, then look at IAM and at constraints/vertexai.allowedModels.",
          "404: the model is retired, or not offered to this project or in this location: name another in `models`, and tell those who ask for it by its full name.",
        ])
      }
    },
    var.billing_export != null ? {
      bill_drift = {
        title    = "the books drift from Google's bill"
        severity = "WARNING"
        where    = "jsonPayload.event=\"bill.compared\"\njsonPayload.drift_percent>${var.alerts.bill_drift_percent}"
        labels   = { for field in ["drift_percent", "end", "google_usd", "ours_usd", "start"] : field => "EXTRACT(jsonPayload.${field})" }
        every    = "21600s"
        text     = "From $${log.extracted_label.start} to $${log.extracted_label.end} the books have $${log.extracted_label.ours_usd} USD, and Google's bill $${log.extracted_label.google_usd} USD for batch jobs: a drift of $${log.extracted_label.drift_percent} %. `vbatch reconcile` says by day, model and SKU what explains it."
      }
      bill_unread = {
        title    = "Google's bill cannot be read"
        severity = "WARNING"
        where    = "jsonPayload.event=\"bill.failed\""
        labels   = { error = "EXTRACT(jsonPayload.error)" }
        every    = "21600s"
        text     = "The daily comparison with the Cloud Billing export failed, and is tried again tomorrow: $${log.extracted_label.error}"
      }
    } : {},
    var.alerts.job_finished ? {
      job_finished = {
        title    = "a job finished"
        severity = null
        where    = "jsonPayload.event=(\"batch.completed\" OR \"batch.cancelled\")"
        labels   = merge(local.job_labels, { cost_usd = "EXTRACT(jsonPayload.cost_usd)", state = "EXTRACT(jsonPayload.state)" })
        every    = "300s"
        text     = "${local.job_line} ended as $${log.extracted_label.state}. It cost $${log.extracted_label.cost_usd} USD."
      }
    } : {},
  )

  missed_sweeps = "${format(local.promql["sweeps"], "")}[${local.longest_pause_minutes + 60}m]"

  run_scope = "monitored_resource=\"cloud_run_revision\",service_name=\"${google_cloudfunctions2_function.gateway.name}\""

  metric_alerts = merge(
    {
      gateway_errors = {
        title    = "the gateway answers with errors"
        severity = "ERROR"
        # Three answers at least, so that a single one in a quiet hour wakes nobody.
        query = join(" ", [
          "100 * sum(rate(run_googleapis_com:request_count{${local.run_scope},response_code_class=\"5xx\"}[5m]))",
          "/ sum(rate(run_googleapis_com:request_count{${local.run_scope}}[5m])) > ${var.alerts.error_percent}",
          "and sum(increase(run_googleapis_com:request_count{${local.run_scope},response_code_class=\"5xx\"}[5m])) >= 3",
        ])
        for  = "300s"
        text = "Over ${var.alerts.error_percent} % of the answers are 5xx. Errors of Vertex AI are passed on and count here too: compare with the metric ${var.name}/upstream_errors. `GET /health/readiness` says whether Firestore answers."
      }
      gateway_latency = {
        title    = "the gateway is slow"
        severity = "WARNING"
        query    = "histogram_quantile(0.95, sum by (le) (increase(${format(local.promql["request_seconds"], "_bucket")}[5m]))) > ${var.alerts.latency_seconds}"
        for      = "600s"
        text     = "One request in twenty takes over ${var.alerts.latency_seconds} s. Nearly all of it is Vertex AI's own time: compare with its errors and refusals in the dashboard. Sweeps are left out."
      }
      settlement_failing = {
        title    = "settlement is failing"
        severity = "ERROR"
        query    = "sum(increase(${format(local.promql["settlement_failures"], "")}[15m])) > 0"
        for      = "900s"
        text     = "Outputs could not be settled for half an hour. Nothing is lost: events come again for a day, and the sweep finds what they left. The lines with `settlement.failed` say why."
      }
      settlement_lag = {
        title    = "settlement is lagging"
        severity = "WARNING"
        query    = "histogram_quantile(0.95, sum by (le) (increase(${format(local.promql["settlement_lag_seconds"], "_bucket")}[30m]))) > ${var.alerts.settlement_lag_minutes * 60}"
        for      = "0s"
        text     = "One output in twenty waited over ${var.alerts.settlement_lag_minutes} minutes for its cost. Very large outputs take several turns; else look for events that are not delivered (subscriptions `eventarc-*` in Pub/Sub) and raise `settle.max_instances`."
      }
      sweep_missing = {
        title    = "the sweep does not run"
        severity = "ERROR"
        # Metrics of Cloud Logging come as zeros for a while where nothing is counted, and then not at all.
        query = "absent_over_time(${local.missed_sweeps}) or sum(increase(${local.missed_sweeps})) < 1"
        for   = "1800s"
        text  = "No sweep has come to its end. Run the job ${google_cloud_scheduler_job.sweep.name} in Cloud Scheduler by hand and look at its answer: 403 means that the account or the audience is not the one that is configured."
      }
    },
    var.alerts.daily_spend_usd != null ? {
      daily_spend = {
        title    = "batch jobs cost more than planned"
        severity = "WARNING"
        query    = "sum(increase(${format(local.promql["cost_usd"], "_sum")}[1d])) > ${var.alerts.daily_spend_usd}"
        for      = "0s"
        text     = "Over ${var.alerts.daily_spend_usd} USD were settled within 24 hours. The dashboard shows by which team and model."
      }
    } : {},
  )
}

resource "google_monitoring_alert_policy" "log" {
  for_each = { for key, each in local.log_alerts : key => each if var.alerts.enabled }

  project               = var.project_id
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channel_names
  user_labels           = local.labels

  conditions {
    display_name = each.value.title
    condition_matched_log {
      filter           = "${local.log_scope}\n${each.value.where}"
      label_extractors = each.value.labels
    }
  }

  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = each.value.every
    }
  }

  documentation {
    subject   = "${var.name}: ${each.value.title}"
    content   = each.value.text
    mime_type = "text/markdown"
  }

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_alert_policy" "metric" {
  for_each = { for key, each in local.metric_alerts : key => each if var.alerts.enabled }

  project               = var.project_id
  display_name          = "${var.name}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channel_names
  user_labels           = local.labels

  conditions {
    display_name = each.value.title
    condition_prometheus_query_language {
      query    = each.value.query
      duration = each.value.for
      # Every evaluation returns points that are billed; nothing here is a matter of a minute.
      evaluation_interval       = "300s"
      disable_metric_validation = true
    }
  }

  documentation {
    subject   = "${var.name}: ${each.value.title}"
    content   = each.value.text
    mime_type = "text/markdown"
  }

  depends_on = [google_logging_metric.this, time_sleep.apis]
}
