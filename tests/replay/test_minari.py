"""Replays to and from the datasets of the real Minari library, in a directory of the test."""

import json
import sys
import warnings

import gymnasium as gym
import minari
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.wrappers import TimeLimit
from minari.data_collector.episode_buffer import EpisodeBuffer

import zoo_core
from zoo_core import seeding
from zoo_core.dream import DreamEnv, DreamVecEnv
from zoo_core.errors import NonFiniteError, UnknownNameError, UnsupportedSpaceError, ZooError
from zoo_core.replay import Replay, minari_datasets
from zoo_core.spaces import batch_of
from zoo_core.testing.checks.expect import same
from zoo_core.testing.fakes import Corridor

BOX = spaces.Box(-9.0, 9.0, (2,))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Where Minari finds and puts datasets."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


@pytest.fixture(scope="module")
def pendulum():
    return Replay.collect("Pendulum-v1", 450, seed=0)


@pytest.fixture(scope="module")
def model(pendulum):
    """A world model whose weights hardly matter."""
    made = zoo_core.make_model("mlp", *spaces_of(pendulum), {"hidden": 8}, seed=0, device="cpu")
    made.fit(pendulum, rng=seeding.rng(0), max_updates=5)
    return made


def spaces_of(replay):
    return replay.observation_space, replay.action_space


def write(dataset_id, *episodes, observation_space=BOX, action_space=BOX, **options):
    """Writes a dataset as its maker may have; an episode is (observations, actions, rewards, terminated, truncated)."""
    names = ("observations", "actions", "rewards", "terminations", "truncations")
    buffers = [EpisodeBuffer(**dict(zip(names, episode, strict=True))) for episode in episodes]
    spaces_ = {"observation_space": observation_space, "action_space": action_space}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on author, code and so on
        return minari.create_dataset_from_buffers(dataset_id, buffers, **spaces_, **options)


def episode(steps, ends="", *, finals=1, reward=1.0):
    """Returns an episode; `ends` has a letter a step: t for terminated, u for truncated."""
    obs = np.arange(2 * (steps + finals), dtype=np.float32).reshape(-1, 2) % 9
    flags = [np.array([letter == which for letter in ends.ljust(steps)], bool) for which in "tu"]
    return obs, np.ones((steps, 2), np.float32), np.full(steps, reward), *flags


# -- there and back ----------------------------------------------------------------------------------------------------


def test_a_replay_comes_back_from_a_dataset_as_it_was():
    replay = Replay.collect("CartPole-v1", 120, seed=0)
    replay.cut()
    dataset = replay.to_minari("cartpole/random-v0", author="me", algorithm_name="random")
    assert (dataset.id, dataset.total_steps, dataset.env_spec.id) == ("cartpole/random-v0", 120, "CartPole-v1")
    assert dataset.storage.metadata["author"] == {"me"}
    for source in ("cartpole/random-v0", dataset):
        again = Replay.from_minari(source)
        assert spaces_of(again) == spaces_of(replay)
        assert same(again.to_file(), replay.to_file())
    assert again.transitions().terminated.any()


def test_a_dataset_has_what_minari_says_it_has(pendulum):
    """Read by Minari: whole episodes, their final observations among them."""
    pendulum.to_minari("pendulum/random-v0")
    episodes = list(minari.load_dataset("pendulum/random-v0"))
    assert [len(each) for each in episodes] == [200, 200, 50]
    for got, stored in zip(episodes, pendulum.episodes(), strict=True):
        assert np.array_equal(got.observations, stored.obs)
        assert len(got.observations) == len(got.actions) + 1
        assert np.array_equal(got.rewards, stored.reward)
        assert np.flatnonzero(got.truncations).tolist() == [len(got) - 1]  # the running one as well
        assert not got.terminations.any()


def test_the_environments_of_a_batch_are_written_one_after_the_other():
    replay = Replay.collect(zoo_core.acting.as_vec_env("CartPole-v1", num_envs=3, seed=0), 90, seed=0)
    again = Replay.from_minari(replay.to_minari("cartpole/three-v0"))
    assert again.num_envs == 1
    assert np.array_equal(again.transitions().obs, replay.transitions().obs)
    assert np.array_equal(again.transitions().next_obs, replay.transitions().next_obs)
    assert len(again.first_observations()) == len(replay.first_observations())


@pytest.mark.parametrize("kind", ["vector", "image", "dict", "discrete"])
def test_observations_of_every_layout_are_stored_without_loss(kind):
    env = TimeLimit(Corridor(kind), 9)
    replay = Replay.collect(env, 40, seed=0)
    replay.cut()
    again = Replay.from_minari(
        replay.to_minari("corridor/random-v0"), observation_space=env.observation_space, action_space=env.action_space
    )
    assert same(again.to_file(), replay.to_file())


def test_large_images_are_not_made_jpegs():
    space = spaces.Box(0, 255, (40, 40, 3), np.uint8)
    replay, noise = (
        Replay(space, spaces.Discrete(2)),
        np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), np.uint8),
    )
    replay.add_episode(noise, np.zeros(4, int), np.zeros(4), terminated=True)
    assert np.array_equal(Replay.from_minari(replay.to_minari("noise/images-v0")).observations(), noise)


def test_actions_of_every_layout_are_stored_without_loss():
    space = spaces.Dict(
        {
            "way": spaces.Discrete(3, start=-1),
            "both": spaces.Tuple([spaces.MultiBinary(2), spaces.MultiDiscrete([2, 5])]),
        }
    )
    space.seed(0)
    replay, obs = Replay(BOX, space), np.ones((6, 2), np.float32)
    replay.add_episode(obs, batch_of(space, [space.sample() for _ in range(5)]), np.ones(5), terminated=False)
    assert same(Replay.from_minari(replay.to_minari("actions/odd-v0")).to_file(), replay.to_file())


def test_an_episode_without_its_beginning_is_left_out():
    replay = Replay(BOX, BOX, capacity=5)
    for t in range(8):
        flags = np.array([t in (4, 7)]), np.zeros(1, bool)
        replay.add(np.full((1, 2), t), np.zeros((1, 2)), np.zeros(1), *flags, np.full((1, 2), t + 1))
    dataset = replay.to_minari("box/late-v0")
    assert [each.observations[:, 0].tolist() for each in dataset] == [[5.0, 6.0, 7.0, 8.0]]


# -- datasets of others ------------------------------------------------------------------------------------------------


def test_an_episode_without_an_end_is_truncated_and_one_that_goes_on_is_parted():
    write("box/odd-v0", episode(4), episode(5, "  t u"), episode(3, "tt"))
    replay = Replay.from_minari("box/odd-v0")
    steps = replay.transitions()
    assert np.flatnonzero(steps.truncated).tolist() == [3, 8, 11]
    assert np.flatnonzero(steps.terminated).tolist() == [6, 9, 10]
    assert len(replay.first_observations()) == 6
    assert np.array_equal(steps.next_obs[4:9], episode(5)[0][1:])
    assert replay.env_id is None


def test_a_step_that_terminates_and_is_truncated_terminates():
    write("box/both-v0", (*episode(2)[:3], np.array([False, True]), np.array([False, True])))
    steps = Replay.from_minari("box/both-v0").transitions()
    assert (steps.terminated.tolist(), steps.truncated.tolist()) == ([False, True], [False, False])


def test_values_are_cast_to_the_spaces():
    obs, action, *rest = episode(3, "  t")
    write("box/double-v0", (obs.astype(np.float64), action.astype(np.float64), *rest))
    steps = Replay.from_minari("box/double-v0").transitions()
    assert [column.dtype for column in (steps.obs, steps.action, steps.reward)] == [np.float32] * 3
    assert np.array_equal(steps.obs, obs[:-1])


def test_images_that_minari_made_jpegs_are_read():
    space = spaces.Box(0, 255, (40, 40, 3), np.uint8)
    grey = np.full((3, 40, 40, 3), 77, np.uint8)
    write("grey/images-v0", (list(grey), *episode(2, " t")[1:]), observation_space=space)
    assert np.array_equal(Replay.from_minari("grey/images-v0").observations(), grey)


# -- dreams ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", [DreamEnv, DreamVecEnv])
def test_collected_dreams_are_a_dataset(face, model):
    sizes = {"num_envs": 3} if face is DreamVecEnv else {}
    replay = Replay.collect(face(model, **sizes, horizon=7, seed=0), 42, seed=0)
    dataset = replay.to_minari("dreams/pendulum-v0")
    lengths = [7, 7] * 3 if face is DreamVecEnv else [7] * 6
    assert [len(each) for each in dataset] == lengths
    again = Replay.from_minari(dataset)
    assert spaces_of(again) == (model.observation_space, model.action_space)
    assert same(again.transitions(), replay.transitions())


def test_the_id_of_a_dream_does_not_pass_for_its_specification(model):
    """It does not say which model dreams."""
    replay = Replay.collect(gym.make("zoo_core:Dream-v0", model=model, horizon=5), 10, seed=0)
    assert replay.env_id == "Dream-v0"
    assert replay.to_minari("dreams/made-v0").env_spec is None


@pytest.mark.filterwarnings(  # of Minari, on metadata and on a directory that it leaves to be cleaned up
    "ignore:.* is set to None:UserWarning", "ignore:Implicitly cleaning up:ResourceWarning"
)
def test_minari_collects_in_a_dream(model, tmp_path):
    path = model.save(tmp_path / "model.zip")
    env = minari.DataCollector(gym.make("zoo_core:Dream-v0", model=str(path), horizon=6))
    env.action_space.seed(0)
    seen = [env.reset(seed=0)[0]]
    for t in range(16):
        obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(obs)
        assert not terminated
        if truncated:
            assert t % 6 == 5
            seen.append(env.reset()[0])
    dataset = env.create_dataset("dreams/collected-v0")
    env.close()
    replay = Replay.from_minari(dataset)
    assert np.array_equal(replay.observations(), seen)
    assert np.flatnonzero(replay.transitions().truncated).tolist() == [5, 11, 15]  # Minari ends the last one
    assert dataset.env_spec.kwargs == {"model": str(path), "horizon": 6}
    assert minari.load_dataset("dreams/collected-v0").recover_environment().observation_space == env.observation_space


# -- mistakes ----------------------------------------------------------------------------------------------------------


def test_a_command_reads_its_data_by_reference(pendulum):
    pendulum.to_minari("pendulum/random-v0")
    replay = minari_datasets.load("minari:pendulum/random-v0", *spaces_of(pendulum))
    assert (len(replay), replay.env_id) == (450, "Pendulum-v1")
    with pytest.raises(ZooError, match=r"data must be given as minari:ID, such as .*, got 'pendulum/random-v0'"):
        minari_datasets.load("pendulum/random-v0", *spaces_of(pendulum))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("observations", {"observation_space": spaces.Box(-9.0, 9.0, (4,))}),
        ("observations", {"observation_space": spaces.Box(-9.0, 8.0, (2,))}),
        ("actions", {"observation_space": BOX, "action_space": spaces.Discrete(2)}),
    ],
)
def test_a_dataset_of_other_spaces_is_refused_with_both(what, changes):
    write("box/plain-v0", episode(3, "  t"))
    expected = [*changes.values()][-1]
    with pytest.raises(ZooError) as error:
        Replay.from_minari("box/plain-v0", **changes)
    assert str(error.value) == f"Minari dataset 'box/plain-v0' holds {what} of {BOX}, expected {expected}"


def test_an_unknown_dataset_is_answered_with_the_local_ones(home):
    with pytest.raises(UnknownNameError, match=rf"no Minari dataset 'box/plain-v0' in {home}; there are none"):
        Replay.from_minari("box/plain-v0")
    write("box/plain-v0", episode(3, "  t"))
    with pytest.raises(UnknownNameError, match="did you mean 'box/plain-v0'"):
        Replay.from_minari("box/plane-v0")
    (home / "box").rename(home.parent / "elsewhere")
    with pytest.raises(UnknownNameError, match=r"no Minari dataset '../elsewhere/plain-v0' in .*; there are none"):
        Replay.from_minari("../elsewhere/plain-v0")


@pytest.mark.parametrize("dataset_id", ["pendulum", "pendulum/random", "../x-v0", "a b-v0", "/x-v0", ""])
def test_a_malformed_name_is_refused(dataset_id, pendulum, home):
    with pytest.raises(ValueError, match="dataset_id must be like pendulum/random-v0, with a version at its end"):
        pendulum.to_minari(dataset_id)
    assert not home.exists() or not list(home.iterdir())


def test_a_dataset_is_never_overwritten(pendulum):
    pendulum.to_minari("pendulum/random-v0")
    with pytest.raises(ZooError, match=r"there is a Minari dataset 'pendulum/random-v0' already, in .*: name another"):
        pendulum.to_minari("pendulum/random-v0")
    assert minari.load_dataset("pendulum/random-v0").total_steps == 450


def test_a_dataset_that_could_not_be_written_leaves_nothing(pendulum, monkeypatch, home):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minari.dataset._storages.hdf5_storage.HDF5Storage.update_episodes", fail)
    with pytest.raises(ZooError, match=r"dataset 'pendulum/random-v0' cannot be written to .*No space left on device"):
        pendulum.to_minari("pendulum/random-v0")
    assert not (home / "pendulum" / "random-v0").exists()


def test_there_must_be_steps():
    with pytest.raises(ValueError, match="the replay is empty"):
        Replay(BOX, BOX).to_minari("box/empty-v0")
    with pytest.raises(ZooError, match="dataset 'box/empty-v0' holds no steps"):
        Replay.from_minari(write("box/empty-v0"))


def test_a_value_that_is_not_finite_is_refused():
    write("box/nan-v0", episode(3, "  t", reward=np.nan))
    with pytest.raises(NonFiniteError, match="a reward that is NaN or infinite"):
        Replay.from_minari("box/nan-v0")


def test_words_are_refused():
    space = spaces.Text(3)
    words = (["ab", "c", "d"], *episode(2, " t")[1:])
    write("words/plain-v0", words, observation_space=space)
    with pytest.raises(UnsupportedSpaceError, match="a replay stores Box, Discrete"):
        Replay.from_minari("words/plain-v0")


def shorten(path):
    data = path / "main_data.hdf5"
    data.write_bytes(data.read_bytes()[:-2_000])


def edit(**changes):
    def change(path):
        metadata = json.loads((path / "metadata.json").read_text())
        metadata |= changes
        kept = {name: value for name, value in metadata.items() if value is not None}
        (path / "metadata.json").write_text(json.dumps(kept))

    return change


BOMB = {"id": "Bomb-v0", "entry_point": "os:mkdir", "kwargs": {"path": "exploded"}, "additional_wrappers": []}


@pytest.mark.parametrize(
    "damage",
    [
        shorten,
        lambda path: (path / "main_data.hdf5").unlink(),
        lambda path: (path / "main_data.hdf5").write_bytes(b"no HDF5"),
        lambda path: (path / "metadata.json").unlink(),
        lambda path: (path / "metadata.json").write_text("{"),
        edit(observation_space='{"type": "Sphere"}'),
        edit(observation_space="[]"),
        edit(total_episodes=9, total_steps=99),
        edit(data_format="sql"),
        edit(minari_version="99.0"),
        edit(action_space=None),
        edit(observation_space=json.dumps({"type": "Discrete", "n": 3, "start": 0, "dtype": "int64"})),
    ],
)
def test_a_damaged_dataset_is_an_error_that_names_it(damage):
    dataset = write("box/plain-v0", episode(3, "  t"))
    damage(dataset.storage.data_path)
    with pytest.raises(ZooError, match=r"dataset 'box/plain-v0' (in .* )?cannot be read: "):
        Replay.from_minari("box/plain-v0")


def test_reading_a_dataset_runs_nothing_that_it_names(tmp_path, monkeypatch):
    """Minari makes the environment of a dataset that does not say its spaces."""
    monkeypatch.chdir(tmp_path)
    dataset = write("box/bomb-v0", episode(3, "  t"))
    edit(env_spec=json.dumps(BOMB))(dataset.storage.data_path)
    assert Replay.from_minari("box/bomb-v0").env_id == "Bomb-v0"
    edit(observation_space=None, action_space=None)(dataset.storage.data_path)
    with pytest.raises(ZooError, match="its metadata lack the spaces"):
        Replay.from_minari("box/bomb-v0")
    assert not (tmp_path / "exploded").exists()
    with pytest.raises(TypeError, match=r"must inherit from the gymnasium\.Env class"):  # the bomb is one
        minari.load_dataset("box/bomb-v0")
    assert (tmp_path / "exploded").exists()


@pytest.mark.parametrize("library", ["minari", "h5py"])
def test_without_minari_the_extra_is_named(library, monkeypatch, pendulum):
    monkeypatch.setitem(sys.modules, library, None)
    for call in (lambda: Replay.from_minari("box/plain-v0"), lambda: pendulum.to_minari("box/plain-v0")):
        with pytest.raises(ZooError, match=r'need the extra "minari" of zoo-core .*: pip install "minari\[hdf5\]"'):
            call()
