"""Models, the dated price table, money and the cost of usage."""
