# Where alerts go.

locals {
  channels = merge(
    { for each in var.notifications.emails : "email/${each}" => { type = "email", labels = { email_address = each } } },
    { for each in var.notifications.pubsub_topics : "pubsub/${each}" => { type = "pubsub", labels = { topic = each } } },
    { for each in var.notifications.slack_channels : "slack/${each}" => { type = "slack", labels = { channel_name = each } } },
  )
  email_channels = [for key, each in google_monitoring_notification_channel.this : each.name if startswith(key, "email/")]
  channel_names = concat(
    [for each in google_monitoring_notification_channel.this : each.name],
    tolist(var.notifications.channels),
  )
}

resource "google_monitoring_notification_channel" "this" {
  for_each = local.channels

  project      = var.project_id
  display_name = "${var.name}: ${each.key}"
  type         = each.value.type
  labels       = each.value.labels
  user_labels  = local.labels

  dynamic "sensitive_labels" {
    for_each = each.value.type == "slack" ? [1] : []
    content {
      auth_token = var.slack_token
    }
  }

  depends_on = [time_sleep.apis]
}

# Cloud Monitoring publishes as an agent of its own.
resource "google_pubsub_topic_iam_member" "alerts" {
  for_each = var.notifications.pubsub_topics

  project = split("/", each.key)[1]
  topic   = split("/", each.key)[3]
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${local.project_number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"

  # The agent is made with the first channel of this kind.
  depends_on = [google_monitoring_notification_channel.this]
}
