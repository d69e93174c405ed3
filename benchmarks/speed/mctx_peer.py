"""mctx (JAX), the peer of the searches with a policy: the same network or the same addition, on one thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

GAMMA = 0.997
HIDDEN = 64


def mctx_search(policy: str, kind: str, num_roots: int, num_simulations: int, num_actions: int) -> Callable[[], object]:
    """Returns a search by mctx, compiled.

    Args:
        policy: "muzero" or "gumbel".
        kind: of the model: "mlp", two layers of 64 and three heads, or "trivial", an addition.
        num_roots: B.
        num_simulations: from each root.
        num_actions: A.
    """
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    import jax
    import jax.numpy as jnp
    import mctx

    keys = jax.random.split(jax.random.PRNGKey(0), 8)

    def matrix(key: Any, inputs: int, outputs: int) -> Any:
        return jax.random.normal(key, (inputs, outputs)) / jnp.sqrt(inputs)

    weights = {
        "first": matrix(keys[0], HIDDEN + num_actions, HIDDEN),
        "second": matrix(keys[1], HIDDEN, HIDDEN),
        "reward": matrix(keys[2], HIDDEN, 1),
        "policy": matrix(keys[3], HIDDEN, num_actions),
        "value": matrix(keys[4], HIDDEN, 1),
    }

    def output(reward: Any, value: Any, logits: Any) -> Any:
        discount = jnp.full(reward.shape, GAMMA)
        return mctx.RecurrentFnOutput(reward=reward, discount=discount, prior_logits=logits, value=value)

    def by_network(params: Any, rng: Any, action: Any, latent: Any) -> Any:
        x = jnp.concatenate([latent, jax.nn.one_hot(action, num_actions)], -1)
        x = jax.nn.relu(jax.nn.relu(x @ params["first"]) @ params["second"])
        reward, value = ((x @ params[head])[:, 0] for head in ("reward", "value"))
        return output(reward, value, x @ params["policy"]), x

    def by_addition(params: Any, rng: Any, action: Any, place: Any) -> Any:
        value, logits = jnp.sin(place[:, 0] + action), jnp.zeros((len(action), num_actions))
        return output(jnp.zeros(action.shape), value, logits), place + action[:, None]

    root = mctx.RootFnOutput(
        prior_logits=jax.random.normal(keys[5], (num_roots, num_actions)),
        value=jnp.zeros(num_roots),
        embedding=jax.random.normal(keys[6], (num_roots, HIDDEN if kind == "mlp" else 1)),
    )
    search = mctx.muzero_policy if policy == "muzero" else mctx.gumbel_muzero_policy
    model = by_network if kind == "mlp" else by_addition

    @jax.jit
    def run(params: Any, key: Any, root: Any) -> Any:
        output = search(params, key, root, model, num_simulations=num_simulations)
        return output.action, output.action_weights

    return lambda: jax.block_until_ready(run(weights, keys[7], root))
