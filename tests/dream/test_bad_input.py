"""What a user or a model can get wrong in a dream, and what they are told."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

from zoo_core.dream import DreamEnv, DreamVecEnv, DreamVectorEnv, Imagination
from zoo_core.errors import NonFiniteError, Undecodable, UnsupportedSpaceError, ZooError
from zoo_core.simulator import SimulatorModel
from zoo_core.testing.fakes import Altered, KalmanModel, LookupTable, SmallRSSM, TicTacToe, random_opponent

FACES = [DreamEnv, DreamVectorEnv, DreamVecEnv]


@pytest.fixture
def kalman(case_named):
    return case_named("kalman").model


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizon": 0}, "horizon must be at least 1, got 0"),
        ({"temperature": -1.0}, r"temperature must be in \[0, inf\), got -1.0"),
        ({"observation": "pixels"}, 'observation must be "decoded" or "latent", got \'pixels\''),
        ({"max_uncertainty": 0.0}, r"max_uncertainty must be in \(0, inf\) or None, got 0.0"),
        ({"on_uncertain": "stop"}, 'on_uncertain must be "truncate" or "terminate", got \'stop\''),
    ],
)
def test_arguments_out_of_range(kalman, face, arguments, message):
    with pytest.raises(ValueError, match=message):
        face(kalman, **arguments)


@pytest.mark.parametrize("face", [DreamVectorEnv, DreamVecEnv])
def test_no_dreams_at_all(kalman, face):
    with pytest.raises(ValueError, match="the number of dreams must be at least 1, got 0"):
        face(kalman, 0)


def test_an_autoreset_mode_that_leaves_resetting_to_the_user(kalman):
    with pytest.raises(ValueError, match="NEXT_STEP or SAME_STEP, got DISABLED"):
        DreamVectorEnv(kalman, 2, autoreset_mode=gym.vector.AutoresetMode.DISABLED)


@pytest.mark.parametrize("face", FACES)
def test_decoded_observations_of_a_model_that_cannot_decode(case_named, face):
    with pytest.raises(Undecodable, match='ValueEquivalentModel cannot decode observations; use observation="latent"'):
        face(case_named("value-equivalent").model)


def test_a_decoder_that_refuses_is_noticed_at_once(kalman):
    class Refusing(SmallRSSM):
        def decode(self, state):
            raise Undecodable("trained without a decoder")

    model = Refusing(kalman.observation_space, kalman.action_space)
    model.starts = kalman.starts
    with pytest.raises(Undecodable, match="trained without a decoder"):
        DreamVecEnv(model, 2)


@pytest.mark.parametrize("face", FACES)
def test_two_players_without_an_opponent(face):
    with pytest.raises(ValueError, match="TicTacToe has 2 players: pass opponent="):
        face(TicTacToe())


def test_a_model_that_was_not_fitted(kalman):
    with pytest.raises(ZooError, match="KalmanModel has not seen an episode begin: call fit"):
        DreamEnv(KalmanModel(kalman.observation_space, kalman.action_space))


def test_an_action_space_that_dreams_do_not_take(kalman):
    model = KalmanModel(kalman.observation_space, kalman.action_space)
    model.action_space = spaces.Dict({"torque": kalman.action_space})
    with pytest.raises(UnsupportedSpaceError, match="a dream takes Box or Discrete or MultiDiscrete or MultiBinary"):
        DreamEnv(model)


def test_a_penalty_for_an_uncertainty_that_the_model_does_not_know(kalman):
    env = DreamEnv(kalman, uncertainty_penalty=1.0)
    env.reset()
    with pytest.raises(ValueError, match="KalmanModel reports no epistemic uncertainty"):
        env.step(np.zeros(1, np.float32))


# -- starts ------------------------------------------------------------------------------------------------------------


def test_a_start_of_the_wrong_shape(kalman):
    with pytest.raises(ValueError, match=r"start must have shape \(1, 3\), got \(1, 4\)"):
        DreamEnv(kalman).reset(options={"start": np.zeros(4, np.float32)})


def test_too_few_starts(kalman):
    with pytest.raises(ValueError, match=r"start must have shape \(3, 3\), got \(2, 3\)"):
        DreamVectorEnv(kalman, 3).reset(options={"start": np.zeros((2, 3), np.float32)})


def test_a_start_of_another_layout(case_named):
    with pytest.raises(ValueError, match=r"expected values laid out as Dict.*which has no 'past_middle'"):
        DreamEnv(case_named("dict").model).reset(options={"start": {"place": np.zeros(1, np.float32)}})


def test_a_start_that_is_not_a_number(kalman):
    with pytest.raises(NonFiniteError, match="the start given to the dream is NaN or infinite"):
        DreamEnv(kalman).reset(options={"start": np.full(3, np.nan, np.float32)})


def test_a_starts_function_that_returns_too_few(kalman):
    with pytest.raises(ValueError, match="starts must return 1 beliefs when called with num=1, got 7"):
        DreamEnv(kalman, starts=lambda num, *, rng: kalman.initial_state(7, rng=rng))


# -- what a model predicts ---------------------------------------------------------------------------------------------

UNSOUND = {
    "a reward that is NaN": lambda step: step._replace(reward=step.reward * torch.nan),
    "a reward that is NaN or infinite": lambda step: step._replace(reward=step.reward + torch.inf),
    "a probability to continue of nan": lambda step: step._replace(continues=step.continues * torch.nan),
    r"a probability to continue of 1.5, expected \[0, 1\]": lambda step: step._replace(continues=step.continues + 0.5),
    "an observation that is NaN": lambda step: step._replace(
        state=step.state._replace(mean=step.state.mean * torch.nan)
    ),
    "an epistemic uncertainty that is NaN": lambda step: step._replace(
        uncertainty={"epistemic": step.reward * torch.nan, "aleatoric": step.reward}
    ),
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("message", UNSOUND)
def test_a_model_that_predicts_nonsense_is_named(kalman, face, message):
    class Feverish(Altered):
        """Stands for any model."""

    env = face(Feverish(kalman, UNSOUND[message]), max_uncertainty=1.0 if "uncertainty" in message else None)
    env.reset()
    action = np.zeros(env.action_space.shape if face is not DreamVecEnv else (256, 1), np.float32)
    with pytest.raises(NonFiniteError, match=f"Feverish predicted {message}"):
        env.step(action)


def test_a_latent_that_is_not_finite_is_named(kalman):
    broken = Altered(kalman, lambda step: step._replace(state=step.state._replace(mean=step.state.mean / 0)))
    env = DreamEnv(broken, observation="latent")
    env.reset()
    with pytest.raises(NonFiniteError, match="Altered predicted an observation that is NaN or infinite"):
        env.step(np.zeros(1, np.float32))


# -- actions -----------------------------------------------------------------------------------------------------------


def test_actions_of_the_wrong_shape(kalman):
    env = DreamVecEnv(kalman, 4)
    env.reset()
    with pytest.raises(ValueError, match=r"actions must have shape \(4, 1\), got \(3, 1\)"):
        env.step(np.zeros((3, 1), np.float32))


def test_an_action_that_is_not_a_number(kalman):
    env = DreamEnv(kalman)
    env.reset()
    with pytest.raises(NonFiniteError, match="an action given to the dream is NaN or infinite"):
        env.step(np.array([np.nan], np.float32))


def test_a_box_action_out_of_bounds_is_clipped(kalman):
    rewards = []
    for torque in (2.0, 1e6):
        env = DreamEnv(kalman, seed=0, temperature=0.0)
        env.reset()
        rewards.append(env.step(np.array([torque], np.float32))[1])
    assert rewards[0] == rewards[1]


@pytest.mark.parametrize("action", [-1, 2])
def test_a_discrete_action_that_does_not_exist(case_named, action):
    env = DreamEnv(case_named("lookup-table").model)
    env.reset()
    with pytest.raises(ValueError, match=rf"actions must be in Discrete\(2\), got {action} to {action}"):
        env.step(action)


def test_a_discrete_action_that_is_no_integer(case_named):
    env = DreamEnv(case_named("lookup-table").model)
    env.reset()
    with pytest.raises(ValueError, match=r"actions of Discrete\(2\) must be integers, got float64"):
        env.step(0.5)


def test_discrete_actions_begin_where_the_space_does():
    space = spaces.Discrete(2, start=5)
    model = LookupTable(spaces.Discrete(4, start=-2), space)
    model.starts = np.array([-2, -1, 0, 1])
    env = DreamEnv(model, seed=0)
    obs, _ = env.reset()
    assert env.step(6)[0] == obs  # nothing was tried, so nothing moves
    with pytest.raises(ValueError, match="got 1 to 1"):
        env.step(1)


@pytest.mark.parametrize("face", FACES)
def test_stepping_before_the_first_reset(kalman, face):
    env = face(kalman)
    action = np.zeros(env.action_space.shape if face is not DreamVecEnv else (256, 1), np.float32)
    with pytest.raises((RuntimeError, gym.error.ResetNeeded), match=r"call reset\(\) before step\(\)"):
        env.step(action)


def test_an_engine_alone_checks_too():
    with pytest.raises(ValueError, match="horizon must be at least 1, got -3"):
        Imagination(TicTacToe(), 2, horizon=-3, opponent=random_opponent)


@pytest.mark.parametrize("face", [DreamEnv, DreamVectorEnv, DreamVecEnv])
def test_a_misspelt_argument_is_answered_by_the_nearest(face):
    with pytest.raises(TypeError, match=rf"{face.__name__} has no argument 'temprature': did you mean 'temperature'\?"):
        face(SimulatorModel("Pendulum-v1"), temprature=0.5)


def test_starts_that_are_no_function_are_refused():
    with pytest.raises(TypeError, match=r"starts must be a function \(num, \*, rng\) -> beliefs, got ndarray"):
        DreamVecEnv(SimulatorModel("Pendulum-v1"), 2, starts=np.zeros((2, 3)))


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="model must be a WorldModel or the path of a saved one, got int"):
        DreamEnv(3)
