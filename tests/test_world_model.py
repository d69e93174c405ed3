"""The world model contract: every model keeps it, and the check notices those that do not."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from zoo_core import seeding
from zoo_core.errors import CheckpointError, ZooError
from zoo_core.replay import Replay
from zoo_core.testing import check_world_model
from zoo_core.testing.cases import model_cases
from zoo_core.testing.fakes import Altered, Corridor, DictModel, KalmanModel, LookupTable, SmallRSSM, TicTacToe
from zoo_core.testing.fakes.tic_tac_toe import Board
from zoo_core.world_model import ModelStep, WorldModel, batch_size, index, load_model, put, repeat, select, stack

CASES = {case.name: case for case in model_cases()}


@pytest.fixture
def replay():
    return Replay.collect(Corridor("discrete"), 300, seed=0)


@pytest.mark.parametrize("case", model_cases(), ids=str)
def test_the_model_keeps_the_contract(case):
    check_world_model(case.new, case.replay)


# -- the check notices -------------------------------------------------------------------------------------------------


class Sloppy(LookupTable):
    """A lookup table; subclasses break one rule each."""

    def __init__(self, observation_space=None, action_space=None, config=None, *, seed=0):
        super().__init__(
            observation_space or spaces.Discrete(11), action_space or spaces.Discrete(2), config, seed=seed
        )


class ReturnsNothing(Sloppy):
    def fit(self, replay, **kwargs):
        super().fit(replay, rng=None)
        return {}


class NotANumber(Sloppy):
    def fit(self, replay, **kwargs):
        return {**super().fit(replay, rng=None), "loss": float("nan")}


class DrawsGlobally(Sloppy):
    def step(self, state, action, **kwargs):
        torch.rand(1)
        return super().step(state, action, **kwargs)


class DrawsFromNumPy(Sloppy):
    def observe(self, *args, **kwargs):
        np.random.rand()  # noqa: NPY002
        return super().observe(*args, **kwargs)


class RewardsColumn(Sloppy):
    def step(self, state, action, **kwargs):
        step = super().step(state, action, **kwargs)
        return step._replace(reward=step.reward[:, None])


class Discounts(Sloppy):
    def step(self, state, action, **kwargs):
        step = super().step(state, action, **kwargs)
        return step._replace(continues=step.continues * 2)


class ForgetsTheEnd(Sloppy):
    def step(self, state, action, **kwargs):
        return super().step(state._replace(over=torch.zeros_like(state.over)), action, **kwargs)


class WritesIntoItsInput(Sloppy):
    def step(self, state, action, **kwargs):
        step = super().step(state, action, **kwargs)
        state.place.copy_(step.state.place + 1)
        return step


class LooksAtTheBatch(Sloppy):
    def step(self, state, action, **kwargs):
        step = super().step(state, action, **kwargs)
        return step._replace(reward=step.reward + action.float().mean())


class DrawsByAction(Sloppy):
    def step(self, state, action, *, rng, **kwargs):
        torch.rand(int(action.sum()) + 1, generator=rng)
        return super().step(state, action, rng=rng, **kwargs)


class ChangesItsDtype(Sloppy):
    def step(self, state, action, **kwargs):
        step = super().step(state, action, **kwargs)
        return step._replace(state=step.state._replace(over=step.state.over.float()))


class RemembersThePast(Sloppy):
    def observe(self, state, action, obs, is_first, *, rng):
        seen = super().observe(state, action, obs, is_first, rng=rng)
        return seen if state is None else seen._replace(place=(seen.place + action) % 11)


class ShowsDoubles(Sloppy):
    def features(self, state):
        return super().features(state).double()


class HidesMoves(Sloppy):
    def legal_actions(self, state):
        return torch.ones(batch_size(state), 3, dtype=torch.bool)


class ForgetsOnDisk(Sloppy):
    def to_file(self):
        description, tensors = super().to_file()
        return description, {**tensors, "weights/tries": torch.zeros_like(tensors["weights/tries"])}


class KnowsHalf(Sloppy):
    def step(self, state, action, *, uncertainty=False, **kwargs):
        step = super().step(state, action, **kwargs)
        return step._replace(uncertainty={"epistemic": step.reward} if uncertainty else None)


@pytest.mark.parametrize(
    ("model_class", "message"),
    [
        (ReturnsNothing, "fit returns a dict of numbers, at least one; seen: {}"),
        (NotANumber, "the metrics of fit are finite"),
        (DrawsGlobally, "step draws from the generators it is given"),
        (DrawsFromNumPy, "initial_state draws from the generators it is given"),
        (RewardsColumn, r"reward is a float tensor \[B\]; seen: torch.float32 \[4, 1\]"),
        (Discounts, r"continues is a probability in \[0, 1\]"),
        (ForgetsTheEnd, "certainly terminal has reward 0 and continues 0"),
        (WritesIntoItsInput, "step leaves the state it was given as it was"),
        (LooksAtTheBatch, "at temperature 0 a row does not depend on the batch it is in"),
        (DrawsByAction, "what a step draws depends on B alone"),
        (ChangesItsDtype, "a step leaves the layout of the state as it was"),
        (RemembersThePast, "where is_first is true, observe ignores state and action"),
        (ShowsDoubles, r"features are float32 \[B, F\]; seen: torch.float64"),
        (HidesMoves, r"legal_actions is None or bool \[4, 2\]; seen: torch.bool \[4, 3\]"),
        (ForgetsOnDisk, "a model that was saved and loaded dreams the same dream"),
        (KnowsHalf, 'uncertainty has "epistemic" and "aleatoric"'),
    ],
)
def test_the_check_notices(model_class, message, replay):
    with pytest.raises(AssertionError, match=message):
        check_world_model(model_class, replay)


def test_the_check_notices_a_dream_that_leaves_the_world():
    model = CASES["rssm"].model
    bold = Altered(model, lambda step: step._replace(reward=step.reward * torch.inf))
    with pytest.raises(AssertionError, match="reward is finite"):
        check_world_model(bold)
    CASES["kalman"].model.obs_range.high.mul_(3)
    try:
        with pytest.raises(AssertionError, match="decoded observations are within the bounds"):
            check_world_model(Altered(CASES["kalman"].model, _run_away))
    finally:
        CASES["kalman"].model.obs_range.high.div_(3)


def _run_away(step):
    return step._replace(state=step.state._replace(mean=step.state.mean * 3.0))


def test_the_check_notices_a_step_without_gradients():
    class Frozen(SmallRSSM):
        def step(self, *args, **kwargs):
            with torch.no_grad():
                return super().step(*args, **kwargs)

    case = CASES["rssm"]
    with pytest.raises(AssertionError, match="step is differentiable"):
        check_world_model(lambda: Frozen(case.model.observation_space, case.model.action_space), case.replay)


# -- states ------------------------------------------------------------------------------------------------------------

GAMES = np.array([None] * 3, dtype=object)
GAMES[:] = [Board((i,) + (0,) * 8) for i in range(3)]
STATES = {
    "tensors": {"a": torch.arange(3), "b": (torch.arange(6).reshape(3, 2), torch.ones(3, 1))},
    "objects": GAMES,
    "both": ModelStep(GAMES, torch.arange(3.0), torch.ones(3)),
}


def numbers(state):
    """Returns the number of each row's first leaf."""
    leaf = state["a"] if isinstance(state, dict) else state.reward if isinstance(state, ModelStep) else state
    return [board.fields[0] for board in leaf] if isinstance(leaf, np.ndarray) else leaf.int().tolist()


@pytest.fixture(params=STATES)
def state(request):
    chosen = STATES[request.param]
    return chosen._replace(sign=torch.ones(3)) if isinstance(chosen, ModelStep) else chosen


def test_rows_are_counted(state):
    assert batch_size(state) == 3


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (slice(1, 3), [1, 2]),
        (np.array([2, 0, 2]), [2, 0, 2]),
        (torch.tensor([2, 0]), [2, 0]),
        ([1, 1], [1, 1]),
        (np.array([True, False, True]), [0, 2]),
        (torch.tensor([False, True, False]), [1]),
    ],
)
def test_rows_are_chosen_by_anything_that_indexes(state, rows, expected):
    assert numbers(index(state, rows)) == expected


def test_repeated_rows_are_neighbours(state):
    assert numbers(repeat(state, 2)) == [0, 0, 1, 1, 2, 2]


def test_put_replaces_rows_of_a_copy(state):
    changed = put(state, np.array([0, 2]), index(state, slice(1, 3)))
    assert numbers(changed) == [1, 1, 2]
    assert numbers(state) == [0, 1, 2]


def test_stack_appends_rows(state):
    assert numbers(stack([index(state, slice(0, 1)), state])) == [0, 0, 1, 2]


def test_select_takes_rows_by_a_mask(state):
    mask = torch.tensor([True, False, True])
    assert numbers(select(mask, index(state, [2, 2, 2]), state)) == [2, 1, 2]


# -- defaults and files ------------------------------------------------------------------------------------------------


def test_a_model_that_was_not_fitted_says_so():
    with pytest.raises(ZooError, match="LookupTable has not seen an episode begin: call fit"):
        LookupTable(spaces.Discrete(3), spaces.Discrete(2)).initial_state(1, rng=seeding.rng(0))


def test_a_model_without_fit_and_update_says_so():
    class Bare(WorldModel):
        def observe(self, state, action, obs, is_first, *, rng):
            return obs

        def step(self, state, action, *, rng, temperature=1.0, uncertainty=False):
            return ModelStep(state, torch.zeros(len(action)), torch.ones(len(action)))

        def sample_batch(self, replay, *, rng):
            return None

    env = Corridor("discrete")
    with pytest.raises(NotImplementedError, match="Bare implements neither fit nor update"):
        Bare(env.observation_space, env.action_space).fit(Replay.collect(env, 20, seed=0), rng=seeding.rng(0))


def test_the_default_fit_makes_as_many_updates_as_it_may():
    env, calls = Corridor("dict"), []
    model = DictModel(env.observation_space, env.action_space, {"num_updates": 7})
    replay = Replay.collect(env, 50, seed=0)
    metrics = model.fit(replay, rng=seeding.rng(0), callback=lambda num, metrics: calls.append((num, metrics)))
    assert [num for num, _ in calls] == [1, 2, 3, 4, 5, 6, 7]
    assert metrics == calls[-1][1]
    calls.clear()
    model.fit(replay, rng=seeding.rng(0), max_updates=2, callback=lambda num, _: calls.append(num))
    assert calls == [1, 2]


def test_a_model_remembers_at_most_1024_first_observations_spread_over_the_replay():
    env = Corridor("vector")
    replay = Replay(env.observation_space, env.action_space)
    for i in range(3_000):
        obs = np.array([[i / 3_000, 0.0]], np.float32)
        replay.add(obs, np.array([0]), np.zeros(1), np.array([True]), np.array([False]), obs)
    model = KalmanModel(env.observation_space, env.action_space)
    model.remember(replay)
    places = model.starts[:, 0]
    assert len(places) == 1_024
    assert places[0] == 0.0
    assert places[-1] == np.float32(2_999 / 3_000)
    assert np.diff(places).max() < 4 / 3_000
    begun = model.initial_state(500, rng=seeding.rng(0))
    assert len(set(begun.mean[:, 0].tolist())) > 300


def test_the_seed_decides_the_first_weights():
    spaces_ = CASES["rssm"].model.observation_space, CASES["rssm"].model.action_space
    first, again, other = (SmallRSSM(*spaces_, seed=seed).cell.weight_hh for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_file_keeps_what_a_dream_needs(tmp_path):
    model = CASES["dict"].model
    path = model.save(tmp_path / "model")
    assert path == tmp_path / "model.zip"
    loaded = DictModel.load(tmp_path / "model")
    assert loaded.observation_space == model.observation_space
    assert loaded.action_space == model.action_space
    assert loaded.config == model.config
    assert np.array_equal(loaded.starts["place"], model.starts["place"])
    assert loaded.starts["past_middle"].dtype == np.int64


def test_a_file_remembers_the_environment(tmp_path):
    path = CASES["kalman"].model.save(tmp_path / "model")
    assert KalmanModel.load(path).env_id == "Pendulum-v1"


def test_a_file_of_another_class_is_refused(tmp_path):
    path = CASES["kalman"].model.save(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"the file holds a .*:KalmanModel, not a .*:SmallRSSM"):
        SmallRSSM.load(path)


def test_settings_may_be_replaced_on_loading(tmp_path):
    path = CASES["rssm"].model.save(tmp_path / "model")
    assert SmallRSSM.load(path, batch_size=3).config.batch_size == 3
    with pytest.raises(CheckpointError, match="the weights do not fit SmallRSSM"):
        SmallRSSM.load(path, hidden=5)


@pytest.mark.parametrize("case", [c for c in model_cases() if "zoo_core" not in type(c.model).__module__], ids=str)
def test_load_model_finds_the_class_of_a_registered_model(case, tmp_path):
    loaded = load_model(case.model.save(tmp_path / "model"), device="cpu")
    assert type(loaded) is type(case.model)


def test_rules_are_saved_as_well(tmp_path):
    loaded = TicTacToe.load(TicTacToe().save(tmp_path / "rules"))
    assert loaded.observation_space == TicTacToe().observation_space
