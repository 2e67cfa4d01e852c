"""Handle jobs: create, passthrough, estimate, cost, list."""
