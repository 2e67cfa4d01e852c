"""The HTTP side: routes, requests, responses, who calls and how often."""
