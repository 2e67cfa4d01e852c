locals {
  # Environment variables: Google's of Cloud Run functions, and ours.
  reserved_names = "^(FIRESTORE_DATABASE|FUNCTION_.*|GATEWAY_.*|GOOGLE_CLOUD_PROJECT|K_.*|LOG_EXECUTION_ID|PORT|THREADS|X_GOOGLE_.*)$"
}

variable "alerts" {
  description = <<-EOT
    When somebody is told. `enabled`: whether there are alert policies, which Cloud Monitoring bills by the condition;
    `bill_drift_percent`: by how much books and `billing_export` may differ, in percent of the larger one;
    `daily_spend_usd`: cost settled within 24 hours, null for no limit; `error_percent` and `latency_seconds`: of the
    gateway, five-minute share of 5xx answers and 95th percentile; `job_finished`: tell of jobs that went well, too;
    `settlement_lag_minutes`: 95th percentile from a written output to its cost in the books.
  EOT
  type = object({
    bill_drift_percent     = optional(number, 5)
    daily_spend_usd        = optional(number)
    enabled                = optional(bool, true)
    error_percent          = optional(number, 5)
    job_finished           = optional(bool, false)
    latency_seconds        = optional(number, 10)
    settlement_lag_minutes = optional(number, 60)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.alerts.daily_spend_usd == null ? true : var.alerts.daily_spend_usd > 0
    error_message = "alerts.daily_spend_usd must be more than 0; leave it out for no limit."
  }
  validation {
    condition     = var.alerts.bill_drift_percent > 0 && var.alerts.bill_drift_percent < 100
    error_message = "alerts.bill_drift_percent must be above 0 and below 100: it is the difference between recorded cost and Google's bill, in percent."
  }
  validation {
    condition     = var.alerts.error_percent > 0 && var.alerts.error_percent <= 100
    error_message = "alerts.error_percent must be above 0 and at most 100."
  }
  validation {
    condition     = min(var.alerts.latency_seconds, var.alerts.settlement_lag_minutes) > 0
    error_message = "alerts.latency_seconds and alerts.settlement_lag_minutes must be more than 0."
  }
}

variable "bigquery_datasets" {
  description = "Datasets, written PROJECT.DATASET, that jobs may write their output to; the sweep reads it there. Empty: no BigQuery."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for each in var.bigquery_datasets : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]\\.[A-Za-z0-9_]+$", each))])
    error_message = "bigquery_datasets are written PROJECT.DATASET, such as my-project.batch_output."
  }
}

variable "billing_budget" {
  description = "A budget of Cloud Billing on the project, with mails at 50, 90 and 100 %. `amount` is in the billing account's own currency. Null: none."
  type = object({
    amount          = number
    billing_account = string
    currency        = optional(string, "USD")
  })
  default = null

  validation {
    condition     = var.billing_budget == null ? true : can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_budget.billing_account))
    error_message = "billing_budget.billing_account has the form 012345-6789AB-CDEF01: see `gcloud billing accounts list`."
  }
  validation {
    condition     = var.billing_budget == null ? true : var.billing_budget.amount >= 1 && floor(var.billing_budget.amount) == var.billing_budget.amount
    error_message = "billing_budget.amount must be a whole number of currency units, 1 or more."
  }
}

variable "billing_export" {
  description = "The Cloud Billing export in BigQuery (standard, detailed or FOCUS) that costs are compared with, written PROJECT.DATASET.TABLE; the gateway may then read its dataset. Null: none."
  type        = string
  default     = null

  validation {
    condition     = var.billing_export == null ? true : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]\\.[A-Za-z0-9_]+\\.[A-Za-z0-9_-]+$", var.billing_export))
    error_message = "billing_export is written PROJECT.DATASET.TABLE, such as my-project.billing.gcp_billing_export_v1_012345_6789AB_CDEF01."
  }
}

variable "budget_action" {
  description = "What happens to a running job when the budget that it counts against is passed: `nothing`, `warn` (a log line and an alert) or `cancel`."
  type        = string
  default     = "nothing"
  nullable    = false

  validation {
    condition     = contains(["nothing", "warn", "cancel"], var.budget_action)
    error_message = "budget_action must be nothing, warn or cancel."
  }
}

variable "config" {
  description = <<-EOT
    Text of a configuration file in LiteLLM's form, in place of one made from `models`. What it takes from the environment
    (`os.environ/NAME`) is given by `environment` or `secret_environment`; its master key is not taken, see `master_key`.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.config == null ? true : can(yamldecode(var.config).model_list)
    error_message = "config must be YAML with a model_list: see functions/config.example.yaml."
  }
  validation {
    condition     = var.config == null ? true : !strcontains(var.config, "private_key")
    error_message = "config must not hold a private key: it would be in the state. Impersonate a service account, or leave vertex_credentials out."
  }
  validation {
    condition     = startswith(try(yamldecode(var.config).general_settings.master_key, "os.environ/"), "os.environ/")
    error_message = "config must not hold the master key: it would be in the state. Give it as master_key, which reaches Secret Manager only."
  }
}

variable "database" {
  description = <<-EOT
    The Firestore database. `location`: a region, `nam5` or `eur3`, for good; null for `region`. `backup_days`: how long
    daily backups are kept, 0 for none. `point_in_time_recovery`: any minute of the last seven days can be read.
  EOT
  type = object({
    backup_days            = optional(number, 7)
    location               = optional(string)
    name                   = optional(string, "batch-gateway")
    point_in_time_recovery = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^(\\(default\\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$", var.database.name))
    error_message = "database.name must be (default), or 4 to 63 lowercase letters, digits and hyphens."
  }
  validation {
    condition     = var.database.backup_days >= 0 && var.database.backup_days <= 98
    error_message = "database.backup_days must be 0 to 98: Firestore keeps a backup for 14 weeks at most."
  }
}

variable "deletion_protection" {
  description = "Whether `terraform destroy` leaves the database and buckets with objects alone. Set it to false and apply before you take everything down."
  type        = bool
  default     = true
  nullable    = false
}

variable "deployer" {
  description = <<-EOT
    Deployment from Cloud Build: an account that plans, one that applies, and their triggers. `repository`:
    projects/P/locations/L/connections/C/repositories/R of Cloud Build; `branch`: regular expression of the branch that
    is deployed; `directory`: where Terraform is run in the repository; `state_bucket`: of the remote state; `smoke_job`:
    whoever applies may read the master key, to submit a job afterwards. Null: none of it.
  EOT
  type = object({
    branch       = optional(string, "^main$")
    directory    = optional(string, "infra")
    repository   = string
    smoke_job    = optional(bool, false)
    state_bucket = string
  })
  default = null

  validation {
    condition     = var.deployer == null ? true : can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.deployer.repository))
    error_message = "deployer.repository is written projects/P/locations/L/connections/C/repositories/R: see `gcloud builds repositories list`."
  }
}

variable "environment" {
  description = "Further environment variables of both functions: what `config` takes from there and is no secret."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !can(regex(local.reserved_names, name))])
    error_message = "Names in environment must be of letters, digits and underscores, must not begin with a digit, and must not be set by Google or this Terraform (${local.reserved_names})."
  }
}

variable "events_topic" {
  description = "Whether to make a Pub/Sub topic that the application publishes its events to."
  type        = bool
  default     = false
  nullable    = false
}

variable "gateway" {
  description = <<-EOT
    The HTTP function. `public`: whether Cloud Run lets everybody through to the gateway, which has keys of its own;
    `invokers`: who may call it besides the scheduler where it is not public. `ingress`: ALLOW_ALL, ALLOW_INTERNAL_ONLY
    or ALLOW_INTERNAL_AND_GCLB. `min_instances` above 0 costs while idle. `timeout_seconds` is how long a download of
    results may take; a create may take 120 s.
  EOT
  type = object({
    concurrency     = optional(number, 40)
    cpu             = optional(string, "1")
    ingress         = optional(string, "ALLOW_ALL")
    invokers        = optional(set(string), [])
    max_instances   = optional(number, 10)
    memory          = optional(string, "512Mi")
    min_instances   = optional(number, 0)
    public          = optional(bool, true)
    timeout_seconds = optional(number, 3600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["ALLOW_ALL", "ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB"], var.gateway.ingress)
    error_message = "gateway.ingress must be ALLOW_ALL, ALLOW_INTERNAL_ONLY or ALLOW_INTERNAL_AND_GCLB."
  }
  validation {
    condition     = var.gateway.min_instances >= 0 && var.gateway.min_instances <= var.gateway.max_instances && var.gateway.max_instances >= 1
    error_message = "gateway.min_instances must be 0 or more, and at most gateway.max_instances."
  }
  validation {
    condition     = var.gateway.concurrency == 1 || try(tonumber(var.gateway.cpu) >= 1, false)
    error_message = "gateway.concurrency above 1 needs gateway.cpu of 1 or more (Cloud Run)."
  }
  validation {
    condition     = var.gateway.timeout_seconds >= 120 && var.gateway.timeout_seconds <= 3600
    error_message = "gateway.timeout_seconds must be 120 to 3600: a create may read its input for 45 s, and then wait 65 s for Vertex AI."
  }
  validation {
    condition     = !contains(var.gateway.invokers, "allUsers") && !contains(var.gateway.invokers, "allAuthenticatedUsers")
    error_message = "gateway.invokers names accounts and groups; for everybody, set gateway.public."
  }
}

variable "input_buckets" {
  description = <<-EOT
    Buckets that jobs read their input from, by a short name of yours. `create` false: the bucket is there already;
    `name`: null for PROJECT-NAME-KEY; `location`: null for `region`; `expire_days`: objects are deleted after that.
  EOT
  type = map(object({
    create      = optional(bool, true)
    expire_days = optional(number)
    location    = optional(string)
    name        = optional(string)
  }))
  default  = { input = {} }
  nullable = false

  validation {
    condition     = alltrue([for key, each in var.input_buckets : can(regex("^[a-z][a-z0-9-]{0,15}$", key))])
    error_message = "Keys of input_buckets are up to 16 lowercase letters, digits and hyphens."
  }
  validation {
    condition     = alltrue([for each in values(var.input_buckets) : each.create || each.name != null])
    error_message = "An input bucket that is there already (create = false) needs its name."
  }
}

variable "labels" {
  description = "Labels on everything that takes labels, beside `app`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "labels are lowercase letters, digits, hyphens and underscores, at most 63; keys begin with a letter."
  }
}

variable "master_key" {
  description = "The administrator's key, if it shall not be made up. It reaches Secret Manager only, never the state. A new value is taken when `master_key_version` changes."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.master_key == null ? true : length(var.master_key) >= 32
    error_message = "master_key must have 32 characters or more: it opens everything."
  }
}

variable "master_key_version" {
  description = "Raise it by one to rotate the master key."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.master_key_version >= 1 && floor(var.master_key_version) == var.master_key_version
    error_message = "master_key_version must be a whole number, 1 or more."
  }
}

variable "models" {
  description = <<-EOT
    What may be called where. `name`: what callers write; `model`: LiteLLM's name without `vertex_ai/`, null for `name`;
    `project`: null for `project_id`; `location`: a region where the model is served there. Empty: every model of
    `project_id` in every location, by its full name.
  EOT
  type = list(object({
    location = optional(string, "global")
    model    = optional(string)
    name     = string
    project  = optional(string)
  }))
  default = [
    { name = "gemini-3.5-flash" },
    { name = "gemini-3.5-flash-lite" },
  ]
  nullable = false

  validation {
    condition     = alltrue([for each in var.models : can(regex("^(global|us|eu|[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2})$", each.location))])
    error_message = "The location of a model is a region such as us-central1, or global, us or eu."
  }
  validation {
    condition     = alltrue([for each in var.models : each.project == null ? true : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", each.project))])
    error_message = "The project of a model is a project id, not its number or display name."
  }
}

variable "name" {
  description = "What names of resources begin with. Another name gives a second, independent installation in the same project, if `database.name` differs too."
  type        = string
  default     = "batch-gateway"
  nullable    = false

  validation {
    # Names of service accounts end at 30 characters, and "-scheduler" is the longest that is added.
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}[a-z0-9]$", var.name))
    error_message = "name must be 4 to 20 lowercase letters, digits and hyphens, beginning with a letter."
  }
}

variable "notifications" {
  description = <<-EOT
    Where alerts go. `emails`: addresses; `pubsub_topics`: projects/P/topics/T; `slack_channels`: such as #batch, with
    `slack_token`; `channels`: names of notification channels that are there already.
  EOT
  type = object({
    channels       = optional(set(string), [])
    emails         = optional(set(string), [])
    pubsub_topics  = optional(set(string), [])
    slack_channels = optional(set(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for each in var.notifications.emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", each))])
    error_message = "notifications.emails are e-mail addresses."
  }
  validation {
    condition     = alltrue([for each in var.notifications.pubsub_topics : can(regex("^projects/[^/]+/topics/[^/]+$", each))])
    error_message = "notifications.pubsub_topics are written projects/PROJECT/topics/TOPIC."
  }
  validation {
    condition     = alltrue([for each in var.notifications.slack_channels : startswith(each, "#")])
    error_message = "notifications.slack_channels begin with #."
  }
  validation {
    condition     = alltrue([for each in var.notifications.channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", each))])
    error_message = "notifications.channels are written projects/PROJECT/notificationChannels/NUMBER."
  }
}

variable "output_buckets" {
  description = <<-EOT
    Buckets that jobs write their output to, by a short name of yours: as `input_buckets`, and `function_region`, where
    its outputs are read: null for the bucket's own region, or `region` where the bucket spans several.
  EOT
  type = map(object({
    create          = optional(bool, true)
    expire_days     = optional(number)
    function_region = optional(string)
    location        = optional(string)
    name            = optional(string)
  }))
  default  = { output = {} }
  nullable = false

  validation {
    condition     = length(var.output_buckets) > 0
    error_message = "output_buckets must name one bucket at least: costs are read from what jobs write there."
  }
  validation {
    condition     = alltrue([for key, each in var.output_buckets : can(regex("^[a-z][a-z0-9-]{0,15}$", key))])
    error_message = "Keys of output_buckets are up to 16 lowercase letters, digits and hyphens."
  }
  validation {
    condition     = length(setintersection(keys(var.input_buckets), keys(var.output_buckets))) == 0
    error_message = "A key may stand in input_buckets or in output_buckets, not in both: buckets are named by it."
  }
  validation {
    condition     = alltrue([for each in values(var.output_buckets) : each.create || each.name != null])
    error_message = "An output bucket that is there already (create = false) needs its name."
  }
  validation {
    condition     = alltrue([for each in values(var.output_buckets) : each.expire_days == null ? true : each.expire_days >= 7])
    error_message = "expire_days of an output bucket must be 7 or more: an output must outlive the settlement of its cost."
  }
}

variable "project_id" {
  description = "Id of the project that all of this is made in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a project id: 6 to 30 lowercase letters, digits and hyphens."
  }
}

variable "region" {
  description = "Region of the gateway, and of all else that is not told otherwise."
  type        = string
  default     = "us-central1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}$", var.region))
    error_message = "region must be a region such as us-central1, not a zone or a multi-region."
  }
}

variable "runtime" {
  description = "Python of the functions."
  type        = string
  default     = "python313"
  nullable    = false

  validation {
    condition     = contains(["python311", "python312", "python313"], var.runtime)
    error_message = "runtime must be python311, python312 or python313."
  }
}

variable "secret_environment" {
  description = <<-EOT
    Likewise, from Secret Manager: `secret`, the id of one in this project that is there already, and its `version`, best
    a number. Both functions may read them.
  EOT
  type = map(object({
    secret  = string
    version = optional(string, "latest")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.secret_environment) : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && !can(regex(local.reserved_names, name))])
    error_message = "Names in secret_environment must be of letters, digits and underscores, must not begin with a digit, and must not be set by Google or this Terraform (${local.reserved_names})."
  }
  validation {
    condition     = length(setintersection(keys(var.environment), keys(var.secret_environment))) == 0
    error_message = "A variable is in environment or in secret_environment, not in both."
  }
  validation {
    condition     = alltrue([for each in values(var.secret_environment) : can(regex("^[A-Za-z0-9_-]+$", each.secret))])
    error_message = "secret_environment names secrets by their ids, without projects/P/secrets/."
  }
}

variable "settle" {
  description = <<-EOT
    The event function; there is one for each output bucket. `settlement_seconds`: how long one invocation reads before
    it leaves the rest to the next; Cloud Run functions ends event-driven ones after 540 s.
  EOT
  type = object({
    cpu                = optional(string, "1")
    max_instances      = optional(number, 20)
    memory             = optional(string, "512Mi")
    settlement_seconds = optional(number, 420)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.settle.settlement_seconds >= 30 && var.settle.settlement_seconds <= 440
    error_message = "settle.settlement_seconds must be 30 to 440: the function is ended after 540 s, and after reading it may wait 65 s for Vertex AI and then for a webhook."
  }
  validation {
    condition     = var.settle.max_instances >= 1
    error_message = "settle.max_instances must be 1 or more."
  }
}

variable "slack_token" {
  description = "Token of the Slack app that posts to notifications.slack_channels. Cloud Monitoring keeps it, and so does the state."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = length(var.notifications.slack_channels) == 0 || var.slack_token != null
    error_message = "slack_token is needed with notifications.slack_channels."
  }
}

variable "sweep" {
  description = "When the sweep runs that finds what events missed, in UTC, once a day at least. `region`: of Cloud Scheduler, where it is not offered in `region`."
  type = object({
    region   = optional(string)
    schedule = optional(string, "*/5 * * * *")
  })
  default  = {}
  nullable = false

  validation {
    # Every day, so that it can be told when one is missing (sweep_missing).
    condition = can(regex("^\\S+ \\S+ \\* \\* \\*$", var.sweep.schedule)) && alltrue([
      for part in split(",", join(",", slice(split(" ", "${var.sweep.schedule} -"), 0, 2))) :
      can(regex("^(\\*|[0-5]?[0-9](-[0-5]?[0-9])?)(/[1-9][0-9]?)?$", part))
    ])
    error_message = "sweep.schedule has cron's five fields, of which the last three are * (every day): */5 * * * *, 0 */2 * * *, 30 3 * * *."
  }
}

variable "waits" {
  description = "How long a first apply waits until APIs that it has enabled, and grants that it has made, are known everywhere. More if it still ends in SERVICE_DISABLED or \"permission denied\"."
  type = object({
    apis   = optional(string, "90s")
    grants = optional(string, "180s")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for each in values(var.waits) : can(regex("^[0-9]+[sm]$", each))])
    error_message = "waits must be a number and s or m, such as 180s or 3m."
  }
}
