"""What the models learn: noise, dynamics, doubt, terminations, averages."""

import numpy as np
import pytest
import torch

import zoo_core


def rng(seed=0):
    return zoo_core.rng(seed)


def begin(model, obs):
    return model.observe(None, None, torch.as_tensor(obs), None, rng=rng())


@torch.no_grad()
def step(model, obs, action, **kwargs):
    return model.step(begin(model, obs), torch.as_tensor(action), rng=rng(), **kwargs)


def test_the_ensemble_recovers_the_dynamics_of_a_linear_system(linear_model, linear_system):
    obs = 0.7 * torch.randn(500, 2, generator=rng(1))
    action = 2 * torch.rand(500, 1, generator=rng(2)) - 1
    predicted = step(linear_model, obs, action, temperature=0)
    expected = obs @ linear_system["A"].T + action * linear_system["B"]
    error = (predicted.state.obs - expected).square().mean(0).sqrt().numpy()
    # Half the noise of a single step; a model that predicts no change is wrong by more than the noise.
    assert (error < 0.5 * linear_system["noise_std"]).all()
    assert ((obs - expected).square().mean(0).sqrt().numpy() > linear_system["noise_std"]).all()
    assert (predicted.reward + obs.square().sum(1)).square().mean().sqrt() < 0.15  # of a deviation of about 1


def test_the_ensemble_recovers_the_noise_of_a_linear_system(linear_model, linear_system):
    """Each coordinate's own deviation, within 20 %, of samples drawn at one state."""
    for place in ([0.0, 0.0], [0.7, -0.7], [-1.0, 0.3]):
        obs = torch.tensor([place]).expand(4_000, 2)
        samples = step(linear_model, obs, torch.zeros(4_000, 1)).state.obs
        assert samples.std(0).numpy() == pytest.approx(linear_system["noise_std"], rel=0.2)


def test_samples_of_one_member_are_as_wide_as_it_says(linear_model):
    """`aleatoric` is the root mean square of the predicted deviations, in units of the targets' deviation."""
    obs = torch.tensor([[1.0, -1.0]]).expand(20_000, 2)  # where no bound on rewards is near
    state = begin(linear_model, obs)._replace(member=torch.full((20_000,), 3))
    with torch.no_grad():
        sampled = linear_model.step(state, torch.zeros(20_000, 1), rng=rng(), uncertainty=True)
    outputs = torch.cat([sampled.state.obs, sampled.reward[:, None]], 1) / linear_model.target_scale.std
    said = sampled.uncertainty["aleatoric"][0]
    assert float(outputs.var(0).mean().sqrt()) == pytest.approx(float(said), rel=0.02)


def test_members_disagree_more_off_the_data_than_on_it(linear_model):
    on = torch.randn(300, 2, generator=rng(3))
    direction = on / on.norm(dim=1, keepdim=True)
    doubt = [
        step(linear_model, obs, torch.zeros(300, 1), uncertainty=True).uncertainty["epistemic"].mean()
        for obs in (on, 5 * direction, 10 * direction)  # all data lies within a distance of about 4
    ]
    assert doubt[1] > 3 * doubt[0]
    assert doubt[2] > doubt[1]


def test_disagreement_is_the_root_mean_square_of_the_members_deviation(linear_model):
    obs, action = 1 + torch.rand(10, 2, generator=rng(4)), torch.zeros(10, 1)  # far from the bound of rewards
    seen = []
    for member in linear_model.elites.tolist():
        state = begin(linear_model, obs)._replace(member=torch.full((10,), member))
        with torch.no_grad():
            one = linear_model.step(state, action, rng=rng(), temperature=0)
        seen.append(torch.cat([one.state.obs - obs, one.reward[:, None]], 1) / linear_model.target_scale.std)
    expected = torch.stack(seen).var(0, unbiased=False).mean(1).sqrt()
    epistemic = step(linear_model, obs, action, uncertainty=True).uncertainty["epistemic"]
    torch.testing.assert_close(epistemic, expected, rtol=1e-3, atol=1e-4)


def test_the_termination_head_is_calibrated_on_cartpole(cartpole_model):
    """On new episodes: right on average, right in each bin, and far better than the constant base rate."""
    seen = zoo_core.Replay.collect("CartPole-v1", 2_000, seed=1).tensors()
    said = 1 - step(cartpole_model, seen.obs, seen.action, temperature=0).continues
    happened = seen.terminated.float()
    rate = happened.mean()
    assert float(said.mean()) == pytest.approx(float(rate), rel=0.3)
    brier, constant = (said - happened).square().mean(), rate * (1 - rate)
    assert brier < 0.4 * constant
    bins = (said * 5).long().clamp(max=4)
    gaps = [float((said - happened)[bins == b].sum().abs()) / len(said) for b in range(5)]
    assert sum(gaps) < 0.02  # expected calibration error; saying 0 always has that of the base rate
    assert rate > 0.03


def test_termination_is_never_predicted_where_none_was_ever_seen(linear_model):
    far = 100 * torch.randn(50, 2, generator=rng())
    assert bool((step(linear_model, far, torch.zeros(50, 1)).continues == 1).all())


@pytest.fixture(scope="module")
def fork(replay_of):
    """Every step goes up or down by 1, at random, and earns the square of that by a coin."""
    source = np.random.default_rng(0)
    obs, action = source.uniform(-1, 1, (2_000, 1)), source.uniform(-1, 1, (2_000, 1))
    jump = source.choice([-1.0, 1.0], (2_000, 1))
    return replay_of(obs, action, source.choice([0.0, 1.0], 2_000), obs + jump)


def test_one_network_learns_the_average_of_what_happens(fork, model_for):
    model = model_for(fork, "mlp", max_epochs=30)
    model.fit(fork, rng=rng())
    obs = torch.linspace(-0.8, 0.8, 50)[:, None]
    predicted = step(model, obs, torch.zeros(50, 1))
    # The mean of 2,000 signs has a deviation of 0.02; a curve through them a few times that.
    assert (predicted.state.obs - obs).square().mean().sqrt() < 0.2
    assert (predicted.reward - 0.5).square().mean().sqrt() < 0.1


def test_dreams_of_one_network_are_deterministic(fork, model_for):
    model = model_for(fork, "mlp", max_epochs=1)
    model.fit(fork, rng=rng())
    action = torch.zeros(8, 1)
    first, second = (
        model.step(begin(model, torch.ones(8, 1)), action, rng=rng(seed), uncertainty=True) for seed in (1, 2)
    )
    assert torch.equal(first.state.obs, second.state.obs)
    assert torch.equal(first.reward, second.reward)
