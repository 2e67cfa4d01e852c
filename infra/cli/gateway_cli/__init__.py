"""The command line: the gateway's HTTP API in a terminal."""

__version__ = "2026.11.28"
