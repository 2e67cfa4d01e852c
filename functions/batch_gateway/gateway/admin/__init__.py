"""Use cases of the administrator: keys, teams, audit trail, sweep."""
