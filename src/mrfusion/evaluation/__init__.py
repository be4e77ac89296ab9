"""Predictions on disk against labels on disk: which file belongs to which, and what every metric says of them."""
