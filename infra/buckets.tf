# Buckets of input and output, made or given.

locals {
  buckets = merge(
    { for key, each in var.input_buckets : "input/${key}" => merge(each, { function_region = null, key = key }) },
    { for key, each in var.output_buckets : "output/${key}" => merge(each, { key = key }) },
  )
  made_buckets = { for id, each in local.buckets : id => each if each.create }
  # Of a given bucket, where it is, unless that was told.
  looked_up_buckets = { for id, each in local.buckets : id => each if !each.create && each.location == null }

  bucket_names = {
    for id, each in local.buckets : id => each.create ? google_storage_bucket.this[id].name : each.name
  }
  input_ids = toset([for id in keys(local.buckets) : id if startswith(id, "input/")])
  # The first of them takes what callers upload.
  made_input_ids = toset([for id in local.input_ids : id if local.buckets[id].create])
  output_ids     = toset([for id in keys(local.buckets) : id if startswith(id, "output/")])

  bucket_locations = {
    for id, each in local.buckets : id => lower(
      each.location != null ? each.location
      : each.create ? var.region
      : data.google_storage_bucket.given[id].location
    )
  }
}

data "google_storage_bucket" "given" {
  for_each = local.looked_up_buckets

  name = each.value.name
}

resource "google_storage_bucket" "this" {
  for_each = local.made_buckets

  project                     = var.project_id
  name                        = coalesce(each.value.name, "${var.project_id}-${var.name}-${each.value.key}")
  location                    = coalesce(each.value.location, var.region)
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  dynamic "lifecycle_rule" {
    for_each = each.value.expire_days == null ? [] : [each.value.expire_days]
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length(coalesce(each.value.name, "${var.project_id}-${var.name}-${each.value.key}")) <= 63
      error_message = "The name of the bucket ${each.key} would have more than 63 characters: give it a shorter one (`name`)."
    }
  }

  depends_on = [time_sleep.apis]
}
