"""Dynamic programming against closed forms, solutions by hand, textbook values and the enumeration of all policies."""

import itertools

import gymnasium as gym
import numpy as np
import pytest

import zoo_envs  # noqa: F401 (registers the Dyna maze)
from zoo_core.errors import UnsupportedSpaceError
from zoo_core.plugins import make_env
from zoo_tabular import dynamic_programming, table as tables
from zoo_tabular.dynamic_programming import (
    first_steps,
    policy_evaluation,
    policy_iteration,
    prepare,
    sweep_until,
    value_iteration,
)
from zoo_tabular.table import Table

SOLVERS = [value_iteration, policy_iteration]
MAZE = 6, 9  # rows and columns of Sutton & Barto's figure 8.2
WALLS = {(1, 2), (2, 2), (3, 2), (4, 5), (0, 7), (1, 7), (2, 7)}
START, GOAL = (2, 0), (0, 8)
MOVES = (-1, 0), (1, 0), (0, 1), (0, -1)


def table_of(process):
    return Table.from_outcomes(process, np.ones(len(process)) / len(process))


def sure(next_state, reward, terminated=False):
    return [(1.0, next_state, float(reward), terminated)]


def distances_in_the_maze():
    """Returns the steps from each free cell to the goal, by breadth-first search from there."""
    distance, frontier = {GOAL: 0}, [GOAL]
    for cell in frontier:
        for move in MOVES:
            near = cell[0] + move[0], cell[1] + move[1]
            inside = 0 <= near[0] < MAZE[0] and 0 <= near[1] < MAZE[1]
            if inside and near not in WALLS and near not in distance:
                distance[near] = distance[cell] + 1
                frontier.append(near)
    return distance


def evaluated_by_loops(process, policy, gamma, sweeps):
    """Returns the value of action probabilities `policy[state][action]`, by plain sweeps."""
    value = [0.0] * len(process)
    for _ in range(sweeps):
        value = [
            sum(
                policy[state][action] * chance * (reward + gamma * value[next_state] * (not terminated))
                for action, outcomes in process[state].items()
                for chance, next_state, reward, terminated in outcomes
            )
            for state in process
        ]
    return value


# -- the Dyna maze -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def maze():
    return Table.from_env("zoo_envs/DynaMaze-v0")


@pytest.mark.parametrize("solve", SOLVERS)
def test_values_in_the_dyna_maze_are_the_discount_to_the_power_of_the_way(maze, solve):
    value, distance = solve(maze, 0.95).value.reshape(MAZE), distances_in_the_maze()
    closed_form = np.zeros(MAZE)
    for cell, steps in distance.items():
        closed_form[cell] = 0.95 ** (steps - 1) if steps else 0.0
    assert len(distance) == 47
    np.testing.assert_allclose(value, closed_form, atol=1e-9)
    assert value[START] == pytest.approx(0.513342, abs=5e-7)
    assert value.sum() == pytest.approx(31.334936, abs=5e-7)


@pytest.mark.parametrize("solve", SOLVERS)
def test_the_best_policy_takes_14_steps_to_the_goal(maze, solve):
    policy, env = solve(maze, 0.95).policy, gym.make("zoo_envs/DynaMaze-v0")
    obs, _ = env.reset()
    for steps in range(1, 15):  # noqa: B007 (looked at below)
        obs, reward, terminated, _, _ = env.step(policy[obs])
        if terminated:
            break
    assert (steps, reward, terminated) == (14, 1, True)


# -- solutions by hand, and from books ---------------------------------------------------------------------------------

# Stay for 1, or go on for nothing; then stay for 2, or end with 5. At a discount of 1/2 staying is worth 2 and 4.
TWO_STATES = {0: {0: sure(0, 1), 1: sure(1, 0)}, 1: {0: sure(1, 2), 1: sure(0, 5, True)}}


@pytest.mark.parametrize("solve", SOLVERS)
def test_two_states_are_solved_as_by_hand(solve):
    solution = solve(table_of(TWO_STATES), 0.5)
    np.testing.assert_allclose(solution.value, [2.5, 5.0], atol=1e-9)
    np.testing.assert_allclose(solution.q, [[2.25, 2.5], [4.5, 5.0]], atol=1e-9)
    assert solution.policy.tolist() == [1, 1]


@pytest.mark.parametrize("solve", SOLVERS)
def test_without_a_future_the_best_reward_is_all(solve, random_table):
    table = random_table(0)
    solution = solve(table, 0.0)
    np.testing.assert_allclose(solution.q, table.expected_reward(), atol=1e-12)
    np.testing.assert_array_equal(solution.policy, table.expected_reward().argmax(-1))


@pytest.mark.parametrize("solve", SOLVERS)
def test_the_slippery_lake_is_crossed_14_times_of_17(solve, frozen_lake):
    """Undiscounted, the value is the probability to reach the goal at all."""
    assert solve(frozen_lake, 1.0).value[0] == pytest.approx(14 / 17, abs=1e-7)


def gridworld():
    """Returns P of Sutton & Barto's example 4.1: 4 by 4 cells, -1 a step until a corner, upper left or lower right."""
    process = {}
    for row, column in itertools.product(range(4), range(4)):
        here = 4 * row + column
        process[here] = {}
        for action, (down, right) in enumerate(MOVES):
            there = 4 * min(max(row + down, 0), 3) + min(max(column + right, 0), 3)
            over = here in (0, 15)
            process[here][action] = sure(here, 0, True) if over else sure(there, -1, there in (0, 15))
    return process


def test_the_equiprobable_policy_has_the_values_of_the_book():
    """Figure 4.1, k = infinity."""
    value = policy_evaluation(table_of(gridworld()), np.full((16, 4), 0.25), 1.0)
    book = [[0, -14, -20, -22], [-14, -18, -20, -20], [-20, -20, -18, -14], [-22, -20, -14, 0]]
    np.testing.assert_allclose(value.reshape(4, 4), book, atol=1e-9)


def test_the_gridworld_is_left_by_the_shortest_way():
    book = [[0, -1, -2, -3], [-1, -2, -3, -2], [-2, -3, -2, -1], [-3, -2, -1, 0]]
    np.testing.assert_allclose(value_iteration(table_of(gridworld()), 1.0).value.reshape(4, 4), book)


# -- against loops, and each other -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_both_solvers_find_the_best_of_all_policies(seed, gamma, random_process):
    process = random_process(seed, num_states=3, num_actions=3)
    values = []
    for actions in itertools.product(range(3), repeat=3):
        policy = np.eye(3)[list(actions)]
        values.append(evaluated_by_loops(process, policy, gamma, 200))
    best = np.max(values, axis=0)  # one policy is best everywhere
    for solve in SOLVERS:
        table = table_of(process)
        solution = solve(table, gamma)
        np.testing.assert_allclose(solution.value, best, atol=1e-6)
        np.testing.assert_allclose(policy_evaluation(table, solution.policy, gamma), solution.value, atol=1e-8)


@pytest.mark.parametrize("gamma", [0.9, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_policy_that_draws_its_actions_is_evaluated_as_by_loops(seed, gamma, random_process):
    process = random_process(seed)
    policy = np.random.default_rng(seed).dirichlet([1.0, 1.0], 4)
    value = policy_evaluation(table_of(process), policy, gamma)
    np.testing.assert_allclose(value, evaluated_by_loops(process, policy, gamma, 500), atol=1e-6)


def test_a_sure_policy_is_one_that_draws_one_action(random_table):
    table, actions = random_table(3), np.array([1, 0, 0, 1])
    np.testing.assert_array_equal(
        policy_evaluation(table, actions, 0.9), policy_evaluation(table, np.eye(2)[actions], 0.9)
    )


def test_the_value_of_the_random_policy_is_how_often_it_crosses_the_lake(frozen_lake):
    """20,000 episodes, together; the deviation of the mean is 0.0008."""
    source = np.random.default_rng(0)
    state, wins, running = np.zeros(20_000, np.int64), np.zeros(20_000), np.ones(20_000, bool)
    while running.any():
        pair = state, source.integers(4, size=20_000)
        outcome = (source.random((20_000, 1)) > frozen_lake.probability[pair].cumsum(-1)).sum(-1).clip(max=2)
        wins += running * frozen_lake.reward[(*pair, outcome)]
        running &= ~frozen_lake.terminated[(*pair, outcome)]
        state = frozen_lake.next_state[(*pair, outcome)]
    value = policy_evaluation(frozen_lake, np.full((16, 4), 0.25), 1.0)[0]
    assert value == pytest.approx(0.01394, abs=1e-5)
    assert wins.mean() == pytest.approx(value, abs=0.0025)


def test_the_compiled_sweep_is_the_loop_it_was_compiled_from(random_table):
    backups = prepare(random_table(0), 0.9)
    compiled, plain = np.zeros(4), np.zeros(4)
    assert sweep_until(*backups, compiled, 1e-6, 50) == sweep_until.py_func(*backups, plain, 1e-6, 50)
    np.testing.assert_array_equal(compiled, plain)


# -- invariants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solve", [*SOLVERS, lambda table, gamma: policy_evaluation(table, np.zeros(2, int), gamma)])
@pytest.mark.parametrize("gamma", [0.9, 1.0])
def test_nothing_flows_back_through_a_termination(solve, gamma):
    """The episode ends in a state in which, were it to go on, 100 could be had."""
    rich = {0: {0: sure(1, 3, True), 1: sure(1, 2, True)}, 1: {0: sure(0, 100, True), 1: sure(0, 0, True)}}
    solution = solve(table_of(rich), gamma)
    assert np.asarray(getattr(solution, "value", solution)).tolist() == [3, 100]


@pytest.mark.parametrize("solve", SOLVERS)
def test_ties_go_to_the_first(solve):
    process = {0: {0: sure(0, 0, True), 1: sure(0, 1, True), 2: sure(0, 1, True)}}
    assert solve(table_of(process), 0.9).policy.tolist() == [1]


@pytest.mark.parametrize("solve", SOLVERS)
def test_actions_that_differ_by_rounding_alone_are_ties(solve):
    """0.1 + 0.2 is more than 0.3."""
    lost = (0.7, 0, 0.0, True)
    table = table_of({0: {0: [(0.3, 0, 1.0, True), lost], 1: [(0.1, 0, 1.0, True), (0.2, 0, 1.0, True), lost]}})
    assert table.expected_reward()[0, 1] > table.expected_reward()[0, 0]
    assert solve(table, 0.9).policy.tolist() == [0]


@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("seed", range(3))
def test_the_unit_of_the_reward_changes_no_choice_of_policy_iteration(seed, scale, random_table):
    table = random_table(seed, num_states=8, num_actions=3)
    other = Table(table.next_state, table.probability, table.reward * scale, table.terminated, table.initial)
    small, large = policy_iteration(table, 0.99), policy_iteration(other, 0.99)
    assert small.policy.tolist() == large.policy.tolist()
    np.testing.assert_allclose(large.value, small.value * scale, rtol=1e-9)


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-6])
def test_values_are_as_near_as_the_tolerance_promises(tolerance, random_table):
    table = random_table(1, ending=0.0)
    rough, exact = value_iteration(table, 0.9, tolerance=tolerance), policy_iteration(table, 0.9)
    assert 0 < np.abs(rough.value - exact.value).max() <= tolerance * 0.9 / 0.1


def test_a_solution_is_a_fixed_point(random_table):
    table = random_table(2)
    solution = value_iteration(table, 0.9)
    backed_up = table.expected_reward() + 0.9 * table.continuing_matrix() @ solution.value
    np.testing.assert_allclose(solution.q, backed_up, atol=1e-12)
    np.testing.assert_allclose(solution.value, solution.q.max(-1))


# -- policies that arrive ----------------------------------------------------------------------------------------------

WORLDS = {
    "lake": ("FrozenLake-v1", {}),
    "lake without slipping": ("FrozenLake-v1", {"is_slippery": False}),
    "large lake": ("FrozenLake8x8-v1", {}),
    "cliff": ("CliffWalking-v1", {}),
    "slippery cliff": ("CliffWalkingSlippery-v1", {}),
    "taxi": ("Taxi-v4", {}),
    "taxi in the rain": ("Taxi-v4", {"is_rainy": True}),
    "maze": ("zoo_envs/DynaMaze-v0", {}),
    "blocking maze": ("zoo_envs/BlockingMaze-v0", {}),
    "shortcut maze": ("zoo_envs/ShortcutMaze-v0", {}),
}


@pytest.fixture(scope="module", params=WORLDS.values(), ids=WORLDS)
def world(request):
    env_id, kwargs = request.param
    return Table.from_env(make_env(env_id, **kwargs))


@pytest.mark.parametrize("solve", SOLVERS)
@pytest.mark.parametrize("gamma", [0.95, 1.0])
def test_the_policy_is_worth_what_the_solution_says(world, solve, gamma):
    """Undiscounted, it has to end for that; the first of the best actions walks in circles in half of these worlds."""
    solution = solve(world, gamma)
    np.testing.assert_allclose(policy_evaluation(world, solution.policy, gamma), solution.value, atol=1e-8)


@pytest.mark.parametrize("gamma", [0.95, 1.0])
def test_both_solvers_agree_in_every_world(world, gamma):
    np.testing.assert_allclose(value_iteration(world, gamma).value, policy_iteration(world, gamma).value, atol=1e-8)


def test_of_best_actions_one_that_leads_nearer_to_the_end_is_taken():
    """To stay, to go on and to go back are worth the same; to end without the prize is not."""
    process = {s: {0: sure(s, 0), 1: sure(max(s - 1, 0), 0), 2: sure(s + 1, 0), 3: sure(s, 0, True)} for s in range(2)}
    process[2] = {0: sure(2, 0), 1: sure(1, 0), 2: sure(2, 0), 3: sure(2, 1, True)}
    for solve in SOLVERS:
        assert solve(table_of(process), 1.0).policy.tolist() == [2, 2, 3]


def test_where_no_end_is_in_reach_the_first_of_the_best_actions_is_taken():
    process = {0: {0: sure(1, -1), 1: sure(1, 0), 2: sure(0, 0)}, 1: {action: sure(0, 0) for action in range(3)}}
    assert value_iteration(table_of(process), 0.9).policy.tolist() == [1, 0]


def test_the_compiled_search_is_the_loop_it_was_compiled_from(random_table):
    for seed in range(5):
        table, source = random_table(seed, num_states=12, num_actions=3, ending=0.02), np.random.default_rng(seed)
        backups, allowed = prepare(table, 0.9), source.random((12, 3)) < 0.5
        allowed[:, 2] |= ~allowed.any(-1)
        arguments = backups.first, backups.next_state, table.terminated.any(-1), allowed
        policy = first_steps(*arguments)
        assert allowed[np.arange(12), policy].all()
        np.testing.assert_array_equal(policy, first_steps.py_func(*arguments))


# -- discounts near 1 --------------------------------------------------------------------------------------------------

# To and fro for 1 a step, without an end; or, from state 1, an end with half of what going on is worth at γ = 0.9999.
TO_AND_FRO = {0: {0: sure(1, 1), 1: sure(0, 0.5)}, 1: {0: sure(0, 1), 1: sure(0, 5_000, True)}}


@pytest.mark.parametrize("gamma", [0.9999, 1 - 1e-6])
def test_near_a_discount_of_1_values_are_as_exact_as_ever(gamma):
    """By sweeps alone that takes 115,000 and 14 million of them."""
    solution = value_iteration(table_of(TO_AND_FRO), gamma)
    np.testing.assert_allclose(solution.value, 1 / (1 - gamma), rtol=1e-9)
    assert solution.policy.tolist() == [0, 0]
    assert solution.sweeps < 2 * dynamic_programming.PATIENCE


@pytest.mark.parametrize("scale", [1e-3, 1e9, 1e15])
def test_large_values_are_swept_until_rounding_alone_changes_them(scale):
    process = {0: {0: [(0.3, 0, scale, False), (0.6, 1, scale, False), (0.1, 0, 0.0, True)]}, 1: {0: sure(0, scale)}}
    solution = value_iteration(table_of(process), 0.99)
    best = policy_evaluation(table_of(process), np.zeros(2, int), 0.99)
    np.testing.assert_allclose(solution.value, best, rtol=1e-6)
    assert solution.sweeps < dynamic_programming.PATIENCE


def test_a_discount_too_near_to_1_for_so_few_sweeps_is_named():
    with pytest.raises(ValueError, match=r"after 50 sweeps at gamma=0.9999: take a smaller discount"):
        value_iteration(table_of(TO_AND_FRO), 0.9999, max_sweeps=50)


def test_too_many_states_to_solve_for_are_swept(monkeypatch):
    monkeypatch.setattr(dynamic_programming, "MAX_NUMBERS", 3)
    monkeypatch.setattr(dynamic_programming, "PATIENCE", 7)
    solution = value_iteration(table_of({0: {0: sure(1, 1)}, 1: {0: sure(0, 1)}}), 0.99)
    np.testing.assert_allclose(solution.value, 100, rtol=1e-9)
    assert solution.sweeps > 1_000


@pytest.mark.parametrize(
    ("call", "num", "instead"),
    [
        (lambda table: table.transition_matrix(), 8, "next_state and probability"),
        (lambda table: table.continuing_matrix(), 8, "next_state and probability"),
        (lambda table: policy_evaluation(table, np.zeros(2, int), 0.9), 4, "take value iteration"),
        (lambda table: policy_iteration(table, 0.9), 4, "take value iteration"),
    ],
    ids=["transitions", "continuing", "evaluation", "policy iteration"],
)
def test_a_matrix_that_would_be_too_large_is_refused(call, num, instead, monkeypatch):
    monkeypatch.setattr(tables, "MAX_NUMBERS", num)
    call(table_of(TWO_STATES))
    monkeypatch.setattr(tables, "MAX_NUMBERS", num - 1)
    with pytest.raises(UnsupportedSpaceError, match=rf"needs {num} numbers, at most {num - 1}: .*{instead}"):
        call(table_of(TWO_STATES))


# -- what has no solution ----------------------------------------------------------------------------------------------

ENDLESS = {0: {0: sure(0, 1)}}


def test_rewards_that_never_end_have_no_undiscounted_value():
    with pytest.raises(ValueError, match=r"still change by 1 after 50 sweeps at gamma=1.0: take a discount below 1"):
        value_iteration(table_of(ENDLESS), 1.0, max_sweeps=50)
    with pytest.raises(ValueError, match=r"states from which the policy never ends.*take gamma below 1"):
        policy_iteration(table_of(ENDLESS), 1.0)


def test_a_policy_that_never_ends_is_recognised_though_rounding_hides_it():
    """1/3 + 1/3 + 1/3 of each of three states is not exactly 1: the equations have a solution, of the order of 1e15."""
    thirds = [[1 / 3, 1 / 3, 1 / 3], [1 / 3, 1 / 3, 1 / 3], [0.1, 0.2, 0.7]]
    process = {s: {0: [(p, n, 1.0, False) for n, p in enumerate(row)]} for s, row in enumerate(thirds)}
    with pytest.raises(ValueError, match="never ends"):
        policy_evaluation(table_of(process), np.zeros(3, np.int64), 1.0)


def test_a_policy_that_ends_late_has_an_undiscounted_value():
    """A corridor of 50 states, with the end behind the last one."""
    process = {state: {0: sure(min(state + 1, 49), -1, state == 49)} for state in range(50)}
    value = policy_evaluation(table_of(process), np.zeros(50, np.int64), 1.0)
    np.testing.assert_allclose(value, np.arange(-50, 0))


@pytest.mark.parametrize("solve", [*SOLVERS, lambda table, gamma: policy_evaluation(table, np.zeros(2, int), gamma)])
@pytest.mark.parametrize("gamma", [-0.1, 1.1, float("nan")])
def test_a_discount_outside_its_range_is_named(solve, gamma):
    with pytest.raises(ValueError, match=rf"gamma must be in \[0.0, 1.0\], got {gamma}"):
        solve(table_of(TWO_STATES), gamma)


@pytest.mark.parametrize("tolerance", [-1e-9, float("nan")])
def test_a_tolerance_that_nothing_meets_or_misses_is_named(tolerance):
    with pytest.raises(ValueError, match=rf"tolerance must be in \[0.0, inf\), got {tolerance}"):
        value_iteration(table_of(TWO_STATES), 0.9, tolerance=tolerance)


@pytest.mark.parametrize(
    "policy",
    [
        np.array([0, 2]),
        np.array([-1, 0]),
        np.array([0.0, 1.0]),
        np.array([0, 1, 0]),
        np.array([[0.5, 0.4], [0.5, 0.5]]),
        np.array([[1.5, -0.5], [0.5, 0.5]]),
        np.array([[0.5, 0.5]]),
    ],
    ids=["no such action", "negative", "no integers", "too long", "sum", "negative probability", "too short"],
)
def test_what_is_no_policy_is_refused(policy):
    with pytest.raises(ValueError, match=r"a policy of 2 states has an action from 0 to 1 for each.*got an array"):
        policy_evaluation(table_of(TWO_STATES), policy, 0.9)
