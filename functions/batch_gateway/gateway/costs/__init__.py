"""Report and export spend, and reprice jobs."""
