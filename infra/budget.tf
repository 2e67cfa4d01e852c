# The optional budget of Cloud Billing. What Google bills comes a day late; the alert on daily spend comes at once.

resource "google_billing_budget" "this" {
  count = var.billing_budget != null ? 1 : 0

  billing_account = var.billing_budget.billing_account
  display_name    = "${var.name} (${var.project_id})"

  budget_filter {
    projects = ["projects/${local.project_number}"]
  }
  amount {
    specified_amount {
      currency_code = var.billing_budget.currency
      units         = tostring(var.billing_budget.amount)
    }
  }
  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]
    content {
      threshold_percent = threshold_rules.value
    }
  }

  # Mails to those who administer the billing account go out in any case. A budget takes channels of the kind e-mail
  # only, and five at most.
  dynamic "all_updates_rule" {
    for_each = length(var.notifications.emails) > 0 ? [1] : []
    content {
      monitoring_notification_channels = slice(local.email_channels, 0, min(5, length(local.email_channels)))
    }
  }

  depends_on = [time_sleep.apis]
}
