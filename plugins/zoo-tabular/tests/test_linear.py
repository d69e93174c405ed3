"""What the linear model learns, against systems and tables that are known, and how its dreams go on."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import zoo_core
from zoo_core.errors import NonFiniteError
from zoo_tabular.linear import Linear, LinearState
from zoo_tabular.lookup import Lookup

VECTOR = spaces.Box(-np.inf, np.inf, (2,), np.float32)
CHOICE = spaces.Discrete(2)
SYSTEM = "zoo_envs/LinearSystem-v0"


def squares(obs):
    """All products of two coordinates."""
    i, j = torch.triu_indices(obs.shape[1], obs.shape[1])
    return obs[:, i] * obs[:, j]


def replay_of(obs, action, reward, next_obs, terminated=None, *, space=VECTOR):
    replay = zoo_core.Replay(space, CHOICE)
    ends = np.zeros(len(obs), bool) if terminated is None else terminated
    for i in range(len(obs)):
        rows = (np.asarray(each[i : i + 1]) for each in (obs, action, reward))
        replay.add(*rows, ends[i : i + 1], ~ends[i : i + 1], np.asarray(next_obs[i : i + 1]))
    return replay


def fitted(replay, **config):
    model = Linear(replay.observation_space, replay.action_space, config)
    model.fit(replay, rng=zoo_core.rng(0))
    return model


def step(model, obs, action, **kwargs):
    state = model.observe(None, None, torch.as_tensor(obs), None, rng=zoo_core.rng(0))
    return model.step(state, torch.as_tensor(action), rng=zoo_core.rng(0), **kwargs)


class Switched(gym.ActionWrapper):
    """A linear system with three controls to choose from."""

    controls = np.array([[-3.0], [0.0], [2.0]], np.float32)

    def __init__(self, env):
        super().__init__(env)
        self.action_space = spaces.Discrete(3)

    def action(self, action):
        return self.controls[action]


@pytest.fixture(scope="module")
def system_replay():
    return zoo_core.Replay.collect(SYSTEM, 500, seed=0)


@pytest.fixture(scope="module")
def switched():
    """A linear-quadratic problem with Discrete controls, and a model that is linear in squares, too."""
    env = Switched(zoo_core.make_env(SYSTEM))
    return env, fitted(zoo_core.Replay.collect(env, 500, seed=0), features=squares)


@pytest.fixture(scope="module")
def lake():
    return zoo_core.Replay.collect("FrozenLake-v1", 3_000, seed=0)


# -- systems that are linear -------------------------------------------------------------------------------------------


def test_a_linear_system_is_recovered_from_random_steps(system_replay):
    system = zoo_core.make_env(SYSTEM).unwrapped.system
    transition = fitted(system_replay).parts().transition[0]  # of (1, x, u)
    np.testing.assert_allclose(transition[:, 0], [1, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(transition[0, 1:], 0.0, atol=1e-6)
    np.testing.assert_allclose(transition[1:3, 1:].T, system.A, atol=1e-6)
    np.testing.assert_allclose(transition[3:, 1:].T, system.B, atol=1e-6)


def test_units_and_offsets_do_not_matter():
    """Coordinates of a million and of a millionth, both far from 0, are as exact in their own units."""
    source = np.random.default_rng(0)
    unit, offset = np.array([1e6, 1e-6]), np.array([3e7, 3e-5])
    z = source.standard_normal((300, 2))
    after = z @ np.array([[0.9, 0.2], [-0.2, 0.8]])
    obs, next_obs = ((each * unit + offset).astype(np.float32) for each in (z, after))
    model = fitted(replay_of(obs, np.zeros(300, int), z[:, 0], next_obs))
    error = (step(model, obs, np.zeros(300, int)).state.features[:, 1:].numpy() - next_obs) / unit
    assert np.abs(error).max() < 1e-4


def test_each_discrete_action_has_weights_of_its_own(switched):
    env, model = switched
    system = env.unwrapped.system
    for action, control in enumerate(Switched.controls):
        transition = model.parts().transition[action]
        np.testing.assert_allclose(transition[1:3, 1:3].T, system.A, atol=1e-5)
        np.testing.assert_allclose(transition[0, 1:3], system.B @ control, atol=1e-5)


def test_quadratic_features_recover_quadratic_costs(switched):
    """The cost of each control is a constant of its action; with Box actions u'Ru would not be linear."""
    env, model = switched
    system = env.unwrapped.system
    for action, control in enumerate(Switched.controls):
        constant, *linear, xx, xy, yy = model.parts().reward[action].tolist()
        assert constant == pytest.approx(-control @ system.R @ control, abs=1e-4)
        np.testing.assert_allclose(linear, 0.0, atol=1e-4)
        np.testing.assert_allclose([xx, xy, yy], [-system.Q[0, 0], -2 * system.Q[0, 1], -system.Q[1, 1]], atol=1e-4)


def test_a_dream_in_closed_features_is_exact_for_many_steps(switched):
    """Squares of a linear system move linearly among themselves: the dream needs no observation in between."""
    env, model = switched
    obs, _ = env.reset(seed=3)
    state = model.observe(None, None, torch.tensor(obs[None]), None, rng=zoo_core.rng(0))
    for t in range(15):
        action = (0, 2, 1, 2)[t % 4]
        obs, reward, *_ = env.step(action)
        imagined = model.step(state, torch.tensor([action]), rng=zoo_core.rng(0))
        state = imagined.state
        np.testing.assert_allclose(model.decode(state)[0], obs, atol=1e-3)
        assert float(imagined.reward) == pytest.approx(reward, abs=1e-3)
        assert not imagined.held.any()


def test_features_are_rolled_on_not_made_anew():
    """With noise the expected square is more than the square of the expectation; only the former is predicted."""
    source = np.random.default_rng(0)
    obs = source.standard_normal((4_000, 2))
    next_obs = 0.5 * obs + source.choice([-1.0, 1.0], (4_000, 2))
    replay = replay_of(obs, np.zeros(4_000, int), obs[:, 0], next_obs)
    state = step(fitted(replay, features=squares), np.zeros((1, 2), np.float32), [0]).state
    np.testing.assert_allclose(state.features[0], [1, 0, 0, 1, 0, 1], atol=0.1)


def test_a_step_has_the_gradients_of_the_matrices(system_replay):
    model = fitted(system_replay)
    features = torch.tensor([[1.0, 0.5, -0.5]], requires_grad=True)
    action = torch.tensor([[0.3]], requires_grad=True)
    after = model.step(LinearState(features, torch.tensor([False])), action, rng=zoo_core.rng(0))
    parts = model.parts()
    gradient = torch.cat(torch.autograd.grad(after.state.features[0, 1], [features, action], retain_graph=True), 1)
    torch.testing.assert_close(gradient[0], parts.transition[0, :, 1])
    gradient = torch.cat(torch.autograd.grad(after.reward[0], [features, action]), 1)
    torch.testing.assert_close(gradient[0], parts.reward[0])


# -- tables ------------------------------------------------------------------------------------------------------------


def test_one_hot_features_make_the_table(lake):
    """Expected next states and rewards of every pair are the averages over the data."""
    model, steps = fitted(lake), lake.transitions()
    for state in range(16):
        for action in range(4):
            rows = (steps.obs == state) & (steps.action == action)
            if not rows.any():
                continue
            imagined = step(model, [state], [action])
            going_on = rows & ~steps.terminated
            counts = np.bincount(steps.next_obs[going_on if going_on.any() else rows], minlength=16)
            np.testing.assert_allclose(imagined.state.features[0], counts / counts.sum(), atol=1e-6)
            assert float(imagined.reward) == pytest.approx(steps.reward[rows].mean(), abs=1e-6)
            assert float(imagined.continues) == pytest.approx(1 - steps.terminated[rows].mean(), abs=1e-6)


def test_distributions_move_on_as_those_of_the_lookup_table_do(lake):
    linear = fitted(lake)
    table = Lookup(lake.observation_space, lake.action_space, {"outcomes": "expected"})
    table.fit(lake, rng=zoo_core.rng(0))
    rng, obs = zoo_core.rng(0), torch.arange(16)
    states = [model.observe(None, None, obs, None, rng=rng) for model in (linear, table)]
    for t in range(20):
        action = torch.randint(4, (16,), generator=zoo_core.rng(t))
        first, second = (
            model.step(state, action, rng=rng) for model, state in zip((linear, table), states, strict=True)
        )
        torch.testing.assert_close(first.reward, second.reward, atol=1e-5, rtol=0)
        torch.testing.assert_close(first.continues, second.continues, atol=1e-5, rtol=0)
        torch.testing.assert_close(linear.features(first.state), table.features(second.state), atol=1e-5, rtol=0)
        states = [first.state, second.state]


def test_what_was_never_tried_stays_where_it_is_and_pays_nothing():
    obs, next_obs = np.array([0, 1]), np.array([1, 2])
    replay = replay_of(obs, np.array([0, 0]), np.array([1.0, -1.0]), next_obs, space=spaces.Discrete(4))
    model = fitted(replay)
    after = step(model, [0, 1, 3], [1, 1, 0])
    assert model.decode(after.state).tolist() == [0, 1, 3]
    assert after.reward.tolist() == [0.0, 0.0, 0.0]
    assert after.continues.tolist() == [1.0, 1.0, 1.0]
    model = fitted(replay_of(np.eye(2), np.array([0, 0]), np.array([1.0, -1.0]), 2 * np.eye(2)))
    assert step(model, np.eye(2, dtype=np.float32), [1, 1]).state.features.tolist() == [[1, 1, 0], [1, 0, 1]]


# -- ends --------------------------------------------------------------------------------------------------------------


def test_without_a_termination_in_the_data_an_episode_goes_on_for_ever(system_replay):
    model = fitted(system_replay)
    far = model.basis.high[1:3].expand(5, 2)
    assert step(model, far, torch.full((5, 1), 6.0)).continues.tolist() == [1.0] * 5


def test_termination_is_a_linear_probability_held_to_its_range():
    """Ends with probability 0.2 + 0.3 x exactly, for x in -1, 0, 1, 2; farther out it would leave [0, 1]."""
    x = np.repeat([-1.0, 0.0, 1.0, 2.0], 10)
    terminated = np.arange(40) % 10 < 10 * np.clip(0.2 + 0.3 * x, 0, 1).round(1) - 1e-9
    expected = terminated.reshape(4, 10).mean(1)
    slope, constant = np.polyfit([-1.0, 0.0, 1.0, 2.0], expected, 1)
    obs = np.stack([x, np.zeros(40)], 1)
    model = fitted(replay_of(obs, np.zeros(40, int), x, obs, terminated))
    seen = step(model, np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0], [-9.0, 0.0]], np.float32), [0] * 4)
    wanted = [1 - constant, 1 - constant - slope, 0.0, 1.0]
    np.testing.assert_allclose(seen.continues, wanted, atol=1e-5)
    assert seen.state.terminal.tolist() == [False, False, True, False]


def test_what_ended_rests():
    replay = replay_of(np.array([0, 1]), np.array([0, 0]), np.array([1.0, 5.0]), np.array([1, 2]),
                       np.array([False, True]), space=spaces.Discrete(3))  # fmt: skip
    model = fitted(replay)
    over = step(model, [1], [0])
    assert (float(over.continues), float(over.reward), int(model.decode(over.state))) == (0.0, 5.0, 2)
    after = model.step(over.state, torch.tensor([0]), rng=zoo_core.rng(0))
    assert (float(after.continues), float(after.reward), int(model.decode(after.state))) == (0.0, 0.0, 2)


def test_given_functions_take_the_place_of_what_is_learned(lake):
    def reward(obs, action, next_obs):
        return 10.0 * obs + action

    def ends(obs, action, next_obs):
        return action == 3

    model = fitted(lake, reward_fn=reward, termination_fn=ends)
    seen = step(model, [3, 4], [1, 3])
    assert seen.reward.tolist() == [31.0, 43.0]
    assert seen.continues.tolist() == [1.0, 0.0]
    hole = step(model, [4], [2]).state.features[0]  # one of three ways from here leads into a hole
    assert float(hole[5]) == pytest.approx(1 / 3, abs=0.15)


# -- staying in the world ----------------------------------------------------------------------------------------------


def test_a_dream_stays_within_reach_of_the_data():
    """x' = 2 x leaves any world; held at the range of the data and a quarter of it, or a near limit of the space."""
    obs = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    obs[:2] = [[-1, -1], [1, 1]]
    space = spaces.Box(np.array([-np.inf, -3], np.float32), np.array([np.inf, 1e6], np.float32))
    model = fitted(replay_of(obs, np.zeros(200, int), obs[:, 0], 2 * obs, space=space))
    state, top = step(model, np.array([[0.9, -0.9]], np.float32), [0]).state, 0.0
    for _ in range(100):
        after = model.step(state, torch.tensor([0]), rng=zoo_core.rng(0))
        state, top = after.state, max(top, float(after.reward))
    np.testing.assert_allclose(model.decode(state)[0], [2 + 0.25 * 4, -3.0], atol=1e-5)
    assert top == pytest.approx(1.0, abs=1e-6)
    assert after.held.all()
    state = step(model, np.array([[0.9, 0.9]], np.float32), [0]).state
    for _ in range(100):
        state = model.step(state, torch.tensor([0]), rng=zoo_core.rng(0)).state
    assert float(state.features[0, 2]) == pytest.approx(2 + 10 * 4)  # the limit of the space says nothing


def test_extra_features_that_are_not_finite_are_refused(system_replay):
    model = Linear(system_replay.observation_space, system_replay.action_space, {"features": lambda obs: obs.log()})
    with pytest.raises(NonFiniteError, match=r"features=, returned NaN or infinity"):
        model.fit(system_replay, rng=zoo_core.rng(0))


# -- uncertainty -------------------------------------------------------------------------------------------------------


def test_epistemic_uncertainty_of_a_state_falls_with_its_tries(lake):
    steps, model = lake.transitions(), fitted(lake)
    for state, action in ((0, 0), (4, 3), (5, 1)):
        tries = ((steps.obs == state) & (steps.action == action)).sum()
        epistemic = step(model, [state], [action], uncertainty=True).uncertainty["epistemic"]
        assert float(epistemic) == pytest.approx(1 / np.sqrt(1 + tries), rel=1e-4)


def test_epistemic_uncertainty_is_the_leverage(system_replay):
    """By a naive formula, on standardised inputs; more data means less, distance means more."""
    steps, model = system_replay.transitions(), fitted(system_replay)
    raw = np.column_stack([steps.obs, steps.action]).astype(np.float64)
    mean, std = raw.mean(0), raw.std(0)
    design = np.column_stack([np.ones(len(raw)), (raw - mean) / std])
    probe = np.array([[0.2, -0.1, 3.0], [200.0, -20.0, 0.0]])
    x = np.column_stack([np.ones(2), (probe - mean) / std])
    expected = np.sqrt((x @ np.linalg.inv(design.T @ design + np.eye(4)) * x).sum(1))
    values = torch.tensor(probe, dtype=torch.float32)
    seen = step(model, values[:, :2], values[:, 2:], uncertainty=True).uncertainty
    np.testing.assert_allclose(seen["epistemic"], expected, rtol=1e-4)
    assert expected[1] > 3 * expected[0]


def test_aleatoric_uncertainty_is_what_is_left_unexplained():
    """A reward that is noise alone, next observations that are exact: of three outputs one is not explained."""
    source = np.random.default_rng(0)
    obs = source.standard_normal((2_000, 2))
    model = fitted(replay_of(obs, np.zeros(2_000, int), source.standard_normal(2_000), 0.5 * obs))
    seen = step(model, np.zeros((3, 2), np.float32), [0, 0, 0], uncertainty=True).uncertainty["aleatoric"]
    np.testing.assert_allclose(seen, np.sqrt(1 / 3), atol=0.01)
