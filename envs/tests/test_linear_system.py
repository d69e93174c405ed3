import gymnasium as gym
import numpy as np
import pytest

import zoo_envs

A, B = np.array([[1.0, 0.1], [0.0, 1.0]]), np.array([[0.005], [0.1]])
Q, R = np.diag([1.0, 0.1]), np.array([[0.1]])


def make(**kwargs: object) -> zoo_envs.LinearSystemEnv:
    env = gym.make("zoo_envs/LinearSystem-v0", **kwargs).unwrapped
    assert isinstance(env, zoo_envs.LinearSystemEnv)
    return env


def rollout(env: zoo_envs.LinearSystemEnv, x0: object, num_steps: int, discount: float = 1.0) -> float:
    """Returns the discounted return of optimal control; time-varying where nothing is discounted."""
    obs, _ = env.reset(seed=0, options={"state": x0})
    total = 0.0
    for t in range(num_steps):
        if discount == 1.0:
            action = env.optimal_action(obs, steps_left=num_steps - t, discount=1.0)
        else:
            action = env.optimal_action(obs)
        obs, reward, _, _, _ = env.step(action)
        total += discount**t * reward
    return total


def test_lqr_has_the_golden_gain_and_cost() -> None:
    K, P = zoo_envs.solve_lqr(A, B, Q, R, 0.99)
    np.testing.assert_allclose(K, [[2.652718, 2.422848]], atol=1e-5)
    np.testing.assert_allclose(P, [[8.727516, 3.039094], [3.039094, 2.674803]], atol=1e-5)


def test_scalar_lqr_solves_its_quadratic_equation() -> None:
    # a = b = q = r = 1 without discount: p² = p + 1, the golden ratio, and k = p/(1 + p) = 1/p.
    K, P = zoo_envs.solve_lqr([[1.0]], [1.0], [[1.0]], 1.0)
    assert P.item() == pytest.approx((1 + 5**0.5) / 2)
    assert K.item() == pytest.approx(2 / (1 + 5**0.5))


def test_the_finite_horizon_optimum_is_that_of_one_large_least_squares_problem() -> None:
    horizon, discount, x0 = 5, 0.9, np.array([1.0, -0.5])
    free = np.stack([np.linalg.matrix_power(A, t) @ x0 for t in range(horizon)])
    forced = np.zeros((horizon, 2, horizon))  # effect of u_s on x_t
    for t in range(horizon):
        for s in range(t):
            forced[t, :, s] = (np.linalg.matrix_power(A, t - 1 - s) @ B)[:, 0]
    weight = np.sqrt(discount ** np.arange(horizon))
    rows = np.concatenate(
        [(weight[:, None, None] * (Q**0.5 @ forced)).reshape(-1, horizon), np.diag(weight) * 0.1**0.5]
    )
    target = np.concatenate([-(weight[:, None] * (free @ Q**0.5)).ravel(), np.zeros(horizon)])
    controls, cost = np.linalg.lstsq(rows, target)[:2]
    optimum = zoo_envs.solve_finite_horizon_lqr(A, B, Q, R, horizon, discount)
    assert x0 @ optimum.P[0] @ x0 == pytest.approx(cost.item())
    np.testing.assert_allclose(-optimum.K[0] @ x0, controls[:1])


def test_a_long_horizon_reaches_the_infinite_one() -> None:
    K, P = zoo_envs.solve_lqr(A, B, Q, R, 0.99)
    optimum = zoo_envs.solve_finite_horizon_lqr(A, B, Q, R, 500, 0.99)
    np.testing.assert_allclose(optimum.K[0], K, rtol=1e-9)
    np.testing.assert_allclose(optimum.P[0], P, rtol=1e-9)


def test_the_env_moves_by_powers_of_its_matrix() -> None:
    env = make()
    env.reset(options={"state": [0.3, -0.7]})
    for step in range(1, 101):
        env.step([0.0])
        np.testing.assert_allclose(env.get_state(), np.linalg.matrix_power(A, step) @ [0.3, -0.7], rtol=1e-12)


def test_optimal_control_returns_the_closed_form_for_ever_and_for_an_episode() -> None:
    env, x0 = make(), [0.8, -0.6]
    assert rollout(env, x0, 1500, discount=0.99) == pytest.approx(env.optimal_return(x0), rel=1e-5)
    assert rollout(env, x0, 100) == pytest.approx(env.optimal_return(x0, horizon=100, discount=1.0), rel=1e-5)


def test_any_other_gain_returns_less() -> None:
    env, x0 = make(), [0.8, -0.6]
    env.reset(options={"state": x0})
    total = sum(0.99**t * env.step(-1.1 * env.K @ env.get_state())[1] for t in range(1500))
    assert total < env.optimal_return(x0) - 1e-3


def test_noise_costs_what_the_closed_form_says() -> None:
    env = make(noise_std=0.2)
    returns = []
    env.reset(seed=0)
    for _ in range(150):
        env.set_state([0.5, 0.5])
        total = 0.0
        for t in range(40):
            total += env.step(env.optimal_action(env.get_state(), steps_left=40 - t, discount=1.0))[1]
        returns.append(total)
    expected = env.optimal_return([0.5, 0.5], horizon=40, discount=1.0)
    noiseless = make().optimal_return([0.5, 0.5], horizon=40, discount=1.0)
    error = np.std(returns) / len(returns) ** 0.5
    assert abs(np.mean(returns) - expected) < 4 * error
    assert noiseless - expected > 10 * error


def test_the_infinite_horizon_with_noise_is_the_limit_of_finite_ones() -> None:
    env = make(noise_std=0.2)
    assert env.optimal_return([1.0, 0.0]) == pytest.approx(env.optimal_return([1.0, 0.0], horizon=3000))


def test_optimal_action_and_return_take_batches() -> None:
    env, x0 = make(), np.random.default_rng(0).uniform(-1, 1, (7, 2))
    assert env.optimal_action(x0).shape == (7, 1)
    np.testing.assert_allclose(env.optimal_return(x0), [env.optimal_return(row) for row in x0])
    assert env.optimal_action(x0[0]) in env.action_space


def test_optimal_control_never_meets_the_bound_on_actions() -> None:
    env, corners = make(), np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=float)
    gains = zoo_envs.solve_finite_horizon_lqr(A, B, Q, R, 100).K
    for gain in (env.K, *gains):
        assert np.abs(corners @ gain.T).max() < env.action_space.high[0]


def test_a_state_stays_at_its_bound() -> None:
    env = make(state_limit=2.0)
    env.reset(options={"state": [1.9, 2.0]})
    obs = env.step([6.0])[0]
    np.testing.assert_array_equal(obs, [2.0, 2.0])


def test_other_systems_fit_in() -> None:
    rng = np.random.default_rng(0)
    env = make(A=0.3 * rng.normal(size=(3, 3)), B=rng.normal(size=(3, 2)), Q=np.eye(3), R=np.eye(2))
    assert env.observation_space.shape == (3,)
    assert env.action_space.shape == (2,)
    assert rollout(env, [0.1, 0.2, 0.3], 50) == pytest.approx(
        env.optimal_return([0.1, 0.2, 0.3], horizon=50, discount=1.0), rel=1e-5
    )


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"A": [[1.0, 0.0]]}, r"A must be a square matrix, got shape \(1, 2\)"),
        ({"B": [1.0, 2.0, 3.0]}, r"B must have 2 rows like A, got shape \(3,\)"),
        ({"Q": np.eye(3)}, r"Q must have shape \(2, 2\) to fit A and B, got \(3, 3\)"),
        ({"Q": [[1.0, 1.0], [0.0, 1.0]]}, "Q must be symmetric"),
        ({"Q": np.diag([1.0, -1.0])}, "Q must have eigenvalues at least 0, got -1"),
        ({"R": 0.0}, "R must have eigenvalues greater than 0, got 0"),
        ({"A": [[np.nan, 0.0], [0.0, 1.0]]}, "A must be finite"),
        ({"A": [[2.0, 0.0], [0.0, 1.0]], "B": [0.0, 1.0]}, "no finite cost"),
        ({"discount": 1.5}, r"discount must be in \(0, 1\], got 1.5"),
        ({"noise_std": -0.1}, "noise_std must be finite and at least 0, got -0.1"),
        ({"action_limit": 0.0}, "action_limit must be finite and greater than 0, got 0.0"),
        ({"state_limit": np.inf}, "state_limit must be finite and greater than 0, got inf"),
        ({"init_range": 2000.0}, r"init_range must be in \[0, state_limit=1000.0\], got 2000.0"),
    ],
)
def test_bad_arguments_are_named_with_value_and_range(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zoo_envs.LinearSystemEnv(**kwargs)  # type: ignore[arg-type]


def test_an_optimum_without_end_or_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="give a horizon or a discount below 1"):
        make(noise_std=0.1).optimal_return([0.0, 0.0], discount=1.0)
    with pytest.raises(ValueError, match="the number of steps must be at least 1, got 0"):
        make().optimal_action([0.0, 0.0], steps_left=0)
    with pytest.raises(ValueError, match="horizon must be an integer of at least 0, got -1"):
        zoo_envs.solve_finite_horizon_lqr(A, B, Q, R, -1)
