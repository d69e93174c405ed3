"""Board games: their rules, played for many positions at once, and the faces that they have."""
