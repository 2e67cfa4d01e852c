"""Use cases of jobs: create, passthrough, estimate, cost, list."""
