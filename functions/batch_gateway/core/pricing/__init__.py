"""What things cost: models, the dated price table, money."""
