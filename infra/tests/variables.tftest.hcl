# Every validation of a variable refuses what it is there to refuse. The runs are of the variables alone, by a link to
# variables.tf: so none takes long.

variables {
  project_id = "my-project"
}

run "refused_1" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    # spend of nothing
    alerts = { daily_spend_usd = 0 }
    # dataset without project
    bigquery_datasets = ["batch_output"]
    # billing account by name
    billing_budget = { amount = 10, billing_account = "My Billing Account" }
    # export without its table
    billing_export = "my-project.billing"
    # action that nobody knows
    budget_action = "panic"
    # config without models
    config = "general_settings: {}"
    # database name too short
    database = { name = "abc" }
    # repository by url
    deployer = { repository = "https://github.com/example/batch", state_bucket = "state" }
    # variable that is set by us
    environment = { GATEWAY_CONFIG = "/tmp/config.yaml" }
    # unknown ingress
    gateway = { ingress = "ALLOW_SOME" }
    # input key with capitals
    input_buckets = { Input = {} }
    # label with capitals
    labels = { Team = "search" }
    # short master key
    master_key = "sk-short"
    # half a rotation
    master_key_version = 1.5
    # model in a zone
    models = [{ name = "gemini-3.5-flash", location = "us-central1-a" }]
    # name too long
    name = "a-name-of-21-letters1"
    # email without a host
    notifications = { emails = ["operators"] }
    # project by its display name
    project_id = "My Project"
    # multi region
    region = "europe"
    # runtime of another language
    runtime = "nodejs22"
    # longer than a function may run
    settle = { settlement_seconds = 540 }
    # schedule in words
    sweep = { schedule = "every 5 minutes" }
    # wait without its unit
    waits = { grants = "180" }
  }

  expect_failures = [
    var.alerts,
    var.bigquery_datasets,
    var.billing_budget,
    var.billing_export,
    var.budget_action,
    var.config,
    var.database,
    var.deployer,
    var.environment,
    var.gateway,
    var.input_buckets,
    var.labels,
    var.master_key,
    var.master_key_version,
    var.models,
    var.name,
    var.notifications,
    var.project_id,
    var.region,
    var.runtime,
    var.settle,
    var.sweep,
    var.waits,
  ]
}

run "refused_2" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    # more than all answers
    alerts = { error_percent = 101 }
    # budget with cents
    billing_budget = { amount = 10.5, billing_account = "012345-6789AB-CDEF01" }
    # config with a private key
    config = "model_list: [{model_name: a, litellm_params: {model: vertex_ai/gemini-3.5-flash, vertex_credentials: {private_key: x}}}]"
    # backups for too long
    database = { backup_days = 99 }
    # variable in two places
    environment        = { REGION = "global" }
    secret_environment = { REGION = { secret = "region" } }
    # more warm than all instances
    gateway = { min_instances = 3, max_instances = 2 }
    # given input without a name
    input_buckets = { input = { create = false } }
    # project by number
    models = [{ name = "gemini-3.5-flash", project = "123456789012" }]
    # topic by its short name
    notifications = { pubsub_topics = ["incidents"] }
    # no instances
    settle = { max_instances = 0 }
  }

  expect_failures = [
    var.alerts,
    var.billing_budget,
    var.config,
    var.database,
    var.gateway,
    var.input_buckets,
    var.models,
    var.notifications,
    var.secret_environment,
    var.settle,
  ]
}

run "refused_3" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    # config with a master key
    config = "{model_list: [], general_settings: {master_key: sk-1234}}"
    # secret by its full name
    secret_environment = { TOKEN = { secret = "projects/my-project/secrets/token" } }
    # latency of nothing
    alerts = { latency_seconds = 0 }
    # many requests on half a cpu
    gateway = { cpu = "0.5" }
    # channel without its sign
    notifications = { slack_channels = ["batch"] }
    # no output bucket
    output_buckets = {}
  }

  expect_failures = [
    var.alerts,
    var.config,
    var.gateway,
    var.notifications,
    var.output_buckets,
    var.secret_environment,
  ]
}

run "refused_4" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    # drift of nothing
    alerts = { bill_drift_percent = 0 }
    # shorter than vertex is waited for
    gateway = { timeout_seconds = 60 }
    # secret variable of Google's
    secret_environment = { K_SERVICE = { secret = "service" } }
    # channel by its display name
    notifications = { channels = ["Operators"] }
    # output key too long
    output_buckets = { seventeen-letters = {} }
  }

  expect_failures = [
    var.alerts,
    var.gateway,
    var.notifications,
    var.output_buckets,
    var.secret_environment,
  ]
}

run "refused_5" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    # everybody as an invoker
    gateway = { invokers = ["allUsers"] }
    # the same key for both
    output_buckets = { input = {} }
    # slack without a token
    notifications = { slack_channels = ["#batch"] }
  }

  expect_failures = [
    var.gateway,
    var.output_buckets,
    var.slack_token,
  ]
}

run "refused_6" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    # given output without a name
    output_buckets = { output = { create = false } }
  }

  expect_failures = [
    var.output_buckets,
  ]
}

run "refused_7" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    # output gone before it is settled
    output_buckets = { output = { expire_days = 1 } }
  }

  expect_failures = [
    var.output_buckets,
  ]
}
