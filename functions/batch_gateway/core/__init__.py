"""The core: prices, usage, cost, jobs, models and access, without I/O, clock or SDK."""
