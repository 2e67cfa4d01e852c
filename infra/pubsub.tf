# The optional topic of the application's events.

resource "google_pubsub_topic" "events" {
  count = var.events_topic ? 1 : 0

  project                    = var.project_id
  name                       = "${var.name}-events"
  labels                     = local.labels
  message_retention_duration = "604800s"

  depends_on = [time_sleep.apis]
}
