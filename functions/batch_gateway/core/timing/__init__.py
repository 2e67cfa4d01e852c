"""Times that jobs wait and run."""
