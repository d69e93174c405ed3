"""Planners for any world model, and `mpc`, an agent that acts by them."""
