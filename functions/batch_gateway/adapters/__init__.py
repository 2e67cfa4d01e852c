"""Adapters of the ports: one module per outside system, with one SDK each."""
