"""Model-based policy optimisation: SB3's SAC with a mixed replay buffer and a callback."""
