"""Hostile files: whatever one holds, it loads or is refused with an error of the zoo, and nothing in it is run."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st

import zoo_core
from benchmarks.fuzz import __main__ as command, trial as trial_module
from benchmarks.fuzz.corpus import read_corpus, resume, write_corpus
from benchmarks.fuzz.mutations import _NONSENSE, MARKER, PICKLE, _name, _place, mutate
from benchmarks.fuzz.pool import fuzz
from benchmarks.fuzz.trial import Trial
from zoo_core import archive
from zoo_core.cli import main
from zoo_core.errors import CheckpointError, ConfigError, UnknownNameError, ZooError
from zoo_core.restoring import restoring

REPLAYS = {"sac": "replay_buffer", "dream-sac": "replay"}
RUN_FILES = tuple(
    f"{run}/{file}"
    for run, replay in REPLAYS.items()
    for file in ("checkpoint-000002", f"segment-{replay}-000001", f"segment-{replay}-000002")
)
NAMES = (
    *(f"agent-{name}" for name in ("random", "ppo", "sac", "dream-sac", "dyna-q", "prioritized-sweeping")),
    *(f"model-{name}" for name in ("mlp", "ensemble", "lookup", "linear")),
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    directory = tmp_path_factory.mktemp("corpus")
    write_corpus(directory)
    return directory


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """An empty current directory, in which a pickle that is opened leaves its marker."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not (tmp_path / MARKER).exists(), "a pickle was opened"


def contents(corpus, name):
    return archive.read_archive(corpus / f"{name}.zip")


def write(path, header, tensors):
    """Writes a file as text: `write_archive` is given no chance to object."""
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("zoo.json", json.dumps(header))
        with zipped.open("tensors.safetensors", "w") as member:
            member.write(archive.safetensors.torch.save({k: v.clone() for k, v in tensors.items()}))


def go_on(corpus, name, header, tensors):
    """Goes on with a run, one file of which may make no sense."""
    run, _, file = name.partition("/")
    shutil.copytree(corpus / run, run, dirs_exist_ok=True)
    write(f"{run}/{file}.zip", header, tensors)
    return resume(Path(run))


def load(name, header, tensors):
    """Writes and loads what may make no sense."""
    write("odd.zip", header, tensors)
    return zoo_core.load("odd.zip") if name.startswith("agent") else zoo_core.load_model("odd.zip")


def changed(header, path, value):
    """Sets a value deep in a description; `...` removes it."""
    *parents, last = path.split(".")
    part = header
    for key in parents:
        part = part[key]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return header


# -- at random ---------------------------------------------------------------------------------------------------------


def test_three_hundred_mutants_do_what_files_may_do(corpus):
    found = fuzz(corpus, 300, seed=7, jobs=1)
    assert not found.offences, found.offences[0]
    assert sum(found.outcomes.values()) == 300
    assert {end for _, end in found.outcomes} >= {"loaded", "CheckpointError", "UnknownNameError", "ConfigError"}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
ANY_PLACE = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def put_anything(header, data):
    """Sets a random place in a description to a random value."""
    part, key = header, data.draw(st.sampled_from(sorted(header)))
    while isinstance(part[key], dict | list) and part[key] and data.draw(st.booleans()):
        part = part[key]
        key = data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
    part[key] = data.draw(ANY_JSON)


@pytest.mark.parametrize("name", ["agent-ppo", "agent-dream-sac", "model-ensemble"])
@given(data=st.data())
@ANY_PLACE
def test_any_json_in_any_place_loads_or_is_refused(corpus, name, data):
    header, tensors = contents(corpus, name)
    put_anything(header, data)
    with contextlib.suppress(ZooError):
        load(name, header, tensors)


@pytest.mark.filterwarnings("ignore:the last bits may come out otherwise")
@pytest.mark.parametrize("name", RUN_FILES)
@given(data=st.data())
@ANY_PLACE
def test_any_json_in_any_place_of_a_run_is_gone_on_from_or_refused(corpus, name, data):
    header, tensors = contents(corpus, name)
    put_anything(header, data)
    with contextlib.suppress(ZooError):
        go_on(corpus, name, header, tensors)


@pytest.mark.parametrize(("name", "num_timesteps"), [("sac", 100), ("dream-sac", 16)])
def test_a_run_of_the_corpus_goes_on_where_nothing_is_damaged(corpus, name, num_timesteps):
    assert resume(corpus / name).num_timesteps == num_timesteps


def test_the_corpus_holds_one_checkpoint_and_the_segments_of_each_run(corpus):
    assert {name for name in read_corpus(corpus) if "/" in name} == set(RUN_FILES)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_of_another_shape_do_not_fit(corpus, name):
    header, tensors = contents(corpus, name)
    weights = [key for key in tensors if "weights/" in key or "/parameters/policy/" in key]
    for key in weights[:: max(1, len(weights) // 3)]:
        with pytest.raises(CheckpointError, match=r"odd\.zip"):
            load(name, header, {**tensors, key: torch.zeros(7, 7)})


# -- by name -----------------------------------------------------------------------------------------------------------

BOX = {"type": "Box", "low": 0, "high": 1, "shape": [3], "dtype": "float32"}
FITS = "agent.observation_space"
REFUSED = [
    ("agent-ppo", FITS, {**BOX, "shape": [10**12]}, "a space of 1,000,000,000,000 numbers is larger than any"),
    ("agent-ppo", FITS, {"type": "MultiBinary", "n": [10**6, 10**6]}, "a space of 1,000,000,000,000 numbers"),
    ("agent-ppo", FITS, {"type": "Tuple", "spaces": [{**BOX, "shape": [10**7]}] * 9}, "a space of 90,000,000 numbers"),
    ("agent-ppo", FITS, {**BOX, "shape": [1] * 33}, "a space of 33 dimensions"),
    ("agent-ppo", FITS, {"type": "Discrete", "n": 2**70, "start": 0}, "OverflowError"),
    ("agent-ppo", FITS, {"type": "Discrete", "n": 10**12, "start": 0}, "its config asks for tensors of more than"),
    ("agent-ppo", FITS, {"type": "Torus"}, "unknown space type 'Torus'"),
    ("agent-ppo", FITS, {**BOX, "dtype": "O"}, "unknown dtype 'O' of a space"),
    ("agent-ppo", FITS, {**BOX, "low": "nan"}, "a bound of a Box is NaN"),
    ("agent-ppo", FITS, {**BOX, "dtype": "uint8", "high": "inf"}, "FloatingPointError"),
    ("agent-ppo", FITS, {**BOX, "low": 2}, "ValueError"),
    ("agent-ppo", FITS, {**BOX, "shape": [4]}, "odd.zip"),
    ("agent-ppo", FITS, [], "TypeError"),
    ("agent-ppo", "agent.num_envs", 10**12, "num_envs must be in [1, 1048576], got 1000000000000"),
    ("agent-ppo", "agent.num_envs", 1.5, "TypeError: 'float' object"),
    ("agent-ppo", "agent.num_timesteps", "many", "TypeError: 'str' object"),
    ("agent-ppo", "agent.num_timesteps", ..., "KeyError: 'num_timesteps'"),
    ("agent-ppo", "agent.seed", -1, "seed must be in [0, inf), got -1"),
    ("agent-ppo", "agent.env_id", ["CartPole-v1"], "env_id in the file must be a text or null, got ['CartPole-v1']"),
    ("agent-ppo", "agent.class", 5, "the file names no class as 'module:Class', got 5"),
    ("agent-ppo", "agent.data.state", ..., "KeyError: 'state'"),
    ("agent-ppo", "agent.data", None, "TypeError"),
    ("agent-ppo", "agent.config.ppo", {"policy_kwargs": {"net_arch": [10**9]}}, "tensors of more than 1,07"),
    ("agent-dream-sac", "world_model", None, "odd.zip"),
    ("agent-dream-sac", "agent.data.round", ..., "KeyError: 'round'"),
    ("agent-dream-sac", "recordings.replay.num_steps", 10**30, "odd.zip"),
    ("agent-dream-sac", "agent.config.model_config.hidden", 10**9, "tensors of more than 1,07"),
    ("model-mlp", "world_model.config.hidden", 10**9, "its config asks for tensors of more than 1,07"),
    ("model-ensemble", "world_model.config.num_members", 10**9, "its config asks for tensors of more than 1,07"),
    ("model-ensemble", "world_model.seed", None, "TypeError"),
    ("model-ensemble", "world_model.replay_steps", "x", "TypeError"),
    ("model-ensemble", "world_model", [], "TypeError"),
    ("model-ensemble", "world_model", ..., "odd.zip holds no world model (it is of kind 'world_model')"),
]


@pytest.mark.parametrize(("name", "path", "value", "message"), REFUSED)
def test_absurd_contents_are_refused_in_a_line_that_names_the_file(corpus, name, path, value, message):
    header, tensors = contents(corpus, name)
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        load(name, changed(header, path, value), tensors)
    assert "odd.zip" in str(caught.value)
    assert "\n" not in str(caught.value)


REFUSED_RUNS = [
    ("sac/checkpoint-000002", "run", ["x"], "it does not say of which run it is"),
    ("sac/checkpoint-000002", "progress", ..., "KeyError: 'progress'"),
    ("sac/checkpoint-000002", "progress.goal", "many", "ValueError: invalid literal for int()"),
    ("sac/checkpoint-000002", "progress.episodes", 3, "TypeError: 'int' object is not iterable"),
    ("sac/checkpoint-000002", "index", None, "TypeError"),
    ("sac/checkpoint-000002", "rest", {"tensor": "none"}, "the file has no tensor 'none'"),
    ("sac/checkpoint-000002", "recordings.replay_buffer.segments", [7], "segment-replay_buffer-000007"),
    ("sac/checkpoint-000002", "recordings.replay_buffer.segments", ["9" * 300], "segment-replay_buffer-999"),
    ("sac/segment-replay_buffer-000002", "kind", "agent", "holds a file of kind 'agent', expected 'segment'"),
    ("sac/segment-replay_buffer-000002", "segment", 3, "TypeError"),
    ("dream-sac/checkpoint-000002", "world_model", ..., "KeyError: 'world_model'"),
    ("dream-sac/checkpoint-000002", "recordings", [], "TypeError"),
    ("dream-sac/segment-replay-000001", "segment.num_steps", 10**30, "dream-sac"),
]


@pytest.mark.parametrize(("name", "path", "value", "message"), REFUSED_RUNS)
def test_absurd_contents_of_a_run_are_refused_in_a_line(corpus, name, path, value, message):
    header, tensors = contents(corpus, name)
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        go_on(corpus, name, changed(header, path, value), tensors)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize(
    "reference", ["os:system", "builtins:eval", "zoo_core.cli.app:main", "zoo_sb3.learner:Learner"]
)
@pytest.mark.parametrize("name", ["agent-ppo", "model-mlp"])
def test_a_class_that_no_plugin_registers_is_unknown(corpus, name, reference):
    header, tensors = contents(corpus, name)
    kind = "agent" if name == "agent-ppo" else "world_model"
    with pytest.raises(UnknownNameError, match=rf"odd\.zip: no plugin registers the \w+ class '{reference}'"):
        load(name, changed(header, f"{kind}.class", reference), tensors)


@pytest.mark.parametrize("function", ["os:mkdir", {"function": "os:system"}, {"function": "zoo_core.archive:os.mkdir"}])
def test_a_function_of_another_place_is_not_looked_up(corpus, function):
    header, tensors = contents(corpus, "model-mlp")
    with pytest.raises(ConfigError, match=r"odd\.zip: .* which a file may not bring in"):
        load("model-mlp", changed(header, "world_model.config.reward_fn", function), tensors)


def test_no_module_is_imported_for_the_name_of_an_environment(corpus):
    header, tensors = contents(corpus, "agent-random")
    agent = load("agent-random", changed(header, "agent.env_id", "this:Pendulum-v1"), tensors)
    assert agent.env_id == "Pendulum-v1"
    assert main(["eval", "odd.zip", "--episodes", "1"]) == 0
    assert "this" not in sys.modules


def test_first_observations_must_be_of_the_space(corpus):
    header, tensors = contents(corpus, "model-mlp")
    for wrong in (torch.zeros(4, 2), torch.zeros(0, 3), torch.zeros(4, 3, dtype=torch.float64), torch.zeros(())):
        with pytest.raises(CheckpointError, match=r"odd\.zip"):
            load("model-mlp", header, {**tensors, "starts/0": wrong})


@pytest.mark.parametrize("name", NAMES)
def test_a_pickle_in_the_place_of_a_member_is_not_opened(corpus, name):
    whole = zipfile.ZipFile(corpus / f"{name}.zip")
    for planted in whole.namelist():
        with zipfile.ZipFile("odd.zip", "w") as zipped:
            for member in whole.namelist():
                zipped.writestr(member, PICKLE if member == planted else whole.read(member))
        if planted == "README.md":  # which nobody reads
            (zoo_core.load if name.startswith("agent") else zoo_core.load_model)("odd.zip")
            continue
        with pytest.raises(CheckpointError, match=r"odd\.zip is damaged"):
            zoo_core.load_model("odd.zip")


def test_the_planted_pickle_would_leave_its_marker(tmp_path):
    pickle.loads(PICKLE)
    os.rmdir(tmp_path / MARKER)


@pytest.mark.parametrize("name", ["agent-sac", "agent-dream-sac"])
def test_eval_answers_a_damaged_file_in_one_line(corpus, name, capfd):
    header, tensors = contents(corpus, name)
    for path, value in (("agent.num_envs", 10**12), ("agent.data", ...), ("agent.class", "os:system")):
        with pytest.raises(ZooError):
            load(name, changed(json.loads(json.dumps(header)), path, value), tensors)
        assert main(["eval", "odd.zip"]) == 2
        error = capfd.readouterr().err
        assert error.startswith("error: odd.zip")
        assert error.count("\n") == 1


# -- the block that restores -------------------------------------------------------------------------------------------


def test_a_block_that_fails_names_the_file_and_keeps_the_cause():
    message = r"a\.zip cannot be restored: KeyError: 'seed' \(a damaged"
    with pytest.raises(CheckpointError, match=message) as caught, restoring("a.zip", {}):
        raise KeyError("seed")
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_of_the_zoo_stays_what_it_is_and_names_the_file():
    with pytest.raises(ConfigError, match=r"^a\.zip: hidden must be 1$"), restoring("a.zip", {}):
        raise ConfigError("hidden must be 1")
    with pytest.raises(CheckpointError, match=r"^a\.zip is odd$"), restoring("a.zip", {}):
        raise CheckpointError("a.zip is odd")


def test_a_message_does_not_repeat_a_whole_file():
    with pytest.raises(ConfigError) as caught, restoring("a.zip", {}):
        raise ConfigError("x" * 10_000)
    assert len(str(caught.value)) < 600


def test_what_is_no_fault_of_the_file_passes_through():
    for fault in (KeyboardInterrupt, OSError):
        with pytest.raises(fault), restoring("a.zip", {}):
            raise fault


def test_tensors_beyond_the_allowance_are_not_made():
    with restoring("a.zip", {}):
        torch.empty(2**28 - 1)
    message = r"a\.zip: its config asks for tensors of more than 1,073,741,824 bytes"
    with pytest.raises(CheckpointError, match=message), restoring("a.zip", {}):
        torch.nn.Linear(10**6, 10**6)
    with restoring("a.zip", {"x": torch.empty(2**24)}):
        torch.empty(2**28 + 2**27)


def test_the_allowance_does_not_change_what_is_drawn():
    def draw():
        generator = torch.Generator().manual_seed(0)
        return torch.randn(3, generator=generator), torch.full((2,), 3.0), torch.arange(3), torch.zeros(2).new_ones(4)

    with restoring("a.zip", {}):
        counted = draw()
    assert all(torch.equal(a, b) for a, b in zip(counted, draw(), strict=True))


# -- the fuzzer itself -------------------------------------------------------------------------------------------------


@pytest.fixture
def trial(corpus, scratch):
    (scratch / "trial").mkdir()
    return Trial(corpus, scratch / "trial", seed=3)


def test_a_seed_and_a_number_name_a_mutant(trial):
    mutants = [trial.mutant(i) for i in range(60)]
    assert mutants == [trial.mutant(i) for i in reversed(range(60))][::-1]
    assert len({mutant.data for mutant in mutants}) > 50


def test_all_kinds_of_mutation_come_up(trial):
    found = {mutate(trial.corpus, np.random.default_rng(i)).mutation for i in range(300)}
    assert found >= {_name(function) for function in _NONSENSE}
    assert len(found) == 22


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (lambda path: pickle.loads(PICKLE), "a pickle was opened"),
        (lambda path: open("evil.py", "w").close(), r"it wrote \['evil.py'\]"),
        (lambda path: {}["seed"], "KeyError: 'seed'"),
        (lambda path: sys.exit(3), "SystemExit: 3"),
    ],
)
def test_the_fuzzer_notices(trial, monkeypatch, fault, what):
    monkeypatch.setattr(trial_module.zoo_core, "load_model", fault)
    found = trial.run([0])
    assert re.search(what, found.offences[0].what)
    assert found.outcomes.total() == 1


def test_the_fuzzer_notices_damage_that_is_read(trial, monkeypatch):
    index = next(i for i in range(100) if trial.mutant(i).only_bytes)
    monkeypatch.setattr(trial, "_load", lambda load, path: "loaded")
    monkeypatch.setattr(trial_module.archive, "read_archive", lambda path: ({}, {}))
    assert trial.run([index]).offences[0].what == "damage was not noticed"


def test_an_offence_fails_the_command_and_says_how_to_see_it_again(monkeypatch, capsys):
    offence = trial_module.Offence(12, "truncated", "agent-ppo", "KeyError: 'seed'")
    monkeypatch.setattr(command, "fuzz", lambda *_: trial_module.Findings.of(offence))
    assert command.main(["--files", "100", "--seed", "4"]) == 1
    shown = capsys.readouterr().out
    assert "fuzz: seed 4" in shown
    assert "file 12, truncated of agent-ppo: KeyError: 'seed'" in shown
    assert "again: python -m benchmarks.fuzz --seed 4 --only 12" in shown


def test_a_place_in_a_description_is_one(corpus):
    header, _ = contents(corpus, "agent-ppo")
    rng = np.random.default_rng(0)
    for _ in range(50):
        parent, key = _place(header, rng)
        parent[key]


def test_the_fuzzer_waits_for_no_file(trial, monkeypatch):
    monkeypatch.setattr(trial_module, "MAX_SECONDS", 0.05)
    monkeypatch.setattr(trial_module.zoo_core, "load_model", lambda path: next(i for i in iter(int, 1) if i))
    assert trial.run([0]).offences[0].what == "it took longer than 0.05 s"
