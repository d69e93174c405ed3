"""Numbers that an SB3 logger writes arrive in the real libraries, offline, and a resumed run goes on with its own."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from stable_baselines3.common.logger import Figure, Logger

from zoo_core.errors import UnknownNameError, ZooError
from zoo_core.trackers import TRACKERS, make_tracker

BLOCK, HEADER = 32_768, 7  # of the log format of LevelDB, in which W&B writes a run
CONFIG = {"agent": {"id": "dream-ppo", "ppo": {"n_steps": 16}}, "seed": 0}


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory):
    place = tmp_path_factory.mktemp("trackers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
            patch.setenv(name, str(place / name))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/mlflow.db")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        for name in ("WANDB_PROJECT", "MLFLOW_EXPERIMENT_NAME"):
            patch.delenv(name, raising=False)
        yield
    import wandb

    wandb.teardown()


def track(name, directory, numbers, *, exclude=None, failed=False, **how):
    """Tracks a run of a few steps, `{step: {key: value}}`, through SB3's logger; returns the id of the run."""
    tracker = make_tracker(name, directory=directory, run_name="a run", config=CONFIG, **how)
    logger = Logger(str(directory), [tracker])
    for step, values in numbers.items():
        for key, value in values.items():
            logger.record(key, value, exclude=exclude)
        logger.dump(step)
    if failed:
        tracker.close(failed=True)
    logger.close()
    return tracker.run_id


def wandb_records(directory):
    """Returns the records of all offline runs in a directory, in order of time."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # ends the process that writes
    return [
        Record.FromString(data)
        for path in sorted(Path(directory).glob("**/offline-run-*/*.wandb"))
        for data in log(path)
    ]


def log(path):
    """Yields the entries of a LevelDB log: blocks of parts, each with checksum, length and where in its entry it is."""
    data, position, entry = path.read_bytes(), HEADER, b""
    while position + HEADER <= len(data):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        length, part = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        entry += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if part in (1, 4):  # whole, or the last of several
            yield entry
            entry = b""


def logged(name, directory, run_id):
    """Returns `{key: [(step, value), ...]}` as the library itself reads it."""
    found = {}
    if name == "wandb":
        for record in wandb_records(directory):
            items = {(item.key or item.nested_key[0]): json.loads(item.value_json) for item in record.history.item}
            for key in items.keys() - {"global_step", "_step", "_runtime", "_timestamp"}:
                found.setdefault(key, []).append((items["global_step"], items[key]))
        return found
    from mlflow import MlflowClient

    client = MlflowClient()
    for key in client.get_run(run_id).data.metrics:
        found[key] = [(metric.step, metric.value) for metric in client.get_metric_history(run_id, key)]
    return found


every_tracker = pytest.mark.parametrize("name", TRACKERS)


@every_tracker
def test_numbers_arrive_with_their_steps(name, tmp_path):
    numbers = {
        10: {"rollout/ep_rew_mean": 1.5, "loss": np.float32(0.25)},
        20: {"rollout/ep_rew_mean": -3, "n": np.int64(4)},
    }
    run_id = track(name, tmp_path, numbers)
    assert logged(name, tmp_path, run_id) == {
        "rollout/ep_rew_mean": [(10, 1.5), (20, -3.0)],
        "loss": [(10, 0.25)],
        "n": [(20, 4.0)],
    }


@every_tracker
def test_a_resumed_run_goes_on_with_the_same_tracked_run_even_where_steps_come_twice(name, tmp_path):
    run_id = track(name, tmp_path / "begun", {10: {"a": 1.0}, 20: {"a": 2.0}})
    assert json.loads(json.dumps(run_id)) == run_id
    assert track(name, tmp_path / "resumed", {15: {"a": 3.0}}, resume_id=run_id) == run_id
    assert logged(name, tmp_path, run_id) == {"a": [(10, 1.0), (20, 2.0), (15, 3.0)]}


@every_tracker
def test_text_figures_and_what_tensorboard_is_not_to_have_stay_out(name, tmp_path):
    values = {"text": "abc", "figure": Figure(None, close=False), "kept": 1.0}
    assert list(logged(name, tmp_path / "a", track(name, tmp_path / "a", {1: values}))) == ["kept"]
    for format in ("tensorboard", name):
        place = tmp_path / format
        assert logged(name, place, track(name, place, {1: {"a": 1.0}}, exclude=format)) == {}


def test_wandb_knows_the_name_the_project_and_the_settings(tmp_path):
    run_id = track("wandb", tmp_path, {})
    run = next(record.run for record in wandb_records(tmp_path) if record.HasField("run"))
    assert (run.run_id, run.display_name, run.project) == (run_id, "a run", "agent-zoo")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert {key: config[key] for key in CONFIG} == CONFIG


def test_mlflow_knows_the_name_the_experiment_and_the_settings(tmp_path):
    from mlflow import MlflowClient

    run = MlflowClient().get_run(track("mlflow", tmp_path, {}))
    assert (run.info.run_name, run.data.tags["zoo.directory"]) == ("a run", str(tmp_path))
    assert MlflowClient().get_experiment(run.info.experiment_id).name == "agent-zoo"
    assert run.data.params == {"agent.id": "dream-ppo", "agent.ppo.n_steps": "16", "seed": "0"}


@pytest.mark.parametrize(("failed", "status", "code"), [(False, "FINISHED", 0), (True, "FAILED", 1)])
def test_the_end_of_a_run_is_told_once(failed, status, code, tmp_path):
    from mlflow import MlflowClient

    assert MlflowClient().get_run(track("mlflow", tmp_path, {}, failed=failed)).info.status == status
    track("wandb", tmp_path, {}, failed=failed)
    assert [record.exit.exit_code for record in wandb_records(tmp_path) if record.HasField("exit")] == [code]


def test_a_name_that_mlflow_refuses_is_made_one_that_it_takes(tmp_path):
    assert logged("mlflow", tmp_path, track("mlflow", tmp_path, {1: {"loss[0]": 1.0}})) == {"loss_0_": [(1, 1.0)]}


def test_many_and_long_settings_fit_into_mlflow(tmp_path):
    from mlflow import MlflowClient

    config = {f"key{i}": i for i in range(250)} | {"long": "x" * 10_000}
    tracker = make_tracker("mlflow", directory=tmp_path, run_name="a run", config=config)
    tracker.close()
    params = MlflowClient().get_run(tracker.run_id).data.params
    assert len(params) == 251
    assert params["key249"] == "249"
    assert params["long"].startswith("x" * 1_000)


def test_an_unknown_tracker_is_told_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown tracker 'wanbd': did you mean 'wandb'"):
        make_tracker("wanbd", directory=tmp_path, run_name="a run", config={})


@every_tracker
def test_a_missing_library_is_told_with_its_extra(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        ZooError, match=rf"tracker '{name}' needs the extra \[{name}\] of zoo-core .*: pip install {name}"
    ):
        make_tracker(name, directory=tmp_path, run_name="a run", config={})


@pytest.mark.parametrize(
    ("name", "run_id", "why"),
    [("mlflow", "abc", "Run with id=abc not found"), ("wandb", "a:b", "Run ID cannot contain")],
)
def test_a_run_that_cannot_be_resumed_is_told(name, run_id, why, tmp_path):
    with pytest.raises(ZooError, match=f"tracker '{name}' cannot go on with run '{run_id}': {why}"):
        make_tracker(name, directory=tmp_path, run_name="a run", config={}, resume_id=run_id)
