# The books.

locals {
  # Fields that no query asks for and that are large, or only ever grow: without an index they cost no index writes,
  # and documents stay under the limit of 40,000 index entries.
  unindexed_fields = {
    audit       = ["change"]
    checkpoints = ["usage"]
    days        = ["quarters", "unpriced"]
    events      = ["body"]
    job_times   = ["groups"]
    jobs        = ["cost", "repricings", "uriGrants", "usage"]
    ledgers     = ["reservedNano", "spentNano"]
    months      = ["amounts", "unpriced"]
    outputs     = ["usage"]
    parked      = ["usage"]
    submissions = ["uriGrants"]
    totals      = ["items", "quarters"]
  }
  # Documents are deleted within a day of the time in this field.
  expiring_collections = toset(["checkpoints", "events", "job_times", "rates", "submissions"])
  # What queries need beyond the indexes that Firestore makes by itself: by a name, collection and fields in order.
  composite_indexes = merge({
    events_by_type = {
      collection = "events"
      fields     = [{ path = "type", order = "ASCENDING" }, { path = "time", order = "DESCENDING" }]
    }
    keys_by_team_id = {
      collection = "keys"
      fields     = [{ path = "team_id", order = "ASCENDING" }, { path = "key_alias", order = "ASCENDING" }]
    }
    }, {
    for field in ["action", "actor", "target"] : "audit_by_${field}" => {
      collection = "audit"
      fields     = [{ path = field, order = "ASCENDING" }, { path = "time", order = "DESCENDING" }]
    }
    }, {
    # An amount without an index of its own may still be part of these ("Index types in Cloud Firestore").
    for name, owner in {
      amountNano = [], keyId_amountNano = ["keyId"], team_amountNano = ["team"]
      } : "jobs_by_${name}" => {
      collection = "jobs"
      fields     = [for path in concat(owner, ["cost.amountNano", "createTime"]) : { path = path, order = contains(owner, path) ? "ASCENDING" : "DESCENDING" }]
    }
    }, {
    for name, field in {
      apiKey = "apiKey", keyId = "keyId", location = "key.location", project = "key.project", state = "seen.state", team = "team"
      } : "jobs_by_${name}" => {
      collection = "jobs"
      fields     = [{ path = field, order = "ASCENDING" }, { path = "createTime", order = "DESCENDING" }]
    }
  })
}

resource "google_firestore_database" "this" {
  project                           = var.project_id
  name                              = var.database.name
  location_id                       = coalesce(var.database.location, var.region)
  type                              = "FIRESTORE_NATIVE"
  point_in_time_recovery_enablement = var.database.point_in_time_recovery ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  # ABANDON, the provider's default, leaves the database behind on destroy. Protected, that is what is wanted.
  deletion_policy = var.deletion_protection ? "ABANDON" : "DELETE"

  depends_on = [time_sleep.apis]
}

resource "google_firestore_backup_schedule" "daily" {
  count = var.database.backup_days > 0 ? 1 : 0

  project   = var.project_id
  database  = google_firestore_database.this.name
  retention = "${var.database.backup_days * 86400}s"
  daily_recurrence {}

  # Of a database that was just made it is refused (hashicorp/terraform-provider-google#21577).
  depends_on = [time_sleep.grants]
}

resource "google_firestore_field" "unindexed" {
  for_each = merge([
    for collection, fields in local.unindexed_fields : {
      for field in fields : "${collection}.${field}" => { collection = collection, field = field }
    }
  ]...)

  project    = var.project_id
  database   = google_firestore_database.this.name
  collection = each.value.collection
  field      = each.value.field
  index_config {}

  depends_on = [time_sleep.grants]
}

resource "google_firestore_field" "expires" {
  for_each = local.expiring_collections

  project    = var.project_id
  database   = google_firestore_database.this.name
  collection = each.key
  field      = "expires"
  # A time that only grows, in an index, would make neighbours of all writes ("Best practices", hotspots).
  index_config {}
  ttl_config {}

  depends_on = [time_sleep.grants]
}

resource "google_firestore_index" "this" {
  for_each = local.composite_indexes

  project    = var.project_id
  database   = google_firestore_database.this.name
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = fields.value.path
      order      = fields.value.order
    }
  }

  depends_on = [time_sleep.grants]
}
