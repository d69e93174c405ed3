"""Stable-Baselines3 in the zoo: its algorithms as baselines (`ppo`, `sac`, ...), and inside dreams (`dream-ppo`,
...).
"""
