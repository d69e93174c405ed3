"""Monte-Carlo tree search in any world model."""
