"""What the engine does with a model's steps: horizon, ends, penalties, starts, opponents."""

import numpy as np
import pytest
import torch

from zoo_core.dream import DreamEnv, DreamVecEnv, DreamVectorEnv, Imagination
from zoo_core.testing.checks.expect import same
from zoo_core.testing.fakes import Altered, TicTacToe, random_opponent
from zoo_core.testing.fakes.lookup_table import Place


@pytest.fixture
def table(case_named):
    return case_named("lookup-table").model


def immortal(model):
    """The same model, whose episodes never end."""
    return Altered(model, lambda step: step._replace(continues=torch.ones_like(step.continues)))


def mortal(model, continues):
    """The same model, whose episodes go on with a given probability."""
    return Altered(model, lambda step: step._replace(continues=torch.full_like(step.continues, continues)))


def walk(env, steps):
    """Steps an SB3 face to the right; returns dones and infos of every step."""
    env.reset()
    outcomes = [env.step(np.ones(env.num_envs, dtype=np.int64)) for _ in range(steps)]
    return np.array([outcome[2] for outcome in outcomes]), [outcome[3] for outcome in outcomes]


def test_a_dream_is_truncated_at_its_horizon_and_says_so(table):
    done, infos = walk(DreamVecEnv(immortal(table), 2, horizon=5, seed=0), 12)
    assert np.flatnonzero(done[:, 0]).tolist() == [4, 9]
    assert infos[4][0]["dream/truncation"] == "horizon"
    assert infos[4][0]["TimeLimit.truncated"] is True
    assert infos[4][0]["episode"]["l"] == 5
    assert infos[3][0] == {}


def test_a_step_that_terminates_at_the_horizon_is_not_truncated(table):
    env = DreamEnv(mortal(table, 0.0), horizon=1, seed=0)
    env.reset()
    _, _, terminated, truncated, info = env.step(1)
    assert (terminated, truncated, info) == (True, False, {})


def test_termination_is_sampled_as_often_as_the_model_says(table):
    imagination = Imagination(mortal(table, 0.75), 4_000, horizon=50, seed=0)
    imagination.reset()
    ended = imagination.step(np.ones(4_000, dtype=np.int64)).terminated
    assert abs(ended.mean() - 0.25) < 0.03  # four standard deviations


@pytest.mark.parametrize(("continues", "ends"), [(0.6, False), (0.4, True)])
def test_at_temperature_0_the_likelier_happens(table, continues, ends):
    imagination = Imagination(mortal(table, continues), 50, temperature=0.0, seed=0)
    imagination.reset()
    assert (imagination.step(np.ones(50, dtype=np.int64)).terminated == ends).all()


def test_the_episode_record_sums_the_rewards_of_the_dream(table):
    env = DreamVecEnv(table, 3, horizon=8, seed=0)
    env.reset()
    returns = np.zeros(3)
    for _ in range(30):
        _, reward, done, infos = env.step(np.ones(3, dtype=np.int64))
        returns += reward
        for i in np.flatnonzero(done):
            assert infos[i]["episode"]["r"] == pytest.approx(returns[i])
            returns[i] = 0.0


def epistemic(value):
    """Makes a model that reports this epistemic uncertainty in odd rows, and none in even ones."""

    def alter(step):
        values = torch.where(torch.arange(len(step.reward)) % 2 == 1, value, 0.0)
        return step._replace(uncertainty={"epistemic": values, "aleatoric": values})

    return alter


def test_a_penalty_is_subtracted_in_proportion_to_the_uncertainty(table):
    model = Altered(table, epistemic(3.0))
    plain, penalised = (
        Imagination(model, 2, uncertainty_penalty=penalty, seed=0, temperature=0.0, starts=one_place(4))
        for penalty in (0.0, 0.5)
    )
    rewards = []
    for imagination in (plain, penalised):
        imagination.reset()
        rewards.append(imagination.step(np.ones(2, dtype=np.int64)).reward)
    assert (rewards[0] - rewards[1]).tolist() == [0.0, 1.5]


def test_a_dream_that_becomes_too_uncertain_is_truncated_and_says_so(table):
    model = Altered(immortal(table), epistemic(3.0))
    done, infos = walk(DreamVecEnv(model, 2, horizon=50, seed=0, max_uncertainty=2.0), 1)
    assert done[0].tolist() == [False, True]
    assert infos[0][1]["dream/truncation"] == "uncertainty"
    assert infos[0][1]["TimeLimit.truncated"] is True


def test_or_it_is_terminated_with_a_reward_of_its_own(table):
    model = Altered(immortal(table), epistemic(3.0))
    env = DreamVectorEnv(model, 2, seed=0, max_uncertainty=2.0, on_uncertain="terminate", uncertain_reward=-100.0)
    env.reset()
    _, reward, terminated, truncated, _ = env.step(np.ones(2, dtype=np.int64))
    assert terminated.tolist() == [False, True]
    assert truncated.tolist() == [False, False]
    assert reward[1] == -100.0
    assert reward[0] > -1.0


def test_what_the_model_held_back_is_counted(case_named):
    imagination = Imagination(case_named("kalman").model, 8, horizon=100, seed=0)
    imagination.reset()
    for _ in range(40):
        imagination.step(np.full((8, 1), 2.0, dtype=np.float32))
    assert imagination.steps == 320
    assert 0.0 < imagination.held_fraction < 1.0


# -- starts ------------------------------------------------------------------------------------------------------------


def one_place(place):
    """Starts all dreams at one place of the corridor."""

    def starts(num, *, rng):
        return Place(torch.full((num,), place), torch.zeros(num, dtype=torch.bool))

    return starts


def numbered(calls):
    """Starts that are all different: place = how many were drawn before."""

    def starts(num, *, rng):
        first = sum(calls)
        calls.append(num)
        return Place(torch.arange(first, first + num), torch.zeros(num, dtype=torch.bool))

    return starts


def test_dreams_begin_where_starts_says(table):
    env = DreamEnv(table, starts=one_place(7), seed=0)
    assert env.reset()[0] == 7


def starts_of_first_row(model, rounds, **imagination):
    """Returns where dream 0 of two began; `rounds` says for each round which rows begin again."""
    dreams = Imagination(model, 2, seed=0, **imagination)
    dreams.reset()
    seen = [int(dreams.state.place[0])]
    for rows in rounds:
        if not imagination:
            dreams.step(np.ones(2, dtype=np.int64))  # so that the streams of steps stand elsewhere
        dreams.restart(np.array(rows))
        if 0 in rows:
            seen.append(int(dreams.state.place[0]))
    return seen


def test_a_run_that_outlasts_the_pool_goes_on_with_new_dreams(table):
    calls = []
    seen = starts_of_first_row(table, [[0, 1]] * 1_000, starts=numbered(calls))
    assert len(set(seen)) == 1_001
    assert len(calls) == 1 + 4  # a probe, and four pools of 256 episodes for each of two rows


def test_where_a_row_begins_does_not_depend_on_how_often_others_began(table):
    together = starts_of_first_row(table, [[0, 1]] * 700)
    alone = starts_of_first_row(table, [[0]] * 700)
    mixed = starts_of_first_row(table, [[1], [0], [0, 1], [1]] * 350)
    assert together == alone == mixed
    assert len(set(together)) > 1


def test_rows_in_different_pools_begin_together(table):
    calls = []
    dreams = Imagination(table, 2, starts=numbered(calls), seed=0)
    dreams.reset()
    for _ in range(300):  # row 1 is past its first pool of 256 episodes, row 0 is not
        dreams.restart(np.array([1]))
    dreams.restart(np.array([0, 1]))
    assert dreams.state.place[0] == 1 + 2  # after the probe: episode 1 of row 0, at 2 rows an episode
    assert dreams.state.place[1] == 1 + 512 + 2 * (301 - 256) + 1


def test_pools_that_all_rows_have_used_are_forgotten(table):
    dreams = Imagination(table, 2, seed=0)
    dreams.reset()
    for _ in range(600):
        dreams.restart(np.arange(2))
    assert list(dreams._pools) == [2]


def test_reset_without_a_seed_goes_on_to_the_next_dream(case_named):
    env = DreamEnv(case_named("rssm").model, seed=0)
    first, second = env.reset()[0], env.reset()[0]
    assert not np.array_equal(first, second)
    assert np.array_equal(env.reset(seed=0)[0], first)
    assert np.array_equal(env.reset()[0], second)


def test_without_a_seed_no_two_environments_dream_the_same(case_named):
    first, second = (DreamEnv(case_named("rssm").model) for _ in range(2))
    assert not np.array_equal(first.reset()[0], second.reset()[0])


@pytest.mark.parametrize("name", ["rssm", "mdn-rnn", "dict", "simulator-Pendulum-v1"])
def test_a_dream_begins_at_a_given_observation(case_named, name):
    model = case_named(name).model
    wanted = DreamEnv(model, seed=3).reset()[0]
    vector = DreamVectorEnv(model, 2, seed=0)
    pair = vector.reset(options={"start": vector.reset(seed=3)[0]})[0]
    shown = DreamEnv(model, seed=0).reset(options={"start": wanted})[0]
    if name == "rssm":  # it sees through a filter
        assert np.isfinite(pair).all()
        assert np.isfinite(shown).all()
        return
    assert same(shown, wanted, tolerance=1e-5)
    assert same(pair, vector.reset(seed=3)[0], tolerance=1e-5)


def test_the_sb3_face_begins_at_given_observations(case_named):
    env = DreamVecEnv(case_named("kalman").model, 2, seed=0)
    starts = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, -0.5]], dtype=np.float32)
    env.set_options([{"start": row} for row in starts])
    assert np.allclose(env.reset(), starts)
    assert not np.allclose(env.reset(), starts)  # options hold for one reset, as in SB3


# -- opponents ---------------------------------------------------------------------------------------------------------


def last_free(model, state, *, rng):
    """Takes the last free field."""
    legal = model.legal_actions(state).int()
    return legal.shape[1] - 1 - legal.flip(1).argmax(1)


def play(env, fields):
    """Plays fields one after the other; returns the last step."""
    env.reset()
    for field in fields:
        step = env.step(field)
    return step


def test_the_opponent_replies_and_the_dreamer_sees_its_own_side():
    obs, reward, terminated, truncated, _ = play(DreamEnv(TicTacToe(), opponent=last_free, seed=0), [0])
    assert obs.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, -1]
    assert (reward, terminated, truncated) == (0.0, False, False)


def test_winning_pays_and_ends_the_game_before_a_reply():
    obs, reward, terminated, _, _ = play(DreamEnv(TicTacToe(), opponent=last_free, seed=0), [0, 1, 2])
    assert obs.tolist() == [1, 1, 1, 0, 0, 0, 0, -1, -1]
    assert (reward, terminated) == (1.0, True)


def test_losing_to_a_reply_costs_what_it_pays_the_opponent():
    _, reward, terminated, _, _ = play(DreamEnv(TicTacToe(), opponent=last_free, seed=0), [0, 1, 3])
    assert (reward, terminated) == (-1.0, True)


def test_a_reply_may_end_the_game_by_chance_as_any_step():
    imagination = Imagination(Altered(TicTacToe(), in_half_of_the_replies), 2_000, opponent=random_opponent, seed=0)
    imagination.reset()
    ended = imagination.step(np.zeros(2_000, dtype=np.int64)).terminated
    assert abs(ended.mean() - 0.5) < 0.05


def test_nobody_replies_once_the_game_has_ended_by_chance():
    stopped = Altered(TicTacToe(), lambda step: step._replace(continues=torch.zeros_like(step.continues)))
    obs, _, terminated, _, _ = play(DreamEnv(stopped, opponent=last_free, seed=0), [0])
    assert terminated
    assert np.count_nonzero(obs) == 1


def in_half_of_the_replies(step):
    """Lets a game go on with probability one half once two stones lie."""
    stones = torch.tensor([9 - board.fields.count(0) for board in step.state])
    return step._replace(continues=torch.where(stones == 2, 0.5, step.continues))


def replies_to_first_row(second_rows_move):
    """Ends the first row's game at once, the second's perhaps; returns what the first row sees of its next games."""
    corner_ends = Altered(TicTacToe(), lambda step: step._replace(continues=torch.tensor(corner_free(step.state))))
    env = DreamVecEnv(corner_ends, 2, opponent=random_opponent, seed=0)
    env.reset()
    env.step(np.array([8, second_rows_move]))
    return [env.step(env.action_masks()[:, :8].argmax(1))[0][0].tolist() for _ in range(8)]


def corner_free(boards):
    """Returns 1.0 for every game that goes on with its last corner free."""
    return [float(board.fields[8] == 0 and not board.over) for board in boards]


def test_replies_do_not_depend_on_whether_others_are_replied_to():
    assert replies_to_first_row(8) == replies_to_first_row(0)


class Patience(TicTacToe):
    """The second player always moves twice."""

    def step(self, state, action, **kwargs):
        step = super().step(state, action, **kwargs)
        stones = torch.tensor([9 - board.fields.count(0) for board in step.state])
        again = stones % 3 == 2
        for i in torch.nonzero(again)[:, 0].tolist():
            board = step.state[i]
            step.state[i] = board._replace(fields=tuple(-value for value in board.fields))
        return step._replace(sign=torch.where(again, 1.0, -1.0))


def test_an_opponent_who_moves_twice_does():
    obs, *_ = play(DreamEnv(Patience(), opponent=last_free, seed=0), [0])
    assert obs.tolist() == [1, 0, 0, 0, 0, 0, 0, -1, -1]
