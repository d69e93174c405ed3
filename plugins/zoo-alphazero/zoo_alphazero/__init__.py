"""AlphaZero, AlphaGo Zero and AlphaGo: board games learned by self-play and search."""
