"""How long jobs wait and run."""
