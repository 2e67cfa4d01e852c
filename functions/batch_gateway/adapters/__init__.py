"""One module per outside system, one SDK each; ``memory`` has the same ports without any."""
