"""Sends events to webhooks and to the topic."""
