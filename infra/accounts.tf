# One account for each thing that acts, so that each has what it needs and no more.

locals {
  accounts = merge(
    {
      build     = "builds the functions' images"
      gateway   = "runs the gateway"
      scheduler = "calls the sweep"
      settle    = "runs the settlement of outputs"
      trigger   = "delivers events to the settlement"
    },
    var.deployer != null ? {
      deployer = "applies this Terraform from Cloud Build"
      planner  = "plans it, and reads only"
    } : {},
  )
}

resource "google_service_account" "this" {
  for_each = local.accounts

  project      = var.project_id
  account_id   = "${var.name}-${each.key}"
  display_name = "${var.name}: ${each.key}"
  description  = "Vertex Batch Gateway: ${each.value}"

  depends_on = [time_sleep.apis]
}
