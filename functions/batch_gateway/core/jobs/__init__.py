"""Jobs: their records, names, labels, outputs and reports."""
