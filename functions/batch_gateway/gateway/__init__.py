"""Serve the HTTP API and the dashboard."""
