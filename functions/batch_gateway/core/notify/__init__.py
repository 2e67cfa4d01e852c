"""What goes out of a job or a budget: events, and signed webhooks."""
