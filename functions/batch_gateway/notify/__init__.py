"""Send events to webhooks and to the Pub/Sub topic."""
