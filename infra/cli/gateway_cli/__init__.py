"""The administrator's command line: the gateway's HTTP API for people who prefer a terminal."""
