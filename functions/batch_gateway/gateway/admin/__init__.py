"""Handle the administrator's requests: keys, teams, audit trail, sweep."""
