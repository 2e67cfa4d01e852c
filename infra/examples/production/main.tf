# A platform team's installation in Europe: two projects served, buckets in three kinds of places, one of them there
# already, warm instances, alerts to people and machines, budgets, events, and deployment from Cloud Build. What the
# variables below ask for is committed beside this file, as production.auto.tfvars, so that a push finds it.

terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8.0"
    }
    google-beta = {
      source  = "hashicorp/google-beta"
      version = ">= 6.50, < 8.0"
    }
  }

  # Make the bucket first, with versioning, and name it: `terraform init -backend-config=bucket=NAME`.
  backend "gcs" {
    prefix = "batch-gateway"
  }
}

variable "billing_account" {
  description = "Billing account of the project."
  type        = string
}

variable "project_id" {
  description = "Id of the project that the gateway runs in."
  type        = string
}

variable "research_project_id" {
  description = "Id of another project that jobs run in."
  type        = string
}

variable "state_bucket" {
  description = "Bucket of the remote state."
  type        = string
}

# Budgets are read and written with the project's quota, which credentials of people do not say by themselves. For that
# its APIs serviceusage and cloudresourcemanager must be on beforehand: infra/preflight says whether they are.
provider "google" {
  project               = var.project_id
  billing_project       = var.project_id
  user_project_override = true
}

provider "google-beta" {
  project               = var.project_id
  billing_project       = var.project_id
  user_project_override = true
}

module "batch_gateway" {
  source = "../.."

  project_id = var.project_id
  region     = "europe-west4"
  labels     = { environment = "production", cost_center = "ai-platform" }

  models = [
    { name = "gemini-3.5-flash", location = "eu" },
    { name = "gemini-3.5-flash-lite", location = "eu" },
    { name = "gemini-3.8-flash" },
    { name = "llama-4-maverick", model = "meta/llama-4-maverick-17b-128e-instruct-maas", location = "us-east5" },
    { name = "research-flash", model = "gemini-3.5-flash", project = var.research_project_id },
  ]

  database = { location = "eur3", backup_days = 30 }

  gateway = {
    min_instances = 1
    max_instances = 50
    concurrency   = 80
    memory        = "1Gi"
    cpu           = "2"
  }
  settle = { max_instances = 100, memory = "1Gi", cpu = "2" }

  input_buckets = {
    input = { location = "EU", expire_days = 30 }
  }
  output_buckets = {
    output    = { location = "EU", expire_days = 90 }
    us        = { location = "us-central1", expire_days = 90 }
    warehouse = { create = false, name = "${var.project_id}-warehouse", location = "europe-west1" }
  }
  bigquery_datasets = ["${var.project_id}.batch_output"]
  billing_export    = "finance-project.billing.gcp_billing_export_v1_012345_6789AB_CDEF01"

  alerts = {
    bill_drift_percent     = 3
    daily_spend_usd        = 500
    error_percent          = 2
    job_finished           = true
    latency_seconds        = 5
    settlement_lag_minutes = 30
  }
  notifications = {
    emails        = ["batch-platform@example.com"]
    pubsub_topics = ["projects/${var.project_id}/topics/incidents"]
  }
  events_topic = true

  billing_budget = {
    billing_account = var.billing_account
    amount          = 10000
    currency        = "EUR"
  }

  deployer = {
    directory    = "infra/examples/production"
    state_bucket = var.state_bucket
    repository   = "projects/${var.project_id}/locations/europe-west4/connections/github/repositories/batch-gateway"
  }
}

output "url" {
  description = "The gateway's URL."
  value       = module.batch_gateway.url
}

output "service_accounts" {
  description = "Addresses of the accounts, for grants elsewhere."
  value       = module.batch_gateway.service_accounts
}
