"""One step in a dream: members, temperature, bounds, ends."""

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot, silu

import zoo_core
from zoo_core.testing import check_world_model
from zoo_core.world_model import index, put
from zoo_ensemble.losses import bound_log_var


def rng(seed=0):
    return zoo_core.rng(seed)


def begin(model, obs, member=None):
    state = model.observe(None, None, obs, None, rng=rng())
    return state if member is None else state._replace(member=torch.as_tensor(member).expand(len(obs)))


def some_obs(num, dim=2, seed=1):
    return torch.randn(num, dim, generator=rng(seed))


@torch.no_grad()
def step(model, state, action, seed=0, **kwargs):
    return model.step(state, action, rng=rng(seed), **kwargs)


@pytest.mark.parametrize("name", ["ensemble", "mlp"])
def test_the_contract_of_world_models_is_kept(linear_replay, cartpole_replay, model_for, name):
    """With options that the defaults do not show: fewer elites than members, known functions."""
    elites = {"num_members": 4, "num_elites": 2} if name == "ensemble" else {}
    functions = "zoo_envs.known_functions:mountain_car_continuous"  # of two observations and one action
    known = {"reward_fn": f"{functions}_reward", "termination_fn": f"{functions}_termination"}
    check_world_model(model_for(linear_replay, name, **elites, **known), linear_replay)
    check_world_model(model_for(cartpole_replay, name, **elites), cartpole_replay)


# -- members -----------------------------------------------------------------------------------------------------------


def predict_alone(model, obs, action, member):
    """One member's mean and log-variance `[D + 1]` for one row, in a loop over layers."""
    row = torch.cat([model.input_scale(obs), action])
    for i, layer in enumerate(model.network.layers):
        row = row @ layer.weight[member] + layer.bias[member, 0]
        row = silu(row) if i < len(model.network.layers) - 1 else row
    num = len(obs) + 1
    return row[:num], bound_log_var(row[num:], model.min_log_var, model.max_log_var)


@pytest.mark.parametrize("member", [[0, 3, 1, 3, 3, 4], [2] * 6, [4, 3, 2, 1, 0, 0]])
def test_a_step_is_that_of_each_rows_own_member(linear_model, member):
    obs, action = some_obs(6), torch.linspace(-1, 1, 6)[:, None]
    imagined = step(linear_model, begin(linear_model, obs, member), action, temperature=0)
    for i, e in enumerate(member):
        mean, _ = predict_alone(linear_model, obs[i], action[i], e)
        change = linear_model.target_scale.mean + linear_model.target_scale.std * mean
        torch.testing.assert_close(imagined.state.obs[i], obs[i] + change[:-1], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(imagined.reward[i], change[-1].clamp(max=0), atol=1e-4, rtol=1e-4)


def test_a_row_without_a_member_gets_the_mean_of_the_elites_at_temperature_0(linear_model):
    obs, action = some_obs(4), torch.zeros(4, 1)
    elites = torch.tensor([3, 0])
    was, linear_model.elites = linear_model.elites, elites
    try:
        mean = step(linear_model, begin(linear_model, obs), action, temperature=0).state.obs
        each = [step(linear_model, begin(linear_model, obs, e), action, temperature=0).state.obs for e in elites]
        assert torch.equal(begin(linear_model, obs).member, torch.full((4,), -1))
    finally:
        linear_model.elites = was
    torch.testing.assert_close(mean, torch.stack(each).mean(0))


def test_a_row_keeps_the_member_that_its_first_step_draws(linear_model):
    state, action = begin(linear_model, some_obs(200)), torch.zeros(200, 1)
    drawn = step(linear_model, state, action).state.member
    assert drawn.bincount(minlength=5).tolist() == [40] * 5
    state = step(linear_model, state, action).state
    for seed in range(1, 4):
        state = step(linear_model, state, action, seed=seed).state
        assert torch.equal(state.member, drawn)


def test_rows_that_begin_anew_leave_the_members_of_others_alone(linear_model):
    action = torch.zeros(200, 1)
    before = step(linear_model, begin(linear_model, some_obs(200)), action).state
    fresh = torch.arange(0, 200, 2)
    begun = put(before, fresh, begin(linear_model, some_obs(100)))
    assert (begun.member[fresh] == -1).all()
    after = step(linear_model, begun, action, seed=5).state.member
    assert torch.equal(after[1::2], before.member[1::2])
    assert not torch.equal(after[fresh], before.member[fresh])
    assert after.min() >= 0


def test_a_new_observation_frees_a_row_of_its_member(linear_model):
    state = step(linear_model, begin(linear_model, some_obs(200)), torch.zeros(200, 1)).state
    seen = linear_model.observe(state, torch.zeros(200, 1), state.obs, torch.zeros(200, dtype=torch.bool), rng=rng())
    redrawn = step(linear_model, seen, torch.zeros(200, 1), seed=9).state.member
    assert not torch.equal(redrawn, state.member)


def test_only_elites_are_drawn(linear_replay, model_for):
    model = model_for(linear_replay, num_members=4, num_elites=2)
    model.elites = torch.tensor([3, 1])
    drawn = step(model, begin(model, some_obs(100)), torch.zeros(100, 1)).state.member
    assert set(drawn.tolist()) == {1, 3}
    spread = model.particles(begin(model, some_obs(2)), 3, rng=rng())
    assert set(spread.member.tolist()) == {1, 3}


def test_particles_spread_a_root_evenly_over_the_members(linear_model):
    spread = linear_model.particles(begin(linear_model, some_obs(3)), 20, rng=rng())
    assert torch.equal(spread.obs, some_obs(3).repeat_interleave(20, 0))
    assert spread.member.view(3, 20).sort().values.tolist() == [sorted([0, 1, 2, 3, 4] * 4)] * 3


@pytest.mark.parametrize(("num", "members"), [(1, [0]), (3, [0, 1, 2]), (7, [0, 1, 2, 3, 4, 0, 1])])
def test_every_root_has_the_same_members(linear_model, num, members):
    """So that candidates, which are roots to `particles`, do not compete by who happens to predict them."""
    spread = linear_model.particles(begin(linear_model, some_obs(4)), num, rng=rng())
    assert spread.member.view(4, num).tolist() == [linear_model.elites[members].tolist()] * 4


def test_rows_are_independent(linear_model):
    obs, action = some_obs(8), torch.linspace(-1, 1, 8)[:, None]
    state = begin(linear_model, obs, [0, 1, 2, 3, 4, 0, 1, 2])
    together = step(linear_model, state, action)
    other = state._replace(obs=torch.cat([obs[:1], -9 * obs[1:]]), member=state.member.roll(1).clone())
    other.member[0] = state.member[0]
    moved = step(linear_model, other, -action.clone().index_fill_(0, torch.tensor([0]), 1.0))
    torch.testing.assert_close(moved.state.obs[0], together.state.obs[0])
    alone = step(linear_model, index(state, [5]), action[5:6], temperature=0).state.obs[0]
    everyone = step(linear_model, state, action, temperature=0).state.obs[5]
    torch.testing.assert_close(alone, everyone)


def test_asking_for_uncertainty_changes_nothing_else(linear_model):
    state, action = begin(linear_model, some_obs(16)), torch.zeros(16, 1)
    plain, asked = (step(linear_model, state, action, uncertainty=asked) for asked in (False, True))
    assert plain.uncertainty is None
    assert {name: tuple(values.shape) for name, values in asked.uncertainty.items()} == {
        "epistemic": (16,),
        "aleatoric": (16,),
    }
    assert torch.equal(plain.state.member, asked.state.member)
    torch.testing.assert_close(plain.state.obs, asked.state.obs)


@pytest.mark.parametrize(("name", "config"), [("mlp", {}), ("ensemble", {"num_elites": 1})])
def test_a_single_member_does_not_claim_to_be_certain(linear_replay, model_for, name, config):
    model = model_for(linear_replay, name, **config)
    model.fit(linear_replay, rng=rng(), max_updates=1)
    dreams = zoo_core.DreamVecEnv(model, 2, uncertainty_penalty=1.0, seed=0)
    dreams.reset()
    with pytest.raises(ValueError, match="reports no epistemic uncertainty: leave uncertainty_penalty"):
        dreams.step(np.zeros((2, 1), np.float32))


# -- temperature -------------------------------------------------------------------------------------------------------


def test_temperature_0_draws_nothing(linear_model):
    state, action = begin(linear_model, some_obs(8)), torch.zeros(8, 1)
    first, second = (step(linear_model, state, action, seed, temperature=0) for seed in (1, 2))
    assert torch.equal(first.state.obs, second.state.obs)
    sampled = [step(linear_model, state, action, seed).state.obs for seed in (1, 2)]
    assert not torch.equal(*sampled)


@pytest.mark.parametrize("temperature", [0.25, 2.0])
def test_temperature_scales_deviations_by_its_root(linear_model, temperature):
    state, action = begin(linear_model, 0.1 * some_obs(50), 0), torch.zeros(50, 1)
    mean = step(linear_model, state, action, temperature=0).state.obs
    noise = step(linear_model, state, action).state.obs - mean
    scaled = step(linear_model, state, action, temperature=temperature).state.obs - mean
    torch.testing.assert_close(scaled, temperature**0.5 * noise, atol=1e-5, rtol=1e-4)


def test_temperature_divides_the_logit_of_termination(model_for, replay_of):
    """Of a model that ignores where it came to, so that the sampled observation makes no difference."""
    source = np.random.default_rng(0)
    obs = source.standard_normal((200, 2))
    replay = replay_of(obs, obs[:, :1], obs[:, 0], obs, terminated=obs[:, 0] > 1)
    model = model_for(replay)
    model.fit(replay, rng=rng(), max_updates=20)
    with torch.no_grad():
        model.termination.layers[0].weight[:, 3:] = 0.0  # behind two observations and an action
    state, action = begin(model, some_obs(50), 0), torch.zeros(50, 1)
    logit = torch.logit(step(model, state, action, temperature=0).continues)
    for temperature in (0.5, 2.0):
        continues = step(model, state, action, temperature=temperature).continues
        torch.testing.assert_close(torch.logit(continues), logit / temperature, atol=1e-3, rtol=1e-3)


def test_gradients_flow_through_a_dream(linear_model):
    obs = some_obs(4).requires_grad_()
    actions = [torch.zeros(4, 1, requires_grad=True) for _ in range(3)]
    state, total = begin(linear_model, obs), torch.zeros(4)
    for action in actions:
        imagined = linear_model.step(state, action, rng=rng())
        state, total = imagined.state, total + imagined.reward
    total.sum().backward()
    for leaf in (obs, *actions[:-1]):  # the reward was chosen before the last action could matter
        assert leaf.grad.isfinite().all()
        assert leaf.grad.abs().sum(1).min() > 0
    linear_model.zero_grad()


# -- bounds ------------------------------------------------------------------------------------------------------------


def roll(model, obs, steps=300):
    """Dreams on and on, past every end."""
    state, action, rewards = begin(model, obs), torch.zeros(len(obs), dtype=torch.int64), []
    for seed in range(steps):
        imagined = step(model, state, action, seed)
        state = imagined.state._replace(terminal=torch.zeros(len(obs), dtype=torch.bool))
        rewards.append(imagined.reward)
    return state.obs, torch.stack(rewards)


def test_a_long_dream_from_far_off_stays_in_the_world(cartpole_model, cartpole_replay):
    seen = cartpole_replay.tensors()
    everything = torch.cat([seen.obs, seen.next_obs])
    low, high = everything.amin(0), everything.amax(0)
    slack = cartpole_model.config.margin * (high - low)
    obs, rewards = roll(cartpole_model, 1_000 * torch.ones(20, 4))
    space = cartpole_replay.observation_space
    for i, (least, most) in enumerate(zip(space.low, space.high, strict=True)):
        bounded = np.isfinite(most)  # position and angle have limits of their own, the speeds have those of the data
        assert obs[:, i].max() <= (most if bounded else high[i] + slack[i])
        assert obs[:, i].min() >= (least if bounded else low[i] - slack[i])
    assert seen.reward.min() <= rewards.min() <= rewards.max() <= seen.reward.max()


def test_without_bounds_the_same_dream_leaves_the_world(cartpole_model, cartpole_replay, model_for):
    """The control of the test above: bounds are what held it."""
    free = model_for(cartpole_replay)
    free.load_state_dict(cartpole_model.state_dict())
    for bound in ("obs_low", "obs_high", "reward_low", "reward_high"):
        getattr(free.bounds, bound).fill_(-torch.inf if bound.endswith("low") else torch.inf)
    obs, rewards = roll(free, 1_000 * torch.ones(20, 4))
    assert not bool((obs.abs() < 100).all())
    assert not bool((rewards.abs() < 100).all())


def test_rows_that_were_held_back_are_reported(cartpole_model, cartpole_replay):
    seen = cartpole_replay.tensors()
    inside = step(cartpole_model, begin(cartpole_model, seen.obs[:50]), seen.action[:50], temperature=0)
    assert not inside.held.any()
    obs = torch.cat([seen.obs[:3], torch.full((2, 4), 50.0)])
    held = step(cartpole_model, begin(cartpole_model, obs), seen.action[:5]).held
    assert held.tolist() == [False] * 3 + [True] * 2


# -- known rewards and terminations, and what is over -----------------------------------------------------------------


def test_a_known_reward_is_that_of_the_environment():
    replay = zoo_core.Replay.collect("Pendulum-v1", 100, seed=0)
    model = zoo_core.make_model(
        "ensemble",
        replay.observation_space,
        replay.action_space,
        {"hidden": 8, "reward_fn": "zoo_envs.known_functions:pendulum_reward"},
        device="cpu",
    )
    model.fit(replay, rng=rng(), max_updates=1)
    seen = replay.tensors()
    reward = step(model, begin(model, seen.obs), seen.action).reward
    torch.testing.assert_close(reward, seen.reward, atol=1e-4, rtol=1e-4)


def test_known_functions_see_where_the_dream_came_from_and_went(linear_replay, model_for):
    calls = []

    def reward_fn(obs, action, next_obs):
        calls.append((obs, action, next_obs))
        return next_obs[:, 0]

    model = model_for(linear_replay, reward_fn=reward_fn)
    obs, action = some_obs(4), torch.ones(4, 1)
    imagined = step(model, begin(model, obs), action)
    assert all(map(torch.equal, calls[-1], (obs, action, imagined.state.obs)))
    assert torch.equal(imagined.reward, imagined.state.obs[:, 0])


def beyond_9(obs, action, next_obs):
    return next_obs[:, 0].abs() > 9


def test_a_row_that_is_over_stays_as_it_is_without_reward(linear_replay, model_for):
    model = model_for(linear_replay, termination_fn=beyond_9)
    obs = torch.tensor([[0.0, 0.0], [50.0, 1.0]])
    over = step(model, begin(model, obs), torch.zeros(2, 1))
    assert over.continues.tolist() == [1.0, 0.0]
    assert over.reward[1] != 0  # the step that ends an episode still earns
    later = over
    for _ in range(2):
        later = step(model, later.state, torch.ones(2, 1))
        assert torch.equal(later.state.obs[1], over.state.obs[1])
        assert (later.reward[1], later.continues[1]) == (0, 0)
    assert not torch.equal(later.state.obs[0], over.state.obs[0])


def test_a_known_termination_replaces_the_learned_one(cartpole_replay, model_for):
    model = model_for(cartpole_replay, termination_fn="zoo_envs.known_functions:cartpole_termination")
    model.fit(cartpole_replay, rng=rng(), max_updates=1)
    states = begin(model, torch.tensor([[0.0, 0.0, 0.0, 0.0], [2.6, 9.0, 0.0, 0.0]]))
    assert step(model, states, torch.tensor([0, 1])).continues.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("name", ["reward_fn", "termination_fn"])
def test_a_function_that_gives_the_wrong_shape_is_named_before_there_is_data(linear_replay, model_for, name):
    with pytest.raises(ValueError, match=rf"{name} must return a tensor of shape \(7,\) for 7 rows, got \(7, 1\)"):
        model_for(linear_replay, **{name: lambda obs, action, next_obs: next_obs[:, :1]})


def test_discrete_actions_enter_one_hot(cartpole_model):
    obs = 0.01 * some_obs(3, dim=4)
    for action in (0, 1):
        imagined = step(cartpole_model, begin(cartpole_model, obs, 2), torch.full((3,), action), temperature=0)
        code = one_hot(torch.tensor(action), 2).float()
        means = torch.stack([predict_alone(cartpole_model, row, code, 2)[0] for row in obs])
        change = cartpole_model.target_scale.mean + cartpole_model.target_scale.std * means
        torch.testing.assert_close(imagined.state.obs, obs + change[:, :4], atol=1e-5, rtol=1e-5)


def test_actions_are_scaled_by_the_limits_of_their_space():
    """A torque of ±2 enters as ±1."""
    replay = zoo_core.Replay.collect("Pendulum-v1", 50, seed=0)
    model = zoo_core.make_model("ensemble", replay.observation_space, replay.action_space, {"hidden": 8}, device="cpu")
    obs = 0.1 * some_obs(3, dim=3)
    imagined = step(model, begin(model, obs, 1), torch.full((3, 1), 2.0), temperature=0)
    means = torch.stack([predict_alone(model, row, torch.ones(1), 1)[0] for row in obs])
    torch.testing.assert_close(imagined.state.obs, obs + means[:, :3], atol=1e-6, rtol=1e-5)
