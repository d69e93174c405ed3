"""Stable-Baselines3's callbacks, logger and evaluation work on every agent as on an algorithm of its own."""

import csv
import io
import json

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CheckpointCallback,
    EvalCallback,
    EveryNTimesteps,
    LogEveryNTimesteps,
    ProgressBarCallback,
    StopTrainingOnMaxEpisodes,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure

import zoo_core
from zoo_core import packing
from zoo_core.plugins import make_env, specs

SMALL = {"policy_kwargs": {"net_arch": [16]}}
OFF_POLICY = {**SMALL, "learning_starts": 20, "batch_size": 16, "buffer_size": 1_000}
DREAMS = {
    "initial_steps": 40,
    "round_steps": 20,
    "dream_steps": 128,
    "num_dreams": 8,
    "horizon": 10,
    "model_config": {"hidden": 16, "num_layers": 1, "max_epochs": 2},
}
AGENTS = {
    "random": ("CartPole-v1", None),
    "ppo": ("CartPole-v1", {"ppo": {**SMALL, "n_steps": 20, "batch_size": 20}}),
    "dqn": ("CartPole-v1", {"dqn": OFF_POLICY}),
    "sac": ("Pendulum-v1", {"sac": OFF_POLICY}),
    "dream-ppo": ("CartPole-v1", {**DREAMS, "ppo": {**SMALL, "n_steps": 16, "batch_size": 64}}),
    "dream-dqn": ("CartPole-v1", {**DREAMS, "dqn": OFF_POLICY}),
    "dream-sac": ("Pendulum-v1", {**DREAMS, "sac": OFF_POLICY, "observation": "latent"}),
}
every_agent = pytest.mark.parametrize("name", AGENTS)


def make(name, num_envs=1, **kwargs):
    env_id, config = AGENTS[name]
    return zoo_core.make_agent(name, make_vec_env(env_id, num_envs), config, seed=0, device="cpu", **kwargs)


def eval_env(name):
    return make_vec_env(AGENTS[name][0], seed=1)


def learned(agent):
    """Everything that learning has made: tensors of agent, recordings and world model."""
    tensors = dict(agent.to_file()[1])
    for name, recording in agent.recordings.items():
        tensors |= packing.add_prefix(recording.since(None)[1], f"{name}/")
    if agent.world_model is not None:
        tensors |= agent.world_model.to_file()[1]
    return tensors


@every_agent
def test_evaluations_are_counted_and_the_best_agent_is_kept(tmp_path, name):
    evaluation = EvalCallback(
        eval_env(name),
        eval_freq=25,
        n_eval_episodes=1,
        log_path=str(tmp_path),
        best_model_save_path=str(tmp_path),
        verbose=0,
        warn=False,
    )
    agent = make(name).learn(100, callback=evaluation)
    assert np.load(tmp_path / "evaluations.npz")["timesteps"].tolist() == [25, 50, 75, 100]
    best = zoo_core.load(tmp_path / "best_model")
    assert type(best) is type(agent)
    assert best.num_timesteps in (25, 50, 75, 100)


@pytest.mark.parametrize("name", ["random", "ppo", "dream-ppo"])
def test_with_several_environments_a_call_is_a_step_of_all(tmp_path, name):
    evaluation = EvalCallback(
        eval_env(name), eval_freq=10, n_eval_episodes=1, log_path=str(tmp_path), verbose=0, warn=False
    )
    make(name, num_envs=2).learn(40, callback=evaluation)
    assert np.load(tmp_path / "evaluations.npz")["timesteps"].tolist() == [20, 40]


class Evaluate(BaseCallback):
    """Evaluates after every tenth step, by chance and without, in a state of the global streams of its own."""

    def __init__(self, env):
        super().__init__()
        self.env = env

    def _on_step(self):
        if self.n_calls % 10 == 0:
            for deterministic in (True, False):
                evaluate_policy(self.model, self.env, n_eval_episodes=1, deterministic=deterministic, warn=False)
        return True


@every_agent
def test_evaluation_in_mid_training_changes_no_training_byte(name):
    evaluated = make(name).learn(80, callback=Evaluate(eval_env(name)))
    undisturbed = make(name).learn(80)
    first, second = learned(evaluated), learned(undisturbed)
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


@every_agent
def test_learning_stops_at_the_step_at_which_the_reward_is_good_enough(name):
    good_enough = StopTrainingOnRewardThreshold(reward_threshold=-1e6, verbose=0)
    evaluation = EvalCallback(
        eval_env(name),
        eval_freq=15,
        n_eval_episodes=1,
        callback_on_new_best=good_enough,
        verbose=0,
        warn=False,
    )
    assert make(name).learn(100, callback=evaluation).num_timesteps == 15


@pytest.mark.parametrize("name", [name for name, (env_id, _) in AGENTS.items() if env_id == "CartPole-v1"])
def test_learning_stops_after_the_last_episode(name):
    ends = []
    counting = lambda seen, _: ends.append(bool(seen["dones"][0])) is None  # noqa: E731
    agent = make(name).learn(1_000, callback=[StopTrainingOnMaxEpisodes(3, verbose=0), counting_callback(counting)])
    assert sum(ends) == 3
    assert ends[-1]
    assert agent.num_timesteps == len(ends) < 1_000


def counting_callback(function):
    class Call(BaseCallback):
        def _on_step(self):
            return function(self.locals, self.globals)

    return Call()


@every_agent
def test_checkpoints_load_without_their_class(tmp_path, name):
    agent = make(name).learn(60, callback=CheckpointCallback(30, str(tmp_path), name_prefix="mine"))
    paths = sorted(tmp_path.iterdir())
    assert [path.name for path in paths] == ["mine_30_steps.zip", "mine_60_steps.zip"]
    loaded = [zoo_core.load(path) for path in paths]
    assert [each.num_timesteps for each in loaded] == [30, 60]
    assert all(type(each) is type(agent) for each in loaded)


@every_agent
@pytest.mark.filterwarnings("ignore::tqdm.TqdmExperimentalWarning")  # SB3 filters it itself, pytest takes that back
def test_the_progress_bar_of_sb3_runs_to_the_end(name):
    class Bar(ProgressBarCallback):
        def _on_training_end(self):
            seen.append((self.pbar.n, self.pbar.total))
            super()._on_training_end()

    seen = []
    agent = make(name).learn(60, callback=Bar())
    agent.learn(20, callback=Bar(), reset_num_timesteps=False)
    assert seen == [(60, 60), (20, 20)]


class Terminal(io.StringIO):
    """Bars are drawn on terminals only."""

    def isatty(self):
        return True


@pytest.mark.parametrize("name", ["random", "ppo", "dream-ppo"])
def test_a_progress_bar_is_shown_if_asked_for(monkeypatch, name):
    shown = {}
    for progress_bar in (False, True):
        terminal = Terminal()
        monkeypatch.setattr("sys.stderr", terminal)
        make(name).learn(60, progress_bar=progress_bar)
        shown[progress_bar] = terminal.getvalue()
    assert shown[False] == ""
    assert "60/60" in shown[True]


@every_agent
def test_functions_lists_and_nested_callbacks_are_called_at_every_step(name):
    calls = {"function": [], "nested": []}
    agent = make(name)
    agent.learn(40, callback=lambda seen, _: calls["function"].append(seen["self"].num_timesteps) is None)
    assert calls["function"] == list(range(1, 41))
    nested = counting_callback(lambda *_: calls["nested"].append(agent.num_timesteps) is None)
    agent.learn(40, callback=[EveryNTimesteps(10, nested), counting_callback(lambda *_: True)])
    assert calls["nested"] == [10, 20, 30, 40]


class Record(BaseCallback):
    """Notes what it is told."""

    def __init__(self):
        super().__init__()
        self.events = []

    def _on_training_start(self):
        assert self.locals["total_timesteps"] == 40
        self.events.append("training start")

    def _on_rollout_start(self):
        self.events.append("rollout start")

    def _on_step(self):
        seen = {key: len(self.locals[key]) for key in ("new_obs", "rewards", "dones", "infos", "actions")}
        assert set(seen.values()) == {self.training_env.num_envs}
        assert self.num_timesteps == self.model.num_timesteps
        if self.events[-1] != "steps":
            self.events.append("steps")
        return True

    def _on_rollout_end(self):
        self.events.append("rollout end")

    def _on_training_end(self):
        self.events.append("training end")


@pytest.mark.parametrize(("name", "rollouts"), [("ppo", 2), ("dream-ppo", 1)])
def test_a_callback_is_told_when_things_begin_and_end(name, rollouts):
    record = Record()
    make(name, num_envs=2 if name == "dream-ppo" else 1).learn(40, callback=record)
    rollout = ["rollout start", "steps", "rollout end"]
    assert record.events == ["training start", *rollout * rollouts, "training end"]


@pytest.mark.parametrize("spec", specs("agent"), ids=lambda spec: spec.id)
def test_evaluate_policy_takes_every_registered_agent(spec):
    envs = map(make_env, ("CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "tictactoe_v3"))
    env = next((env for env in envs if spec.supports(env.observation_space, env.action_space)), None)
    assert env is not None, f"no environment of this test has spaces that {spec.id} takes: add one"
    agent = zoo_core.make_agent(spec.id, env, spec.check_config, seed=0, device="cpu")
    returns, lengths = evaluate_policy(
        agent, agent.get_env(), n_eval_episodes=2, deterministic=False, return_episode_rewards=True, warn=False
    )
    assert len(returns) == len(lengths) == 2
    assert np.isfinite(returns).all()


# -- logger ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def logger(tmp_path):
    logger = configure(str(tmp_path), ["csv", "json", "tensorboard"])
    yield logger
    logger.close()


@every_agent
def test_progress_is_written_where_the_logger_writes(tmp_path, logger, name):
    agent = make(name)
    agent.set_logger(logger)
    agent.learn(80 if "ppo" in name or "dqn" in name else 250, log_interval=40)
    lines = [json.loads(line) for line in (tmp_path / "progress.json").read_text().splitlines()]
    with (tmp_path / "progress.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(lines) == len(table) >= 2
    assert lines[-1]["time/total_timesteps"] == agent.num_timesteps
    assert {"rollout/ep_rew_mean", "rollout/ep_len_mean", "time/fps"} <= lines[-1].keys()
    if name != "random":
        assert any(key.startswith("train/") for line in lines for key in line)
    if agent.world_model is not None:
        assert {"model/holdout_loss", "real/ep_rew_mean", "dream/ep_rew_mean", "replay/steps"} <= set().union(*lines)
    assert any(path.name.startswith("events.out.tfevents") for path in tmp_path.iterdir())
    assert agent.logger.get_dir() == str(tmp_path)


@pytest.mark.parametrize("name", ["random", "ppo", "dream-ppo"])
def test_tensorboard_gets_a_run_of_its_own_for_each_learning(tmp_path, name):
    agent = make(name, tensorboard_log=str(tmp_path)).learn(40, tb_log_name="first").learn(40, tb_log_name="first")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first_1", "first_2"]
    agent.learn(40, tb_log_name="first", reset_num_timesteps=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first_1", "first_2"]


def test_the_log_is_printed_if_asked_for_and_silent_if_not(capsys):
    make("random").learn(20)
    assert capsys.readouterr().out == ""
    make("random", verbose=1).learn(20)
    assert "total_timesteps" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["random", "dream-ppo"])
def test_logs_can_be_dumped_by_a_callback(tmp_path, logger, name):
    agent = make(name)
    agent.set_logger(logger)
    agent.learn(40, callback=LogEveryNTimesteps(10), log_interval=1_000)
    lines = [json.loads(line) for line in (tmp_path / "progress.json").read_text().splitlines()]
    assert [line["time/total_timesteps"] for line in lines] == [10, 20, 30, 40, 40]


def test_what_is_learned_includes_every_network():
    """The control of the test above that compares what was learned: it would see a difference."""
    agent = make("dream-sac").learn(60)
    before = {key: values.clone() for key, values in learned(agent).items()}
    after = learned(agent.learn(20, reset_num_timesteps=False))
    changed = {key.split("/")[0] for key in before if not torch.equal(before[key], after[key])}
    assert {"learner", "replay", "weights"} <= changed
