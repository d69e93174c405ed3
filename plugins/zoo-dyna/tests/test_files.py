"""What is saved acts the same and learns on; a file by a stranger is refused before compiled code sees it."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core import archive
from zoo_core.errors import CheckpointError

NUM_STATES = 16


@pytest.fixture
def saved(agent, tmp_path):
    """Returns an agent that has learned for a while, and the path where it is saved."""

    def make(name, env_id="FrozenLake-v1", **config):
        learner = agent(name, env_id, explore_prob=0.5, **config).learn(300)
        return learner, learner.save(tmp_path / name)

    return make


def test_a_loaded_agent_is_what_was_saved(saved, name):
    before, path = saved(name)
    after = zoo_core.load(path)
    assert type(after) is type(before)
    (facts, tensors), (loaded_facts, loaded_tensors) = before.to_file(), after.to_file()
    assert loaded_facts == facts
    assert {key: each.tolist() for key, each in loaded_tensors.items()} == {k: v.tolist() for k, v in tensors.items()}
    states = np.arange(NUM_STATES)
    acted = [each.predict(states, deterministic=True)[0].tolist() for each in (before, after)]
    assert acted[0] == acted[1]


@pytest.mark.parametrize("name", ["dyna-q", "dyna-q-plus", "prioritized-sweeping"])
def test_a_loaded_agent_plans_on_as_it_would_have(saved, name):
    """Given the same random numbers, which only a checkpoint keeps."""
    before, path = saved(name, "CliffWalking-v1", planning_updates=1)
    after, first = zoo_core.load(path), before.q.copy()
    for each in (before, after):
        each._learning.bit_generator.state = np.random.default_rng(0).bit_generator.state
        each.sweep(7) if name == "prioritized-sweeping" else each.plan(7)
    assert (before.q != first).any()
    np.testing.assert_array_equal(after.q, before.q)


def test_a_loaded_agent_learns_on(saved, name):
    before, path = saved(name)
    after = zoo_core.load(path, env="FrozenLake-v1")
    after.learn(200, reset_num_timesteps=False)
    assert after.num_timesteps == 500
    if before.world_model is not None:
        assert after.world_model.outcomes.count.sum() == 500


def test_a_saved_table_dreams(saved):
    model = zoo_core.load_model(saved("dyna-q-plus")[1])
    assert model.outcomes.count.sum() == 300


def with_entry(name, index, value):
    """Returns a change of a file: one number of a tensor."""

    def change(tensors):
        tensors[f"agent/{name}"][index] = value

    return change


def state_again(tensors):
    """Fills the list with one state: the next one that is met would be written beyond its end."""
    tensors["agent/states"][:], tensors["agent/num_states"][:] = 0, NUM_STATES


def action_again(tensors):
    state = int(tensors["agent/num_actions"].argmax())
    tensors["agent/actions"][state, 1] = tensors["agent/actions"][state, 0]


def never_tried(tensors):
    tensors["agent/last_tried"][tensors["agent/last_tried"] == tensors["agent/last_tried"].max()] = 0


def other_shape(tensors):
    tensors["agent/q"] = tensors["agent/q"][:, :3].contiguous()


def other_dtype(tensors):
    tensors["agent/last_tried"] = tensors["agent/last_tried"].double()


def missing(tensors):
    del tensors["agent/clock"]


LISTS = "the states and actions that are remembered are not, each once, those that were tried"
MEMORY = {
    "q of NaN": (with_entry("q", (3, 1), float("nan")), "q holds numbers that are not in"),
    "q of another shape": (other_shape, r"q is float64 \(16, 3\), expected float64 \(16, 4\)"),
    "a state outside": (with_entry("states", 0, NUM_STATES), r"states holds numbers that are not in \[0, 15\]"),
    "a state below": (with_entry("states", 0, -1), r"states holds numbers that are not in \[0, 15\]"),
    "an action outside": (with_entry("actions", (0, 0), 4), r"actions holds numbers that are not in \[0, 3\]"),
    "too many states": (with_entry("num_states", 0, 17), r"num_states holds numbers that are not in \[0, 16\]"),
    "too many actions": (with_entry("num_actions", 0, 5), r"num_actions holds numbers that are not in \[0, 4\]"),
    "a state again and again": (state_again, LISTS),
    "an action twice": (action_again, LISTS),
    "fewer states": (with_entry("num_states", 0, 1), LISTS),
    "fewer actions": (with_entry("num_actions", 0, 1), LISTS),
    "a pair never tried": (never_tried, LISTS),
    "a clock that was set back": (with_entry("clock", 0, 3), "a pair was last tried after the last step"),
    "times that are no integers": (other_dtype, "last_tried is float64"),
    "no clock": (missing, "clock"),
}


@pytest.mark.parametrize(("change", "message"), MEMORY.values(), ids=MEMORY)
def test_a_memory_that_does_not_hold_together_is_refused(saved, change, message):
    _, path = saved("dyna-q-plus")
    header, tensors = archive.read_archive(path, kind="agent")
    change(tensors)
    archive.write_archive(path, header, tensors)
    with pytest.raises(CheckpointError, match=message):
        zoo_core.load(path)


def queue_of(pairs, priorities):
    """Returns a change of a file: another queue."""

    def change(tensors):
        tensors["agent/queue/pairs"] = torch.tensor(pairs)
        tensors["agent/queue/priorities"] = torch.tensor(priorities, dtype=torch.float64)

    return change


QUEUES = {
    "a pair outside": (queue_of([64], [1.0]), r"the queue holds numbers that are not in \[0, 63\]"),
    "a pair below": (queue_of([-1], [1.0]), r"the queue holds numbers that are not in \[0, 63\]"),
    "a pair twice": (queue_of([0, 1, 0], [3.0, 2.0, 1.0]), "the queue holds a pair twice, or one that was never tried"),
    "a pair never tried": (queue_of([63], [1.0]), "the queue holds a pair twice, or one that was never tried"),
    "priorities of NaN": (queue_of([0], [float("nan")]), "the priorities holds numbers that are not in"),
    "fewer priorities": (queue_of([0, 1], [1.0]), r"the priorities is float64 \(1,\), expected float64 \(2,\)"),
    "q of infinity": (with_entry("q", (3, 1), float("inf")), "q holds numbers that are not in"),
}


@pytest.mark.parametrize(("change", "message"), QUEUES.values(), ids=QUEUES)
def test_a_queue_that_does_not_hold_together_is_refused(saved, change, message):
    _, path = saved("prioritized-sweeping")
    header, tensors = archive.read_archive(path, kind="agent")
    change(tensors)
    archive.write_archive(path, header, tensors)
    with pytest.raises(CheckpointError, match=message):
        zoo_core.load(path)
