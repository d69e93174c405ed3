"""Neural world models of vector observations: `mlp`, one network, and `ensemble`, a probabilistic ensemble."""
