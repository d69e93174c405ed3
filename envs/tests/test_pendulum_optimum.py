from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import zoo_envs
from zoo_envs import pendulum_optimum

COARSE = (61, 33)


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CACHE", str(folder))
        pendulum_optimum._table.cache_clear()
        yield folder
    pendulum_optimum._table.cache_clear()


def greedy_return(theta: float, theta_dot: float) -> float:
    """Returns what the table's greedy torques earn in Gymnasium's own environment."""
    env = gym.make("Pendulum-v1")
    env.reset(seed=0)
    pendulum = env.unwrapped
    pendulum.state = np.array([theta, theta_dot])
    total = 0.0
    for t in range(200):
        action = zoo_envs.pendulum_optimal_action(*pendulum.state, t)
        total += float(env.step(action[None])[1])
    return total


def test_the_mean_over_resets_is_the_known_optimum() -> None:
    starts = np.random.default_rng(0).uniform([-np.pi, -1], [np.pi, 1], (4_000, 2))
    optimum = zoo_envs.pendulum_optimal_return(*starts.T)
    assert optimum.mean() == pytest.approx(-139.9, abs=1.5)
    assert optimum.std() == pytest.approx(75, abs=2)


def test_greedy_rollouts_in_the_real_env_attain_the_table() -> None:
    angles = np.linspace(-np.pi, np.pi, 20, endpoint=False) + 0.1
    starts = np.stack([angles, np.tile([-0.6, 0.6], 10)], axis=-1)
    achieved = np.array([greedy_return(*start) for start in starts])
    regret = zoo_envs.pendulum_regret(starts, achieved)
    assert abs(regret.mean()) < 2.0
    assert np.median(np.abs(regret)) < 2.0


def test_upright_at_rest_costs_nothing() -> None:
    assert zoo_envs.pendulum_optimal_return(0.0, 0.0) == pytest.approx(0.0, abs=1e-6)
    assert zoo_envs.pendulum_optimal_action(0.0, 0.0, 0) == 0.0


def test_nothing_is_left_after_the_last_step_and_one_reward_before_it() -> None:
    theta, theta_dot = np.array([0.5, -2.0]), np.array([1.0, 3.0])
    np.testing.assert_array_equal(zoo_envs.pendulum_optimal_return(theta, theta_dot, t=200, grid=COARSE), 0.0)
    np.testing.assert_array_equal(zoo_envs.pendulum_optimal_action(theta, theta_dot, 199, grid=COARSE), 0.0)
    at_grid_points = zoo_envs.pendulum_optimal_return(np.pi / 2, 4.0, t=199, grid=COARSE)
    assert at_grid_points == pytest.approx(-(np.pi**2 / 4 + 1.6), rel=1e-6)


def test_the_optimum_is_the_same_after_a_turn_and_in_the_mirror() -> None:
    theta, theta_dot = np.random.default_rng(0).uniform(-3, 3, (2, 50))
    value = zoo_envs.pendulum_optimal_return(theta, theta_dot, grid=COARSE)
    turned = zoo_envs.pendulum_optimal_return(theta + 4 * np.pi, theta_dot, grid=COARSE)
    mirrored = zoo_envs.pendulum_optimal_return(-theta, -theta_dot, grid=COARSE)
    np.testing.assert_allclose(turned, value, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(mirrored, value, rtol=1e-4, atol=1e-3)


def test_regret_is_the_optimum_less_the_return_of_the_same_start() -> None:
    starts = np.array([[0.0, 0.0], [3.0, 0.5]])
    regret = zoo_envs.pendulum_regret(starts, [-7.0, -1000.0], grid=COARSE)
    optimum = zoo_envs.pendulum_optimal_return(*starts.T, grid=COARSE)
    np.testing.assert_allclose(regret, optimum - [-7.0, -1000.0])


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"])
def test_a_broken_cache_file_is_replaced(cache: Path, content: bytes) -> None:
    path = cache / "pendulum_optimum_21x11_v1.npz"
    path.write_bytes(content)
    pendulum_optimum._table.cache_clear()
    value = zoo_envs.pendulum_optimal_return(1.0, 0.0, grid=(21, 11))
    assert path.read_bytes() != content
    pendulum_optimum._table.cache_clear()
    assert zoo_envs.pendulum_optimal_return(1.0, 0.0, grid=(21, 11)) == value


def test_the_cached_table_is_read_and_not_solved_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value = zoo_envs.pendulum_optimal_return(1.0, 0.0, grid=(23, 11))
    assert [path.name for path in cache.glob("*23x11*")] == ["pendulum_optimum_23x11_v1.npz"]
    assert not list(cache.glob("*.tmp"))
    pendulum_optimum._table.cache_clear()
    monkeypatch.setattr(pendulum_optimum, "_solve", None)
    assert zoo_envs.pendulum_optimal_return(1.0, 0.0, grid=(23, 11)) == value


def test_a_pickle_in_the_cache_is_not_opened(cache: Path) -> None:
    path = cache / "pendulum_optimum_25x11_v1.npz"
    np.savez(path, value=np.array([{"code": "would run"}], dtype=object))
    assert np.isfinite(zoo_envs.pendulum_optimal_return(1.0, 0.0, grid=(25, 11)))


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file"))
    assert np.isfinite(zoo_envs.pendulum_optimal_return(1.0, 0.0, grid=(27, 11)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"theta": np.nan, "theta_dot": 0.0}, "theta must be finite"),
        ({"theta": 0.0, "theta_dot": 9.0}, r"theta_dot must be in \[-8.0, 8.0\], got up to 9.0"),
        ({"theta": 0.0, "theta_dot": 0.0, "t": 201}, r"t must be in \[0, 200\], got 201"),
        ({"theta": 0.0, "theta_dot": 0.0, "grid": (1, 5)}, "grid must be two numbers of points"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        zoo_envs.pendulum_optimal_return(**arguments)  # type: ignore[arg-type]


def test_starts_must_fit_the_returns() -> None:
    with pytest.raises(ValueError, match=r"starts must have shape \(3, 2\) to fit returns, got \(2, 2\)"):
        zoo_envs.pendulum_regret(np.zeros((2, 2)), np.zeros(3))
