"""Acting by planning: what is remembered from one `predict` to the next, row by row."""

from typing import NamedTuple

import numpy as np
import optree
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy

from zoo_core import spaces
from zoo_core.evaluation import evaluate
from zoo_core.planner import Plan, Planner
from zoo_core.plugins import make_planner
from zoo_core.world_model import ModelStep, WorldModel
from zoo_planners.policy import PlanningPolicy

LINEAR = "zoo_envs/LinearSystem-v0"
LENGTH = 3  # of a plan


class Diary(NamedTuple):
    """What a row has seen and done since its episode began, `[B]` each."""

    seen: torch.Tensor
    done: torch.Tensor


class Keeps(WorldModel):
    """Filters by adding up actions; there is nothing to imagine in it."""

    def __init__(self):
        super().__init__(Box(-99.0, 99.0, (1,)), Box(-99.0, 99.0, (1,)))

    def observe(self, state, action, obs, is_first, *, rng):
        done = torch.zeros(len(obs)) if state is None else torch.where(is_first, 0.0, state.done + action[:, 0])
        return Diary(obs[:, 0], done)

    def step(self, state, action, **kwargs):
        raise AssertionError


class Counts(Planner):
    """Plans, at an observation x, the actions x + 1, x + 2, x + 3; its memory counts the plans that led to one another.

    It writes down what it is called with: observations, sums of past actions, memories.
    """

    def __init__(self, *, single=False):
        super().__init__()
        self.single, self.calls = single, []

    def plan(self, model, state, *, rng, previous=None):
        memory = torch.zeros(len(state.seen)) if previous is None else previous.memory + 1.0
        self.calls.append((state.seen.tolist(), state.done.tolist(), None if previous is None else memory.tolist()))
        sequence = (state.seen[:, None] + torch.arange(1.0, LENGTH + 1))[..., None]
        return Plan(sequence[:, 0], state.seen, None if self.single else sequence, memory=memory)


@pytest.fixture
def planner():
    return Counts()


def act(policy, *steps):
    """Calls `predict` with observations, or pairs of observations and starts; returns all actions and the last state.

    Each of them is a list of one number a row.
    """
    state, actions = None, []
    for step in steps:
        observation, start = step if isinstance(step, tuple) else (step, None)
        observation = np.array(observation, np.float32)[:, None]
        start = None if start is None else np.array(start, bool)
        action, state = policy.predict(observation, state=state, episode_start=start)
        actions.append(action[:, 0].tolist())
    return actions, state


# -- one step after the other ------------------------------------------------------------------------------------------


def test_the_belief_is_updated_with_the_last_action(planner):
    actions, _ = act(PlanningPolicy(Keeps(), planner), [0, 10], [5, 20], [0, 0])
    assert actions == [[1, 11], [6, 21], [1, 1]]
    assert [done for _, done, _ in planner.calls] == [[0, 0], [1, 11], [7, 32]]


def test_every_plan_starts_from_the_one_before(planner):
    act(PlanningPolicy(Keeps(), planner), [0, 10], [5, 20], [0, 0])
    assert [memory for *_, memory in planner.calls] == [None, [1, 1], [2, 2]]


def test_rows_that_begin_are_planned_anew_without_memory_and_the_others_go_on(planner):
    actions, state = act(
        PlanningPolicy(Keeps(), planner), [0, 10, 20], ([1, 11, 21], [False, True, False]), ([2, 12, 22], [False] * 3)
    )
    assert actions == [[1, 11, 21], [2, 12, 22], [3, 13, 23]]
    assert planner.calls == [
        ([0, 10, 20], [0, 0, 0], None),
        ([1, 21], [1, 21], [1, 1]),
        ([11], [0], None),
        ([2, 12, 22], [3, 12, 43], [2, 1, 2]),
    ]
    assert state.plan.memory.tolist() == [2, 1, 2]


def test_where_all_rows_begin_nothing_is_left_of_what_was(planner):
    act(PlanningPolicy(Keeps(), planner), [0, 10], ([1, 11], [True, True]))
    assert planner.calls[1:] == [([1, 11], [0, 0], None)]


def test_an_old_state_can_be_gone_on_from_again(planner):
    """Nothing is changed in place."""
    policy = PlanningPolicy(Keeps(), planner)
    _, state = act(policy, [0, 10], [1, 11])
    before = [leaf.clone() for leaf in optree.tree_leaves(tuple(state)[:4])]
    for _ in range(2):
        policy.predict(np.float32([[2], [12]]), state=state, episode_start=np.array([True, False]))
    assert planner.calls[-4:-2] == planner.calls[-2:]
    assert all(map(torch.equal, before, optree.tree_leaves(tuple(state)[:4])))


# -- whole plans -------------------------------------------------------------------------------------------------------


def test_a_plan_is_taken_to_its_end_before_the_next_is_made_without_memory(planner):
    actions, _ = act(PlanningPolicy(Keeps(), planner, whole_plans=True), [0, 10], [50, 50], [60, 60], [5, 20])
    assert actions == [[1, 11], [2, 12], [3, 13], [6, 21]]
    assert planner.calls == [([0, 10], [0, 0], None), ([5, 20], [6, 36], None)]


def test_every_row_is_at_its_own_step_of_its_own_plan(planner):
    actions, state = act(
        PlanningPolicy(Keeps(), planner, whole_plans=True),
        [0, 10, 20],
        ([5, 15, 25], [False, True, False]),
        [6, 16, 26],
        [7, 17, 27],
        [8, 18, 28],
    )
    assert actions == [[1, 11, 21], [2, 16, 22], [3, 17, 23], [8, 18, 28], [9, 19, 29]]
    assert [seen for seen, *_ in planner.calls] == [[0, 10, 20], [15], [7, 27], [18]]
    assert state.age.tolist() == [2, 1, 2]


def test_where_only_one_action_is_planned_that_is_the_whole_plan():
    planner = Counts(single=True)
    actions, _ = act(PlanningPolicy(Keeps(), planner, whole_plans=True), [0], [10], [20])
    assert actions == [[1], [11], [21]]
    assert [memory for *_, memory in planner.calls] == [None] * 3


# -- observations and actions of any layout ----------------------------------------------------------------------------


class Idle(WorldModel):
    """Takes observations of any layout, and pays nothing."""

    def observe(self, state, action, obs, is_first, *, rng):
        return spaces.flatten(self.observation_space, obs)

    def step(self, state, action, **kwargs):
        return ModelStep(state, torch.zeros(len(state)), torch.ones(len(state)))


LAYOUTS = [
    (Discrete(5, start=2), Discrete(3, start=-1)),
    (Box(-1.0, 1.0, ()), Box(0.0, 2.0, ())),
    (Box(0, 255, (4, 4, 1), np.uint8), Box(-1.0, 1.0, (2, 3))),
    (Dict({"place": Discrete(4), "speed": Box(-1.0, 1.0, (2,))}), Discrete(2)),
]


@pytest.mark.parametrize(("observation_space", "action_space"), LAYOUTS, ids=str)
def test_a_single_observation_gives_a_single_action(observation_space, action_space):
    model = Idle(observation_space, action_space)
    policy = PlanningPolicy(model, make_planner("random-shooting", {"horizon": 2, "num_candidates": 4}))
    for space in (observation_space, action_space):
        space.seed(0)
    batch = spaces.batch_of(observation_space, [observation_space.sample() for _ in range(3)])
    first = [spaces.index(observation_space, batch, rows) for rows in (0, slice(0, 1))]
    (single, state), (alone, _) = (policy.predict(obs, deterministic=True) for obs in first)
    assert action_space.contains(np.asarray(single))
    np.testing.assert_array_equal(alone[0], single)
    again, _ = policy.predict(first[0], state=state, episode_start=np.array([True]))
    assert action_space.contains(np.asarray(again))
    several, _ = policy.predict(batch)
    assert len(several) == 3
    assert all(action_space.contains(np.asarray(action)) for action in spaces.unbatch(action_space, several))


# -- random numbers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shooting(linear_model):
    def make(seed=0):
        return PlanningPolicy(linear_model, make_planner("random-shooting", {"num_candidates": 8}), seed=seed)

    return make


OBS = np.float32([[1.0, 0.5], [-1.0, 0.0]])


def walk(policy, num=3, **kwargs):
    """Returns the actions of so many calls, at observations that stay the same."""
    state, actions = None, []
    for _ in range(num):
        action, state = policy.predict(OBS, state=state, **kwargs)
        actions.append(action)
    return np.stack(actions)


def test_deterministic_actions_repeat_whatever_was_drawn_before(shooting):
    policy = shooting()
    first = walk(policy, deterministic=True)
    walk(policy)
    np.testing.assert_array_equal(walk(policy, deterministic=True), first)
    np.testing.assert_array_equal(walk(shooting(), deterministic=True), first)
    assert not np.array_equal(walk(shooting(seed=1), deterministic=True), first)
    assert not np.array_equal(first[0], first[1])  # a call does not repeat the one before


def test_others_are_drawn_from_a_stream_of_its_own_that_can_be_set_back(shooting):
    policy = shooting()
    before = torch.random.get_rng_state()
    first = walk(policy)
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(walk(shooting()), first)
    assert not np.array_equal(walk(shooting(seed=1)), first)
    stood = policy.to_checkpoint()
    on = walk(policy)
    assert not np.array_equal(on, first)
    walk(policy, deterministic=True)
    policy.load_checkpoint(stood)
    np.testing.assert_array_equal(walk(policy), on)
    other = shooting()
    other.load_checkpoint(stood)
    np.testing.assert_array_equal(walk(other), on)


# -- in company --------------------------------------------------------------------------------------------------------


def test_it_is_evaluated_as_any_policy_here_and_by_sb3(linear_model):
    policy = PlanningPolicy(linear_model, make_planner("random-shooting", {"horizon": 2, "num_candidates": 4}))
    ours = evaluate(policy, LINEAR, episodes=3, seed=4)
    env = make_vec_env(LINEAR, 3, seed=4)
    theirs, lengths = evaluate_policy(policy, env, n_eval_episodes=3, return_episode_rewards=True)
    assert lengths == ours.lengths.tolist() == [100] * 3
    np.testing.assert_allclose(sorted(theirs), sorted(ours.returns), rtol=1e-5)


def test_a_memory_of_several_parts_travels_and_is_made_anew_in_part(linear_model):
    config = {"horizon": 4, "num_candidates": 16, "num_elites": 4, "iterations": 2}
    policy = PlanningPolicy(linear_model, make_planner("icem", config))
    rows = np.repeat(OBS[:1], 3, axis=0)
    _, state = policy.predict(rows)
    _, after = policy.predict(rows, state=state, episode_start=np.array([False, True, False]))
    assert type(after.plan.memory) is type(state.plan.memory)
    assert [leaf.shape for leaf in after.plan.memory] == [leaf.shape for leaf in state.plan.memory]
    assert all(len(leaf) == 3 for leaf in optree.tree_leaves(after.plan))
    action, _ = policy.predict(rows, state=after)
    assert action.shape == (3, 1)
