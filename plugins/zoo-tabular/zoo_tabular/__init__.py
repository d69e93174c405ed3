"""Tabular and linear world models, and dynamic programming on them."""
