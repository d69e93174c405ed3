"""The callback in plain SB3: when it fits and dreams, and from where."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from stable_baselines3 import SAC, TD3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import zoo_core
from zoo_core import ConfigError
from zoo_core.acting import as_vec_env
from zoo_mbpo.buffer import MixedReplayBuffer
from zoo_mbpo.callback import MBPOCallback

SMALL = {"batch_size": 8, "learning_starts": 20, "seed": 0, "device": "cpu"}
OPTIONS = {"model_interval": 10, "epoch_steps": 20, "rollouts_per_step": 3, "rollout_schedule": (0, 2, 1, 3)}


def make_sac(env, *, algorithm=SAC, **options):
    arguments = {"replay_buffer_class": MixedReplayBuffer, **SMALL, **options}
    return algorithm("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, **arguments)


class Watched(MBPOCallback):
    """Notes when it dreams, and what is in the buffers then."""

    def _init_callback(self):
        super()._init_callback()
        self.dreamt = []

    def dream(self, steps):
        metrics = super().dream(steps)
        self.dreamt.append((self.model.num_timesteps, metrics["dream/rollout_length"], self.buffer.dreams.capacity))
        return metrics


def test_it_fits_after_the_random_steps_and_then_every_interval(line_env, line_model):
    model, callback = line_model(), None
    callback = Watched(model, **OPTIONS)
    make_sac(line_env()).learn(65, callback=callback)
    assert model.fitted_to == [20, 30, 40, 50, 60]
    # from step 20 on, an epoch lasts 20 steps; rollouts have 1, 2, 3 steps in epochs 0, 1, 2
    assert callback.dreamt == [(20, 1, 60), (30, 1, 60), (40, 2, 120), (50, 2, 120), (60, 3, 180)]


def test_environments_side_by_side_count_their_steps_together(line_env, line_model):
    model = line_model()
    make_sac(DummyVecEnv([line_env] * 4)).learn(48, callback=MBPOCallback(model, **OPTIONS))
    assert model.fitted_to == [20, 32, 44]


def test_gradient_steps_follow_the_dreams_of_the_same_env_step(line_env, line_model):
    seen = []

    class Logged(MixedReplayBuffer):
        def sample(self, batch_size, env=None):
            seen.append((len(self.replay), len(self.dreams)))
            return super().sample(batch_size, env)

    sac = make_sac(line_env(), replay_buffer_class=Logged)
    sac.learn(31, callback=MBPOCallback(line_model(), **{**OPTIONS, "retain_epochs": 9}))
    assert seen == [*((step, 30) for step in range(21, 30)), (30, 60), (31, 60)]


def test_rollouts_branch_off_real_observations(line_env, line_model):
    sac = make_sac(line_env())
    sac.learn(20, callback=MBPOCallback(line_model(), **OPTIONS))
    buffer = sac.replay_buffer
    real, dreams = buffer.replay.transitions(), buffer.dreams.newest(30)
    assert {tuple(row) for row in dreams[:, :2].tolist()} <= {tuple(row) for row in real.obs.tolist()}
    assert not np.isin(dreams[:, -1].numpy(), real.reward).any()


def test_actions_are_sampled_from_the_actor(line_env, line_model):
    sac = make_sac(line_env())
    sac.learn(20, callback=MBPOCallback(line_model(), **{**OPTIONS, "rollouts_per_step": 100}))
    dreams = sac.replay_buffer.dreams.newest(1_000)
    first = dreams[(dreams[:, :2] == 0).all(dim=1)]
    with torch.no_grad():
        mean, log_std, _ = sac.actor.get_action_dist_params(first[:, :2])
    scores = (torch.atanh(first[:, 2].clamp(-0.999999, 0.999999)) - mean[:, 0]) / log_std[:, 0].exp()
    assert len(first) > 50
    assert float(scores.mean()) == pytest.approx(0, abs=0.4)
    assert float(scores.std()) == pytest.approx(1, abs=0.3)


def test_the_penalty_goes_into_the_dreams(line_env, line_model):
    means = []
    for penalty in (0.0, 1.0):
        sac = make_sac(line_env())
        callback = MBPOCallback(line_model(), uncertainty_penalty=penalty, **OPTIONS)
        sac.learn(20, callback=callback)
        rows = sac.replay_buffer.dreams.newest(30)
        means.append(rows[:, -1] - rows[:, 3])  # reward less the place that it is paid for
        uncertainty = rows[:, 0].abs()
    assert float(means[0].abs().max()) == 0
    torch.testing.assert_close(means[1], -uncertainty, atol=1e-5, rtol=0)


def test_what_happened_is_in_the_log(line_env, line_model):
    sac = make_sac(line_env())
    sac.learn(20, callback=MBPOCallback(line_model(), **OPTIONS))
    logged = sac.logger.name_to_value
    assert logged["model/loss"] == 0.0
    assert (logged["dream/rollout_length"], logged["dream/transitions"]) == (1, 30)
    assert {"dream/reward_mean", "dream/terminated_fraction"} <= logged.keys()


def test_a_second_learn_stores_no_step_from_one_episode_to_another(line_env, line_model):
    sac = make_sac(line_env())
    for _ in range(2):
        sac.learn(13, callback=MBPOCallback(line_model(), **OPTIONS))
    steps = sac.replay_buffer.replay.transitions()
    np.testing.assert_allclose(steps.next_obs[:, 1], steps.obs[:, 1] + 1)


def test_a_run_that_counts_anew_fits_anew(line_env, line_model):
    model = line_model()
    sac, callback = make_sac(line_env()), MBPOCallback(model, **OPTIONS)
    sac.learn(40, callback=callback)
    sac.learn(30, callback=callback)
    assert model.fitted_to == [20, 30, 40, 60, 70]


def test_the_model_knows_where_its_data_is_from(pendulum_replay):
    sac = make_sac("Pendulum-v1")
    config = {"hidden": 8, "num_layers": 1, "max_epochs": 1}
    model = zoo_core.make_model("ensemble", sac.observation_space, sac.action_space, config, device="cpu")
    sac.learn(25, callback=MBPOCallback(model, **OPTIONS))
    assert model.env_id == "Pendulum-v1"


def test_td3_can_dream_as_well(line_env, line_model):
    sac = make_sac(line_env(), algorithm=TD3)
    sac.learn(25, callback=MBPOCallback(line_model(), **OPTIONS))
    assert len(sac.replay_buffer.dreams) == 30


def test_another_replay_buffer_is_refused(line_env, line_model):
    sac = make_sac(line_env(), replay_buffer_class=ReplayBuffer)
    with pytest.raises(TypeError, match="made with replay_buffer_class=MixedReplayBuffer, got SAC with ReplayBuffer"):
        sac.learn(10, callback=MBPOCallback(line_model()))


def test_a_model_of_other_spaces_is_refused(line_env, line_model):
    other = Box(-1.0, 1.0, (1,))
    for model, name in ((line_model(other), "observation"), (line_model(action_space=other), "action")):
        with pytest.raises(ValueError, match=rf"{name}_space of the world model is Box\(-1.*, that of SAC is Box\("):
            make_sac(line_env()).learn(10, callback=MBPOCallback(model))


def test_a_penalty_on_what_a_model_cannot_say_is_refused_before_any_step():
    model = zoo_core.make_model("mlp", Box(-1.0, 1.0, (2,)), Box(-1.0, 1.0, (1,)), {"hidden": 4}, device="cpu")
    MBPOCallback(model)
    with pytest.raises(ConfigError, match=r"the model 'mlp' reports no epistemic uncertainty: .* does: .*ensemble"):
        MBPOCallback(model, uncertainty_penalty=0.5)


def test_a_normalised_environment_is_refused(line_env, line_model):
    sac = make_sac(VecNormalize(as_vec_env(line_env())))
    with pytest.raises(ValueError, match="VecNormalize"):
        sac.learn(10, callback=MBPOCallback(line_model()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_interval": 0}, "model_interval must be in"),
        ({"rollouts_per_step": 0}, "rollouts_per_step must be in"),
        ({"uncertainty_penalty": -1.0}, "uncertainty_penalty must be in"),
        ({"rollout_schedule": (5, 1, 1, 2)}, "first_epoch < last_epoch"),
    ],
)
def test_impossible_options_are_refused(line_model, options, message):
    with pytest.raises(ValueError, match=message):
        MBPOCallback(line_model(), **options)
