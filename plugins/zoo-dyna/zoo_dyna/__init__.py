"""Dyna-Q and its family."""
