"""The administrator's command line: the gateway's HTTP API in a terminal."""
