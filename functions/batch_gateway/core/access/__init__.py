"""Callers, keys and grants."""
