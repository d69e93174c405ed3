"""Learning cases: each trains agents on several seeds, judges them by a bar, and trains the controls beside them."""
