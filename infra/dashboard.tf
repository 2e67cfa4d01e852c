# One page in Cloud Monitoring: money first, then jobs, settlement, the gateway.

locals {
  gateway_requests = "run_googleapis_com:request_count{${local.run_scope}}"
  charts = concat([
    { title = "Cost settled a day, by team (USD)", series = ["sum by (team) (increase(${format(local.promql["cost_usd"], "_sum")}[1d]))"] },
    { title = "Cost settled a day, by model (USD)", series = ["sum by (model) (increase(${format(local.promql["cost_usd"], "_sum")}[1d]))"] },
    { title = "Jobs coming into a state, an hour", series = ["sum by (state) (increase(${format(local.promql["job_states"], "")}[1h]))"] },
    { title = "Inputs taken, jobs created and ended, an hour", series = [
      "sum by (team) (increase(${format(local.promql["inputs"], "")}[1h]))",
      "sum(increase(${format(local.promql["jobs_created"], "")}[1h]))",
      "sum by (state) (increase(${format(local.promql["jobs_ended"], "")}[1h]))",
    ] },
    { title = "Settlement lag, median and 95th percentile (s)", series = [
      "histogram_quantile(0.5, sum by (le) (increase(${format(local.promql["settlement_lag_seconds"], "_bucket")}[1h])))",
      "histogram_quantile(0.95, sum by (le) (increase(${format(local.promql["settlement_lag_seconds"], "_bucket")}[1h])))",
    ] },
    { title = "Settlement failures and stray outputs, an hour", series = [
      "sum(increase(${format(local.promql["settlement_failures"], "")}[1h]))",
      "sum by (event) (increase(${format(local.promql["stray_outputs"], "")}[1h]))",
    ] },
    { title = "Unpriced rows, an hour, by model", series = ["sum by (model) (increase(${format(local.promql["unpriced_rows"], "_sum")}[1h]))"] },
    { title = "Stuck jobs, budget events and files that were not allowed, an hour", series = [
      "sum(increase(${format(local.promql["jobs_stuck"], "")}[1h]))",
      "sum by (event, owner) (increase(${format(local.promql["budget_events"], "")}[1h]))",
      "sum by (model, team) (increase(${format(local.promql["budget_overruns"], "")}[1h]))",
      "sum by (model, team) (increase(${format(local.promql["uris_not_allowed"], "")}[1h]))",
    ] },
    { title = "Gateway: requests a second, by class of status", series = ["sum by (response_code_class) (rate(${local.gateway_requests}[5m]))"] },
    { title = "Gateway: latency without sweeps, median and 95th percentile (s)", series = [
      "histogram_quantile(0.5, sum by (le) (increase(${format(local.promql["request_seconds"], "_bucket")}[5m])))",
      "histogram_quantile(0.95, sum by (le) (increase(${format(local.promql["request_seconds"], "_bucket")}[5m])))",
    ] },
    { title = "Errors and refusals of Vertex AI, an hour, by status", series = [
      "sum by (status) (increase(${format(local.promql["upstream_errors"], "")}[1h]))",
      "sum by (call, status) (increase(${format(local.promql["upstream_refusals"], "")}[1h]))",
    ] },
    { title = "Sweeps, an hour", series = ["sum(increase(${format(local.promql["sweeps"], "")}[1h]))"] },
    ], var.billing_export == null ? [] : [
    { title = "Drift of the books from Google's bill, a day (%)", series = ["sum(increase(${format(local.promql["bill_drift_percent"], "_sum")}[1d]))"] },
  ])
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id
  dashboard_json = jsonencode({
    displayName = var.name
    labels      = { for key, value in local.labels : key => value }
    mosaicLayout = {
      columns = 48
      tiles = concat(
        [
          for index, chart in local.charts : merge(
            # Zeros are left out of what the API gives back, and would be a change in every plan.
            index % 2 == 0 ? {} : { xPos = 24 },
            index < 2 ? {} : { yPos = 16 * floor(index / 2) },
            {
              width  = 24
              height = 16
              widget = {
                title = chart.title
                xyChart = {
                  dataSets = [
                    for query in chart.series : {
                      plotType        = "LINE"
                      timeSeriesQuery = { prometheusQuery = query }
                    }
                  ]
                }
              }
            },
          )
        ],
        [{
          yPos   = 16 * ceil(length(local.charts) / 2)
          width  = 48
          height = 24
          widget = {
            title     = "Warnings and errors"
            logsPanel = { filter = "${local.log_scope}\nseverity>=WARNING" }
          }
        }],
      )
    }
  })

  depends_on = [time_sleep.apis]
}
