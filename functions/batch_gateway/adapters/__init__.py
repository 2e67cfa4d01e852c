"""One module per outside system, one SDK each."""
