# One archive for both functions: what is deployed and nothing else.

locals {
  functions_folder = "${path.module}/../functions"
  files            = fileset(local.functions_folder, "**")
  # Code, and the data, pages and licences that it is served with. What the tools leave behind is not in it.
  deployed_files = sort([
    for file in local.files : file
    if can(regex("^(main\\.py|requirements\\.txt|batch_gateway/.+)$", file))
    && !can(regex("(^|/)(__pycache__|\\..*)(/|$)|\\.pyc$|~$", file))
  ])
  # Of names and contents, not of the archive: its bytes may differ between systems and versions of the provider.
  source_hash = substr(sha256(join("\n", [
    for file in local.deployed_files : "${file} ${filesha256("${local.functions_folder}/${file}")}"
  ])), 0, 16)
}

data "archive_file" "source" {
  type             = "zip"
  source_dir       = local.functions_folder
  excludes         = setsubtract(local.files, local.deployed_files)
  output_file_mode = "0644"
  output_path      = "${path.root}/.terraform/${var.name}-functions.zip"
}

resource "google_storage_bucket" "source" {
  project                     = var.project_id
  name                        = "${var.project_id}-${var.name}-source"
  location                    = var.region
  labels                      = local.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # It can be made again from the repository at any time.
  force_destroy = true

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
    }
  }
  versioning {
    enabled = true
  }

  depends_on = [time_sleep.apis]
}

resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  # A new name makes the functions be built again; the same content has the same name everywhere.
  name   = "functions-${local.source_hash}.zip"
  source = data.archive_file.source.output_path

  # Both functions are moved to the new archive before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}
