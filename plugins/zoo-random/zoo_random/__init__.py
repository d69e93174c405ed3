"""The random agent: a baseline, and the smallest complete plugin."""
