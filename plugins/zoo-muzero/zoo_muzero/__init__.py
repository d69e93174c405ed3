"""MuZero: planning by tree search in a model that is learned for nothing but that."""
