"""A saved table dreams and learns on, bit by bit; a file that was tampered with is refused."""

import numpy as np
import pytest
import torch

import zoo_core
from zoo_core import archive
from zoo_tabular.lookup import Lookup, LookupDeterministic

CASES = [("lookup", {}), ("lookup", {"outcomes": "expected"}), ("lookup-deterministic", {"unseen_reward": 0.5})]
cases = pytest.mark.parametrize(("name", "config"), CASES, ids=["sampled", "expected", "deterministic"])


@pytest.fixture
def fitted(frozen_replay):
    def make(name, config):
        model = zoo_core.make_model(
            name, frozen_replay.observation_space, frozen_replay.action_space, config, device="cpu"
        )
        model.fit(frozen_replay, rng=zoo_core.rng(0))
        return model

    return make


def assert_same_dreams(*models, steps=12):
    dreams = []
    for model in models:
        rng, seen = zoo_core.rng(3), []
        state = model.initial_state(32, rng=rng)
        for _ in range(steps):
            action = torch.randint(model.num_actions, (32,), generator=rng)
            step = model.step(state, action, rng=rng, uncertainty=True)
            state = step.state
            seen += [model.features(state), state[1], step.reward, step.continues, *step.uncertainty.values()]
        dreams.append(seen)
    assert all(torch.equal(a, b) for a, b in zip(*dreams, strict=True))


@cases
def test_a_loaded_model_dreams_the_same(tmp_path, fitted, name, config):
    model = fitted(name, config)
    loaded = zoo_core.load_model(model.save(tmp_path / "model"), device="cpu")
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    assert_same_dreams(loaded, model)


@cases
def test_a_loaded_model_learns_on_the_same(tmp_path, fitted, steps_of, name, config):
    """Steps that need more room than the file had, and then a whole replay."""
    model = fitted(name, config)
    loaded = zoo_core.load_model(model.save(tmp_path / "model"), device="cpu")
    for each in (model, loaded):
        each.record(*steps_of(*[(0, 1, 1.0, state, False) for state in range(16)]))
        each.begin(np.array([3, 3, 3]))
    assert_same_dreams(loaded, model)
    replay = zoo_core.Replay.collect("FrozenLake-v1", 100, seed=5)
    for each in (model, loaded):
        each.fit(replay, rng=zoo_core.rng(0))
    assert_same_dreams(loaded, model)
    assert model.outcomes.count.sum() == 100


def test_a_model_that_knows_nothing_can_be_saved(tmp_path, new_model):
    loaded = zoo_core.load_model(new_model().save(tmp_path / "model"), device="cpu")
    assert loaded.outcomes.count.sum() == 0


def test_loading_into_a_model_replaces_all_that_it_expected(fitted, known):
    """Also what it had computed from the table that it had before."""
    model, other = (
        fitted("lookup", {"outcomes": "expected"}),
        Lookup.from_env("FrozenLake-v1", {"outcomes": "expected"}),
    )
    assert_same_dreams(model, model, steps=2)
    model.load_file(*other.to_file())
    assert_same_dreams(model, other)


def tampered(tmp_path, model, changes):
    """Saves the model, with some of its tensors replaced, and returns the path."""
    header, tensors = archive.read_archive(model.save(tmp_path / "model"))
    for name, change in changes.items():
        tensor = tensors[f"weights/{name}"].clone()
        tensors[f"weights/{name}"] = tensor if (changed := change(tensor)) is None else changed
    return archive.write_archive(tmp_path / "tampered", header, tensors)


def put(value, place=(0, 0, 0)):
    def change(tensor):
        tensor[place] = value

    return change


NOT_A_TABLE = "the counts and rewards are not of a table of 16 states"
HOSTILE = {
    "a next state past the last": ({"next_state": put(16)}, NOT_A_TABLE),
    "a negative next state": ({"next_state": put(-1)}, NOT_A_TABLE),
    "a next state past the last where nothing was counted": ({"next_state": put(2**40, (5, 0, 0))}, NOT_A_TABLE),
    "a negative count": ({"count": put(-1.0)}, NOT_A_TABLE),
    "a count that is NaN": ({"count": put(float("nan"))}, NOT_A_TABLE),
    "an infinite count": ({"count": put(float("inf"))}, NOT_A_TABLE),
    "a negative number of episodes": ({"start_count": put(-1.0, (0,))}, NOT_A_TABLE),
    "a number of episodes that is NaN": ({"start_count": put(float("nan"), (0,))}, NOT_A_TABLE),
    "a reward that is NaN": ({"reward": put(float("nan"))}, NOT_A_TABLE),
    "an infinite reward": ({"reward": put(float("inf"))}, NOT_A_TABLE),
    "counts of another world": (
        {"count": lambda t: t[:8].clone()},
        r"the counts are of shape \[8, 4, .*16 states and 4",
    ),
    "counts without actions": ({"count": lambda t: t[:, 0].clone()}, r"the counts are of shape \[16, .\]"),
    "counts without room": ({"count": lambda t: t[..., :0].clone()}, r"the counts are of shape \[16, 4, 0\]"),
    "room that only counts have": ({"count": lambda t: torch.cat([t, t], -1)}, "size mismatch for next_state"),
    "rewards of another world": ({"reward": lambda t: t[:, :2].clone()}, "size mismatch for reward"),
}


@pytest.mark.parametrize(("changes", "message"), HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("name", ["lookup", "lookup-deterministic"])
def test_a_file_that_was_tampered_with_is_refused(tmp_path, fitted, name, changes, message):
    path = tampered(tmp_path, fitted(name, {}), changes)
    with pytest.raises(zoo_core.CheckpointError, match=rf"tampered.zip.*{message}"):
        zoo_core.load_model(path, device="cpu")


def test_a_file_without_counts_is_refused(tmp_path, fitted):
    header, tensors = archive.read_archive(fitted("lookup", {}).save(tmp_path / "model"))
    path = archive.write_archive(
        tmp_path / "model", header, {key: value for key, value in tensors.items() if key != "weights/count"}
    )
    with pytest.raises(zoo_core.CheckpointError, match=r"cannot be restored: KeyError: 'count'"):
        zoo_core.load_model(path, device="cpu")


def test_a_file_of_more_states_than_a_table_holds_is_refused(tmp_path, fitted):
    header, tensors = archive.read_archive(fitted("lookup", {}).save(tmp_path / "model"))
    header["world_model"]["observation_space"]["n"] = 2**40
    path = archive.write_archive(tmp_path / "model", header, tensors)
    with pytest.raises(
        zoo_core.ZooError, match="at most 4,194,304 of them, got 1,099,511,627,776 states and 4 actions"
    ):
        zoo_core.load_model(path, device="cpu")


def test_a_file_of_the_other_model_is_refused(tmp_path, fitted):
    path = fitted("lookup", {}).save(tmp_path / "model")
    with pytest.raises(zoo_core.CheckpointError, match=r"holds a zoo_tabular.lookup:Lookup, not a .*Deterministic"):
        LookupDeterministic.load(path)
