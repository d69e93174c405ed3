"""Runs inside a fresh environment, outside the checkout: what one distribution can do with its dependencies alone.

    python -I probe.py NAME

It stands on the standard library until the distribution is imported, and fails with the first thing that is missing.
"""

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import sys
import time
from pathlib import Path


def import_everything(package: str) -> int:
    """Imports a package and all modules in it; returns how many.

    Raises:
        ImportError: A module imports what is not installed; the message names both.
    """
    count = 1
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if found.name.endswith(".__main__"):
            continue
        try:
            importlib.import_module(found.name)
        except ImportError as error:
            raise ImportError(f"{found.name} imports what {package} does not declare: {error}") from error
        count += 1
    return count


def probe_core() -> None:
    """A dream of an exact model, with what declares the dependencies: pictures, films, logs, an SB3 agent."""
    from stable_baselines3 import PPO

    from zoo_core import DreamVecEnv, Replay, SimulatorModel
    from zoo_core.testing import check_dream_faces

    model = SimulatorModel("CartPole-v1")
    model.fit(Replay.collect("CartPole-v1", 100, seed=0), rng=None)
    check_dream_faces(model)
    PPO("MlpPolicy", DreamVecEnv(model, 2, horizon=8), n_steps=8, batch_size=8, tensorboard_log="logs").learn(16)
    assert list(Path("logs").rglob("events.*")), "no TensorBoard events"


def probe_envs() -> None:
    """Every environment is made, passes Gymnasium's checker and is drawn; nothing of the rest of the zoo is there."""
    import gymnasium
    from gymnasium.utils.env_checker import check_env

    for name in ("zoo_core", "torch", "stable_baselines3"):
        assert importlib.util.find_spec(name) is None, f"{name} came along with zoo-envs"
    ids = [id for id, spec in gymnasium.registry.items() if spec.namespace == "zoo_envs"]
    assert ids, "zoo_envs registers no environment"
    for id in ids:
        check_env(gymnasium.make(id, render_mode="rgb_array").unwrapped)
        print(f"    {id}", flush=True)


def probe_plugin(distribution: str) -> None:
    """The plugins of the distribution are found, and the conformance kit passes them."""
    from zoo_core.plugins import load_plugins
    from zoo_core.testing import check_plugin

    loaded = load_plugins()
    assert not loaded.failures, "; ".join(map(str, loaded.failures))
    names = [plugin.name for plugin in loaded.plugins if plugin.distribution == distribution]
    assert names, f"{distribution} brings no plugin"
    for name in names:
        check_plugin(name)


def main(distribution: str) -> None:
    """Imports all of a distribution, and tries what it is for."""
    begun = time.perf_counter()
    package = distribution.replace("-", "_")
    count = import_everything(package)
    origin = Path(importlib.import_module(package).__file__).resolve()
    assert origin.is_relative_to(Path(sys.prefix).resolve()), f"{package} comes from {origin}, not from its wheel"
    print(f"    {count} modules import, {time.perf_counter() - begun:.0f} s", flush=True)
    if distribution == "zoo-core":
        probe_core()
    elif distribution == "zoo-envs":
        probe_envs()
    else:
        probe_plugin(distribution)


if __name__ == "__main__":
    main(sys.argv[1])
