"""Spend over time: entries, buckets, and what they are exported as."""
