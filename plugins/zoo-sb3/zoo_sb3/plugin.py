"""Registers SB3's algorithms, each alone and inside a world model."""

from zoo_core.plugins import AgentSpec, Registry, hookimpl

ZOO_API = 1

_ANY_OBS = ("Box", "Discrete", "MultiDiscrete", "MultiBinary", "Dict")
_ANY_ACTION = ("Box", "Discrete", "MultiDiscrete", "MultiBinary")
_ALGORITHMS = {  # class prefix: what it is, paper, action spaces
    "PPO": ("proximal policy optimisation", "Schulman et al. 2017, arXiv:1707.06347", _ANY_ACTION),
    "A2C": ("advantage actor-critic", "Mnih et al. 2016, arXiv:1602.01783", _ANY_ACTION),
    "DQN": ("deep Q-network", "Mnih et al. 2015, doi:10.1038/nature14236", ("Discrete",)),
    "SAC": ("soft actor-critic", "Haarnoja et al. 2018, arXiv:1812.05905", ("Box",)),
    "TD3": ("twin delayed deterministic policy gradient", "Fujimoto et al. 2018, arXiv:1802.09477", ("Box",)),
    "DDPG": ("deep deterministic policy gradient", "Lillicrap et al. 2016, arXiv:1509.02971", ("Box",)),
}
_IN_DREAMS = ("PPO", "A2C", "DQN", "SAC", "TD3")

# Small settings, for the conformance kit.
_OFF_POLICY = {"learning_starts": 32, "batch_size": 16, "buffer_size": 1_000, "policy_kwargs": {"net_arch": [16]}}
_SMALL = {
    "PPO": {"n_steps": 16, "batch_size": 16, "n_epochs": 2, "policy_kwargs": {"net_arch": [16]}},
    "A2C": {"n_steps": 8, "policy_kwargs": {"net_arch": [16]}},
    **dict.fromkeys(("DQN", "SAC", "TD3", "DDPG"), _OFF_POLICY),
}
_SMALL_DREAMS = {
    "initial_steps": 40,
    "round_steps": 20,
    "dream_steps": 256,
    "num_dreams": 8,
    "horizon": 20,
    "model_config": {"hidden": 16, "num_layers": 1, "max_epochs": 3},
}


@hookimpl
def zoo_register(registry: Registry) -> None:
    """Registers `ppo a2c dqn sac td3 ddpg` and `dream-ppo dream-a2c dream-dqn dream-sac dream-td3`."""
    for name, (what, paper, actions) in _ALGORITHMS.items():
        registry.register(
            AgentSpec(
                name.lower(),
                f"zoo_sb3.agent:{name}Agent",
                summary=f"model-free: {what}, as in Stable-Baselines3",
                config=f"zoo_sb3.config:{name}Config",
                paper=paper,
                observation_spaces=_ANY_OBS,
                action_spaces=actions,
                check_config={name.lower(): _SMALL[name]},
            )
        )
    for name in _IN_DREAMS:
        what, paper, actions = _ALGORITHMS[name]
        registry.register(
            AgentSpec(
                f"dream-{name.lower()}",
                f"zoo_sb3.dream_agent:Dream{name}Agent",
                summary=f"SB3's {name} trained inside any world model: collect, fit, train in the dream, repeat",
                config=f"zoo_sb3.config:Dream{name}Config",
                paper=f"Ha & Schmidhuber 2018, arXiv:1803.10122 (iterative procedure); {paper}",
                observation_spaces=_ANY_OBS,
                action_spaces=actions,
                model_based=True,
                check_config={**_SMALL_DREAMS, name.lower(): _SMALL[name]},
            )
        )
