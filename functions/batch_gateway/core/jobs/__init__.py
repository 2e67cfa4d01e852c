"""Job records, and the names, labels, outputs and reports of jobs."""
