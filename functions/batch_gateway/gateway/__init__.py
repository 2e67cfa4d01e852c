"""The HTTP use cases."""
