# The least: everything in one region, a bucket of input and one of output made for it.

terraform {
  required_version = ">= 1.11"
}

variable "project_id" {
  description = "Id of the project."
  type        = string
}

module "batch_gateway" {
  source = "../.."

  project_id = var.project_id
}

output "url" {
  description = "The gateway's URL."
  value       = module.batch_gateway.url
}

output "curl" {
  description = "A first call."
  value       = module.batch_gateway.curl
}
