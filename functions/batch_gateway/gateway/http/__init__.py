"""Handle HTTP itself: routes, requests, responses, authentication and rate limits."""
