"""Settle output: read it, price it and record the cost of its job."""
