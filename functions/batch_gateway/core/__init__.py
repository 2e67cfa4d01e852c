"""What the gateway knows: prices, usage, cost, jobs, models, access. No I/O, no clock, no SDK."""
