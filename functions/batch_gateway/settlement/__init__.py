"""From an output object to a cost in the books."""
