# No provider blocks and no backend: whoever applies this folder or calls it as a module brings them. Every
# resource names its project, so that empty provider configurations are enough.
terraform {
  # 1.11: write-only arguments, which keep the master key out of the state.
  required_version = ">= 1.11"

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.7"
    }
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 8.0"
    }
    # For google_project_service_identity alone, which makes service agents exist before they are granted anything.
    google-beta = {
      source  = "hashicorp/google-beta"
      version = ">= 6.50, < 8.0"
    }
    # For the waits that fresh projects need.
    time = {
      source  = "hashicorp/time"
      version = ">= 0.12, < 1.0"
    }
  }
}
