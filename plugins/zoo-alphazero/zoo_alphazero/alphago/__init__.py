"""AlphaGo (2016): from records of games to a search that mixes a value network and rollouts."""
